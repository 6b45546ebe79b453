#ifndef CAPALLOC_FUZZ_MEMORY_H
#define CAPALLOC_FUZZ_MEMORY_H

/*
 * In place of R's memory: R_alloc() for workspace.c. Every block is exactly as long as was
 * asked for (the spare element of ca_bytes() is left out), its neighbourhood is poisoned for
 * the address sanitizer, and what BLAS may have written there, which is not instrumented, is
 * seen when the block is released.
 */

#include <setjmp.h>
#include <stddef.h>

/* What fresh memory is filled with. */
void fuzz_memory_fill(unsigned char fill);

/* Goes to `full` when more than `most` bytes are held at once, as R would raise an error. */
void fuzz_memory_limit(size_t most, jmp_buf *full);

/* What is held now, and back to it. */
void *fuzz_memory_mark(void);
void fuzz_memory_release(void *mark);

#endif
