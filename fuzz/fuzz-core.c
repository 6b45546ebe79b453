/*
 * A fuzzer of the C core below the border, for clang's libFuzzer: an input describes a network
 * (describe.h), which the core's own constructor accepts or refuses; where it accepts, every
 * stage (stages.h) runs. Findings are reports of the sanitizers, and aborts: of a stage where
 * answers contradict each other, or here where they depend on what fresh memory holds.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "stages.h"

/* What an input may hold at once, and the coefficients that a caller may have given. */
static const size_t MOST_MEMORY = (size_t)16 << 20, MOST_PARAMS = (size_t)1 << 14;

static void attempt(struct fuzz_subject *subject, fuzz_stage *stage) {
    jmp_buf full;
    void *mark = fuzz_memory_mark();
    fuzz_memory_limit(MOST_MEMORY, &full);
    if (setjmp(full) == 0)
        stage(subject);
    fuzz_memory_release(mark);
}

/* The network and its data; 0 when the core refuses it. */
static int build(struct fuzz_subject *subject, struct fuzz_bytes bytes) {
    const char *why = "";
    int where = 0;
    subject->options = fuzz_read_options(&bytes);
    subject->graph = fuzz_read_graph(&bytes, &subject->options);
    if (ca_graph_build(&subject->graph, &why, &where) != CA_OK ||
        subject->graph.n_params > MOST_PARAMS)
        return 0;
    const size_t N = (size_t)subject->options.samples;
    if (subject->graph.n_inputs > 1 << 16 || subject->graph.n_outputs > 1 << 16)
        return 0;
    subject->theta = fuzz_values(&subject->options, 1, subject->graph.n_params);
    subject->x = fuzz_values(&subject->options, 2, N * subject->graph.n_inputs);
    subject->y = fuzz_values(&subject->options, 3, N * subject->graph.n_outputs);
    fuzz_measure(subject);
    return 1;
}

static void run(struct fuzz_subject *subject, struct fuzz_bytes bytes, unsigned char fill) {
    jmp_buf full;
    void *mark = fuzz_memory_mark();
    *subject = (struct fuzz_subject){.digest = 1};
    fuzz_memory_fill(fill);
    fuzz_memory_limit(MOST_MEMORY, &full);
    if (setjmp(full) == 0 && build(subject, bytes))
        for (fuzz_stage *const *stage = fuzz_stages; *stage != NULL; stage++)
            attempt(subject, *stage);
    fuzz_memory_release(mark);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct fuzz_bytes bytes = {data, size};
    static struct fuzz_subject one, other;
    run(&one, bytes, 0xff); /* numbers that are none */
    if (one.options.twice) {
        run(&other, bytes, 0);
        if (one.digest != other.digest) {
            fprintf(stderr, "answers depend on fresh memory\n");
            abort();
        }
    }
    return 0;
}
