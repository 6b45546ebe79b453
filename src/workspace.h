#ifndef CAPALLOC_WORKSPACE_H
#define CAPALLOC_WORKSPACE_H

/*
 * Scratch memory is R's: it is released when the .Call returns, by whatever way
 * (value, error or interrupt), so the core has nothing to free and nothing to
 * leak. Sizes are planned before loops; nothing is allocated inside one.
 */

#include <stddef.h>

double *ca_doubles(size_t n);
int *ca_ints(size_t n);
size_t *ca_sizes(size_t n);
void *ca_bytes(size_t n, size_t size);

/* Asks the system for large pages where it has them, before memory is first written. */
void ca_large(void *memory, size_t bytes);

#endif
