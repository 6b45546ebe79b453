#' capalloc: capacity allocation analysis of neural networks
#'
#' Where in its input space has a network spent its parameters? Build an
#' architecture from an input and layers ([input_sequence()], [layer_conv()],
#' ...), make a task ([task_fgn()], [task_series()], ...), train it
#' ([fit.ca_network()]) and see the effective number of parameters that it gives
#' to each input ([capacity()]).
#'
#' The method is Donier's capacity allocation analysis
#' \doi{10.48550/arXiv.1902.04485}. At a trained network the gradient of the loss
#' vanishes: every independent parameter forces one linear combination of the
#' dependencies left between inputs and residuals to zero. The orthogonal
#' projector on those combinations has trace the number of independent
#' parameters, and its diagonal says how many of them act on each input.
#'
#' @keywords internal
#' @useDynLib capalloc, .registration = TRUE
#' @importFrom stats predict simulate
"_PACKAGE"

# Returns the version of the package, which is stored in results.
own_version <- function() getNamespaceVersion("capalloc")[[1L]]

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @importFrom generics augment
#' @export
generics::augment
