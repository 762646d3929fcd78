/* The probe model of SCAN for 50-mers: log2 intensity as a linear function of the letters of a probe.
 *
 * 155 coefficients: the number of T, one indicator per position for A, C and G (50 each), and the squared numbers of A,
 * C, G and T. A probe is 25 codes of two letters each (4 * first + second; A, C, G, T = 0 to 3) and five numbers. The
 * indicators are never written down: the normal equations come from sums of weights over pairs of codes.
 *
 * predict()        fitted values
 * least_squares()  weighted least squares by Cholesky's decomposition of the scaled normal equations
 *
 * Plain IEEE double precision in a fixed order, without a BLAS and without contraction to fused multiply-add: the results
 * are the same to the byte wherever it runs.
 *
 * Memory safety: all codes are checked to be below 16 before they are used as places in tables of that size.
 */
#include "_arrays.h"
#include <math.h>

#define BLOCKS 25
#define CODES 16
#define LETTERS 4
#define T 3
#define POSITIONS (2 * BLOCKS)
#define NUMBERS 5 /* the number of T, and the squares of A, C, G and T */
#define INDICATORS (POSITIONS * (LETTERS - 1))
#define COEFFICIENTS (INDICATORS + NUMBERS)
#define SQUARES (1 + INDICATORS)

#include "_normal_equations.h"

typedef struct {
    double pairs[BLOCKS][BLOCKS][CODES][CODES];   /* weights by the codes of two blocks, the first one lower */
    double singles[BLOCKS][CODES];                /* weights by the code of a block */
    double with_numbers[BLOCKS][CODES][NUMBERS];  /* the same, times each number */
    double with_y[BLOCKS][CODES];                 /* the same, times y */
    double letters[POSITIONS * LETTERS][POSITIONS * LETTERS];
    double matrix[COEFFICIENTS][COEFFICIENTS];
    double side[COEFFICIENTS];
    double scale[COEFFICIENTS];
} Equations;

static inline int column_of_number(int k) { return k == 0 ? 0 : SQUARES + k - 1; }

/* Where an indicator is; -1 for T, which has none. */
static inline int column_of_letter(int place) {
    int letter = place % LETTERS;
    return letter == T ? -1 : 1 + letter * POSITIONS + place / LETTERS;
}

static inline int place_of(int block, int code, int second) {
    return (2 * block + second) * LETTERS + (second ? code % LETTERS : code / LETTERS);
}

static void add_up(Equations *equations, const uint8_t *codes, const double *numbers, const double *weights,
                   const double *y, Py_ssize_t n) {
    for (Py_ssize_t p = 0; p < n; p++, codes += BLOCKS, numbers += NUMBERS) {
        double w = weights[p], wy = w * y[p], w_numbers[NUMBERS];
        for (int k = 0; k < NUMBERS; k++) {
            w_numbers[k] = w * numbers[k];
            equations->side[column_of_number(k)] += wy * numbers[k];
            for (int l = k; l < NUMBERS; l++)
                equations->matrix[column_of_number(k)][column_of_number(l)] += w_numbers[k] * numbers[l];
        }
        for (int b = 0; b < BLOCKS; b++) {
            int code = codes[b];
            equations->singles[b][code] += w;
            equations->with_y[b][code] += wy;
            for (int k = 0; k < NUMBERS; k++) equations->with_numbers[b][code][k] += w_numbers[k];
            for (int c = b + 1; c < BLOCKS; c++) equations->pairs[b][c][code][codes[c]] += w;
        }
    }
}

/* Sums over pairs of codes become sums over pairs of letters. */
static void letters_of_pairs(Equations *equations) {
    for (int b = 0; b < BLOCKS; b++)
        for (int code = 0; code < CODES; code++) {
            int first = place_of(b, code, 0), second = place_of(b, code, 1);
            double w = equations->singles[b][code];
            equations->letters[first][first] += w;
            equations->letters[second][second] += w;
            equations->letters[first][second] += w;
            for (int c = b + 1; c < BLOCKS; c++)
                for (int other = 0; other < CODES; other++) {
                    double sum = equations->pairs[b][c][code][other];
                    int third = place_of(c, other, 0), fourth = place_of(c, other, 1);
                    equations->letters[first][third] += sum;
                    equations->letters[first][fourth] += sum;
                    equations->letters[second][third] += sum;
                    equations->letters[second][fourth] += sum;
                }
        }
}

static void put(Equations *equations, int row, int column, double value) {
    if (row < 0 || column < 0) return;
    if (row > column) {
        int other = row;
        row = column;
        column = other;
    }
    equations->matrix[row][column] += value;
}

static void columns_of_letters(Equations *equations) {
    for (int row = 0; row < POSITIONS * LETTERS; row++)
        for (int column = row; column < POSITIONS * LETTERS; column++)
            put(equations, column_of_letter(row), column_of_letter(column), equations->letters[row][column]);
    for (int b = 0; b < BLOCKS; b++)
        for (int code = 0; code < CODES; code++)
            for (int second = 0; second < 2; second++) {
                int column = column_of_letter(place_of(b, code, second));
                if (column < 0) continue;
                equations->side[column] += equations->with_y[b][code];
                for (int k = 0; k < NUMBERS; k++)
                    put(equations, column, column_of_number(k), equations->with_numbers[b][code][k]);
            }
}

/* ---- what Python calls ---- */

/* What is wrong with the probes and the arrays that have one entry each; NULL if nothing is. */
static const char *wrong_probes(const Py_buffer *views, int arrays, Py_ssize_t coefficients) {
    Py_ssize_t n = views[0].shape[0];
    if (views[0].shape[1] != BLOCKS || views[1].shape[1] != NUMBERS) return "a probe has 25 codes and 5 numbers";
    for (int i = 1; i < arrays; i++)
        if (views[i].shape[0] != n) return "the arrays must have one entry per probe";
    if (coefficients != COEFFICIENTS) return "there must be 155 coefficients";
    const uint8_t *codes = views[0].buf;
    uint8_t all = 0;
    for (Py_ssize_t i = 0; i < n * BLOCKS; i++) all |= codes[i];
    return all >= CODES ? "a code is below 16" : NULL;
}

static PyObject *predict(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {
        {"codes", 'B', 2, 0}, {"numbers", 'd', 2, 0}, {"fitted", 'd', 1, 1}, {"coefficients", 'd', 1, 0}};
    Py_buffer views[4];
    if (given != 4) return PyErr_Format(PyExc_TypeError, "4 arguments are needed");
    if (get_arrays(objects, arguments, 4, views) < 0) return NULL;
    const char *wrong = wrong_probes(views, 3, views[3].shape[0]);
    if (wrong) return refuse(views, 4, wrong);
    const uint8_t *codes = views[0].buf;
    const double *numbers = views[1].buf, *coefficients = views[3].buf;
    double *fitted = views[2].buf, table[BLOCKS][CODES];
    Py_ssize_t n = views[0].shape[0];
    Py_BEGIN_ALLOW_THREADS;
    for (int b = 0; b < BLOCKS; b++)
        for (int code = 0; code < CODES; code++) {
            int first = column_of_letter(place_of(b, code, 0)), second = column_of_letter(place_of(b, code, 1));
            table[b][code] = (first < 0 ? 0.0 : coefficients[first]) + (second < 0 ? 0.0 : coefficients[second]);
        }
    for (Py_ssize_t p = 0; p < n; p++, codes += BLOCKS, numbers += NUMBERS) {
        double sum = 0.0;
        for (int k = 0; k < NUMBERS; k++) sum += coefficients[column_of_number(k)] * numbers[k];
        for (int b = 0; b < BLOCKS; b++) sum += table[b][codes[b]];
        fitted[p] = sum;
    }
    Py_END_ALLOW_THREADS;
    release_arrays(views, 4);
    Py_RETURN_NONE;
}

static PyObject *least_squares(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {{"codes", 'B', 2, 0},
                                         {"numbers", 'd', 2, 0},
                                         {"weights", 'd', 1, 0},
                                         {"y", 'd', 1, 0},
                                         {"coefficients", 'd', 1, 1}};
    Py_buffer views[5];
    if (given != 5) return PyErr_Format(PyExc_TypeError, "5 arguments are needed");
    if (get_arrays(objects, arguments, 5, views) < 0) return NULL;
    const char *wrong = wrong_probes(views, 4, views[4].shape[0]);
    if (wrong) return refuse(views, 5, wrong);
    Equations *equations = PyMem_RawCalloc(1, sizeof *equations);
    if (!equations) {
        release_arrays(views, 5);
        return PyErr_NoMemory();
    }
    int solved;
    Py_BEGIN_ALLOW_THREADS;
    add_up(equations, views[0].buf, views[1].buf, views[2].buf, views[3].buf, views[0].shape[0]);
    letters_of_pairs(equations);
    columns_of_letters(equations);
    solved = solve(equations->matrix, equations->side, equations->scale, views[4].buf);
    Py_END_ALLOW_THREADS;
    PyMem_RawFree(equations);
    release_arrays(views, 5);
    return PyBool_FromLong(solved);
}

#define METHOD(name, function, text) {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL, text}

static PyMethodDef METHODS[] = {
    METHOD("predict", predict, "predict(codes, numbers, fitted, coefficients): the model's value of every probe."),
    METHOD("least_squares", least_squares,
           "least_squares(codes, numbers, weights, y, coefficients): False if the equations are singular."),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_bead_scan", "The probe model of SCAN for 50-mers.", 0, METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__bead_scan(void) { return PyModule_Create(&MODULE); }
