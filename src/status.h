#ifndef CAPALLOC_STATUS_H
#define CAPALLOC_STATUS_H

/* What the core answers. Only the border (ffi-*.c) turns these into R conditions. */
enum ca_status {
    CA_OK,
    CA_BAD_GRAPH, /* a description that lowering cannot have made */
    CA_TOO_LARGE, /* a size beyond what indices can hold */
    CA_LAPACK,    /* a LAPACK routine reported failure */
    CA_NONFINITE, /* a computed quantity is NaN or infinite */
};

#endif
