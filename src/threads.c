#include "threads.h"

#ifdef _WIN32

/* R for Windows has the reference BLAS. */
int ca_blas_threads(int n) {
    (void)n;
    return 0;
}

#else

#include <dlfcn.h>
#include <string.h>

typedef void (*set_threads)(int);
typedef int (*get_threads)(void);

/* Copies the address of a function as bytes, since ISO C has no conversion from object to
 * function pointers. Returns 0 if the symbol is missing. */
static int found(void *program, const char *name, void *function, size_t size) {
    void *symbol = dlsym(program, name);
    if (symbol)
        memcpy(function, &symbol, size);
    return symbol != 0;
}

int ca_blas_threads(int n) {
    set_threads set = 0;
    get_threads get = 0;
    void *program = dlopen(0, RTLD_LAZY); /* R and the libraries that it is linked with */
    if (!program)
        return 0;
    int threads = 0;
    if (found(program, "openblas_set_num_threads", &set, sizeof set) &&
        found(program, "openblas_get_num_threads", &get, sizeof get)) {
        if (n > 0)
            set(n);
        threads = get();
    }
    dlclose(program);
    return threads;
}

#endif
