"""The statistics of evaluate/ against scipy: print_statistics (argv[1]) answers, scipy says what is right."""
import subprocess
import sys

import numpy as np
from scipy import optimize, special, stats

rng = np.random.default_rng(5)
questions, truths = [], []


def ask(name, arguments, truth, tolerance):
    plain = name not in ("auc", "logistic")
    arguments = list(arguments) + [0] * (4 - len(arguments)) if plain else arguments
    questions.append(name + " " + " ".join(repr(float(a)) if plain else str(a) for a in arguments))
    truths.append((name, arguments if plain else "", np.atleast_1d(truth), tolerance))


for _ in range(300):
    a, b = 10 ** rng.uniform(-1, 6, 2)
    x = rng.beta(a, b) if rng.random() < 0.7 else rng.random()
    if 1e-250 < special.betainc(a, b, x):
        ask("beta", (x, a, b), special.betainc(a, b, x), 1e-8)  # scipy's own error for large a, b
for _ in range(200):
    n = int(10 ** rng.uniform(0.5, 7.2))
    p = rng.uniform(0.3, 0.9)
    k = int(np.clip(n * p + rng.normal() * 4 * np.sqrt(n * p * (1 - p)), 0, n))
    ask("tail", (k, n, p), stats.binom.sf(k - 1, n, p), 1e-8)
    interval = stats.binomtest(k, n).proportion_ci(0.95, "exact")
    ask("interval", (k, n, 0.95), (interval.low, interval.high), 1e-9)
for _ in range(200):
    table = rng.integers(0, int(10 ** rng.uniform(0.7, 3)), (2, 2))
    if table.sum(0).min() and table.sum(1).min():
        ask("fisher", table.ravel(), stats.fisher_exact(table, "greater")[1], 1e-7)
for _ in range(50):
    p, freedom = rng.uniform(0.5, 0.999), rng.integers(1, 400)
    ask("student", (p, freedom), stats.t.ppf(p, freedom), 1e-8)
for _ in range(40):
    n = rng.integers(10, 300)
    label = np.concatenate([[0, 0, 1, 1], rng.integers(0, 2, n)])
    score = np.round(rng.normal(0.4 * label, 1), rng.integers(0, 4))
    fake, real = score[label == 1], score[label == 0]
    n1, n0 = len(fake), len(real)
    value = stats.mannwhitneyu(fake, real).statistic / (n1 * n0)
    kernel = (fake[:, None] > real) + 0.5 * (fake[:, None] == real)
    variance = kernel.mean(1).var(ddof=1) / n1 + kernel.mean(0).var(ddof=1) / n0
    # from scipy's p-value back to the null variance it used
    p = stats.mannwhitneyu(fake, real, alternative="greater", method="asymptotic", use_continuity=False).pvalue
    z = stats.norm.isf(p)
    null = ((value - 0.5) / z) ** 2 if abs(z) > 1e-3 else np.nan
    ask("auc", [len(label)] + [v for pair in zip(score, label) for v in pair], (value, variance, null), 1e-7)

for trial in range(25):
    n, k, ridge = rng.integers(30, 400), rng.integers(1, 9), 10 ** rng.uniform(-2, 1)
    x = rng.normal(size=(n, k)) @ (np.eye(k) + 0.3 * rng.normal(size=(k, k)))
    lead = 50 if trial == 0 else rng.uniform(0, 3)  # the first one: classes that are apart altogether
    label = (lead * x[:, 0] + rng.logistic(size=n) + rng.normal() > 0).astype(int)
    label[:2] = 0, 1

    def loss(w):
        logit = x @ w[:k] + w[k]
        slope = special.expit(logit) - label
        return np.logaddexp(0, np.where(label, -logit, logit)).sum() + ridge / 2 * w[:k] @ w[:k], np.append(slope @ x + ridge * w[:k], slope.sum())

    best = optimize.minimize(loss, np.zeros(k + 1), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000}).x
    ask("logistic", [n, k, ridge] + [v for row, l in zip(x, label) for v in (l, *row)], best, 1e-4)

output = subprocess.run([sys.argv[1]], input="\n".join(questions), capture_output=True, text=True, check=True).stdout
answers = [np.array(line.split(), float) for line in output.splitlines()]
assert len(answers) == len(truths), (len(answers), len(truths))
for (name, arguments, truth, tolerance), answer in zip(truths, answers):
    good = np.abs(answer - truth) <= tolerance * np.abs(truth) + 1e-290
    assert np.all(good | np.isnan(truth)), (name, arguments, truth, answer)
print(len(truths), "values agree with scipy")
