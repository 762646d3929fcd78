/* The arithmetic of imputation by iterated decompositions.
 *
 * fill(block, new_scores, new_axes, old_scores, old_axes) -> (sum of squared differences, sum of squares of the old)
 *     block       samples x genes, float32; NaN cells are replaced by the new model's values
 *     *_scores    samples x rank, float32;  *_axes  genes x rank, float32: a cell is the inner product of its rows
 *     Ranks may differ and may be 0 (a model of zeros). Sums are made in float64, cell after cell.
 * project(rows, basis, out)         out = rows basis            samples x genes, genes x width, samples x width; float32
 * accumulate(part, rows, products)  products += part' rows      samples x width, samples x genes, width x genes; float32
 * gram(rows, sums)                  sums += rows' rows          n x width float32 or float64, width x width float64
 * multiply(a, b, out)               out = a b                    float64
 * orthonormalize(directions)        makes the rows of a float64 matrix orthonormal, one after the other (modified
 *                                   Gram-Schmidt, twice); a row that the others span becomes zero
 * eigen(matrix, vectors)            rotates a symmetric float64 matrix until it is diagonal (Jacobi's method); its
 *                                   eigenvectors are the rows of vectors, in the order of the diagonal
 *
 * Every sum is made in one order and without fused multiply-add (-ffp-contract=off). Vectors lie across sums, never
 * along one: the same bytes come out whatever the processor's vectors and however many threads share the samples.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* glibc picks the widest vectors that the processor has when the module is loaded. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define CLONED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONED
#endif

#define LANES 16
#define ROWS 8      /* rows of a tile of project */
#define SEGMENT 256 /* genes summed before their sum joins the others: keeps rounding small */
#define DIRECTIONS 4
#define SPAN 64     /* genes of a tile of accumulate */

typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));
typedef Vector Loose __attribute__((aligned(sizeof(float)), may_alias));

/* Up to LANES rows of scores beside each other: out[k] has their k-th score, zero for rows that are not there. */
static void side_by_side(const float *scores, Py_ssize_t rows, Py_ssize_t rank, Vector *out) {
    memset(out, 0, (size_t)rank * sizeof(Vector));
    for (Py_ssize_t row = 0; row < rows; row++)
        for (Py_ssize_t k = 0; k < rank; k++) out[k][row] = scores[row * rank + k];
}

/* A gene's values in LANES rows. */
static inline __attribute__((always_inline)) void values_of(const Vector *scores, const float *axis, Py_ssize_t rank,
                                                            Vector *values) {
    Vector sum = {0};
    for (Py_ssize_t k = 0; k < rank; k++) sum += scores[k] * axis[k];
    *values = sum;
}

typedef struct {
    const Vector *scores; /* rank */
    const float *axes;    /* genes x rank */
    Py_ssize_t rank;
} Model;

/* Fills up to LANES rows; sums are added to in the order of the rows. */
CLONED static void fill_rows(float *block, Py_ssize_t rows, Py_ssize_t genes, Model now, Model before, double *moved,
                             double *size) {
    double row_moved[LANES] = {0}, row_size[LANES] = {0};
    for (Py_ssize_t first = 0; first < genes; first += SEGMENT) {
        Py_ssize_t length = genes - first < SEGMENT ? genes - first : SEGMENT;
        int32_t absent[SEGMENT] = {0};
        for (Py_ssize_t row = 0; row < rows; row++) {
            const float *line = block + row * genes + first;
            for (Py_ssize_t i = 0; i < length; i++) absent[i] |= line[i] != line[i];
        }
        for (Py_ssize_t i = 0; i < length; i++) {
            if (!absent[i]) continue;
            Py_ssize_t gene = first + i;
            Vector values, old;
            values_of(now.scores, now.axes + gene * now.rank, now.rank, &values);
            values_of(before.scores, before.axes + gene * before.rank, before.rank, &old);
            for (Py_ssize_t row = 0; row < rows; row++) {
                float *cell = block + row * genes + gene;
                if (!isnan(*cell)) continue;
                double difference = (double)values[row] - (double)old[row];
                row_moved[row] += difference * difference;
                row_size[row] += (double)old[row] * (double)old[row];
                *cell = values[row];
            }
        }
    }
    for (Py_ssize_t row = 0; row < rows; row++) {
        *moved += row_moved[row];
        *size += row_size[row];
    }
}

/* Up to LANES columns of `length` lines that are `width` apart, filled up with zeros. */
static inline void pack(const float *lines, Py_ssize_t width, Py_ssize_t lanes, Py_ssize_t length, Vector *packed) {
    if (lanes == LANES) {
        for (Py_ssize_t i = 0; i < length; i++) memcpy(&packed[i], lines + i * width, sizeof(Vector));
        return;
    }
    memset(packed, 0, (size_t)length * sizeof(Vector));
    for (Py_ssize_t i = 0; i < length; i++) memcpy(&packed[i], lines + i * width, (size_t)lanes * sizeof(float));
}

/* out (samples x width) = rows (samples x genes) basis (genes x width) */
CLONED static void project_rows(const float *rows, const float *basis, float *out, Py_ssize_t samples, Py_ssize_t genes,
                                Py_ssize_t width) {
    Vector packed[SEGMENT];
    memset(out, 0, (size_t)(samples * width) * sizeof(float));
    for (Py_ssize_t first = 0; first < genes; first += SEGMENT) {
        Py_ssize_t length = genes - first < SEGMENT ? genes - first : SEGMENT;
        for (Py_ssize_t column = 0; column < width; column += LANES) {
            Py_ssize_t lanes = width - column < LANES ? width - column : LANES;
            pack(basis + first * width + column, width, lanes, length, packed);
            for (Py_ssize_t sample = 0; sample < samples; sample += ROWS) {
                Py_ssize_t here = samples - sample < ROWS ? samples - sample : ROWS;
                const float *line[ROWS];
                Vector sums[ROWS];
#pragma GCC unroll 8
                for (Py_ssize_t i = 0; i < ROWS; i++) {
                    line[i] = rows + (sample + (i < here ? i : 0)) * genes + first;
                    sums[i] = (Vector){0};
                }
                for (Py_ssize_t gene = 0; gene < length; gene++) {
                    Vector direction = packed[gene];
#pragma GCC unroll 8
                    for (int i = 0; i < ROWS; i++) sums[i] += line[i][gene] * direction;
                }
                for (Py_ssize_t i = 0; i < here; i++) {
                    float *place = out + (sample + i) * width + column;
                    if (lanes == LANES)
                        *(Loose *)place += sums[i];
                    else
                        for (Py_ssize_t lane = 0; lane < lanes; lane++) place[lane] += sums[i][lane];
                }
            }
        }
    }
}

/* A tile: sums (DIRECTIONS x SPAN) of part' rows; lines of rows are `stride` apart. */
static inline __attribute__((always_inline)) void tile(const float *rows, Py_ssize_t stride,
                                                       const float *const part[DIRECTIONS], Py_ssize_t part_stride,
                                                       Py_ssize_t samples, Vector out[DIRECTIONS][SPAN / LANES]) {
    Vector sums[DIRECTIONS][SPAN / LANES] = {{{0}}};
    const float *p0 = part[0], *p1 = part[1], *p2 = part[2], *p3 = part[3];
    for (Py_ssize_t sample = 0; sample < samples; sample++) {
        const Loose *values = (const Loose *)(rows + sample * stride);
        float weights[DIRECTIONS] = {p0[0], p1[0], p2[0], p3[0]};
        p0 += part_stride, p1 += part_stride, p2 += part_stride, p3 += part_stride;
#pragma GCC unroll 4
        for (int v = 0; v < SPAN / LANES; v++) {
            Vector value = values[v];
#pragma GCC unroll 4
            for (int k = 0; k < DIRECTIONS; k++) sums[k][v] += weights[k] * value;
        }
    }
    memcpy(out, sums, sizeof sums);
}

/* products (width x genes) += part' (samples x width) rows (samples x genes); edge has room for samples x SPAN. */
CLONED static void accumulate_rows(const float *part, const float *rows, float *products, Py_ssize_t samples,
                                   Py_ssize_t genes, Py_ssize_t width, float *edge) {
    for (Py_ssize_t gene = 0; gene < genes; gene += SPAN) {
        Py_ssize_t span = genes - gene < SPAN ? genes - gene : SPAN, stride = genes;
        const float *source = rows + gene;
        if (span < SPAN) {
            memset(edge, 0, (size_t)(samples * SPAN) * sizeof(float));
            for (Py_ssize_t sample = 0; sample < samples; sample++)
                memcpy(edge + sample * SPAN, source + sample * genes, (size_t)span * sizeof(float));
            source = edge;
            stride = SPAN;
        }
        for (Py_ssize_t k = 0; k < width; k += DIRECTIONS) {
            Vector sums[DIRECTIONS][SPAN / LANES];
            const float *columns[DIRECTIONS];
            for (Py_ssize_t i = 0; i < DIRECTIONS; i++) columns[i] = part + (k + i < width ? k + i : k);
            tile(source, stride, columns, width, samples, sums);
            for (Py_ssize_t i = 0; i < DIRECTIONS && k + i < width; i++) {
                const float *sum = (const float *)sums[i];
                float *place = products + (k + i) * genes + gene;
                for (Py_ssize_t one = 0; one < span; one++) place[one] += sum[one];
            }
        }
    }
}

/* sums (width x width) += rows' rows */
CLONED static void gram_of_floats(const float *rows, double *sums, double *line, Py_ssize_t count, Py_ssize_t width) {
    for (Py_ssize_t row = 0; row < count; row++) {
        for (Py_ssize_t i = 0; i < width; i++) line[i] = (double)rows[row * width + i];
        for (Py_ssize_t i = 0; i < width; i++)
            for (Py_ssize_t j = 0; j < width; j++) sums[i * width + j] += line[i] * line[j];
    }
}

CLONED static void gram_of_doubles(const double *rows, double *sums, Py_ssize_t count, Py_ssize_t width) {
    for (Py_ssize_t row = 0; row < count; row++) {
        const double *line = rows + row * width;
        for (Py_ssize_t i = 0; i < width; i++)
            for (Py_ssize_t j = 0; j < width; j++) sums[i * width + j] += line[i] * line[j];
    }
}

/* out (m x n) = a (m x k) b (k x n) */
CLONED static void multiply_doubles(const double *a, const double *b, double *out, Py_ssize_t m, Py_ssize_t k,
                                    Py_ssize_t n) {
    memset(out, 0, (size_t)(m * n) * sizeof(double));
    for (Py_ssize_t i = 0; i < m; i++)
        for (Py_ssize_t l = 0; l < k; l++) {
            double weight = a[i * k + l];
            for (Py_ssize_t j = 0; j < n; j++) out[i * n + j] += weight * b[l * n + j];
        }
}

/* Four sums beside each other, joined at the end, always in the same way. */
static double dot(const double *a, const double *b, Py_ssize_t length) {
    double sums[4] = {0, 0, 0, 0};
    Py_ssize_t i = 0;
    for (; i + 4 <= length; i += 4)
        for (int lane = 0; lane < 4; lane++) sums[lane] += a[i + lane] * b[i + lane];
    for (; i < length; i++) sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

#define SPANNED 1e-12 /* of its length: what is left of a direction that others span is rounding */

static void orthonormalize_rows(double *rows, Py_ssize_t count, Py_ssize_t length) {
    for (Py_ssize_t i = 0; i < count; i++) {
        double *line = rows + i * length, before = sqrt(dot(line, line, length));
        for (int again = 0; again < 2; again++)
            for (Py_ssize_t j = 0; j < i; j++) {
                const double *other = rows + j * length;
                double share = dot(line, other, length);
                for (Py_ssize_t l = 0; l < length; l++) line[l] -= share * other[l];
            }
        double left = sqrt(dot(line, line, length)), scale = left > SPANNED * before ? 1 / left : 0;
        for (Py_ssize_t l = 0; l < length; l++) line[l] *= scale;
    }
}

/* One rotation that makes a[p][q] zero; a stays symmetric. */
static void rotate(double *a, double *vectors, Py_ssize_t n, Py_ssize_t p, Py_ssize_t q) {
    double off = a[p * n + q];
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * off);
    double t = (theta < 0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (Py_ssize_t i = 0; i < n; i++) {
        double x = a[p * n + i], y = a[q * n + i];
        a[p * n + i] = c * x - s * y;
        a[q * n + i] = s * x + c * y;
        double u = vectors[p * n + i], v = vectors[q * n + i];
        vectors[p * n + i] = c * u - s * v;
        vectors[q * n + i] = s * u + c * v;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        double x = a[i * n + p], y = a[i * n + q];
        a[i * n + p] = c * x - s * y;
        a[i * n + q] = s * x + c * y;
    }
    a[p * n + q] = a[q * n + p] = 0;
}

#define SWEEPS 60
#define SMALL 1e-17 /* of the product of the two diagonal elements' roots: below that a rotation changes nothing */

static void diagonalize(double *a, double *vectors, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++)
        for (Py_ssize_t j = 0; j < n; j++) vectors[i * n + j] = i == j;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        int moved = 0;
        for (Py_ssize_t p = 0; p < n; p++)
            for (Py_ssize_t q = p + 1; q < n; q++) {
                double off = a[p * n + q];
                if (off == 0 || off * off <= SMALL * SMALL * fabs(a[p * n + p] * a[q * n + q])) continue;
                if (fabs(off) < DBL_MIN || !isfinite(off)) continue;
                rotate(a, vectors, n, p, q);
                moved = 1;
            }
        if (!moved) return;
    }
}

static int get_matrix(PyObject *object, Py_buffer *view, const char *types, int writable, const char *name) {
    int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) return -1;
    if (view->ndim == 2 && view->format && view->format[0] && strchr(types, view->format[0]) && !view->format[1])
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must be a %s matrix", name, *types == 'f' ? "float32" : "float64");
    PyBuffer_Release(view);
    return -1;
}

/* Takes `count` matrices from the arguments; writable are those whose bit is set. Returns how many are held. */
static int get_matrices(PyObject *args, int count, const char *const *names, const char *const *types, unsigned writable,
                        Py_buffer *views) {
    if (PyTuple_GET_SIZE(args) != count) {
        PyErr_Format(PyExc_TypeError, "%d matrices expected", count);
        return 0;
    }
    int held = 0;
    while (held < count && get_matrix(PyTuple_GET_ITEM(args, held), &views[held], types[held], writable >> held & 1,
                                      names[held]) == 0)
        held++;
    return held;
}

static void release(Py_buffer *views, int held) {
    while (held--) PyBuffer_Release(&views[held]);
}

static PyObject *fill(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"block", "new_scores", "new_axes", "old_scores", "old_axes"};
    static const char *const TYPES[] = {"f", "f", "f", "f", "f"};
    PyObject *result = NULL;
    Py_buffer views[5];
    int held = get_matrices(args, 5, NAMES, TYPES, 1, views);
    if (held < 5) goto done;
    Py_ssize_t samples = views[0].shape[0], genes = views[0].shape[1];
    Py_ssize_t rank = views[1].shape[1], old_rank = views[3].shape[1];
    if (views[1].shape[0] != samples || views[3].shape[0] != samples || views[2].shape[0] != genes ||
        views[4].shape[0] != genes || views[2].shape[1] != rank || views[4].shape[1] != old_rank) {
        PyErr_SetString(PyExc_ValueError, "scores must be samples x rank and axes genes x rank");
        goto done;
    }
    float *block = views[0].buf;
    const float *new_scores = views[1].buf, *old_scores = views[3].buf;
    Vector *scores = NULL;
    if (posix_memalign((void **)&scores, sizeof(Vector), ((size_t)(rank + old_rank) + 1) * sizeof(Vector))) {
        PyErr_NoMemory();
        goto done;
    }
    double moved = 0, size = 0;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t sample = 0; sample < samples; sample += LANES) {
        Py_ssize_t rows = samples - sample < LANES ? samples - sample : LANES;
        side_by_side(new_scores + sample * rank, rows, rank, scores);
        side_by_side(old_scores + sample * old_rank, rows, old_rank, scores + rank);
        Model now = {scores, views[2].buf, rank}, before = {scores + rank, views[4].buf, old_rank};
        fill_rows(block + sample * genes, rows, genes, now, before, &moved, &size);
    }
    Py_END_ALLOW_THREADS;
    free(scores);
    result = Py_BuildValue("dd", moved, size);
done:
    release(views, held);
    return result;
}

static PyObject *project(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"rows", "basis", "out"};
    static const char *const TYPES[] = {"f", "f", "f"};
    PyObject *result = NULL;
    Py_buffer views[3];
    int held = get_matrices(args, 3, NAMES, TYPES, 4, views);
    if (held < 3) goto done;
    Py_ssize_t samples = views[0].shape[0], genes = views[0].shape[1], width = views[1].shape[1];
    if (views[1].shape[0] != genes || views[2].shape[0] != samples || views[2].shape[1] != width) {
        PyErr_SetString(PyExc_ValueError, "out must be samples x width for rows samples x genes, basis genes x width");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS;
    project_rows(views[0].buf, views[1].buf, views[2].buf, samples, genes, width);
    Py_END_ALLOW_THREADS;
    result = Py_NewRef(Py_None);
done:
    release(views, held);
    return result;
}

static PyObject *accumulate(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"part", "rows", "products"};
    static const char *const TYPES[] = {"f", "f", "f"};
    PyObject *result = NULL;
    Py_buffer views[3];
    int held = get_matrices(args, 3, NAMES, TYPES, 4, views);
    if (held < 3) goto done;
    Py_ssize_t samples = views[1].shape[0], genes = views[1].shape[1], width = views[0].shape[1];
    if (views[0].shape[0] != samples || views[2].shape[0] != width || views[2].shape[1] != genes) {
        PyErr_SetString(PyExc_ValueError, "products must be width x genes for part samples x width, rows samples x genes");
        goto done;
    }
    float *edge = PyMem_RawMalloc(((size_t)samples + 1) * SPAN * sizeof(float));
    if (!edge) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS;
    accumulate_rows(views[0].buf, views[1].buf, views[2].buf, samples, genes, width, edge);
    Py_END_ALLOW_THREADS;
    PyMem_RawFree(edge);
    result = Py_NewRef(Py_None);
done:
    release(views, held);
    return result;
}

static PyObject *gram(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"rows", "sums"};
    static const char *const TYPES[] = {"fd", "d"};
    PyObject *result = NULL;
    Py_buffer views[2];
    int held = get_matrices(args, 2, NAMES, TYPES, 2, views);
    if (held < 2) goto done;
    Py_ssize_t count = views[0].shape[0], width = views[0].shape[1];
    if (views[1].shape[0] != width || views[1].shape[1] != width) {
        PyErr_SetString(PyExc_ValueError, "sums must be width x width");
        goto done;
    }
    double *line = PyMem_RawMalloc(((size_t)width + 1) * sizeof(double));
    if (!line) {
        PyErr_NoMemory();
        goto done;
    }
    int is_double = views[0].format[0] == 'd';
    Py_BEGIN_ALLOW_THREADS;
    if (is_double)
        gram_of_doubles(views[0].buf, views[1].buf, count, width);
    else
        gram_of_floats(views[0].buf, views[1].buf, line, count, width);
    Py_END_ALLOW_THREADS;
    PyMem_RawFree(line);
    result = Py_NewRef(Py_None);
done:
    release(views, held);
    return result;
}

static PyObject *multiply(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"a", "b", "out"};
    static const char *const TYPES[] = {"d", "d", "d"};
    PyObject *result = NULL;
    Py_buffer views[3];
    int held = get_matrices(args, 3, NAMES, TYPES, 4, views);
    if (held < 3) goto done;
    Py_ssize_t m = views[0].shape[0], k = views[0].shape[1], n = views[1].shape[1];
    if (views[1].shape[0] != k || views[2].shape[0] != m || views[2].shape[1] != n) {
        PyErr_SetString(PyExc_ValueError, "out must be m x n for a m x k and b k x n");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS;
    multiply_doubles(views[0].buf, views[1].buf, views[2].buf, m, k, n);
    Py_END_ALLOW_THREADS;
    result = Py_NewRef(Py_None);
done:
    release(views, held);
    return result;
}

static PyObject *orthonormalize(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"directions"};
    static const char *const TYPES[] = {"d"};
    Py_buffer view;
    if (get_matrices(args, 1, NAMES, TYPES, 1, &view) < 1) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    orthonormalize_rows(view.buf, view.shape[0], view.shape[1]);
    Py_END_ALLOW_THREADS;
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static PyObject *eigen(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *const NAMES[] = {"matrix", "vectors"};
    static const char *const TYPES[] = {"d", "d"};
    PyObject *result = NULL;
    Py_buffer views[2];
    int held = get_matrices(args, 2, NAMES, TYPES, 3, views);
    if (held < 2) goto done;
    Py_ssize_t n = views[0].shape[0];
    if (views[0].shape[1] != n || views[1].shape[0] != n || views[1].shape[1] != n) {
        PyErr_SetString(PyExc_ValueError, "matrix and vectors must be square and of one size");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS;
    diagonalize(views[0].buf, views[1].buf, n);
    Py_END_ALLOW_THREADS;
    result = Py_NewRef(Py_None);
done:
    release(views, held);
    return result;
}

static PyMethodDef METHODS[] = {
    {"fill", fill, METH_VARARGS,
     "fill(block, new_scores, new_axes, old_scores, old_axes): replace NaN by the new model; returns the sum of squared "
     "differences from the old model and the old model's sum of squares, over these cells."},
    {"project", project, METH_VARARGS, "project(rows, basis, out): out = rows @ basis."},
    {"accumulate", accumulate, METH_VARARGS, "accumulate(part, rows, products): products += part.T @ rows."},
    {"gram", gram, METH_VARARGS, "gram(rows, sums): sums += rows.T @ rows, in float64."},
    {"multiply", multiply, METH_VARARGS, "multiply(a, b, out): out = a @ b, in float64."},
    {"orthonormalize", orthonormalize, METH_VARARGS,
     "orthonormalize(directions): make the rows orthonormal, one after the other; what the others span becomes zero."},
    {"eigen", eigen, METH_VARARGS,
     "eigen(matrix, vectors): diagonalise a symmetric matrix in place; the rows of vectors are its eigenvectors."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_imputation", "Filling and decomposing matrices with missing cells.", 0, METHODS,
    NULL,                  NULL,          NULL,                                                   NULL,
};

PyMODINIT_FUNC PyInit__imputation(void) { return PyModule_Create(&MODULE); }
