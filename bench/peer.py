# Functions that the PyTorch scripts share. The R script of the same name calls each of them.
import os, statistics, sys, time
import numpy as np, torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
now = time.process_time if os.environ.get("CAPALLOC_BENCH_CLOCK") == "cpu" else time.perf_counter


def numbers(file):
    return np.atleast_1d(np.loadtxt(file, delimiter=","))


def slices(theta, *shapes):
    """theta cut into tensors of these shapes, each stored first index fastest."""
    out, begin = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        out.append(torch.tensor(theta[begin:begin + size].reshape(shape, order="F").copy()))
        begin += size
    assert begin == theta.size
    return tuple(out)


def seconds(run, times):
    """Median of `times` runs after one to warm up; for 0 one run alone. Short runs are repeated."""
    def once():
        begin = now()
        run()
        return now() - begin
    first = once()
    if times == 0:
        return first
    repeats = max(1, int(0.05 / first))
    return statistics.median(sum(once() for _ in range(repeats)) / repeats for _ in range(times))


def rows(parts):
    """Gradients (n x shape of each parameter) as the n x p matrix that capalloc has."""
    return np.concatenate([np.asarray(g.detach()).transpose(0, *range(g.dim() - 1, 0, -1)).reshape(len(g), -1)
                           for g in parts], axis=1)


def in_chunks(run, inputs, size):
    """run() on `size` rows of the inputs at a time."""
    out = [run(inputs[i:i + size]) for i in range(0, len(inputs), size)]
    return out[0] if len(out) == 1 else tuple(torch.cat(g) for g in zip(*out))


def fastest(ways, times):
    """Name and seconds of the fastest of several ways of computing one thing; refused ones do not count."""
    took = {}
    for name, run in ways.items():
        try:
            took[name] = seconds(run, 0 if len(ways) > 1 else times)
            if len(ways) > 1 and times > 0:
                took[name] = min(took[name], seconds(run, 0))
        except (RuntimeError, NotImplementedError) as refused:
            print(name, "refused:", str(refused).splitlines()[0][:200], file=sys.stderr)
    best = min(took, key=took.get)
    print(f"PyTorch: the fastest of {len(took)} ways is {best}", file=sys.stderr)
    return best, seconds(ways[best], times) if times > 0 else took[best]
