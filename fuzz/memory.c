#include "memory.h"

#include <R_ext/Memory.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All blocks have the same alignment, so that BLAS always adds in the same order. */
enum { EDGE = 64, CANARY = 0xA5 };

struct head {
    struct head *before;
    size_t size;
};
_Static_assert(sizeof(struct head) <= EDGE, "a head fits before its block");

static struct {
    struct head *last;
    size_t held, most;
    jmp_buf *full;
    unsigned char fill;
} memory;

void fuzz_memory_fill(unsigned char fill) {
    memory.fill = fill;
}

void fuzz_memory_limit(size_t most, jmp_buf *full) {
    memory.most = most;
    memory.full = full;
}

void *fuzz_memory_mark(void) {
    return memory.last;
}

static void check(const struct head *head) {
    const unsigned char *edge = (const unsigned char *)head + EDGE + head->size;
    for (int i = 0; i < EDGE; i++)
        if (edge[i] != CANARY) {
            fprintf(stderr, "a write %d bytes behind a block of %zu bytes\n", i, head->size);
            abort();
        }
}

void fuzz_memory_release(void *mark) {
    while (memory.last != mark) {
        struct head *head = memory.last;
        ASAN_UNPOISON_MEMORY_REGION(head, EDGE);
        ASAN_UNPOISON_MEMORY_REGION((char *)head + EDGE + head->size, EDGE);
        check(head);
        memory.last = head->before;
        memory.held -= head->size;
        free(head);
    }
}

char *R_alloc(size_t n, int size) {
    const size_t asked = n - 1; /* without the spare element of ca_bytes() */
    if (n == 0 || (double)n * size > (double)(memory.most - memory.held))
        longjmp(*memory.full, 1);
    const size_t bytes = asked * (size_t)size;
    struct head *head = aligned_alloc(EDGE, (bytes + 2 * EDGE + EDGE - 1) / EDGE * EDGE);
    if (head == NULL)
        longjmp(*memory.full, 1);
    *head = (struct head){memory.last, bytes};
    memory.last = head;
    memory.held += bytes;
    char *block = (char *)head + EDGE;
    memset(block, memory.fill, bytes);
    memset(block + bytes, CANARY, EDGE);
    ASAN_POISON_MEMORY_REGION(head, EDGE);
    ASAN_POISON_MEMORY_REGION(block + bytes, EDGE);
    return block;
}
