#include "ffi.h"

#include "threads.h"

SEXP ffi_threads(SEXP n) {
    const double asked = ffi_number(n, "threads");
    if (!(asked >= 0 && asked <= 1024))
        ffi_bug("threads");
    return Rf_ScalarInteger(ca_blas_threads((int)asked));
}
