/* Weighted least squares by the normal equations: how they are solved. COEFFICIENTS is defined by who includes this. */
#ifndef REFINEBIO_NORMAL_EQUATIONS_H
#define REFINEBIO_NORMAL_EQUATIONS_H

#include <math.h>

#define SINGULAR 1e-13 /* a pivot of the scaled normal equations (ones on the diagonal) below this is none */

/* Solves a * x = side by Cholesky's decomposition of the upper triangle of `a`, which is overwritten; 0 if it is (nearly)
 * singular. The matrix is scaled to ones on its diagonal first. Rows of the upper factor are subtracted from whole rows,
 * so that compilers can use vectors without changing an order. `scale` is scratch. */
static int solve(double (*a)[COEFFICIENTS], const double *side, double *scale, double *x) {
    for (int i = 0; i < COEFFICIENTS; i++) {
        if (!(a[i][i] > 0.0) || !isfinite(a[i][i])) return 0;
        scale[i] = 1.0 / sqrt(a[i][i]);
    }
    for (int i = 0; i < COEFFICIENTS; i++) {
        for (int j = i; j < COEFFICIENTS; j++) a[i][j] *= scale[i] * scale[j];
        x[i] = side[i] * scale[i];
    }
    for (int k = 0; k < COEFFICIENTS; k++) {
        if (!(a[k][k] > SINGULAR)) return 0;
        double root = 1.0 / sqrt(a[k][k]);
        for (int j = k; j < COEFFICIENTS; j++) a[k][j] *= root;
        x[k] *= root;
        for (int i = k + 1; i < COEFFICIENTS; i++) {
            double factor = a[k][i];
            for (int j = i; j < COEFFICIENTS; j++) a[i][j] -= factor * a[k][j];
            x[i] -= factor * x[k];
        }
    }
    for (int i = COEFFICIENTS - 1; i >= 0; i--) {
        double sum = x[i];
        for (int k = i + 1; k < COEFFICIENTS; k++) sum -= a[i][k] * x[k];
        x[i] = sum / a[i][i];
    }
    for (int i = 0; i < COEFFICIENTS; i++) x[i] *= scale[i];
    return 1;
}

#endif
