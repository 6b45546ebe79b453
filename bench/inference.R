# Size of tests and coverage of intervals under a known truth.
# Call: Rscript bench/inference.R [DRAWS]; prints tables of shares with their standard errors. DRAWS (1000) is the
# number of draws for contrasts; profiles use a fifth and allocations a tenth of it.

suppressMessages(library(capalloc))
draws <- as.integer(c(commandArgs(TRUE), 1000)[[1]])
quiet <- function(code) suppressWarnings(code, classes = "capalloc_warning")
share <- function(hit) sprintf("%.3f (%.3f)", mean(hit), sqrt(mean(hit) * (1 - mean(hit)) / length(hit)))
table_of <- function(rows) print(knitr::kable(do.call(rbind, rows), "pipe"))

# Simulated excess losses (replicates x tasks x networks): an effect of each network on each task (standard deviation
# `between`, mean `effect`), an effect of each sample that is shared by all networks, and noise.
draw_losses <- function(R, T, k, effect = numeric(k), between = 0.5, noise = 1, tail = rnorm) {
  task <- rnorm(T)
  own <- matrix(tail(T * k), T) * between
  sample <- matrix(rnorm(R * T), R)
  array(NA, c(R, T, k)) |> slice_fill(function(r, t, n) {
    10 + task[t] + own[cbind(t, n)] + effect[n] + sample[cbind(r, t)] + noise * tail(length(r))
  })
}
slice_fill <- function(x, f) {
  at <- arrayInd(seq_along(x), dim(x))
  x[] <- f(at[, 1], at[, 2], at[, 3])
  x
}
skewed <- function(n) rexp(n) - 1

comparison <- function(values) {
  R <- dim(values)[1]; T <- dim(values)[2]; k <- dim(values)[3]
  networks <- setNames(rep(list(arch_dense(4)), k), letters[seq_len(k)])
  tasks <- setNames(rep(list(task_ar(4, 0.5)), T), paste0("t", seq_len(T)))
  runs <- expand.grid(replicate = seq_len(R), task = names(tasks), network = names(networks), stringsAsFactors = FALSE)
  runs <- transform(runs, seed = replicate, n_params = 4L, total_capacity = 4, excess_loss = c(values),
    loss = c(values), train_loss = c(values), converged = TRUE)
  cmp <- list(runs = runs, allocation = NULL, networks = networks, tasks = tasks, n_obs = 100)
  structure(cmp, class = "ca_comparison")
}

# ---- contrasts over tasks ------------------------------------------------------------------------------------
set.seed(1)
cat("\nContrasts, four networks, five replicates. Two-sided size at 0.05 of one pair and of any of six (adjusted), and
coverage of the 95% interval for a true mean difference of 0.5.\n\n")
rows <- list()
for (T in c(5, 10, 20)) for (tail in c("normal", "skewed")) {
  law <- list(normal = rnorm, skewed = skewed)[[tail]]
  null <- lapply(seq_len(draws), function(i) comparison(draw_losses(5, T, 4, tail = law)))
  shifted <- lapply(seq_len(draws), function(i) comparison(draw_losses(5, T, 4, c(0.5, 0, 0, 0), tail = law)))
  for (test in c("t", "wilcoxon", "bayes", "friedman")) {
    k <- lapply(null, contrast_architectures, test = test)
    s <- if (test != "friedman") lapply(shifted, contrast_architectures, test = test)
    cover <- vapply(s, function(x) x$conf.low[1] <= 0.5 && x$conf.high[1] >= 0.5, NA)
    size <- if (test == "bayes") NULL else vapply(k, function(x) x$p.value[1] <= 0.05, NA)
    family <- if (test == "bayes") NULL else vapply(k, function(x) any(x$adj.p.value <= 0.05), NA)
    g <- if (test == "friedman") do.call(rbind, lapply(k, glance))
    rows[[length(rows) + 1]] <- data.frame(
      tasks = T, law = tail, test = test, size = if (is.null(size)) "" else share(size),
      `any of six` = if (is.null(family)) "" else share(family),
      coverage = if (is.null(s) || anyNA(cover)) "" else share(cover),
      `global (chi-squared, F)` = if (is.null(g)) "" else paste(share(g$p.value <= 0.05), share(g$f_p.value <= 0.05)),
      check.names = FALSE
    )
  }
  naive <- vapply(null, function(cmp) {
    of <- function(n) cmp$runs$excess_loss[cmp$runs$network == n]
    t.test(of("a"), of("b"), paired = TRUE)$p.value <= 0.05
  }, NA)
  rows[[length(rows) + 1]] <- data.frame(
    tasks = T, law = tail, test = "t, all replicates (not offered)", size = share(naive), `any of six` = "",
    coverage = "", `global (chi-squared, F)` = "", check.names = FALSE
  )
}
table_of(rows)

# ---- correlated replicates -----------------------------------------------------------------------------------
cat("\nWithin one task, ten replicates whose differences have correlation 0.1: coverage of the true difference.\n\n")
rows <- list()
for (rho in c(0, 0.1)) {
  hit <- vapply(seq_len(draws), function(i) {
    d <- 0.5 + sqrt(0.1) * rnorm(1) + sqrt(0.9) * rnorm(10)
    k <- contrast_architectures(comparison(array(c(d, numeric(10)), c(10, 1, 2))), test = "bayes", rho = rho)
    k$conf.low <= 0.5 && k$conf.high >= 0.5
  }, NA)
  rows[[length(rows) + 1]] <- data.frame(`rho given` = rho, coverage = share(hit), check.names = FALSE)
}
table_of(rows)

# ---- profiles ------------------------------------------------------------------------------------------------
cat("\nDifferences of profiles over 32 inputs, capacities between 0 and 1 and correlated along the lag: simultaneous
and pointwise coverage of the 95% bands, size of the global test at 0.05.\n\n")
smooth <- function(R, n, rho) {
  z <- matrix(rnorm(R * n), R)
  for (j in seq_len(n)[-1]) z[, j] <- rho * z[, j - 1] + sqrt(1 - rho^2) * z[, j]
  z
}
profile_comparison <- function(a, b) {
  n <- ncol(a)
  R <- nrow(a)
  tasks <- list(t1 = task_ar(n, 0.5))
  networks <- list(a = arch_dense(n), b = arch_dense(n))
  cmp <- comparison(array(1, c(R, 1, 2)))
  cmp$networks <- networks
  cmp$tasks <- tasks
  cmp$allocation <- data.frame(network = rep(c("a", "b"), each = R * n), task = "t1",
    replicate = rep(rep(seq_len(R), each = n), 2), capacity = c(t(a), t(b)))
  cmp
}
rows <- list()
for (R in c(5, 10, 20, 40)) for (rho in c(0, 0.9)) {
  bump <- pnorm(seq(-1.5, 1, length.out = 32))
  truth <- pnorm(qnorm(bump) / sqrt(1.25)) - 0.5 # mean of pnorm(m + z / 2) minus mean of pnorm(z / 2)
  out <- vapply(seq_len(draws %/% 5), function(i) {
    shared <- smooth(R, 32, rho) * sqrt(0.5) / 2
    draw <- function(m) pnorm(rep(m, each = R) + shared + smooth(R, 32, rho) * sqrt(0.5) / 2)
    d <- capacity_difference(profile_comparison(draw(qnorm(bump)), draw(numeric(32))), times = 499, seed = i)
    null <- glance(capacity_difference(profile_comparison(draw(qnorm(bump)), draw(qnorm(bump))), times = 499, seed = i))
    c(all(d$band.low <= truth & d$band.high >= truth), mean(d$conf.low <= truth & d$conf.high >= truth),
      null$p.value <= 0.05, glance(d)$quantile)
  }, numeric(4))
  rows[[length(rows) + 1]] <- data.frame(
    replicates = R, correlation = rho, simultaneous = share(out[1, ]), pointwise = sprintf("%.3f", mean(out[2, ])),
    size = share(out[3, ]), quantile = sprintf("%.2f", mean(out[4, ]))
  )
}
table_of(rows)

# ---- intervals of an allocation ------------------------------------------------------------------------------
cat("\nAllocations of fits to a sample, 99 refits. Over rows: how often 95% intervals cover the population's
capacity. Over samples: how often they cover that of another sample. Mean over inputs, and minimum over inputs.\n\n")
rows <- list()
cases <- list(
  `recurrent, two diagonal states` = arch_recurrent(8, 2, "diagonal"), `dilated, one filter` = arch_dilated(8, 1)
)
task <- task_fgn(8, 0.8)
for (name in names(cases)) for (N in c(300, 3000)) {
  truth <- quiet(fit(cases[[name]], task, seed = 1, restarts = 8))
  kappa <- capacity(truth)$capacity
  inside <- function(k, over, seed, value) {
    k <- generics::tidy(k, conf.int = TRUE, over = over, times = 99, seed = seed)
    k$conf.low - 1e-9 <= value & k$conf.high + 1e-9 >= value
  }
  hits <- lapply(seq_len(max(draws %/% 10, 5)), function(i) {
    trained <- function(seed) quiet(capacity(fit(truth$network, task, n_obs = N, seed = seed)))
    k <- trained(i)
    quiet(list(rows = inside(k, "rows", i, kappa), samples = inside(k, "samples", i, trained(1e5 + i)$capacity)))
  })
  for (over in c("rows", "samples")) {
    all <- do.call(rbind, lapply(hits, `[[`, over))
    rows[[length(rows) + 1]] <- data.frame(network = name, rows = N, over = over, draws = nrow(all),
      `mean coverage` = sprintf("%.3f", mean(all)), `least` = sprintf("%.3f", min(colMeans(all))), check.names = FALSE)
  }
}
table_of(rows)
