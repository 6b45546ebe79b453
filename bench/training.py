# Trains a dilated stack on the moments of a task by torch.optim.LBFGS with strong Wolfe line search, until the largest
# entry of the gradient is below 1e-6; see training.R.
# Arguments: theta, Sigma, C, tr V, length, filters, most seconds, file for the trained theta.
from peer import *

theta, n, filters = numbers(sys.argv[1]), int(sys.argv[5]), int(sys.argv[6])
sigma, cross = torch.tensor(numbers(sys.argv[2])), torch.tensor(numbers(sys.argv[3]))
total, most = float(sys.argv[4]), float(sys.argv[7])
depth = int(np.log2(n))
widths = [1] + [filters] * (depth - 1) + [1]
shapes = [(widths[l + 1], widths[l], 2) for l in range(depth)]


def matrices():
    """Kernels as filters x (taps x channels)."""
    return [w.transpose(1, 2).reshape(w.shape[0], -1).contiguous().requires_grad_() for w in slices(theta, *shapes)]


def compose(weights):
    """Effective weights: from the last layer to the first, 2 taps make two positions of one. Transposed convolutions
    of an impulse, which give the same, take PyTorch longer."""
    h = torch.ones(1, 1)
    for l in reversed(range(depth)):
        h = (h @ weights[l]).view(-1, widths[l])
    return h[:, 0]


def quadratic(weights):
    W = compose(weights)
    return total - 2 * W @ cross + W @ (sigma @ W)


root, oracle = torch.linalg.cholesky(sigma).T, torch.linalg.solve(sigma, cross)


def squares(weights):
    """The loss less its lowest value, without cancellation."""
    return ((root @ (compose(weights) - oracle)) ** 2).sum()


class Late(Exception):
    pass


def run(loss, memory, most):
    weights = matrices()
    optimiser = torch.optim.LBFGS(weights, max_iter=10 ** 6, max_eval=10 ** 7, history_size=memory,
                                  tolerance_grad=1e-6, tolerance_change=0, line_search_fn="strong_wolfe")
    begin = now()

    def closure():
        if now() - begin > most:
            raise Late
        optimiser.zero_grad()
        f = loss(weights)
        f.backward()
        return f

    try:
        optimiser.step(closure)
    except Late:
        pass
    took = now() - begin
    gradient = max(float(w.grad.abs().max()) for w in weights)
    return {"seconds": took, "iterations": optimiser.state[weights[0]]["n_iter"], "gradient": gradient}, weights


# Two forms of the loss, each with PyTorch's default memory and with a smaller usual one; the shortest time counts.
seconds(lambda: torch.autograd.grad(quadratic(w := matrices()), w), 1)
best, weights = None, None
for memory in (100, 10):
    for loss in (quadratic, squares):
        other, trained = run(loss, memory, most if best is None else min(most, best["seconds"]))
        if best is None:
            print("usual_seconds", other["seconds"])
        if best is None or other["gradient"] <= 1e-6:
            best, weights = other, trained
for name, value in best.items():
    print(name, value)
kernels = [w.detach().numpy().reshape(s[0], 2, s[1]).transpose(0, 2, 1) for w, s in zip(weights, shapes)]
np.concatenate([k.flatten(order="F") for k in kernels]).tofile(sys.argv[8])
