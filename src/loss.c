#include "loss.h"

#include <float.h>
#include <string.h>

#include "contract.h"
#include "linalg.h"
#include "workspace.h"

struct ca_loss ca_loss_new(const struct ca_graph *graph, const struct ca_moments *moments,
                           const long *column) {
    const size_t n = moments->n, m = moments->m, rank = moments->rank;
    struct ca_loss loss = {.moments = *moments};
    loss.tangent = ca_tangent_new(graph, moments->R, rank, column, graph->n_params, rank);
    loss.value = ca_pass_new(graph);
    ca_pass_plan_batch(&loss.value, (int)m);
    loss.value.value = ca_doubles(loss.value.size);
    loss.back_change = ca_pass_like(&loss.tangent.back);
    loss.back_bend = ca_pass_like(&loss.tangent.back);
    loss.twice = ca_doubles(graph->n_params);
    loss.W = ca_doubles(m * n);
    loss.r = ca_doubles(m * rank);
    loss.eps = ca_doubles(m * n);
    return loss;
}

static void residuals(void *context, const double *theta, double *r) {
    struct ca_loss *loss = context;
    const struct ca_moments *moments = &loss->moments;
    const size_t m = moments->m, rank = moments->rank;
    ca_tangent_at(&loss->tangent, theta);
    ca_tangent_weights(&loss->tangent.back, theta, loss->W);
    for (size_t i = 0; i < rank; i++)
        for (size_t o = 0; o < m; o++)
            r[o + m * i] = -moments->T[i + o * rank];
    ca_gemm_nt((int)m, (int)rank, (int)moments->n, loss->W, (int)m, moments->R, (int)rank, r,
               (int)m);
}

/* J (q x p), at the theta of the last call of residuals() */
static void jacobian(void *context, double *J) {
    struct ca_loss *loss = context;
    const size_t rank = loss->moments.rank;
    ca_tangent_fill(&loss->tangent, 0, rank, J, (int)(loss->moments.m * rank));
}

/* By reverse accumulation: the gradient of |r|^2 is that of sum_oj (2 R'r)_oj W_oj with R'r
 * held fixed. */
static double gradient(void *context, const double *theta, double *g) {
    struct ca_loss *loss = context;
    const struct ca_moments *moments = &loss->moments;
    const struct ca_graph *graph = loss->tangent.graph;
    const size_t m = moments->m, n = moments->n, rank = moments->rank, p = graph->n_params;
    residuals(context, theta, loss->r);
    memset(loss->eps, 0, sizeof(double) * m * n);
    ca_gemm_nn((int)m, (int)n, (int)rank, loss->r, (int)m, moments->R, (int)rank, loss->eps,
               (int)m);
    const double *one = graph->has_bias ? loss->eps + m * graph->n_inputs : NULL;
    ca_pass_forward_batch(&loss->value, theta, loss->eps, (int)m, one);
    memset(g, 0, sizeof(double) * p);
    ca_contract_gradient(&loss->tangent.back, &loss->value, one, g);
    for (size_t k = 0; k < p; k++)
        g[k] *= 2;
    return ca_dot(m * rank, loss->r, loss->r);
}

/* r'' = R (W'')', with W'' the second derivative of the effective weights along v. W depends on
 * theta through the backward pass B. The second derivative of B is the derivative of B', with
 * twice the change v. */
static void bend(void *context, const double *v, double *bent) {
    struct ca_loss *loss = context;
    const struct ca_moments *moments = &loss->moments;
    const struct ca_graph *graph = loss->tangent.graph;
    const size_t p = graph->n_params, m = moments->m, rank = moments->rank;
    const double *theta = loss->tangent.theta;
    for (size_t k = 0; k < p; k++)
        loss->twice[k] = 2 * v[k];
    ca_pass_backward_along(&loss->back_change, &loss->tangent.back, theta, v);
    ca_pass_backward_along(&loss->back_bend, &loss->back_change, theta, loss->twice);
    ca_tangent_weights(&loss->back_bend, theta, loss->W);
    if (graph->has_bias)
        ca_tangent_add_intercept(&loss->back_change, loss->twice, loss->W);
    memset(bent, 0, sizeof(double) * m * rank);
    ca_gemm_nt((int)m, (int)rank, (int)moments->n, loss->W, (int)m, moments->R, (int)rank, bent,
               (int)m);
}

static double number(void *context, const double *theta, double *f) {
    struct ca_loss *loss = context;
    const struct ca_objective objective = ca_loss_objective(loss);
    double *J = ca_doubles(objective.squares.q * objective.p);
    residuals(context, theta, loss->r);
    jacobian(context, J);
    *f = ca_dot(objective.squares.q, loss->r, loss->r);
    return ca_optim_convergence(&objective, loss->r, J);
}

/* The resolution of the decrement: the tolerance of the rank of J. Smooth processes need small
 * singular values. */
static double resolution(const struct ca_loss *loss) {
    const size_t p = loss->tangent.graph->n_params, q = loss->moments.m * loss->moments.n;
    return 10 * (double)(p > q ? p : q) * DBL_EPSILON;
}

struct ca_objective ca_loss_objective(struct ca_loss *loss) {
    return (struct ca_objective){.p = loss->tangent.graph->n_params,
                                 .floor = loss->moments.floor,
                                 .total = loss->moments.total,
                                 .resolution = resolution(loss),
                                 .context = loss,
                                 .gradient = gradient,
                                 .number = number,
                                 .squares = {.q = loss->moments.m * loss->moments.rank,
                                             .residuals = residuals,
                                             .jacobian = jacobian,
                                             .bend = bend}};
}
