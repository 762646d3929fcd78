/* The probe model of SCAN (Piccolo et al. 2012): log2 intensity as a linear function of the letters of a 25-mer.
 *
 * Eighty coefficients: the number of T, one indicator per position for A, C and G (25 each), and the squared numbers of
 * A, C, G and T. The 80 columns are never written down. A probe is one 64-bit word (two bits a letter, first letter
 * lowest) and the number of its composition; fitted values come from five tables of 5-mers and one of compositions,
 * the normal equations from sums of weights over pairs of 2-mers.
 *
 * encode()            letters -> words and compositions
 * predict()           fitted values
 * least_squares()     weighted least squares by Cholesky's decomposition of the scaled normal equations
 * responsibilities()  probability of the first of two normal components
 * bin_variances()     weighted variances per bin
 * log2()              base-2 logarithm
 *
 * Nothing here depends on a BLAS, on threads, or on the processor's vector instructions: the arithmetic is plain IEEE
 * double precision in a fixed order (compiled without contraction to fused multiply-add, with its own exp and log), so
 * that results are the same to the byte wherever it runs.
 */
#include "_arrays.h"
#include <math.h>

#define POSITIONS 25
#define LETTERS 4 /* A, C, G, T */
#define BLOCKS 13 /* twelve 2-mers and the last letter */
#define PAIRS_OF_BLOCKS (BLOCKS * (BLOCKS - 1) / 2)
#define COEFFICIENTS 80
#define NUMBER_OF_T 0
#define SQUARES 76
#define COMPOSITIONS 3276 /* ways to write 25 as an ordered sum of four counts */
#define UNUSABLE UINT64_MAX
#define MOST_BINS 256

#include "_normal_equations.h"

static uint16_t COMPOSITION_OF[POSITIONS + 1][POSITIONS + 1][POSITIONS + 1];
static double SQUARE_OF[COMPOSITIONS][LETTERS]; /* squared counts */

static void number_compositions(void) {
    uint16_t next = 0;
    for (int a = 0; a <= POSITIONS; a++)
        for (int c = 0; c <= POSITIONS - a; c++)
            for (int g = 0; g <= POSITIONS - a - c; g++) {
                int t = POSITIONS - a - c - g;
                double squares[LETTERS] = {(double)(a * a), (double)(c * c), (double)(g * g), (double)(t * t)};
                memcpy(SQUARE_OF[next], squares, sizeof squares);
                COMPOSITION_OF[a][c][g] = next++;
            }
}

static inline int column_of(int position, int letter) {
    return letter == LETTERS - 1 ? NUMBER_OF_T : 1 + POSITIONS * letter + position;
}

static int are_compositions(const uint16_t *compositions, Py_ssize_t n) {
    uint16_t most = 0;
    for (Py_ssize_t i = 0; i < n; i++) most = compositions[i] > most ? compositions[i] : most;
    return most < COMPOSITIONS;
}

/* ---- exp and log, the same on every machine ---- */

/* A positive number as m * 2^exponent with m in [sqrt(1/2), sqrt(2)). */
static inline double mantissa_and_exponent(double x, double *exponent) {
    int power;
    double m = frexp(x, &power); /* [0.5, 1) */
    if (m < 0.70710678118654752440) {
        m *= 2.0;
        power--;
    }
    *exponent = (double)power;
    return m;
}

/* ln m = 2 atanh((m - 1) / (m + 1)), by its Taylor series. */
static inline double log_of_mantissa(double m) {
    double s = (m - 1.0) / (m + 1.0), q = s * s, sum = 0.0;
    for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / (double)k) * q;
    return 2.0 * s + 2.0 * s * sum;
}

static double natural_log(double x) {
    double exponent, m = mantissa_and_exponent(x, &exponent);
    return exponent * 0.69314718055994530942 + log_of_mantissa(m);
}

static double base_2_log(double x) {
    double exponent, m = mantissa_and_exponent(x, &exponent);
    return exponent + log_of_mantissa(m) * 1.44269504088896340736;
}

/* 1 / k! */
static const double TAYLOR[14] = {1.0,           1.0,            1.0 / 2,         1.0 / 6,          1.0 / 24,
                                  1.0 / 120,     1.0 / 720,      1.0 / 5040,      1.0 / 40320,      1.0 / 362880,
                                  1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};

/* e^x; |x| is bounded so that neither the result nor its reciprocal overflows. */
static double exponential(double x) {
    x = x > 700.0 ? 700.0 : x < -700.0 ? -700.0 : x;
    double whole = floor(x * 1.44269504088896340736 + 0.5);
    /* ln 2 in two parts, the first with 32 trailing zero bits, so that its product with an integer is exact */
    double r = (x - whole * 6.93147180369123816490e-01) - whole * 1.90821492927058770002e-10;
    double sum = TAYLOR[13];
    for (int k = 12; k >= 0; k--) sum = sum * r + TAYLOR[k];
    return ldexp(sum, (int)whole);
}

/* ---- normal equations ---- */

typedef struct {
    double pair[PAIRS_OF_BLOCKS][16][16]; /* weight of the probes with one 2-mer here and another there */
    double single[BLOCKS][16][6];         /* weight, weight * y, weight * squared counts */
    double composition[COMPOSITIONS][2];  /* weight, weight * y */
    double matrix[COEFFICIENTS][COEFFICIENTS];
    double side[COEFFICIENTS];
    double scale[COEFFICIENTS];
} Equations;

static inline unsigned block_code(uint64_t word, int block) {
    return (unsigned)(word >> (4 * block)) & (block == BLOCKS - 1 ? 3u : 15u);
}

static void add_singles(Equations *sums, const uint64_t *words, const uint16_t *compositions, const double *weights,
                        const double *y, Py_ssize_t n) {
    for (Py_ssize_t p = 0; p < n; p++) {
        const double w = weights[p], *squares = SQUARE_OF[compositions[p]];
        const double terms[6] = {w, w * y[p], w * squares[0], w * squares[1], w * squares[2], w * squares[3]};
        sums->composition[compositions[p]][0] += terms[0];
        sums->composition[compositions[p]][1] += terms[1];
        for (int block = 0; block < BLOCKS; block++) {
            double *sum = sums->single[block][block_code(words[p], block)];
            for (int k = 0; k < 6; k++) sum[k] += terms[k];
        }
    }
}

/* One block against all later ones at a time: the tables written to fit into the first-level cache. */
static void add_pairs(Equations *sums, const uint64_t *words, const double *weights, Py_ssize_t n) {
    double(*tables)[16][16] = sums->pair;
    for (int first = 0; first < BLOCKS - 1; first++) {
        int later = BLOCKS - 1 - first;
        for (Py_ssize_t p = 0; p < n; p++) {
            unsigned here = block_code(words[p], first);
            uint64_t rest = words[p] >> (4 * (first + 1));
            for (int k = 0; k < later - 1; k++, rest >>= 4) tables[k][here][rest & 15] += weights[p];
            tables[later - 1][here][rest & 3] += weights[p];
        }
        tables += later;
    }
}

static inline void add_symmetric(Equations *sums, int i, int j, double value) {
    sums->matrix[i][j] += value;
    sums->matrix[j][i] += value;
}

/* Weights of pairs of 2-mers -> of pairs of letters -> of pairs of columns. */
static void columns_of_pairs(Equations *sums) {
    int table = 0;
    for (int first = 0; first < BLOCKS - 1; first++)
        for (int second = first + 1; second < BLOCKS; second++, table++)
            for (int here = 0; here < 2; here++)
                for (int there = 0; there < (second == BLOCKS - 1 ? 1 : 2); there++) {
                    double letters[LETTERS][LETTERS] = {{0.0}};
                    for (int a = 0; a < 16; a++)
                        for (int b = 0; b < 16; b++)
                            letters[(a >> (2 * here)) & 3][(b >> (2 * there)) & 3] += sums->pair[table][a][b];
                    for (int a = 0; a < LETTERS; a++)
                        for (int b = 0; b < LETTERS; b++)
                            add_symmetric(sums, column_of(2 * first + here, a), column_of(2 * second + there, b),
                                          letters[a][b]);
                }
}

static void columns_of_singles(Equations *sums) {
    for (int block = 0; block < BLOCKS; block++)
        for (int code = 0; code < (block == BLOCKS - 1 ? 4 : 16); code++) {
            const double *sum = sums->single[block][code];
            int letters = block == BLOCKS - 1 ? 1 : 2, columns[2];
            for (int k = 0; k < letters; k++) {
                int column = columns[k] = column_of(2 * block + k, (code >> (2 * k)) & 3);
                sums->matrix[column][column] += sum[0];
                sums->side[column] += sum[1];
                for (int q = 0; q < LETTERS; q++) add_symmetric(sums, column, SQUARES + q, sum[2 + q]);
            }
            if (letters == 2) add_symmetric(sums, columns[0], columns[1], sum[0]);
        }
    for (int c = 0; c < COMPOSITIONS; c++) {
        double weight = sums->composition[c][0];
        for (int i = 0; i < LETTERS; i++) {
            sums->side[SQUARES + i] += SQUARE_OF[c][i] * sums->composition[c][1];
            for (int j = 0; j < LETTERS; j++)
                sums->matrix[SQUARES + i][SQUARES + j] += weight * SQUARE_OF[c][i] * SQUARE_OF[c][j];
        }
    }
}

/* ---- what Python calls ---- */

static PyObject *of_equal_length(Py_buffer *views, int count, int first, int last) {
    for (int i = first + 1; i <= last; i++)
        if (views[i].shape[0] != views[first].shape[0]) {
            PyErr_SetString(PyExc_ValueError, "the arrays must have one entry per probe");
            release_arrays(views, count);
            return NULL;
        }
    return Py_None;
}

#define ARGUMENTS(COUNT)                                                                                               \
    Py_buffer views[COUNT];                                                                                            \
    if (given != (COUNT)) return PyErr_Format(PyExc_TypeError, "%d arguments are needed", COUNT);                      \
    if (get_arrays(objects, arguments, COUNT, views) < 0) return NULL

static PyObject *encode(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {{"sequences", 'B', 2, 0}, {"words", 'Q', 1, 1}, {"compositions", 'H', 1, 1}};
    ARGUMENTS(3);
    if (!of_equal_length(views, 3, 0, 2)) return NULL;
    if (views[0].shape[1] != POSITIONS) return refuse(views, 3, "sequences must have 25 columns");
    const uint8_t *letters = views[0].buf;
    uint64_t *words = views[1].buf;
    uint16_t *compositions = views[2].buf;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t p = 0; p < views[0].shape[0]; p++, letters += POSITIONS) {
        uint64_t word = 0;
        int counts[LETTERS] = {0}, usable = 1;
        for (int i = 0; i < POSITIONS; i++) {
            uint8_t letter = letters[i] & 0xdf; /* upper case */
            unsigned code = letter == 'A' ? 0 : letter == 'C' ? 1 : letter == 'G' ? 2 : 3;
            usable &= code < 3 || letter == 'T';
            counts[code]++;
            word |= (uint64_t)code << (2 * i);
        }
        words[p] = usable ? word : UNUSABLE;
        compositions[p] = usable ? COMPOSITION_OF[counts[0]][counts[1]][counts[2]] : 0;
    }
    Py_END_ALLOW_THREADS;
    release_arrays(views, 3);
    Py_RETURN_NONE;
}

static PyObject *predict(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {
        {"words", 'Q', 1, 0}, {"compositions", 'H', 1, 0}, {"fitted", 'd', 1, 1}, {"coefficients", 'd', 1, 0}};
    ARGUMENTS(4);
    if (!of_equal_length(views, 4, 0, 2)) return NULL;
    const uint64_t *words = views[0].buf;
    const uint16_t *compositions = views[1].buf;
    double *fitted = views[2].buf;
    const double *beta = views[3].buf;
    if (views[3].shape[0] != COEFFICIENTS) return refuse(views, 4, "there must be 80 coefficients");
    if (!are_compositions(compositions, views[1].shape[0])) return refuse(views, 4, "no such composition");
    Py_BEGIN_ALLOW_THREADS;
    double five[5][1024], squares[COMPOSITIONS];
    for (int block = 0; block < 5; block++)
        for (int code = 0; code < 1024; code++) {
            double sum = 0.0;
            for (int i = 0; i < 5; i++) sum += beta[column_of(5 * block + i, (code >> (2 * i)) & 3)];
            five[block][code] = sum;
        }
    for (int c = 0; c < COMPOSITIONS; c++) {
        double sum = 0.0;
        for (int i = 0; i < LETTERS; i++) sum += SQUARE_OF[c][i] * beta[SQUARES + i];
        squares[c] = sum;
    }
    for (Py_ssize_t p = 0; p < views[0].shape[0]; p++) {
        uint64_t word = words[p];
        fitted[p] = five[0][word & 1023] + five[1][(word >> 10) & 1023] + five[2][(word >> 20) & 1023] +
                    five[3][(word >> 30) & 1023] + five[4][(word >> 40) & 1023] + squares[compositions[p]];
    }
    Py_END_ALLOW_THREADS;
    release_arrays(views, 4);
    Py_RETURN_NONE;
}

static PyObject *least_squares(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {{"words", 'Q', 1, 0},
                                         {"compositions", 'H', 1, 0},
                                         {"weights", 'd', 1, 0},
                                         {"y", 'd', 1, 0},
                                         {"coefficients", 'd', 1, 1}};
    ARGUMENTS(5);
    if (!of_equal_length(views, 5, 0, 3)) return NULL;
    Py_ssize_t n = views[0].shape[0];
    if (views[4].shape[0] != COEFFICIENTS) return refuse(views, 5, "there must be 80 coefficients");
    if (!are_compositions(views[1].buf, n)) return refuse(views, 5, "no such composition");
    Equations *equations = PyMem_RawCalloc(1, sizeof *equations);
    if (!equations) {
        release_arrays(views, 5);
        return PyErr_NoMemory();
    }
    int solved;
    Py_BEGIN_ALLOW_THREADS;
    add_singles(equations, views[0].buf, views[1].buf, views[2].buf, views[3].buf, n);
    add_pairs(equations, views[0].buf, views[2].buf, n);
    columns_of_pairs(equations);
    columns_of_singles(equations);
    solved = solve(equations->matrix, equations->side, equations->scale, views[4].buf);
    Py_END_ALLOW_THREADS;
    PyMem_RawFree(equations);
    release_arrays(views, 5);
    return PyBool_FromLong(solved);
}

static PyObject *responsibilities(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {{"y", 'd', 1, 0},         {"first", 'd', 1, 0},       {"second", 'd', 1, 0},
                                         {"bins", 'B', 1, 0},      {"responsibility", 'd', 1, 1}, {"variances", 'd', 2, 0},
                                         {"shares", 'd', 1, 0}};
    ARGUMENTS(7);
    if (!of_equal_length(views, 7, 0, 4)) return NULL;
    Py_ssize_t n = views[0].shape[0], bins = views[5].shape[1];
    if (views[5].shape[0] != 2 || bins > MOST_BINS || views[6].shape[0] != 2)
        return refuse(views, 7, "variances must be 2 x bins, shares 2");
    const double *y = views[0].buf, *first = views[1].buf, *second = views[2].buf, *shares = views[6].buf;
    const double *variance_1 = views[5].buf, *variance_2 = variance_1 + bins;
    const uint8_t *bin = views[3].buf;
    double *responsibility = views[4].buf;
    for (Py_ssize_t p = 0; p < n; p++)
        if (bin[p] >= bins) return refuse(views, 7, "no such bin");
    Py_BEGIN_ALLOW_THREADS;
    double constant[MOST_BINS], factor_1[MOST_BINS], factor_2[MOST_BINS];
    for (Py_ssize_t b = 0; b < bins; b++) {
        constant[b] = natural_log(shares[1] / shares[0]) + 0.5 * natural_log(variance_1[b] / variance_2[b]);
        factor_1[b] = 0.5 / variance_1[b];
        factor_2[b] = 0.5 / variance_2[b];
    }
    for (Py_ssize_t p = 0; p < n; p++) {
        double d1 = y[p] - first[p], d2 = y[p] - second[p];
        double odds = constant[bin[p]] + d1 * d1 * factor_1[bin[p]] - d2 * d2 * factor_2[bin[p]];
        responsibility[p] = 1.0 / (1.0 + exponential(odds));
    }
    Py_END_ALLOW_THREADS;
    release_arrays(views, 7);
    Py_RETURN_NONE;
}

static PyObject *bin_variances(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {
        {"y", 'd', 1, 0}, {"fitted", 'd', 1, 0}, {"weights", 'd', 1, 0}, {"bins", 'B', 1, 0}, {"variances", 'd', 1, 1}};
    ARGUMENTS(5);
    if (!of_equal_length(views, 5, 0, 3)) return NULL;
    Py_ssize_t n = views[0].shape[0], bins = views[4].shape[0];
    const double *y = views[0].buf, *fitted = views[1].buf, *weights = views[2].buf;
    const uint8_t *bin = views[3].buf;
    double *variances = views[4].buf, totals[MOST_BINS] = {0.0};
    if (bins > MOST_BINS) return refuse(views, 5, "too many bins");
    for (Py_ssize_t p = 0; p < n; p++)
        if (bin[p] >= bins) return refuse(views, 5, "no such bin");
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t b = 0; b < bins; b++) variances[b] = 0.0;
    for (Py_ssize_t p = 0; p < n; p++) {
        double residual = y[p] - fitted[p];
        variances[bin[p]] += residual * residual * weights[p];
        totals[bin[p]] += weights[p];
    }
    for (Py_ssize_t b = 0; b < bins; b++) variances[b] /= totals[b];
    Py_END_ALLOW_THREADS;
    release_arrays(views, 5);
    Py_RETURN_NONE;
}

static PyObject *log2_of(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {{"values", 'd', 1, 0}, {"logarithms", 'd', 1, 1}};
    ARGUMENTS(2);
    if (!of_equal_length(views, 2, 0, 1)) return NULL;
    const double *values = views[0].buf;
    double *logarithms = views[1].buf;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t i = 0; i < views[0].shape[0]; i++) logarithms[i] = base_2_log(values[i]);
    Py_END_ALLOW_THREADS;
    release_arrays(views, 2);
    Py_RETURN_NONE;
}

#define METHOD(NAME, FUNCTION, DOC) {NAME, (PyCFunction)(void (*)(void))FUNCTION, METH_FASTCALL, DOC}
static PyMethodDef METHODS[] = {
    METHOD("encode", encode, "encode(sequences, words, compositions): probes of 25 letters as words and compositions."),
    METHOD("predict", predict, "predict(words, compositions, fitted, coefficients): fitted values."),
    METHOD("least_squares", least_squares,
           "least_squares(words, compositions, weights, y, coefficients): False if the equations are singular."),
    METHOD("responsibilities", responsibilities,
           "responsibilities(y, first, second, bins, responsibility, variances, shares): of the first component."),
    METHOD("bin_variances", bin_variances, "bin_variances(y, fitted, weights, bins, variances): one per bin."),
    METHOD("log2", log2_of, "log2(values, logarithms): base-2 logarithms of positive numbers."),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_scan", "The probe model of SCAN.", 0, METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__scan(void) {
    number_compositions();
    return PyModule_Create(&MODULE);
}
