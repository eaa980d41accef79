#include "daemon/worker/statistics/logistic.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { SIZE = LOGISTIC_MOST + 1, STEPS_MOST = 60 };

struct problem {
    const double *x;
    const uint8_t *label;
    size_t n, variables;
    double ridge;
};

/* weight[variables] is the intercept. */
static double logit(const struct problem *problem, const double *weight, size_t row)
{
    double sum = weight[problem->variables];
    for (size_t k = 0; k < problem->variables; k++)
        sum += weight[k] * problem->x[row * problem->variables + k];
    return sum;
}

static double loss(const struct problem *problem, const double *weight)
{
    double sum = 0;
    for (size_t i = 0; i < problem->n; i++) {
        double t = logit(problem, weight, i);
        t = problem->label[i] ? -t : t;
        sum += t > 0 ? t + log1p(exp(-t)) : log1p(exp(t));
    }
    for (size_t k = 0; k < problem->variables; k++)
        sum += 0.5 * problem->ridge * weight[k] * weight[k];
    return sum;
}

/* The lower triangle of the second derivatives, and the first. */
static void derive(const struct problem *problem, const double *weight, double gradient[SIZE],
                   double hessian[SIZE][SIZE])
{
    const size_t size = problem->variables + 1;
    memset(gradient, 0, SIZE * sizeof *gradient);
    memset(hessian, 0, SIZE * sizeof *hessian);
    for (size_t k = 0; k < problem->variables; k++) {
        gradient[k] = problem->ridge * weight[k];
        hessian[k][k] = problem->ridge;
    }
    for (size_t i = 0; i < problem->n; i++) {
        double row[SIZE], p = 1 / (1 + exp(-logit(problem, weight, i)));
        memcpy(row, problem->x + i * problem->variables, problem->variables * sizeof *row);
        row[problem->variables] = 1;
        for (size_t j = 0; j < size; j++) {
            gradient[j] += (p - problem->label[i]) * row[j];
            for (size_t k = 0; k <= j; k++)
                hessian[j][k] += p * (1 - p) * row[j] * row[k];
        }
    }
}

/* Cholesky's root in place of the lower triangle; false where it is not positive. */
static bool factor(double a[SIZE][SIZE], size_t size)
{
    for (size_t j = 0; j < size; j++) {
        for (size_t i = j; i < size; i++) {
            double sum = a[i][j];
            for (size_t k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i == j && !(sum > 0))
                return false;
            a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
        }
    }
    return true;
}

static void solve(const double root[SIZE][SIZE], size_t size, double *b)
{
    for (size_t i = 0; i < size; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= root[i][k] * b[k];
        b[i] /= root[i][i];
    }
    for (size_t i = size; i-- > 0;) {
        for (size_t k = i + 1; k < size; k++)
            b[i] -= root[k][i] * b[k];
        b[i] /= root[i][i];
    }
}

/* Half the step as long as the loss rises. How much it fell. */
static double descend(const struct problem *problem, double *weight, const double *step, double before)
{
    for (double length = 1; length > 1e-6; length /= 2) {
        double next[SIZE];
        for (size_t k = 0; k <= problem->variables; k++)
            next[k] = weight[k] - length * step[k];
        double after = loss(problem, next);
        if (after > before)
            continue;
        memcpy(weight, next, (problem->variables + 1) * sizeof *next);
        return before - after;
    }
    return 0;
}

int logistic_fit(struct logistic *fit, const double *x, const uint8_t *label, size_t n, size_t variables,
                 double ridge, struct err *err)
{
    const struct problem problem = {x, label, n, variables, ridge};
    double weight[SIZE] = {0}, step[SIZE], hessian[SIZE][SIZE], fell = INFINITY;
    size_t ones = 0;
    for (size_t i = 0; i < n; i++)
        ones += label[i] != 0;
    if (ones == 0 || ones == n || variables > LOGISTIC_MOST)
        return err_set(err, -EINVAL,
                       "a regression on %zu variables of %zu examples, %zu of them of one class", variables,
                       n, ones);
    for (int i = 0; i < STEPS_MOST && fell > 1e-12 * (double)n; i++) {
        derive(&problem, weight, step, hessian);
        if (!factor(hessian, variables + 1))
            break;
        solve(hessian, variables + 1, step);
        fell = descend(&problem, weight, step, loss(&problem, weight));
    }
    *fit = (struct logistic){.variables = variables, .intercept = weight[variables]};
    memcpy(fit->weight, weight, variables * sizeof *weight);
    return 0;
}
