#include "ffi.h"

#include "threads.h"

/* Sets the number of BLAS threads to n, if n > 0. Returns the number, or 0 if it is unknown. */
SEXP ffi_threads(SEXP n) {
    const double asked = ffi_number(n, "threads");
    if (!(asked >= 0 && asked <= 1024))
        ffi_bug("threads");
    return Rf_ScalarInteger(ca_blas_threads((int)asked));
}
