#ifndef CAPALLOC_WORKSPACE_H
#define CAPALLOC_WORKSPACE_H

/*
 * Scratch memory from R's transient arena. R releases it when the .Call returns, whether by
 * value, error or interrupt, so the core frees nothing and cannot leak. Sizes are planned
 * before loops; inner loops allocate nothing.
 */

#include <stddef.h>

double *ca_doubles(size_t n);
int *ca_ints(size_t n);
size_t *ca_sizes(size_t n);
void *ca_bytes(size_t n, size_t size);

/* Requests large pages from the system, if it has them. To be called before memory is first
 * written. */
void ca_large(void *memory, size_t bytes);

#endif
