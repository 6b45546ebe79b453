# How much faster than PyTorch's L-BFGS does fit() reach the same loss, from the same weights, and does it converge? A
# dilated stack (2 taps, dilations 1, 2, 4, ..) that predicts fractional Gaussian noise of H = 0.8: length 64 with 4
# filters (p = 144), length 256 with 8 (p = 800). PyTorch minimises the loss of the moments by effective weights
# composed from the output, with torch.optim.LBFGS and strong Wolfe line search, until the largest entry of the gradient
# is below 1e-6. Its final loss minus the Bayes loss is `excess`. fit() is timed until it reaches that loss.
# `torch_usual` is the time of PyTorch with the plain quadratic loss and default settings, `torch_seconds` the shortest
# time of that, of the loss as a sum of squares, and of both with a memory of 10 steps. Runs stop after 60 seconds, at
# length 256 after 200 (torch_gradient is then above 1e-6). The second table has the number of seeds out of ten that
# converge (?fit) and their times. Targets: 50 times faster; 8 of 10 seeds at length 64.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

stack <- function(length, filters) {
  net <- input_sequence(length)
  dilations <- 2^(seq_len(log2(length)) - 1)
  for (d in dilations) net <- layer_conv(net, if (2 * d < length) filters else 1, kernel = 2, dilation = d)
  net
}

# Returns c(seconds, iterations) until fit() reaches `loss` or less. The number of iterations is taken from one long
# run. The time is that of training with as many iterations, plus that of a fit() that stops at its start. (A fit() with
# that limit of iterations would raise a warning, which takes longer than the training.)
reach <- function(start, task, loss) {
  long <- suppressWarnings(fit(start, task))
  at <- match(TRUE, long$history$loss <= loss)
  if (is.na(at)) return(c(NA, NA))
  control <- capalloc:::fit_control(list(max_iterations = long$history$iteration[[at]]), "lm")
  took <- seconds_each(
    run = capalloc:::fit_on_moments(start, capalloc:::moment_root(task$moments, FALSE), "lm", control, 1L),
    rest = fit(start, task, control = list(tol = 1))
  )
  c(sum(took), control$max_iterations)
}

compare <- function(length, filters, seed, most) {
  task <- task_fgn(length, hurst = 0.8)
  moments <- task$moments
  start <- initialise(stack(length, filters), seed = seed)
  out <- tempfile()
  peer <- torch("training.py", write_matrix(matrix(start$coef)), write_matrix(moments$sigma),
    write_matrix(moments$cross), drop(moments$target), length, filters, most, out)
  if (is.null(peer)) return(NULL)
  # the loss at PyTorch's weights, computed by capalloc
  end <- .Call(capalloc:::ffi_gradient, capalloc:::lower_network(start), read_doubles(out),
    capalloc:::moment_root(moments, FALSE))
  own <- reach(start, task, end$loss)
  data.frame(
    length = length, p = length(start$coef), seed = seed, torch_usual = peer$usual_seconds,
    torch_seconds = peer$seconds, torch_iterations = peer$iterations, torch_gradient = max(abs(end$gradient)),
    excess = end$loss - bayes_loss(task), seconds = own[[1]], iterations = own[[2]],
    times_sooner = peer$seconds / own[[1]], target = 50
  )
}

converge <- function(length, filters, seeds = 1:10) {
  task <- task_fgn(length, hurst = 0.8)
  took <- numeric()
  fits <- lapply(seeds, function(seed) {
    began <- now()
    on.exit(took[[length(took) + 1]] <<- now() - began)
    suppressWarnings(fit(stack(length, filters), task, seed = seed))
  })
  take <- function(field) vapply(fits, function(fit) as.double(fit[[field]]), 0)
  data.frame(
    length = length, seeds = length(seeds), converged = sum(take("converged")), target = if (length == 64) 8 else NA,
    median_seconds = median(took), most_seconds = max(took), median_iterations = median(take("iterations")),
    most_iterations = max(take("iterations")), median_excess = median(take("loss")) - bayes_loss(task),
    most_excess = max(take("loss")) - bayes_loss(task)
  )
}

small <- lapply(if (quick) 1 else 1:3, function(seed) compare(64, 4, seed, most = if (quick) 5 else 60))
large <- if (!quick) compare(256, 8, seed = 1, most = 200)
against <- do.call(rbind, c(small, list(large)))
if (!is.null(against)) show(against)
cat("\n")
show(rbind(converge(64, 4), if (!quick) converge(256, 8)))
