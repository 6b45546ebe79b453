# Computes per-example parameter gradients of other networks over one-hot inputs; see other-tangents.R.
# Arguments: theta, network, times, file for J.
import functorch
from peer import *
from torch.nn.functional import conv1d, conv2d, pad

theta, which, times = numbers(sys.argv[1]), sys.argv[2], int(sys.argv[3])


def flat(h):
    """Channels fastest, then positions (on grids rows, then columns)."""
    return h.permute(*reversed(range(h.dim()))).reshape(-1)


def elman_output(weights, x):
    B, A, read = weights
    h = torch.zeros(32)
    for t in range(512):
        h = A @ h + B[:, 0] * x[t]
    return (read @ h)[0]


def residual(read):
    return slices(theta, (8, 1, 1), *[(8, 8, 3)] * 16, (1, read)), torch.eye(256)[:, None, :]


def residual_output(weights, x):
    h = conv1d(x[None], weights[0])
    for block in range(8):
        inner = conv1d(h, weights[1 + 2 * block], padding=1)
        h = h + conv1d(inner, weights[2 + 2 * block], padding=1)
    return read_out(weights[-1], h[0])


def read_out(read, h):
    return (read @ (h[:, -1] if read.shape[1] == len(h) else flat(h)))[0]


def unet(read):
    shapes = (8, 1, 3), (8, 8, 3), (8, 8, 3), (8, 16, 3), (8, 16, 3), (1, read)
    return slices(theta, *shapes), torch.eye(256)[:, None, :]


def unet_output(weights, x):
    """Same padding of an even length at stride 2 is one position, at the old end."""
    first, down, below, up, last, read = weights
    full = conv1d(x[None], first, padding=1)
    half = conv1d(pad(full, (1, 0)), down, stride=2)
    quarter = conv1d(pad(half, (1, 0)), below, stride=2)
    half = conv1d(torch.cat((half, quarter.repeat_interleave(2, 2)), 1), up, padding=1)
    full = conv1d(torch.cat((full, half.repeat_interleave(2, 2)), 1), last, padding=1)
    return read_out(read, full[0])


def grid():
    one_hot = torch.eye(1024).reshape(1024, 1, 32, 32).transpose(2, 3)
    return slices(theta, (8, 1, 3, 3), *[(8, 8, 3, 3)] * 3, (1, 24 * 24 * 8)), one_hot


def grid_output(weights, x):
    h = x[None]
    for w in weights[:-1]:
        h = conv2d(h, w)
    return read_out(weights[-1], h[0])


def elman_unrolled(weights):
    """Effective weights from the newest input to the oldest, back from the read-out."""
    B, A, read = weights
    g, out = read[0], []
    for t in range(512):
        out.append(g @ B[:, 0])
        g = g @ A
    return torch.stack(out[::-1])


if which == "elman":
    weights, one_hot = slices(theta, (32, 1), (32, 32), (1, 32)), torch.eye(512)
else:
    weights, one_hot = {"residual": lambda: residual(8), "residual_dense": lambda: residual(2048),
                        "unet": lambda: unet(8), "unet_dense": lambda: unet(2048), "grid": grid}[which]()
output = {"elman": elman_output, "residual": residual_output, "residual_dense": residual_output,
          "unet": unet_output, "unet_dense": unet_output, "grid": grid_output}[which]
n = len(one_hot)
zero = torch.zeros_like(one_hot[0])


def effective(weights):
    return elman_unrolled(weights) if which == "elman" else functorch.grad(output, argnums=1)(weights, zero)


per_example = functorch.vmap(functorch.grad(output), (None, 0))


def gradients(size):
    return lambda: in_chunks(lambda x: per_example(weights, x), one_hot, size)


def pulled_back(size):
    def run():
        pull_back = functorch.vmap(functorch.vjp(effective, weights)[1])
        return in_chunks(lambda e: pull_back(e)[0], one_hot, size)
    return run


ways = {}
for size in (32, 128, n):
    ways[f"vmap(grad), {size} rows at a time"] = gradients(size)
    ways[f"vmap(vjp), {size} rows at a time"] = pulled_back(size)
best, took = fastest(ways, times)
print("seconds", took)
rows(ways[best]()).T.tofile(sys.argv[4])
