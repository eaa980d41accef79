"""Optimisers, clipping, schedules and the loss against PyTorch's, in float64, over some hundred steps. argv: update_probe."""
import subprocess
import sys

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(missing)
    sys.exit(77)

PROBE = sys.argv[1]
STEPS, COUNT = 300, 500
torch.manual_seed(2)


def probe(*arguments, data=b''):
    return subprocess.run([PROBE, *map(str, arguments)], input=data, stdout=subprocess.PIPE, check=True).stdout


def near(what, ours, theirs, tolerance):
    off = np.abs(np.asarray(ours) - np.asarray(theirs)).max()
    assert np.shape(ours) == np.shape(theirs) and off <= tolerance, (what, off, tolerance)


def check_optimiser(rule, make, rate, momentum=0, decay=0, clip=0):
    x = torch.randn(COUNT).double().requires_grad_()
    scales = torch.logspace(-4, 1, COUNT)
    gradients = torch.randn(STEPS, COUNT) * scales
    optimiser = make([x])
    ours = probe('optimise', rule, momentum, decay, clip, rate, STEPS, COUNT,
                 data=x.detach().float().numpy().tobytes() + gradients.numpy().tobytes())
    ours = np.frombuffer(ours, 'f4').reshape(STEPS, COUNT)
    with torch.no_grad():
        x.copy_(x.float())
    for step in range(STEPS):
        x.grad = gradients[step].double()
        if clip:
            torch.nn.utils.clip_grad_norm_([x], clip)
        optimiser.step()
        near(f'{rule}, step {step + 1}', ours[step], x.detach().numpy(), 1e-5 * float(x.detach().abs().max()))


def check_schedule(rule, make, highest, steps, warm_up=0, every=1, factor=1.):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=highest)
    schedule, theirs = make(optimiser), []
    for _ in range(steps):
        theirs.append(optimiser.param_groups[0]['lr'])
        optimiser.step()
        schedule.step()
    ours = [float(line) for line in probe('schedule', rule, highest, warm_up, steps, every, factor).split()]
    near(rule, ours, theirs, 1e-12)
    return ours


def check_loss(smoothing, weights, rows=64):
    logits, labels = (3 * torch.randn(rows, 2)), torch.randint(0, 2, (rows,))
    out = probe('loss', smoothing, *weights, rows, data=logits.numpy().tobytes() + labels.numpy().astype('u1').tobytes())
    ours = [float(line) for line in out.split()]
    logits = logits.double().requires_grad_()
    loss = torch.nn.functional.cross_entropy(logits, labels, torch.tensor(weights).double(), reduction='sum', label_smoothing=smoothing)
    loss.backward()
    near('loss', ours[0], loss.item(), 1e-9 * loss.item())
    near('slopes', ours[1:], logits.grad.numpy().ravel(), 1e-6)


for momentum in 0, 0.9:
    for decay in 0, 0.01:
        check_optimiser('sgd', lambda p: torch.optim.SGD(p, lr=1e-2, momentum=momentum, weight_decay=decay), 1e-2, momentum, decay)
for decay in 0, 0.01:
    check_optimiser('adam', lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=decay), 1e-2, 0, decay)
    check_optimiser('adamw', lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=decay), 1e-2, 0, decay)
check_optimiser('sgd', lambda p: torch.optim.SGD(p, lr=1e-2), 1e-2, clip=20)  # half of the gradients are longer
rates = torch.optim.lr_scheduler
for share in 0.3, 0.1:
    check_schedule('onecycle', lambda o: rates.OneCycleLR(o, 2., total_steps=102, pct_start=share, final_div_factor=1e4, cycle_momentum=False), 2., 102, share)
check_schedule('constant', lambda o: rates.LambdaLR(o, lambda s: 1), 0.3, 50)
check_schedule('step', lambda o: rates.StepLR(o, 7, 0.3), 0.3, 50, 0, 7, 0.3)
check_schedule('cosine', lambda o: rates.CosineAnnealingLR(o, 50), 0.3, 50)
check_schedule('constant', lambda o: rates.LinearLR(o, 1 / 10, 1, 9), 0.3, 50, 0.2)
check_loss(0, [1., 1.])
check_loss(0.1, [1., 1.])
check_loss(0.2, [0.5, 3.])
