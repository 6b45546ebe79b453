#include "workspace.h"

#include <R_ext/Memory.h>

/* R_alloc checks n * size for overflow itself. One element more, so that a size of zero is
 * valid. */
void *ca_bytes(size_t n, size_t size) {
    return R_alloc(n + 1, (int)size);
}

double *ca_doubles(size_t n) {
    return ca_bytes(n, sizeof(double));
}

int *ca_ints(size_t n) {
    return ca_bytes(n, sizeof(int));
}

size_t *ca_sizes(size_t n) {
    return ca_bytes(n, sizeof(size_t));
}
