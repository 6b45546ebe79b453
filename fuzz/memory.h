#ifndef CAPALLOC_FUZZ_MEMORY_H
#define CAPALLOC_FUZZ_MEMORY_H

/*
 * A replacement of R_alloc() for workspace.c. Every block has exactly the requested length,
 * without the spare element of ca_bytes(), and the memory around it is poisoned for the address
 * sanitizer. BLAS is not instrumented, so the bytes behind a block are also checked for writes
 * when it is released.
 */

#include <setjmp.h>
#include <stddef.h>

/* Sets the byte that fresh memory is filled with. */
void fuzz_memory_fill(unsigned char fill);

/* Sets the most bytes that may be allocated at once. Beyond it R_alloc() jumps to `full`, as R
 * would raise an error. */
void fuzz_memory_limit(size_t most, jmp_buf *full);

/* Returns a mark of the current allocations; releases all later ones. */
void *fuzz_memory_mark(void);
void fuzz_memory_release(void *mark);

#endif
