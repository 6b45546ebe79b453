# Starts that end at different losses.

nets <- list(
  dense = arch_dense(8), dilated = arch_dilated(8, filters = 1), conv = arch_conv(8, 2, kernel = 3)
)

diagonal <- list(diagonal = arch_recurrent(8, 2, "diagonal"))

tasks <- classical_tasks(8)[c("ar", "sparse")]

test_that("one warning reports starts of one network on one population that end at different losses", {
  # A window that contains either of two lags: a filter of one tap can use only one of them.
  w <- expect_warning(
    cmp <- compare_architectures(c(nets, diagonal), tasks, replicates = 4), class = "capalloc_warning_starts"
  )
  worst <- tapply(cmp$runs$loss, cmp$runs[c("network", "task")], \(x) max(x) / min(x))
  apart <- which(worst > 1.01 & rownames(worst) != "dense", arr.ind = TRUE)
  expect_gt(nrow(apart), 0)
  expect_setequal(paste(w$pairs$network, w$pairs$task),
    paste(rownames(worst)[apart[, 1]], colnames(worst)[apart[, 2]]))
  expect_match(conditionMessage(w), "diagonal on", fixed = TRUE)
  expect_output(print(cmp), "Starts end at losses that differ by more than 1%: .*diagonal on")
  expect_output(print(summary(cmp)), "Starts end at losses that differ by more than 1%")
  # Samples differ anyway, and a single linear map has one minimum.
  expect_warning(compare_architectures(diagonal, tasks, replicates = 4, n_obs = 40), NA)
  expect_warning(compare_architectures(nets["dense"], tasks, 2, control = list(max_iterations = 1)), NA)
  many <- cmp$runs[rep(1, 6), c("network", "task")]
  expect_identical(capalloc:::starts_pair_text(many), paste0(paste(rep("dense on ar", 4), collapse = ", "),
    " and 2 more"))
})

test_that("networks with a single linear layer are convex", {
  convex <- function(net) capalloc:::is_convex(net)
  expect_true(convex(arch_dense(8)))
  expect_true(convex(input_sequence(8) |> layer_conv(1, 3) |> layer_pool(2)))
  expect_false(convex(nets$dilated))
  expect_false(convex(diagonal$diagonal))
  expect_false(convex(arch_dense(8) |> layer_activation("tanh")))
})
