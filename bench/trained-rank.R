# Does the capacity of a trained network depend on where training stopped?
# Rscript bench/trained-rank.R [LENGTH [SEED [SEEDS]]], by default 64 1 5: classical_architectures(LENGTH) x
# classical_tasks(LENGTH) with SEED, then six architectures x five tasks with the SEEDS seeds that follow, then
# nonlinear networks. Each is fitted to the default tolerance (1e-10; 1e-6 for nonlinear networks), to the floor
# (tol = 1e-14, which rounding error may prevent), and again from its own coefficients times 1 + 1e-9 N(0, 1) and 1 +
# 1e-6 N(0, 1). Two fits agree if their totals are equal and their capacities differ by at most 0.05 at every input.
# `silent` counts pairs that do not agree although neither is undecided (rank_low < rank_high in glance()), `changed`
# totals that differ. Fits that have not converged are excluded (`not_converged`). The last three columns also exclude
# pairs at different minima (`elsewhere`), whose losses have a relative difference above 1e-6. Targets for linear
# networks: silent 0, undecided at most 45%, none for fGn with `dense` and `deep`.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

arguments <- as.integer(c(commandArgs(TRUE), rep(NA, 3))[1:3])
taps <- if (is.na(arguments[[1]])) if (quick) 16L else 64L else arguments[[1]]
seed <- if (is.na(arguments[[2]])) 1L else arguments[[2]]
more <- if (is.na(arguments[[3]])) if (quick) 1L else 5L else arguments[[3]]
longest <- if (quick) 500 else 5000

decay <- 0

train <- function(network, task, seed, tol = NULL, n_obs = Inf) {
  control <- list(max_iterations = longest, decay = decay)
  if (!is.null(tol)) control$tol <- tol
  suppressWarnings(suppressMessages(fit(network, task, seed = seed, n_obs = n_obs, control = control)))
}

allocation_of <- function(trained) {
  kappa <- suppressWarnings(suppressMessages(capacity(trained)))
  ranks <- glance(kappa)
  list(
    total = ranks$total, capacity = tidy(kappa)$capacity, undecided = ranks$rank_low < ranks$rank_high,
    converged = trained$converged, loss = trained$train_loss
  )
}

compare <- function(stopped, other) {
  agree <- stopped$total == other$total && max(abs(stopped$capacity - other$capacity)) <= 0.05
  undecided <- stopped$undecided || other$undecided
  # a relative difference above 1e-6, plus the accuracy of a loss
  elsewhere <- abs(stopped$loss - other$loss) > 1e-6 * abs(stopped$loss) + 1e-12
  data.frame(
    total = stopped$total, other_total = other$total, most = max(abs(stopped$capacity - other$capacity)),
    undecided = undecided, silent = !agree && !undecided && !elsewhere,
    changed = stopped$total != other$total && !elsewhere, elsewhere = elsewhere
  )
}

# Returns a data frame with one row for each comparison of one network, task and seed.
ask <- function(network, task, seed, n_obs = Inf) {
  trained <- train(network, task, seed, n_obs = n_obs)
  stopped <- allocation_of(trained)
  if (!stopped$converged) return(NULL)
  refit <- function(size) {
    set.seed(seed)
    start <- set_coef(trained$network, coef(trained) * (1 + size * rnorm(length(coef(trained)))))
    allocation_of(train(start, task, seed, n_obs = n_obs))
  }
  others <- list(
    floor = allocation_of(train(network, task, seed, 1e-14, n_obs)), `1e-9` = refit(1e-9), `1e-6` = refit(1e-6)
  )
  cbind(against = names(others), do.call(rbind, lapply(others, compare, stopped = stopped)))
}

run <- function(networks, tasks, seeds, n_obs = Inf) {
  design <- expand.grid(network = names(networks), task = names(tasks), seed = seeds, stringsAsFactors = FALSE)
  rows <- lapply(seq_len(nrow(design)), function(i) {
    cell <- design[i, ]
    answer <- tryCatch(ask(networks[[cell$network]], tasks[[cell$task]], cell$seed, n_obs), error = function(e) {
      cat("failed:", cell$network, cell$task, cell$seed, conditionMessage(e), "\n")
    })
    if (is.null(answer)) return(cbind(cell, against = NA, not_converged = TRUE))
    cbind(cell, answer, not_converged = FALSE, row.names = NULL)
  })
  columns <- unique(unlist(lapply(rows, names)))
  do.call(rbind, lapply(rows, function(row) {
    row[setdiff(columns, names(row))] <- NA
    row[columns]
  }))
}

counts <- function(rows, by) {
  pieces <- split(rows, rows[by], drop = TRUE, lex.order = TRUE)
  do.call(rbind, lapply(pieces, function(piece) {
    done <- piece[!piece$not_converged, ]
    cbind(piece[1, by, drop = FALSE], data.frame(
      fits = nrow(done), not_converged = sum(piece$not_converged), silent = sum(done$silent),
      undecided = sum(done$undecided), undecided_percent = 100 * mean(done$undecided), changed = sum(done$changed),
      elsewhere = sum(done$elsewhere)
    ))
  }))
}

tell <- function(title, rows) {
  cat("\n##", title, "\n\n")
  lost <- rows[rows$not_converged, ]
  rows <- rows[!rows$not_converged, ]
  for (against in unique(rows$against)) {
    part <- rbind(rows[rows$against == against, ], if (nrow(lost) > 0) transform(lost, against = against))
    floor <- against == "floor"
    cat(if (floor) "Trained further, to the floor" else paste("Refitted from coefficients perturbed by", against), "\n")
    show(counts(cbind(part, all = "all"), "all"))
    if (floor) {
      cat("\nby task\n")
      show(counts(part, "task"))
      cat("\nby architecture\n")
      show(counts(part, "network"))
    }
    silent <- part[which(part$silent), c("network", "task", "seed", "total", "other_total", "most")]
    if (nrow(silent) > 0) {
      cat("\nsilent\n")
      show(silent)
    }
    cat("\n")
  }
}

architectures <- classical_architectures(taps)
tasks <- classical_tasks(taps)
some <- architectures[c("conv", "dilated", "elman", "deep", "low_rank", "unet")]
if (quick) architectures <- architectures[c("dense", "dilated", "deep", "conv_recurrent")]

began <- now()
tell(paste0("All, length ", taps, ", seed ", seed), run(architectures, tasks, seed))
tell(
  paste0("Six architectures, five tasks, seeds ", seed + 1L, " to ", seed + more),
  run(some, tasks[c("ar", "arma", "ou", "fgn", "multiscale")], seed + seq_len(more))
)

# ---- nonlinear networks, on 500 rows --------------------------------------------------------------

# Only smooth networks are used. Training of relu networks stops at kinks of the loss, where no step reduces the loss
# and the convergence number is above its bound.
nonlinear_networks <- function(length) {
  x <- input_sequence(length)
  last <- function(network, phi, ...) network |> layer_activation(phi) |> layer_dense(1, ...)
  list(
    tanh_dense = x |> layer_dense(3, bias = TRUE) |> last("tanh", bias = TRUE),
    tanh_wide = x |> layer_dense(5, bias = TRUE) |> last("tanh", bias = TRUE),
    sigmoid_dense = x |> layer_dense(2, bias = TRUE) |> last("sigmoid", bias = TRUE),
    tanh_conv = x |> layer_conv(2, 3, bias = TRUE) |> last("tanh"),
    tanh_deep = x |> layer_conv(2, 3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(2, bias = TRUE) |>
      last("tanh", bias = TRUE)
  )
}

# Rows generated by networks of three tanh units, with noise.
taught <- function(length, seed) {
  set.seed(seed)
  teacher <- nonlinear_networks(length)$tanh_dense
  teacher <- set_coef(teacher, 1.5 * rnorm(glance(teacher)$n_params))
  x <- matrix(rnorm(500 * length), 500)
  task_data(x, predict(teacher, x) + 0.3 * rnorm(500), test = 0, input = input_sequence(length))
}

short <- 8L
smooth <- nonlinear_networks(short)
tell(
  paste0("Nonlinear networks, length ", short, ", 500 rows of teachers"),
  run(smooth, list(teacher1 = taught(short, 1), teacher2 = taught(short, 2)), seed + 0:more)
)
tell(
  paste0("Nonlinear networks, length ", short, ", 500 rows of linear tasks"),
  run(smooth, list(fgn = task_fgn(short, 0.8), ar = task_ar(short, c(0.5, 0.3))), seed + 0:1, n_obs = 500)
)

# ---- linear networks on rows, and with weight decay ---------------------------------------------------

rows_of <- function(task, seed) {
  drawn <- simulate(task, 500, seed = seed)
  task_data(drawn$x, drop(drawn$y), test = 0, input = input_sequence(taps))
}
sampled <- lapply(tasks[c("ar", "arma", "fgn")], rows_of, seed = 1)
tell(paste0("Linear networks, length ", taps, ", 500 rows"), run(some, sampled, seed + 0:1))
decay <- 1e-3
tell(paste0("Linear networks, length ", taps, ", 500 rows, weight decay ", decay), run(some, sampled, seed + 0:1))
cat(sprintf("%.0f seconds\n", now() - began))
