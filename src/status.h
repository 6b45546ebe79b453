#ifndef CAPALLOC_STATUS_H
#define CAPALLOC_STATUS_H

/* The status that functions of the core return. Only the border (ffi-*.c) turns it into R
 * conditions. */
enum ca_status {
    CA_OK,
    CA_BAD_GRAPH, /* a description that lowering cannot produce */
    CA_TOO_LARGE, /* a size beyond indices, or beyond bounds.h */
    CA_LAPACK,    /* a LAPACK routine reported failure */
    CA_NONFINITE, /* a computed quantity is NaN or infinite */
};

#endif
