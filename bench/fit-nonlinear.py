# Trains one hidden layer of 20 logistic units by torch.optim.LBFGS with strong Wolfe line search; see fit-nonlinear.R.
from peer import *

data = np.loadtxt(sys.argv[1], delimiter=",")
theta = np.loadtxt(sys.argv[2], delimiter=",")
x, y = torch.tensor(data[:, :10]), torch.tensor(data[:, 10:])


def run():
    net = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.Sigmoid(), torch.nn.Linear(20, 1))
    with torch.no_grad():
        net[0].weight[:] = torch.tensor(theta[:200].reshape(20, 10, order="F"))
        net[0].bias[:] = torch.tensor(theta[200:220])
        net[2].weight[:] = torch.tensor(theta[220:240].reshape(1, 20))
        net[2].bias[:] = torch.tensor(theta[240:241])
    opt = torch.optim.LBFGS(net.parameters(), max_iter=1000, max_eval=4000, tolerance_grad=1e-9,
                            tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        return loss

    begin = now()
    opt.step(closure)
    return now() - begin, float(((net(x) - y) ** 2).mean())


run()
runs = [run() for _ in range(5)]
print("seconds", sorted(r[0] for r in runs)[2])
print("loss", runs[0][1])
