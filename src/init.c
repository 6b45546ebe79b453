#include "ffi.h"

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#define CALLDEF(name, n)                                                                       \
    { #name, (DL_FUNC)(void (*)(void)) & name, n }

/* One line for each routine. */
/* clang-format off */
static const R_CallMethodDef calls[] = {
    CALLDEF(ffi_weights, 2),
    CALLDEF(ffi_predict, 3),
    CALLDEF(ffi_tangent, 2),
    CALLDEF(ffi_reach, 1),
    CALLDEF(ffi_fit, 5),
    CALLDEF(ffi_capacity, 4),
    CALLDEF(ffi_kernel, 4),
    CALLDEF(ffi_two_way, 4),
    CALLDEF(ffi_linearise, 3),
    CALLDEF(ffi_gradients, 3),
    CALLDEF(ffi_operations, 0),
    CALLDEF(ffi_fit_samples, 7),
    CALLDEF(ffi_sample_gradient, 6),
    CALLDEF(ffi_flow, 5),
    CALLDEF(ffi_phi, 3),
    CALLDEF(ffi_gate_squares, 3),
    CALLDEF(ffi_gate_values, 4),
    CALLDEF(ffi_flow_plan, 3),
    CALLDEF(ffi_flow_joint, 6),
    CALLDEF(ffi_flow_moments, 5),
    CALLDEF(ffi_threads, 1),
    /* Only tests, tools and benchmarks call these. */
    CALLDEF(ffi_gradient, 3),
    CALLDEF(ffi_extended, 3),
    CALLDEF(ffi_activations, 0),
    {NULL, NULL, 0},
};
/* clang-format on */

attribute_visible void R_init_capalloc(DllInfo *dll) {
    R_registerRoutines(dll, NULL, calls, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
}
