#include "ffi.h"

#include <math.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "loss.h"
#include "optim.h"
#include "workspace.h"

static struct ca_moments read_moments(const struct ca_graph *graph, SEXP sigma, SEXP cross,
                                      SEXP total) {
    const size_t n = ca_coordinates(graph), m = graph->n_outputs;
    struct ca_moments moments;
    const enum ca_status status =
        ca_moments_new(n, m, ffi_matrix(sigma, n, n, "the second moments of the inputs"),
                       ffi_matrix(cross, n, m, "the moments of inputs and outputs"),
                       ffi_number(total, "the second moment of the outputs"), &moments);
    if (status != CA_OK)
        ffi_stop(status, "factoring the second moments of the inputs");
    if (moments.rank == 0)
        ffi_stop(CA_NONFINITE, "the inputs are all zero");
    ffi_product(m * moments.rank, graph->n_params + 1,
                "a tangent beyond what LAPACK can index");
    return moments;
}

/* list(loss, gradient) at theta. */
SEXP ffi_gradient(SEXP graph, SEXP theta, SEXP sigma, SEXP cross, SEXP total) {
    const struct ca_graph g = ffi_linear_graph(graph);
    const double *th = ffi_theta(theta, &g);
    const struct ca_moments moments = read_moments(&g, sigma, cross, total);
    struct ca_loss loss = ca_loss_new(&g, &moments, ffi_all_columns(&g));
    const struct ca_objective objective = ca_loss_objective(&loss);
    const char *names[] = {"loss", "gradient", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP gradient = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)g.n_params));
    const double excess = objective.gradient(objective.context, th, REAL(gradient));
    SET_VECTOR_ELT(out, 0, Rf_ScalarReal(objective.floor + excess));
    SET_VECTOR_ELT(out, 1, gradient);
    UNPROTECT(2); /* out, gradient */
    return out;
}

/* --- training ---------------------------------------------------------------------------- */

struct history {
    int capacity, n;
    double *iteration, *loss, *number;
};

static void tick(void *context, int iteration, double loss, double number) {
    struct history *history = context;
    if (history->n < history->capacity) {
        history->iteration[history->n] = iteration;
        history->loss[history->n] = loss;
        history->number[history->n] = number;
        history->n++;
    }
    R_CheckUserInterrupt();
}

static double control_value(SEXP control, const char *name) {
    return ffi_number(ffi_element(control, name), name);
}

static struct ca_control read_control(SEXP control) {
    const double iterations = control_value(control, "max_iterations");
    const double memory = control_value(control, "memory");
    if (!(iterations >= 0 && iterations <= 1e6) || !(memory >= 1 && memory <= 100))
        ffi_bug("the control of a fit");
    return (struct ca_control){.max_iterations = (int)iterations,
                               .tol = control_value(control, "tol"),
                               .learning_rate = control_value(control, "learning_rate"),
                               .memory = (int)memory};
}

typedef struct ca_result minimiser(const struct ca_objective *, const struct ca_control *,
                                   const struct ca_trace *, double *);

static minimiser *read_method(SEXP method) {
    static const struct {
        const char *name;
        minimiser *run;
    } methods[] = {{"lm", ca_lm}, {"lbfgs", ca_lbfgs}, {"adam", ca_adam}};
    if (TYPEOF(method) == STRSXP && XLENGTH(method) == 1)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
            if (strcmp(CHAR(STRING_ELT(method, 0)), methods[i].name) == 0)
                return methods[i].run;
    ffi_bug("the method of a fit");
    return NULL;
}

static SEXP history_matrix(const struct history *history) {
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, history->n, 3));
    const size_t n = (size_t)history->n;
    memcpy(REAL(out), history->iteration, sizeof(double) * n);
    memcpy(REAL(out) + n, history->loss, sizeof(double) * n);
    memcpy(REAL(out) + 2 * n, history->number, sizeof(double) * n);
    UNPROTECT(1); /* out */
    return out;
}

/* Trains from theta. list(coef, loss, number, outcome, iterations, history), history a matrix
 * with columns iteration, loss, convergence number. */
SEXP ffi_fit(SEXP graph, SEXP theta, SEXP sigma, SEXP cross, SEXP total, SEXP method,
             SEXP control) {
    const struct ca_graph g = ffi_linear_graph(graph);
    const double *start = ffi_theta(theta, &g);
    minimiser *minimise = read_method(method);
    const struct ca_control options = read_control(control);
    const struct ca_moments moments = read_moments(&g, sigma, cross, total);
    struct ca_loss loss = ca_loss_new(&g, &moments, ffi_all_columns(&g));
    const struct ca_objective objective = ca_loss_objective(&loss);

    struct history history = {.capacity = options.max_iterations + 1};
    const size_t capacity = (size_t)history.capacity;
    history.iteration = ca_doubles(capacity);
    history.loss = ca_doubles(capacity);
    history.number = ca_doubles(capacity);
    const struct ca_trace trace = {&history, tick};

    const char *names[] = {"coef", "loss", "number", "outcome", "iterations", "history", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP coef = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)g.n_params));
    memcpy(REAL(coef), start, sizeof(double) * g.n_params);
    const struct ca_result result = minimise(&objective, &options, &trace, REAL(coef));
    SET_VECTOR_ELT(out, 0, coef);
    SET_VECTOR_ELT(out, 1, Rf_ScalarReal(result.loss));
    SET_VECTOR_ELT(out, 2, Rf_ScalarReal(result.number));
    SET_VECTOR_ELT(out, 3, Rf_ScalarInteger((int)result.outcome));
    SET_VECTOR_ELT(out, 4, Rf_ScalarInteger(result.iterations));
    SET_VECTOR_ELT(out, 5, history_matrix(&history));
    UNPROTECT(2); /* out, coef */
    return out;
}
