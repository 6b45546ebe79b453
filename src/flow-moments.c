#include "flow-moments.h"

#include <limits.h>
#include <string.h>

#include "bounds.h"
#include "workspace.h"

/* --- planning ---------------------------------------------------------------------------- */

/* Whether a stage has parameters of the slice. */
static bool begins_at(const struct ca_flow_plan *plan, int b) {
    const struct ca_op *op = ca_cut_stage_op(&plan->stages, b);
    return b > 0 && plan->stages.live[b] && op->n_theta > 0 && op->theta < plan->end &&
           op->theta + op->n_theta > plan->begin;
}

/* The stage that all vectors begin at, -1 if there are several. Second moments leave out the
 * constant, so biases do not count. */
static int single_stage(const struct ca_flow_plan *plan) {
    int single = -1, found = 0;
    for (int b = 1; b < plan->stages.n; b++) {
        const struct ca_op *op = ca_cut_stage_op(&plan->stages, b);
        if (!begins_at(plan, b) || ca_op_row(op->kind)->constant)
            continue;
        found++;
        single = op->loop == 0 ? b : -1;
    }
    return found == 1 ? single : -1;
}

/* The backward cut through the live stages among `wanted`, from those in `edge`. */
static enum ca_status live_cut(const struct ca_flow_plan *plan, bool *wanted, const bool *edge,
                               struct ca_cut *cut) {
    for (int b = 0; b < plan->stages.n; b++)
        wanted[b] = wanted[b] && plan->stages.live[b];
    return ca_cut_new(&plan->stages, wanted, true, edge, cut);
}

/* All stages; with a slice only those that depend on its parameters, and those that these
 * depend on. */
static enum ca_status plan_whole(struct ca_flow_plan *plan, const bool *outputs) {
    bool *wanted = ca_cut_stages_none(&plan->stages),
         *above = ca_cut_stages_none(&plan->stages);
    const int n = plan->stages.n;
    for (int b = 0; b < n; b++)
        wanted[b] = above[b] = plan->end == plan->begin || begins_at(plan, b);
    ca_cut_stages_below(&plan->stages, wanted);
    ca_cut_stages_above(&plan->stages, above);
    for (int b = 0; b < n; b++)
        wanted[b] = wanted[b] || above[b];
    return live_cut(plan, wanted, outputs, &plan->whole);
}

static enum ca_status plan_single(struct ca_flow_plan *plan, const bool *outputs) {
    const struct ca_stages *stages = &plan->stages;
    const int b = plan->single;
    bool *above = ca_cut_stages_none(stages), *below = ca_cut_stages_none(stages),
         *edge = ca_cut_stages_none(stages);
    above[b] = true;
    ca_cut_stages_above(stages, above);
    for (int i = stages->first_read[b]; i < stages->first_read[b + 1]; i++)
        edge[stages->reads[i]] = below[stages->reads[i]] = true;
    ca_cut_stages_below(stages, below);
    const enum ca_status status = live_cut(plan, above, outputs, &plan->above);
    return status != CA_OK ? status : live_cut(plan, below, edge, &plan->below);
}

enum ca_status ca_flow_plan_new(const struct ca_graph *graph, size_t begin, size_t end,
                                struct ca_flow_plan *plan) {
    *plan =
        (struct ca_flow_plan){.stages = ca_cut_stages_new(graph), .begin = begin, .end = end};
    bool *outputs = ca_cut_stages_none(&plan->stages);
    for (int b = 0; b < plan->stages.n; b++) {
        outputs[b] = ca_cut_stage_step(&plan->stages, b).node == graph->output;
        plan->has_gates = plan->has_gates ||
                          (plan->stages.live[b] && !ca_cut_stage_is_linear(&plan->stages, b));
    }
    plan->single = end > begin ? single_stage(plan) : -1;
    const enum ca_status status = plan_whole(plan, outputs);
    return status != CA_OK || plan->single < 0 ? status : plan_single(plan, outputs);
}

static void cut_gates(const struct ca_cut *cut, bool *found) {
    for (int i = 0; i < cut->items.n; i++)
        for (int j = cut->items.first[i]; j < cut->items.first[i + 1]; j++)
            if (!ca_cut_item_is_linear(cut, i))
                found[cut->items.stage[j]] = true;
}

void ca_flow_plan_gates(const struct ca_flow_plan *plan, enum ca_carried what, bool *found) {
    if (what != CA_PAIRS) {
        cut_gates(&plan->whole, found);
        return;
    }
    cut_gates(&plan->above, found);
    cut_gates(&plan->below, found);
}

static size_t members(const struct ca_flow_plan *plan, enum ca_carried what) {
    return what == CA_OUTPUTS || what == CA_PAIRS ? 1 : 1 + plan->end - plan->begin;
}

double ca_flow_rows(const struct ca_flow_plan *plan, const struct ca_flow_start *start) {
    return start->what == CA_VECTORS ? (double)members(plan, start->what) * start->n : 1;
}

double ca_flow_matrices(const struct ca_flow_plan *plan, const struct ca_flow_start *start) {
    const double p = (double)(plan->end - plan->begin);
    return start->what == CA_VECTORS   ? 1
           : start->what == CA_OUTPUTS ? start->n
                                       : p * (p + 1) / 2;
}

/* --- where vectors begin ----------------------------------------------------------------- */

/* The ties of a stage, tap by tap and entry by entry of its matrices. */
struct tie_list {
    const struct ca_flow_plan *plan;
    const struct ca_cut *from, *to;
    int constant;
    int n, *member, *at, *reads; /* NULL in the round that counts */
};

static void tie_tap(struct tie_list *t, const struct ca_op *op, const struct ca_tap *tap,
                    int own) {
    const int filters = op->shape.channels, fg = filters / tap->groups;
    const int cg = tap->channels / tap->groups;
    const int other = tap->site == CA_CONSTANT ? t->constant : ca_cut_place(t->to, tap->site);
    for (int i = 0; i < cg; i++)
        for (int f = 0; f < filters; f++) {
            const size_t entry = tap->theta + (size_t)f + (size_t)filters * (size_t)i;
            if (entry < t->plan->begin || entry >= t->plan->end)
                continue;
            if (t->member != NULL) {
                t->member[t->n] = (int)(entry - t->plan->begin) + 1;
                t->at[t->n] = own + f;
                t->reads[t->n] = other < 0 ? -1 : other + f / fg * cg + i;
            }
            t->n++;
        }
}

static void tie_stage(struct tie_list *t, int b) {
    const struct ca_step step = ca_cut_stage_step(&t->plan->stages, b);
    const struct ca_graph *graph = t->plan->stages.graph;
    const struct ca_op *op = &graph->op[step.node];
    t->n = 0;
    for (int u = step.begin; u < step.end; u++)
        for (int k = 0; k < op->n_taps; k++) {
            struct ca_tap tap;
            const int own = ca_cut_place(t->from, graph->first[step.node] + (size_t)u);
            if (own >= 0 && ca_op_row(op->kind)->own(op, u, k, &tap))
                tie_tap(t, op, &tap, own);
        }
}

/* Sorted by member. `constant` is the place of the homogeneous coordinate, or -1. */
static struct ca_ties ties_of(const struct ca_flow_plan *plan, int b, const struct ca_cut *from,
                              const struct ca_cut *to, int constant) {
    struct tie_list t = {plan, from, to, constant, .n = 0};
    tie_stage(&t, b);
    const size_t n = (size_t)t.n, p = plan->end - plan->begin;
    int *first = ca_ints(p + 2), *sorted[3];
    t.member = ca_ints(n);
    t.at = ca_ints(n);
    t.reads = ca_ints(n);
    for (int i = 0; i < 3; i++)
        sorted[i] = ca_ints(n);
    tie_stage(&t, b);
    memset(first, 0, sizeof(int) * (p + 2));
    for (size_t i = 0; i < n; i++)
        first[t.member[i] + 1]++;
    for (size_t k = 1; k < p + 2; k++)
        first[k] += first[k - 1];
    for (size_t i = 0; i < n; i++) {
        const int to_i = first[t.member[i]]++;
        sorted[0][to_i] = t.member[i];
        sorted[1][to_i] = t.at[i];
        sorted[2][to_i] = t.reads[i];
    }
    return (struct ca_ties){(int)n, sorted[0], sorted[1], sorted[2]};
}

/* Vectors of parameters begin before the item of their stage. */
static void begin_at_items(const struct ca_flow_plan *plan, struct ca_program *program) {
    const struct ca_cut *cut = program->carry.cut;
    struct ca_ties *ties = ca_bytes((size_t)cut->items.n, sizeof *ties);
    memset(ties, 0, sizeof *ties * (size_t)cut->items.n);
    for (int b = 1; b < plan->stages.n; b++)
        if (begins_at(plan, b) && cut->item[b] < cut->items.n)
            ties[cut->item[b]] = ties_of(plan, b, cut, cut, program->carry.constant);
    program->ties = ties;
    program->n_members = (int)(plan->end - plan->begin) + 1;
    program->begin = ca_ints((size_t)program->n_members + 1);
}

/* --- running ----------------------------------------------------------------------------- */

/* n zero matrices. */
static double *new_matrices(const struct ca_program *program, size_t n) {
    const size_t each = (size_t)program->carry.rows * (size_t)program->carry.size;
    double *S = ca_doubles(each * n);
    memset(S, 0, sizeof(double) * each * n);
    return S;
}

/* Place of an output coordinate, -1 if it does not depend on the parameters. */
static int output_place(const struct ca_cut *cut, int output) {
    const struct ca_graph *graph = cut->stages->graph;
    const int channels = graph->op[graph->output].shape.channels;
    const int at = ca_cut_place(cut, graph->first[graph->output] + (size_t)(output / channels));
    return at < 0 ? -1 : at + output % channels;
}

/* Adds E[B B'] of one output to S. */
static void add_output(const struct ca_program *program, int output, double *S) {
    const int at = output_place(program->carry.cut, output);
    if (at >= 0)
        S[(size_t)at * ((size_t)program->carry.rows + 1)] += 1;
}

static void run_vectors(const struct ca_program *program, const struct ca_flow_start *start) {
    double *V = new_matrices(program, 1);
    for (int o = 0; o < start->n; o++) {
        const int at = output_place(program->carry.cut, start->output[o]);
        if (at >= 0)
            V[(size_t)o + (size_t)program->carry.rows * (size_t)at] = 1;
    }
    ca_program_run(program, program->carry.cut->items.n, 1, V, 0);
}

static void run_outputs(const struct ca_program *program, const struct ca_flow_start *start) {
    const size_t size = (size_t)program->carry.size;
    double *S = new_matrices(program, 1);
    for (int o = 0; o < start->n; o++) {
        memset(S, 0, sizeof(double) * size * size);
        add_output(program, start->output[o], S);
        ca_program_run(program, program->carry.cut->items.n, 1, S, (size_t)o);
    }
}

static void run_family(const struct ca_program *program, const struct ca_flow_start *start) {
    const size_t p = (size_t)program->n_members, n = p * (p + 1) / 2;
    double *S = new_matrices(program, n);
    for (int o = 0; o < start->n; o++)
        add_output(program, start->output[o], S);
    ca_program_run(program, program->carry.cut->items.n, n, S, 0);
}

/* E[B B'] back to the stage; from there every pair by itself, S^(kl) = I_k E[B B'] I_l'. */
static void run_pairs(const struct ca_flow_plan *plan, const struct ca_program *above,
                      const struct ca_program *below, const struct ca_flow_start *start) {
    const int p = (int)(plan->end - plan->begin);
    const size_t N = (size_t)above->carry.size, M = (size_t)below->carry.size;
    double *BB = new_matrices(above, 1), *S = new_matrices(below, 1); /* N x N, M x M */
    for (int o = 0; o < start->n; o++)
        add_output(above, start->output[o], BB);
    ca_program_run(above, plan->above.item[plan->single], 1, BB, 0);
    const struct ca_ties ties = ties_of(plan, plan->single, &plan->above, &plan->below, -1);
    int *begin = ca_ints((size_t)p + 2);
    for (int k = 0, t = 0; k <= p + 1; k++) {
        while (t < ties.n && ties.member[t] < k)
            t++;
        begin[k] = t;
    }
    size_t pair = 0;
    for (int l = 1; l <= p; l++)
        for (int k = 1; k <= l; k++) {
            memset(S, 0, sizeof(double) * M * M);
            for (int t = begin[k]; t < begin[k + 1]; t++)
                for (int s = begin[l]; s < begin[l + 1]; s++)
                    if (ties.to[t] >= 0 && ties.to[s] >= 0)
                        S[(size_t)ties.to[t] + M * (size_t)ties.to[s]] +=
                            BB[(size_t)ties.from[t] + N * (size_t)ties.from[s]];
            ca_program_run(below, below->carry.cut->items.n, 1, S, pair++);
        }
}

static enum ca_status run_two_programs(const struct ca_flow_plan *plan, const double *theta,
                                       const struct ca_flow_start *start,
                                       const struct ca_gate_source *source, int n_records,
                                       const struct ca_record *record,
                                       void (*check_interrupt)(void)) {
    struct ca_program above, below;
    if (plan->single < 0)
        return CA_BAD_GRAPH;
    enum ca_status status =
        ca_program_new(&plan->above, theta, true, plan->above.size, false, source, &above);
    if (status == CA_OK)
        status =
            ca_program_new(&plan->below, theta, true, plan->below.size, false, source, &below);
    if (status != CA_OK)
        return status;
    above.check_interrupt = below.check_interrupt = check_interrupt;
    const double above_size = plan->above.size, below_size = plan->below.size;
    if (above_size * above_size + below_size * below_size > CA_FLOW_ENTRIES)
        return CA_TOO_LARGE;
    ca_program_record(&below, n_records, record);
    run_pairs(plan, &above, &below, start);
    return CA_OK;
}

/* How many matrices are held at once. */
static double held(const struct ca_flow_plan *plan, const struct ca_flow_start *start) {
    const double members = 1 + (double)(plan->end - plan->begin);
    return start->what == CA_FAMILY ? members * (members + 1) / 2 : 1;
}

enum ca_status ca_flow_moments(const struct ca_flow_plan *plan, const double *theta,
                               const struct ca_flow_start *start,
                               const struct ca_gate_source *source, int n_records,
                               const struct ca_record *record, void (*check_interrupt)(void)) {
    const bool two_sided = start->what != CA_VECTORS, slice = plan->end > plan->begin;
    if ((two_sided && start->constant) || (start->what == CA_OUTPUTS && slice) ||
        (start->what > CA_OUTPUTS && !slice))
        return CA_BAD_GRAPH;
    if (start->what == CA_PAIRS)
        return run_two_programs(plan, theta, start, source, n_records, record, check_interrupt);
    const double rows = two_sided ? plan->whole.size : ca_flow_rows(plan, start);
    if (rows >= INT_MAX || rows * plan->whole.size * held(plan, start) > CA_FLOW_ENTRIES)
        return CA_TOO_LARGE;
    struct ca_program program;
    const enum ca_status status = ca_program_new(&plan->whole, theta, two_sided, (int)rows,
                                                 start->constant, source, &program);
    if (status != CA_OK)
        return status;
    program.check_interrupt = check_interrupt;
    ca_program_record(&program, n_records, record);
    if (slice)
        begin_at_items(plan, &program);
    if (start->what == CA_VECTORS)
        run_vectors(&program, start);
    else if (start->what == CA_OUTPUTS)
        run_outputs(&program, start);
    else
        run_family(&program, start);
    return CA_OK;
}
