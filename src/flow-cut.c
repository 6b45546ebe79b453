#include "flow-cut.h"

#include <limits.h>
#include <string.h>

#include "workspace.h"

/* --- stages ------------------------------------------------------------------------------ */

struct ca_step ca_cut_stage_step(const struct ca_stages *stages, int b) {
    const struct ca_step input = {0, 0, stages->graph->op[0].positions};
    return b > 0 ? stages->graph->step[b - 1] : input;
}

const struct ca_op *ca_cut_stage_op(const struct ca_stages *stages, int b) {
    return &stages->graph->op[ca_cut_stage_step(stages, b).node];
}

int ca_cut_stage_units(const struct ca_stages *stages, int b) {
    const struct ca_step step = ca_cut_stage_step(stages, b);
    return (step.end - step.begin) * ca_cut_stage_op(stages, b)->shape.channels;
}

bool ca_cut_stage_is_linear(const struct ca_stages *stages, int b) {
    return b == 0 || ca_op_is_linear(ca_op_row(ca_cut_stage_op(stages, b)->kind));
}

bool *ca_cut_stages_none(const struct ca_stages *stages) {
    bool *found = ca_bytes((size_t)stages->n, sizeof(bool));
    memset(found, 0, sizeof(bool) * (size_t)stages->n);
    return found;
}

static const int *stages_of_sites(const struct ca_graph *graph) {
    int *stage = ca_ints(graph->n_sites);
    for (int u = 0; u < graph->op[0].positions; u++)
        stage[u] = 0;
    for (size_t s = 0; s < graph->n_steps; s++)
        for (int u = graph->step[s].begin; u < graph->step[s].end; u++)
            stage[graph->first[graph->step[s].node] + (size_t)u] = (int)s + 1;
    return stage;
}

struct reads {
    int n, *seen; /* stages: the last stage that reads it */
    int *reads;   /* NULL in the round that counts */
};

/* Appends the stages that stage b reads, and returns how many there are. */
static int read_of(const struct ca_graph *graph, const int *of, int b, struct reads *r) {
    const struct ca_step step = graph->step[b - 1];
    const int begin = r->n;
    for (int u = step.begin; u < step.end; u++)
        for (struct ca_taps t = ca_taps_of(&graph->op[step.node], u); ca_next_tap(&t);) {
            const int other = of[t.tap.site];
            if (r->seen[other] == b)
                continue;
            r->seen[other] = b;
            if (r->reads != NULL)
                r->reads[r->n] = other;
            r->n++;
        }
    return r->n - begin;
}

/* The first round counts the reads of all stages, the second one lists them. */
static void list_reads(struct ca_stages *stages) {
    const size_t n = (size_t)stages->n;
    int *first = ca_ints(n + 1);
    struct reads r = {.seen = ca_ints(n)};
    for (int round = 0; round < 2; round++) {
        memset(r.seen, 0, sizeof(int) * n);
        r.n = first[0] = first[1] = 0;
        for (int b = 1; b < stages->n; b++)
            first[b + 1] = first[b] + read_of(stages->graph, stages->of, b, &r);
        if (round == 0)
            r.reads = ca_ints((size_t)r.n);
    }
    stages->first_read = first;
    stages->reads = r.reads;
}

struct ca_stages ca_cut_stages_new(const struct ca_graph *graph) {
    struct ca_stages stages = {
        .graph = graph, .n = (int)graph->n_steps + 1, .of = stages_of_sites(graph)};
    list_reads(&stages);
    int *tier = ca_ints((size_t)stages.n);
    bool *live = ca_bytes((size_t)stages.n, sizeof(bool));
    for (int b = 0; b < stages.n; b++) {
        const struct ca_step step = ca_cut_stage_step(&stages, b);
        tier[b] = 0;
        for (int i = stages.first_read[b]; i < stages.first_read[b + 1]; i++)
            if (tier[stages.reads[i]] > tier[b])
                tier[b] = tier[stages.reads[i]];
        tier[b] += !ca_cut_stage_is_linear(&stages, b);
        live[b] = false;
        for (int u = step.begin; u < step.end; u++)
            live[b] = live[b] || graph->live[graph->first[step.node] + (size_t)u];
    }
    stages.tier = tier;
    stages.live = live;
    return stages;
}

void ca_cut_stages_below(const struct ca_stages *stages, bool *found) {
    for (int b = stages->n - 1; b > 0; b--)
        for (int i = stages->first_read[b]; found[b] && i < stages->first_read[b + 1]; i++)
            found[stages->reads[i]] = true;
}

void ca_cut_stages_above(const struct ca_stages *stages, bool *found) {
    for (int b = 1; b < stages->n; b++)
        for (int i = stages->first_read[b]; !found[b] && i < stages->first_read[b + 1]; i++)
            found[b] = found[stages->reads[i]];
}

/* --- cuts -------------------------------------------------------------------------------- */

/* Counting sort: lists of stages by their key < n_keys, in order, without those of key -1. */
static struct ca_lists by_key(int n, const int *key, int n_keys) {
    int *first = ca_ints((size_t)n_keys + 2), *stage = ca_ints((size_t)n);
    memset(first, 0, sizeof(int) * ((size_t)n_keys + 2));
    for (int b = 0; b < n; b++)
        if (key[b] >= 0)
            first[key[b] + 2]++;
    for (int k = 0; k < n_keys; k++)
        first[k + 2] += first[k + 1];
    for (int b = 0; b < n; b++) /* first[k + 1] moves from the begin of key k to its end */
        if (key[b] >= 0)
            stage[first[key[b] + 1]++] = b;
    return (struct ca_lists){n_keys, first, stage};
}

/* The items of a cut: tier by tier, first the nonlinear stages together, then the linear
 * stages one by one; in reverse if `backward`. Writes the item of each stage. */
static struct ca_lists order_items(const struct ca_stages *stages, const bool *wanted,
                                   bool backward, int *item) {
    const int n = stages->n;
    int *key = ca_ints((size_t)n), tiers = 0, n_items = 0;
    for (int b = 0; b < n; b++) {
        key[b] =
            b == 0 || !wanted[b] ? -1 : 2 * stages->tier[b] + ca_cut_stage_is_linear(stages, b);
        tiers = stages->tier[b] >= tiers ? stages->tier[b] + 1 : tiers;
    }
    const struct ca_lists sorted = by_key(n, key, 2 * tiers);
    for (int k = 0; k < sorted.n; k++)
        for (int i = sorted.first[k]; i < sorted.first[k + 1]; i++) {
            n_items += k % 2 == 1 || i == sorted.first[k];
            key[sorted.stage[i]] = n_items - 1;
        }
    for (int b = 0; b < n; b++)
        item[b] = key[b] < 0 ? n_items : backward ? n_items - 1 - key[b] : key[b];
    for (int b = 0; b < n; b++)
        key[b] = key[b] < 0 ? -1 : item[b];
    return by_key(n, key, n_items);
}

/* The items at which stages open and close: -1 before the first one, n_items after the last
 * one. Stages that are never open have opened > n_items. */
struct times {
    int *opened, *closed;
};

static struct times open_times(const struct ca_cut *cut, const bool *wanted, const bool *edge) {
    const struct ca_stages *stages = cut->stages;
    const int n = stages->n, n_items = cut->items.n;
    const struct times t = {ca_ints((size_t)n), ca_ints((size_t)n)};
    for (int b = 0; b < n; b++) {
        const bool taken = cut->item[b] < n_items;
        t.opened[b] = cut->backward ? n_items + 1 : taken ? cut->item[b] : -1;
        t.closed[b] = cut->backward || taken ? cut->item[b] : -1;
        if (!wanted[b])
            t.opened[b] = n_items + 1;
    }
    for (int b = 0; b < n; b++) {
        const int when = cut->item[b];
        for (int i = stages->first_read[b]; when < n_items && i < stages->first_read[b + 1];
             i++) {
            const int other = stages->reads[i];
            if (!wanted[other])
                continue;
            if (cut->backward && when < t.opened[other])
                t.opened[other] = when;
            if (!cut->backward && when > t.closed[other])
                t.closed[other] = when;
        }
    }
    for (int b = 0; edge != NULL && b < n; b++)
        if (edge[b] && wanted[b])
            *(cut->backward ? &t.opened[b] : &t.closed[b]) = cut->backward ? -1 : n_items;
    return t;
}

/* Assigns places in the order in which stages open: the first gap that is wide enough between
 * the stages open at that time. `open` keeps these in the order of their places. */
static enum ca_status place_stages(struct ca_cut *cut, struct times t) {
    const int n = cut->stages->n, n_items = cut->items.n;
    int *at = ca_ints((size_t)n), *open = ca_ints((size_t)n), *key = ca_ints((size_t)n);
    int n_open = 0;
    long long size = 0;
    for (int b = 0; b < n; b++) {
        at[b] = -1;
        key[b] = t.opened[b] > n_items ? -1 : t.opened[b] + 1;
    }
    const struct ca_lists opening = by_key(n, key, n_items + 2);
    for (int i = 0; i < opening.first[opening.n]; i++) {
        const int b = opening.stage[i], units = ca_cut_stage_units(cut->stages, b);
        int still = 0, gap = -1;
        long long end = 0, begin = 0;
        for (int j = 0; j < n_open; j++) {
            if (t.closed[open[j]] < t.opened[b])
                continue;
            if (gap < 0 && at[open[j]] - end >= units) {
                gap = still;
                begin = end;
            }
            end = (long long)at[open[j]] + ca_cut_stage_units(cut->stages, open[j]);
            open[still++] = open[j];
        }
        if (gap < 0) {
            gap = still;
            begin = end;
        }
        memmove(open + gap + 1, open + gap, sizeof(int) * (size_t)(still - gap));
        open[gap] = b;
        n_open = still + 1;
        if (begin + units >= INT_MAX)
            return CA_TOO_LARGE;
        at[b] = (int)begin;
        size = begin + units > size ? begin + units : size;
    }
    cut->at = at;
    cut->size = (int)size;
    return CA_OK;
}

enum ca_status ca_cut_new(const struct ca_stages *stages, const bool *wanted, bool backward,
                          const bool *edge, struct ca_cut *cut) {
    *cut = (struct ca_cut){.stages = stages, .backward = backward};
    int *item = ca_ints((size_t)stages->n);
    cut->item = item;
    cut->items = order_items(stages, wanted, backward, item);
    const struct times t = open_times(cut, wanted, edge);
    const enum ca_status status = place_stages(cut, t);
    for (int b = 0; b < stages->n; b++)
        if (t.opened[b] > cut->items.n || t.closed[b] >= cut->items.n)
            t.closed[b] = -1;
    cut->closing = by_key(stages->n, t.closed, cut->items.n);
    return status;
}

double ca_cut_terms(const struct ca_cut *cut) {
    double terms = 0;
    for (int i = 0; i < cut->items.first[cut->items.n]; i++) {
        const int b = cut->items.stage[i];
        terms +=
            ca_cut_stage_units(cut->stages, b) * ca_op_terms(ca_cut_stage_op(cut->stages, b));
    }
    return terms;
}

bool ca_cut_item_is_linear(const struct ca_cut *cut, int item) {
    return ca_cut_stage_is_linear(cut->stages, cut->items.stage[cut->items.first[item]]);
}

int ca_cut_place(const struct ca_cut *cut, size_t site) {
    const int b = cut->stages->of[site];
    if (cut->at[b] < 0)
        return -1;
    const struct ca_step step = ca_cut_stage_step(cut->stages, b);
    const size_t skip = site - cut->stages->graph->first[step.node] - (size_t)step.begin;
    return cut->at[b] + (int)skip * cut->stages->graph->op[step.node].shape.channels;
}
