#include "bounds.h"
#include "workspace.h"

#include <R_ext/Memory.h>
#include <stdint.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* Page faults dominate the time for large memory that is filled only once, and large pages have
 * fewer of them. This is a hint for speed: results do not depend on it. */
void ca_large(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t page = 4096, begin = ((uintptr_t)memory + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)memory + bytes) / page * page;
    if (bytes >= CA_LARGE_BYTES)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}

/* R_alloc() checks n * size for overflow. One more element makes a size of zero valid. */
void *ca_bytes(size_t n, size_t size) {
    return R_alloc(n + 1, (int)size);
}

double *ca_doubles(size_t n) {
    double *memory = ca_bytes(n, sizeof(double));
    ca_large(memory, n * sizeof(double));
    return memory;
}

int *ca_ints(size_t n) {
    return ca_bytes(n, sizeof(int));
}

size_t *ca_sizes(size_t n) {
    return ca_bytes(n, sizeof(size_t));
}
