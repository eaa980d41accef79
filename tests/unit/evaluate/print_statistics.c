/* Answers compare_with_scipy.py: each line of standard input is a function and its arguments, each line of
 * standard output its values. "auc n s1 l1 s2 l2 ..." gives value, DeLong variance, null variance;
 * "logistic n k ridge l1 x11 .. x1k l2 ..." gives the k weights and the intercept. */
#include "daemon/worker/statistics/auc.h"
#include "daemon/worker/statistics/distribution.h"
#include "daemon/worker/statistics/logistic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer_auc(void)
{
    size_t n;
    if (scanf("%zu", &n) != 1)
        return 1;
    double *score = malloc(n * sizeof *score);
    uint8_t *label = malloc(n);
    int code = !score || !label;
    for (size_t i = 0; !code && i < n; i++)
        code = scanf("%lf %hhu", &score[i], &label[i]) != 2;
    struct auc auc = {0};
    if (!code)
        code = auc_measure(&auc, score, label, NULL, 0, n, NULL);
    printf("%.17g %.17g %.17g\n", auc.value, auc.variance, auc.null_variance);
    free(score);
    free(label);
    return code;
}

static int answer_logistic(void)
{
    size_t n, k;
    double ridge;
    struct logistic fit;
    if (scanf("%zu %zu %lf", &n, &k, &ridge) != 3)
        return 1;
    double *x = malloc(n * k * sizeof *x);
    uint8_t *label = malloc(n);
    int code = !x || !label;
    for (size_t i = 0; !code && i < n; i++) {
        code = scanf("%hhu", &label[i]) != 1;
        for (size_t j = 0; !code && j < k; j++)
            code = scanf("%lf", &x[i * k + j]) != 1;
    }
    if (!code)
        code = logistic_fit(&fit, x, label, n, k, ridge, NULL);
    for (size_t j = 0; !code && j < k; j++)
        printf("%.17g ", fit.weight[j]);
    if (!code)
        printf("%.17g\n", fit.intercept);
    free(x);
    free(label);
    return code;
}

static int answer(const char *name)
{
    double a, b, c, d, low, high;
    if (strcmp(name, "auc") == 0)
        return answer_auc();
    if (strcmp(name, "logistic") == 0)
        return answer_logistic();
    if (scanf("%lf %lf %lf %lf", &a, &b, &c, &d) != 4)
        return 1;
    if (strcmp(name, "beta") == 0)
        printf("%.17g\n", beta_regularized(a, b, c));
    else if (strcmp(name, "tail") == 0)
        printf("%.17g\n", binomial_upper_tail((long)a, (long)b, c));
    else if (strcmp(name, "fisher") == 0)
        printf("%.17g\n", fisher_upper_tail((long)a, (long)b, (long)c, (long)d));
    else if (strcmp(name, "student") == 0)
        printf("%.17g\n", student_quantile(a, b));
    else if (strcmp(name, "interval") == 0) {
        binomial_interval((long)a, (long)b, c, &low, &high);
        printf("%.17g %.17g\n", low, high);
    } else
        return 1;
    return 0;
}

int main(void)
{
    char name[32];
    while (scanf("%31s", name) == 1) {
        if (answer(name) != 0)
            return 1;
    }
    return 0;
}
