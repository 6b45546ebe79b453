#include "ffi.h"

#include <math.h>
#include <string.h>

#include <R_ext/Random.h>
#include <R_ext/Utils.h>

#include "loss.h"
#include "optim.h"
#include "sample.h"
#include "workspace.h"

struct ca_moments ffi_moments(const struct ca_graph *graph, SEXP list) {
    const size_t n = ca_coordinates(graph), m = graph->n_outputs;
    SEXP root = ffi_element(list, "root"), dim = Rf_getAttrib(root, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2 || INTEGER(dim)[0] < 1)
        ffi_bug("the moments of a fit");
    const size_t rank = (size_t)INTEGER(dim)[0];
    const struct ca_moments moments = {
        .n = n,
        .m = m,
        .rank = rank,
        .R = ffi_matrix(root, rank, n, "the moments of a fit"),
        .T = ffi_matrix(ffi_element(list, "target"), rank, m, "the moments of a fit"),
        .floor = ffi_number(ffi_element(list, "floor"), "the floor of the loss"),
        .total = ffi_number(ffi_element(list, "total"), "the variance of the outputs")};
    if (!(moments.floor >= 0) || !(moments.total > 0))
        ffi_bug("the moments of a fit");
    ffi_product(m * moments.rank, graph->n_params + 1,
                "a tangent beyond what LAPACK can index");
    return moments;
}

/* --- training ---------------------------------------------------------------------------- */

/* The record of all iterations, and the best point on held-out samples. */
struct history {
    int capacity, n;                                /* number of records: room and used */
    double *iteration, *loss, *number, *validation; /* capacity */
    struct ca_sample *held_out;                     /* NULL for none */
    size_t n_params;
    int patience, waited; /* iterations without improvement: allowed and so far */
    double least;         /* least validation loss */
    double *best;         /* p: its theta */
};

static int tick(void *context, int iteration, const double *theta, double loss, double number) {
    struct history *history = context;
    double validation = NA_REAL;
    if (history->held_out != NULL) {
        validation = ca_sample_loss(history->held_out, theta);
        history->waited++;
        if (validation < history->least) {
            history->least = validation;
            history->waited = 0;
            memcpy(history->best, theta, sizeof(double) * history->n_params);
        }
    }
    if (history->n < history->capacity) {
        history->iteration[history->n] = iteration;
        history->loss[history->n] = loss;
        history->number[history->n] = number;
        history->validation[history->n] = validation;
        history->n++;
    }
    R_CheckUserInterrupt();
    return history->held_out != NULL && history->waited >= history->patience;
}

static double control_value(SEXP control, const char *name) {
    return ffi_number(ffi_element(control, name), name);
}

static struct ca_control read_control(SEXP control) {
    const double iterations = control_value(control, "max_iterations");
    const double memory = control_value(control, "memory");
    if (!(iterations >= 0 && iterations <= 1e6) || !(memory >= 1 && memory <= 100))
        ffi_bug("the control of a fit");
    const double tol = control_value(control, "tol");
    return (struct ca_control){.max_iterations = (int)iterations,
                               .tol = tol,
                               .decrement = fmax(1e-8, tol * tol),
                               .learning_rate = control_value(control, "learning_rate"),
                               .memory = (int)memory};
}

typedef struct ca_result minimiser(const struct ca_objective *, const struct ca_control *,
                                   const struct ca_trace *, double *);

/* The minimiser with the name `method`; `lm` is one for moments and another for samples. */
static minimiser *read_method(SEXP method, minimiser *lm) {
    const struct {
        const char *name;
        minimiser *run;
    } methods[] = {{"lm", lm}, {"lbfgs", ca_lbfgs}, {"adam", ca_adam}};
    if (TYPEOF(method) == STRSXP && XLENGTH(method) == 1)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
            if (strcmp(CHAR(STRING_ELT(method, 0)), methods[i].name) == 0)
                return methods[i].run;
    ffi_bug("the method of a fit");
    return NULL;
}

static struct history new_history(const struct ca_control *control, size_t n_params) {
    struct history history = {
        .capacity = control->max_iterations + 1, .n_params = n_params, .least = INFINITY};
    const size_t capacity = (size_t)history.capacity;
    history.iteration = ca_doubles(capacity);
    history.loss = ca_doubles(capacity);
    history.number = ca_doubles(capacity);
    history.validation = ca_doubles(capacity);
    history.best = ca_doubles(n_params);
    return history;
}

static SEXP history_matrix(const struct history *history) {
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, history->n, 4));
    const size_t n = (size_t)history->n;
    memcpy(REAL(out), history->iteration, sizeof(double) * n);
    memcpy(REAL(out) + n, history->loss, sizeof(double) * n);
    memcpy(REAL(out) + 2 * n, history->number, sizeof(double) * n);
    memcpy(REAL(out) + 3 * n, history->validation, sizeof(double) * n);
    UNPROTECT(1); /* out */
    return out;
}

static const char *outcome_name(enum ca_outcome outcome) {
    static const char *const names[] = {
        [CA_CONVERGED] = "converged", [CA_STALLED] = "stalled",
        [CA_EXHAUSTED] = "exhausted", [CA_DEGENERATE] = "degenerate",
        [CA_DIVERGED] = "diverged",   [CA_STOPPED] = "stopped",
    };
    _Static_assert(sizeof names / sizeof names[0] == CA_STOPPED + 1, "a name for each outcome");
    return names[outcome];
}

/* Trains from `start`. Returns list(coef, loss, excess, number, decrement, outcome, iterations,
 * history): the coefficients, the loss with and without its floor, the convergence number, the
 * decrement (NaN if not known), the name of the outcome, the number of iterations, and a matrix
 * with a row for each iteration and the columns iteration, loss, convergence number and
 * validation loss. With held-out samples the coefficients are those of their least loss. */
static SEXP run(minimiser *minimise, const struct ca_objective *objective, const double *start,
                const struct ca_control *control, struct history *history) {
    const size_t p = objective->p;
    const struct ca_trace trace = {history, tick};
    const char *names[] = {"coef",    "loss",       "excess",  "number", "decrement",
                           "outcome", "iterations", "history", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP coef = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)p));
    memcpy(REAL(coef), start, sizeof(double) * p);
    struct ca_result result = minimise(objective, control, &trace, REAL(coef));
    if (objective->squares.q > 0 && minimise != ca_lm &&
        (result.outcome == CA_CONVERGED || result.outcome == CA_STALLED))
        result = ca_lm_polish(objective, control, &trace, REAL(coef), &result);
    if (isfinite(history->least)) {
        memcpy(REAL(coef), history->best, sizeof(double) * p);
        result.number = objective->number(objective->context, history->best, &result.loss);
        result.decrement = NAN;
        if (result.outcome == CA_CONVERGED && !(result.number <= control->tol))
            result.outcome = CA_STOPPED;
    }
    SET_VECTOR_ELT(out, 0, coef);
    SET_VECTOR_ELT(out, 1, Rf_ScalarReal(result.loss));
    SET_VECTOR_ELT(out, 2, Rf_ScalarReal(result.excess));
    SET_VECTOR_ELT(out, 3, Rf_ScalarReal(result.number));
    SET_VECTOR_ELT(out, 4, Rf_ScalarReal(result.decrement));
    SET_VECTOR_ELT(out, 5, Rf_mkString(outcome_name(result.outcome)));
    SET_VECTOR_ELT(out, 6, Rf_ScalarInteger(result.iterations));
    SET_VECTOR_ELT(out, 7, history_matrix(history));
    UNPROTECT(2); /* out, coef */
    return out;
}

/* Trains a linear network on moments, from theta. Returns the list of run(). */
SEXP ffi_fit(SEXP graph, SEXP theta, SEXP moments_list, SEXP method, SEXP control) {
    const struct ca_graph g = ffi_linear_graph(graph);
    const double *start = ffi_theta(theta, &g);
    minimiser *minimise = read_method(method, ca_lm);
    const struct ca_control options = read_control(control);
    const struct ca_moments moments = ffi_moments(&g, moments_list);
    struct ca_loss loss = ca_loss_new(&g, &moments, ffi_all_columns(&g));
    const struct ca_objective objective = ca_loss_objective(&loss);
    struct history history = new_history(&options, g.n_params);
    return run(minimise, &objective, start, &options, &history);
}

/* --- on samples -------------------------------------------------------------------------- */

static enum ca_loss_kind read_loss(SEXP loss) {
    if (TYPEOF(loss) == STRSXP && XLENGTH(loss) == 1) {
        if (strcmp(CHAR(STRING_ELT(loss, 0)), "squared") == 0)
            return CA_SQUARED;
        if (strcmp(CHAR(STRING_ELT(loss, 0)), "cross_entropy") == 0)
            return CA_CROSS_ENTROPY;
    }
    ffi_bug("the loss of a fit");
    return CA_SQUARED;
}

/* Samples from list(x, y, weight), with x (N x n), y (N x m) and weight (N x 1) or NULL. batch:
 * size of mini-batches, 0 for all samples. */
static struct ca_sample read_sample(const struct ca_graph *graph, SEXP data,
                                    enum ca_loss_kind kind, double decay, double batch) {
    SEXP x = ffi_element(data, "x"), dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2 || INTEGER(dim)[0] < 1)
        ffi_bug("the samples of a fit");
    const size_t n_samples = (size_t)INTEGER(dim)[0];
    const double *inputs = ffi_matrix(x, n_samples, graph->n_inputs, "the samples of a fit");
    const double *outputs =
        ffi_matrix(ffi_element(data, "y"), n_samples, graph->n_outputs, "the samples of a fit");
    const double *weight = ffi_row_weights(ffi_element(data, "weight"), n_samples);
    if (!(decay >= 0) || !(batch >= 0))
        ffi_bug("the control of a fit");
    ffi_product(graph->n_params, graph->n_params + 1, "more parameters than LAPACK can index");
    const size_t size = batch >= (double)n_samples ? 0 : (size_t)batch;
    return ca_sample_new(graph, ffi_all_columns(graph), inputs, outputs, weight, n_samples,
                         kind, decay, size, unif_rand);
}

/* Trains any network on samples, from theta. Returns the list of run(). held_out: samples for
 * early stopping, or NULL. control has three more elements: decay, batch (0 for all samples)
 * and patience. */
SEXP ffi_fit_samples(SEXP graph, SEXP theta, SEXP data, SEXP held_out, SEXP loss, SEXP method,
                     SEXP control) {
    const struct ca_graph g = ffi_graph(graph);
    const double *start = ffi_theta(theta, &g);
    minimiser *minimise = read_method(method, ca_lm_normal);
    const struct ca_control options = read_control(control);
    const enum ca_loss_kind kind = read_loss(loss);
    const double patience = control_value(control, "patience");
    struct ca_sample sample = read_sample(&g, data, kind, control_value(control, "decay"),
                                          control_value(control, "batch")),
                     validation;
    const struct ca_objective objective = ca_sample_objective(&sample);
    struct history history = new_history(&options, g.n_params);
    if (!(patience >= 1 && patience <= 1e6))
        ffi_bug("the control of a fit");
    if (held_out != R_NilValue) {
        validation = read_sample(&g, held_out, kind, 0, 0);
        history.held_out = &validation;
        history.patience = (int)patience;
    }
    GetRNGstate();
    SEXP out = PROTECT(run(minimise, &objective, start, &options, &history));
    PutRNGstate();
    UNPROTECT(1); /* out */
    return out;
}

/* Returns list(loss, gradient, number, bend) at theta: the mean loss with decay, its gradient
 * (p) and the convergence number. With a change v of theta as `along` and squared errors, bend
 * (p) is J' r'' / N, with r'' the second derivative of the outputs along v; else it is NULL. */
SEXP ffi_sample_gradient(SEXP graph, SEXP theta, SEXP data, SEXP loss, SEXP decay, SEXP along) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    struct ca_sample sample =
        read_sample(&g, data, read_loss(loss), ffi_number(decay, "decay"), 0);
    const struct ca_objective objective = ca_sample_objective(&sample);
    const char *names[] = {"loss", "gradient", "number", "bend", ""};
    double f;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP gradient = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)g.n_params));
    SET_VECTOR_ELT(out, 0,
                   Rf_ScalarReal(objective.gradient(objective.context, th, REAL(gradient))));
    SET_VECTOR_ELT(out, 1, gradient);
    SET_VECTOR_ELT(out, 2, Rf_ScalarReal(objective.number(objective.context, th, &f)));
    if (along != R_NilValue && objective.normal.bend != NULL) {
        const double *v = ffi_theta(along, &g);
        SEXP bend = Rf_allocVector(REALSXP, (R_xlen_t)g.n_params);
        SET_VECTOR_ELT(out, 3, bend);
        objective.normal.bend(objective.context, th, v, REAL(bend));
    }
    UNPROTECT(2); /* out, gradient */
    return out;
}
