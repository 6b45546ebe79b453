# Cuts: which blocks are open at once, and where their units are.

test_that("blocks that are open at once do not overlap, and those that are closed make room", {
  opened <- c(0, 0, 1, 3, 3)
  closed <- c(2, 4, 5, 6, 6)
  size <- c(2L, 3L, 1L, 2L, 4L)
  at <- capalloc:::place_blocks(opened, closed, size)
  for (time in 0:6) {
    open <- which(opened <= time & closed >= time)
    units <- unlist(lapply(open, \(b) at[[b]] + seq_len(size[[b]])))
    expect_identical(anyDuplicated(units), 0L)
  }
  # the first block's place is taken by the fourth, the last joins the end
  expect_identical(at, c(0L, 2L, 5L, 0L, 6L))
})

test_that("blocks above and below others are those that depend on them, and that they depend on", {
  net <- input_sequence(3) |> layer_recurrent(2, output = "sequence") |> layer_activation("tanh") |> layer_last()
  blocks <- capalloc:::graph_blocks(capalloc:::lower(net))
  gate <- which(blocks$gate)
  below <- capalloc:::blocks_below(blocks, gate)
  above <- capalloc:::blocks_above(blocks, gate)
  expect_identical(which(below & above), gate)
  expect_true(all(below | above))
  # no block reads one that comes later
  expect_true(all(unlist(Map(\(b, reads) all(reads < b), seq_along(blocks$reads), blocks$reads))))
})

test_that("every item of a cut is taken after those that it reads, and closes what nobody needs", {
  net <- with_test_coef(input_sequence(5) |> layer_recurrent(2, activation = "tanh") |> layer_dense(1), 1)
  graph <- capalloc:::lower(net)
  blocks <- capalloc:::graph_blocks(graph)
  outputs <- which(blocks$node == graph$output)
  back <- capalloc:::new_cut(graph, net$coef, blocks, blocks$live, backward = TRUE, outputs)
  ahead <- capalloc:::new_cut(graph, net$coef, blocks, blocks$live, backward = FALSE)
  expect_identical(back$items, rev(ahead$items))
  seen <- 1L
  for (item in ahead$items) {
    expect_true(all(unlist(blocks$reads[item]) %in% seen))
    seen <- c(seen, item)
  }
  # backwards a step is closed when it has been taken; the input never is
  expect_setequal(unlist(back$closing), which(blocks$live & blocks$node > 0L))
})
