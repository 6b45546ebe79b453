/* Routines that only tests, tools and benchmarks call; R code of the package calls none. */

#include "ffi.h"

#include "extended.h"
#include "loss.h"

/* list(loss, gradient): the loss on moments at theta, and its gradient (p). */
SEXP ffi_gradient(SEXP graph, SEXP theta, SEXP moments_list) {
    const struct ca_graph g = ffi_linear_graph(graph);
    const double *th = ffi_theta(theta, &g);
    const struct ca_moments moments = ffi_moments(&g, moments_list);
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

/* Returns the extended tangent at samples x (N x n): (N m (n + 1)) x p, rows s + N (o + m
 * j). */
SEXP ffi_extended(SEXP graph, SEXP theta, SEXP x) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    size_t n_samples;
    const double *samples = ffi_samples(x, &g, &n_samples);
    const int own = ffi_product(g.n_outputs, g.n_inputs + 1, "an extended tangent");
    const int rows =
        ffi_product(n_samples, (size_t)own, "an extended tangent beyond what R can index");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, rows, (int)g.n_params));
    struct ca_extended extended = ca_extended_new(&g, th, samples, n_samples, NULL, 0,
                                                  ffi_all_columns(&g), g.n_params, n_samples);
    ca_extended_fill(&extended, 0, n_samples, REAL(out), rows);
    UNPROTECT(1); /* out */
    return out;
}

/* Returns the names of the activations in the order of their numbers. */
SEXP ffi_activations(void) {
    int n = 0;
    while (ca_phi_name(n) != NULL)
        n++;
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++)
        SET_STRING_ELT(out, i, Rf_mkChar(ca_phi_name(i)));
    UNPROTECT(1); /* out */
    return out;
}
