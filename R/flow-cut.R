# Cuts of a graph: what src/carry.h takes through it, planned here.
#
# Blocks are the input and the steps of the graph (a whole operation, or in a recurrence one position of
# it), numbered from 1. Blocks of gates (non-linear operations) of one level, as many non-linear steps away
# from the input at most, are taken together: they are functions of the same things. Between them linear
# blocks are taken by C. A unit is open from the first step that needs its place until the last.

# list(node, begin, end, level, live, reads, gate, size): of every block.
graph_blocks <- function(graph) {
  blocks <- .Call(ffi_blocks, graph)
  at <- blocks$node + 1L
  channels <- c(graph$input[[1L]], vapply(graph$ops, function(op) op$shape[[1L]], 0L))[at]
  kinds <- c("input", vapply(graph$ops, function(op) op$kind, ""))[at]
  blocks$reads <- lapply(blocks$reads, function(b) b + 1L)
  blocks$kind <- kinds
  blocks$channels <- channels
  blocks$gate <- kinds %in% c("phi", "product", "max")
  blocks$size <- channels * (blocks$end - blocks$begin)
  blocks
}

# Blocks that those in `from` depend on, with themselves: what is read comes earlier.
blocks_below <- function(blocks, from) {
  found <- logical(length(blocks$node))
  found[from] <- TRUE
  for (b in rev(seq_along(found))) if (found[[b]]) found[blocks$reads[[b]]] <- TRUE
  found
}

# Blocks that depend on those in `from`, with themselves.
blocks_above <- function(blocks, from) {
  found <- logical(length(blocks$node))
  found[from] <- TRUE
  for (b in seq_along(found)) if (!found[[b]]) found[[b]] <- any(found[blocks$reads[[b]]])
  found
}

# Blocks of the operations that have parameters of the layer.
start_blocks <- function(about) {
  ops <- about$graph$ops
  theta <- vapply(ops, function(op) if (op$kind %in% c("linear", "bias")) op$theta else NA_real_, 0)
  nodes <- which(theta >= about$start$first - 1 & theta <= about$start$last - 1)
  which(about$blocks$node %in% nodes & about$blocks$live)
}

# The order in which wanted blocks are taken forwards: list of blocks, those of the gates of one level together.
take_items <- function(blocks, wanted) {
  taken <- which(wanted & blocks$node > 0L)
  taken <- taken[order(blocks$level[taken], !blocks$gate[taken], taken)]
  item <- ifelse(blocks$gate[taken], -blocks$level[taken], taken)
  unname(split(taken, factor(item, levels = unique(item))))
}

# A cut: list(graph, theta, blocks, items, at, closing, backward, size, hooks). `at` is the place of the first
# unit of a block, from 0, or -1; `closing` the blocks that are closed after each item; `outputs` the blocks
# that backwards are open from the start; blocks in `keep` stay open.
new_cut <- function(graph, theta, blocks, wanted, backward, outputs = integer(), keep = integer()) {
  items <- take_items(blocks, wanted)
  if (backward) items <- rev(items)
  n <- length(blocks$node)
  time <- rep(NA_real_, n)
  time[unlist(items)] <- rep(seq_along(items), lengths(items))
  # every block that an item reads, by items
  other <- unlist(blocks$reads)
  when <- rep(time, lengths(blocks$reads))
  kept <- which(!is.na(when) & wanted[other])
  kept <- kept[order(when[kept])]
  other <- other[kept]
  when <- when[kept]
  if (backward) {
    opened <- rep(Inf, n)
    opened[rev(other)] <- rev(when) # the first reader
    opened[outputs] <- 0
    closed <- ifelse(is.na(time), Inf, time)
  } else {
    opened <- ifelse(is.na(time), 0, time)
    closed <- opened
    last <- !duplicated(other, fromLast = TRUE)
    closed[other[last]] <- pmax(closed[other[last]], when[last])
  }
  closed[keep] <- Inf
  used <- which(wanted & is.finite(opened))
  at <- rep(-1L, n)
  at[used] <- place_blocks(opened[used], closed[used], blocks$size[used])
  list(
    graph = graph, theta = theta, blocks = blocks, items = items, at = at, backward = backward,
    closing = split(used, factor(closed[used], levels = seq_along(items))),
    size = max(at[used] + blocks$size[used])
  )
}

# Places from 0 for blocks that are open from one time to another: the first gap that is wide enough.
place_blocks <- function(opened, closed, size) {
  at <- integer(length(size))
  active <- integer()
  for (b in order(opened)) {
    active <- active[closed[active] >= opened[[b]]]
    begin <- c(0L, at[active] + size[active])
    first <- which(c(at[active], Inf) - begin >= size[[b]])[[1L]]
    at[[b]] <- begin[[first]]
    active <- append(active, b, first - 1L) # in the order of places
  }
  at
}

# Places, from 1, of the units of blocks.
cut_units <- function(cut, b) {
  unlist(lapply(b, function(b) cut$at[[b]] + seq_len(cut$blocks$size[[b]])))
}

# What happens to the matrices on a cut, numbered as C does, in this order where it is to one item: a level is told,
# vectors begin, a linear block is taken, or the gates of several, and blocks are closed.
actions <- c(tell = 0L, begin = 1L, step = 2L, gates = 3L, close = 4L)

# A program is parallel vectors in the order in which they are done: list(action, number, item), `number` that of a
# level, of ties, of a block, or of gates, from 0.
program_of <- function(...) {
  parts <- list(...)
  whole <- lapply(stats::setNames(nm = c("action", "number", "item")), function(column) {
    as.integer(unlist(lapply(parts, function(part) part[[column]])))
  })
  done <- order(whole$item, whole$action)
  lapply(whole, function(column) column[done])
}

program_part <- function(action, number, item) {
  list(action = rep(actions[[action]], length(number)), number = number, item = item)
}

# Linear blocks that are taken, and all blocks that are closed.
cut_program <- function(cut) {
  linear <- !cut$blocks$gate[vapply(cut$items, function(item) item[[1L]], 0L)]
  program_of(
    program_part("step", unlist(cut$items[linear]) - 1L, rep(which(linear), lengths(cut$items[linear]))),
    program_part("close", unlist(cut$closing) - 1L, rep(seq_along(cut$items), lengths(cut$closing)))
  )
}

# Takes matrices S (rows x size x matrices) through a program in C: list(S, levels). `gates` are list(from, to, mean,
# second), `levels` the places that are told, `ties` where vectors of a family of `members` begin.
carry_program <- function(cut, S, program, two_sided, constant = -1, gates = list(), levels = list(), ties = list(),
                          members = 1) {
  setting <- list(
    at = as.integer(cut$at), constant = as.double(constant), backward = as.double(cut$backward),
    two_sided = as.double(two_sided), members = as.double(members), gates = gates, levels = levels, ties = ties
  )
  .Call(ffi_carry, cut$graph, cut$theta, S, setting, program)
}

is_gate_item <- function(cut, i) cut$blocks$gate[[cut$items[[i]][[1L]]]]
