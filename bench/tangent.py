# Computes per-example parameter gradients of a dilated stack over one-hot inputs; see tangent.R.
# Arguments: theta, length, filters, times, file for J.
import functorch
from peer import *

theta, n, filters, times = numbers(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
depth = int(np.log2(n))
widths = [1] + [filters] * (depth - 1) + [1]
weights = slices(theta, *((widths[l + 1], widths[l], 2) for l in range(depth)))
eye = torch.eye(n)[:, None, :]


def output(weights, x):
    h = x[None]
    for l, w in enumerate(weights):
        h = torch.nn.functional.conv1d(h, w, dilation=2 ** l)
    return h[0, 0, 0]


def impulse(weights):
    h = torch.ones(1, 1, 1)
    for l in reversed(range(depth)):
        h = torch.nn.functional.conv_transpose1d(h, weights[l], dilation=2 ** l)
    return h[0, 0]


per_example = functorch.vmap(functorch.grad(output), (None, 0))


def gradients(size):
    return lambda: in_chunks(lambda x: per_example(weights, x), eye, size)


def pulled_back(size):
    def run():
        pull_back = functorch.vmap(functorch.vjp(impulse, weights)[1])
        return in_chunks(lambda e: pull_back(e)[0], eye[:, 0], size)
    return run


sizes = [size for size in (32, 128, 512) if size < n] + [n]
ways = {f"vmap(grad), {size} rows at a time": gradients(size) for size in sizes}
ways.update({f"vmap(vjp), {size} rows at a time": pulled_back(size) for size in sizes})
ways["jacfwd"] = lambda: functorch.jacfwd(impulse)(weights)
if times == 0:  # a single run: trying all methods would take too long
    ways = {name: way for name, way in ways.items() if " 128 rows" in name}
best, took = fastest(ways, times)
print("seconds", took)
rows(ways[best]()).T.tofile(sys.argv[5])
