/*
 * A fuzzer of the C core below the border, for clang's libFuzzer. An input describes a network
 * (describe.h), which the constructor of the core accepts or refuses. For an accepted network
 * all stages (stages.h) run. Findings are reports of the sanitizers, and aborts: by a stage
 * whose results contradict each other, or here if results depend on the content of fresh
 * memory.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "stages.h"

/* The most memory that an input may use at once, and the most parameters that it may have. */
static const size_t MOST_MEMORY = (size_t)16 << 20, MOST_PARAMS = (size_t)1 << 14;

static void attempt(struct fuzz_subject *subject, fuzz_stage *stage) {
    jmp_buf full;
    void *mark = fuzz_memory_mark();
    fuzz_memory_limit(MOST_MEMORY, &full);
    if (setjmp(full) == 0)
        stage(subject);
    fuzz_memory_release(mark);
}

/* Builds the network and its data. Returns 0 if the core refuses the network. */
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
    run(&one, bytes, 0xff); /* doubles of these bytes are NaN */
    if (one.options.twice) {
        run(&other, bytes, 0);
        if (one.digest != other.digest) {
            fprintf(stderr, "results depend on the content of fresh memory\n");
            abort();
        }
    }
    return 0;
}
