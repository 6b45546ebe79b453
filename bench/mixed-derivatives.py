# Mixed derivatives d2 yhat / dx dtheta of one hidden tanh layer by functorch; see mixed-derivatives.R.
from peer import *
from functorch import vmap, jacrev, grad

x = torch.tensor(np.loadtxt(sys.argv[1], delimiter=","))
t = np.loadtxt(sys.argv[2], delimiter=",")
theta = (torch.tensor(t[:960].reshape(15, 64, order="F").copy()), torch.tensor(t[960:975]),
         torch.tensor(t[975:990]), torch.tensor(t[990]))


def f(theta, x):
    return torch.tanh(theta[0] @ x + theta[1]) @ theta[2] + theta[3]


mixed = vmap(jacrev(grad(f), argnums=1), in_dims=(None, 0))


def run():
    begin = now()
    out = mixed(theta, x)
    return now() - begin, sum(float((o ** 2).sum()) for o in out)


run()
runs = [run() for _ in range(5)]
print("seconds", sorted(r[0] for r in runs)[2])
print("squares", runs[0][1])
