/* Sorting and ranking of samples for quantile normalisation.
 *
 * Works on matrices with samples in rows, so that a sample is contiguous. A sample's values are sorted by a least
 * significant digit radix sort (11 bits a pass) of order-preserving integer keys: float32 keys travel with their
 * position in one 64-bit word, float64 keys beside it. NaN is a missing value and takes no part.
 *
 * add_sorted(rows, high, low)        adds each row, sorted, to the sums high + low; one with missing values is stretched
 * add_vector(values, high, low)      adds a vector, as it is, to the sums
 * apply(rows, target, out)           replaces values by those of the target at their rank
 * sort_values(row, out)              a row's values, ascending
 * largest_step(one, other)           Kolmogorov-Smirnov statistic of two ascending vectors, times both their lengths
 *
 * Sums are pairs of float64: high is the sum rounded to float64 and low what that leaves. Values are taken to multiples
 * of 2^-60 (float32 ones of 2^-36 and more are that already), so that a sum below 2^46 has at most 106 bits, fits a
 * pair exactly, and is the same in whatever order its values came. Larger sums have the accuracy of 106 bits.
 *
 * The semantics of ties, missing values and of targets of another length are those of Bioconductor's preprocessCore
 * (normalize.quantiles.determine.target and normalize.quantiles.use.target, version 1.60).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define BITS 11
#define BUCKETS (1 << BITS)
#define PASSES_32 3
#define PASSES_64 6
#define MOST_GENES ((Py_ssize_t)1 << 31) /* positions are 32 bits */
#define GRID_ANCHOR 0x1p-8               /* a float64 from here to twice as much is a multiple of 2^-60 */

typedef struct {
    uint64_t key;
    uint32_t position;
} Keyed;

/* Workspace of one call: two buffers of n entries each. */
typedef struct {
    void *from, *to;
} Buffers;

/* Order-preserving keys; -0.0 counts as 0.0, because the two are equal and so are ties. */
static inline uint32_t key_of_float(float value) {
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
}

static inline float float_of_key(uint32_t key) {
    uint32_t bits = key & 0x80000000u ? key ^ 0x80000000u : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t key_of_double(double value) {
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint64_t)((int64_t)bits >> 63) | 0x8000000000000000u);
}

static inline double double_of_key(uint64_t key) {
    uint64_t bits = key & 0x8000000000000000u ? key ^ 0x8000000000000000u : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Counts -> starts. Answers whether all keys share one digit, so that the pass moves nothing. */
static int starts_of(uint32_t *counts, uint32_t n) {
    uint32_t start = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        uint32_t count = counts[bucket];
        if (count == n) return 1;
        counts[bucket] = start;
        start += count;
    }
    return 0;
}

/* Sorts buffers->from by the digits whose counts are known; DIGIT(entry, pass) is one. */
#define RADIX_SORT(ENTRY, PASSES, DIGIT)                                                                               \
    do {                                                                                                               \
        ENTRY *from = buffers->from, *to = buffers->to;                                                                \
        for (int pass = 0; pass < PASSES; pass++) {                                                                    \
            if (starts_of(counts[pass], n)) continue;                                                                  \
            for (uint32_t i = 0; i < n; i++) to[counts[pass][DIGIT(from[i], pass)]++] = from[i];                       \
            ENTRY *swapped = from;                                                                                     \
            from = to;                                                                                                 \
            to = swapped;                                                                                              \
        }                                                                                                              \
        buffers->from = from;                                                                                          \
        buffers->to = to;                                                                                              \
    } while (0)

#define KEY_DIGIT(key, pass) (((key) >> ((pass) * BITS)) & (BUCKETS - 1))
#define PACKED_KEY(entry) ((uint32_t)((entry) >> 32))
#define PACKED_POSITION(entry) ((uint32_t)(entry))
#define PACKED_DIGIT(entry, pass) KEY_DIGIT((entry) >> 32, pass)
#define KEYED_KEY(entry) ((entry).key)
#define KEYED_POSITION(entry) ((entry).position)
#define KEYED_DIGIT(entry, pass) KEY_DIGIT((entry).key, pass)

/* Present values of a float32 row as key << 32 | position, sorted; returns how many. The result is in buffers->from. */
static uint32_t sort_floats(const float *row, Py_ssize_t genes, Buffers *buffers) {
    uint32_t counts[PASSES_32][BUCKETS];
    memset(counts, 0, sizeof counts);
    uint64_t *entries = buffers->from;
    uint32_t n = 0;
    for (Py_ssize_t i = 0; i < genes; i++) {
        if (isnan(row[i])) continue;
        uint32_t key = key_of_float(row[i]);
        for (int pass = 0; pass < PASSES_32; pass++) counts[pass][KEY_DIGIT(key, pass)]++;
        entries[n++] = (uint64_t)key << 32 | (uint32_t)i;
    }
    RADIX_SORT(uint64_t, PASSES_32, PACKED_DIGIT);
    return n;
}

/* The same without positions: keys only, in half of the memory. */
static uint32_t sort_float_keys(const float *row, Py_ssize_t genes, Buffers *buffers) {
    uint32_t counts[PASSES_32][BUCKETS];
    memset(counts, 0, sizeof counts);
    uint32_t *entries = buffers->from;
    uint32_t n = 0;
    for (Py_ssize_t i = 0; i < genes; i++) {
        if (isnan(row[i])) continue;
        uint32_t key = key_of_float(row[i]);
        for (int pass = 0; pass < PASSES_32; pass++) counts[pass][KEY_DIGIT(key, pass)]++;
        entries[n++] = key;
    }
    RADIX_SORT(uint32_t, PASSES_32, KEY_DIGIT);
    return n;
}

/* Values of float64 rows as keys with positions, sorted. */
static uint32_t sort_doubles(const double *row, Py_ssize_t genes, Buffers *buffers) {
    uint32_t counts[PASSES_64][BUCKETS];
    memset(counts, 0, sizeof counts);
    Keyed *entries = buffers->from;
    uint32_t n = 0;
    for (Py_ssize_t i = 0; i < genes; i++) {
        if (isnan(row[i])) continue;
        uint64_t key = key_of_double(row[i]);
        for (int pass = 0; pass < PASSES_64; pass++) counts[pass][KEY_DIGIT(key, pass)]++;
        entries[n].key = key;
        entries[n++].position = (uint32_t)i;
    }
    RADIX_SORT(Keyed, PASSES_64, KEYED_DIGIT);
    return n;
}

/* A sorted vector at a share of its length (0 first, 1 last), linear in between. Positions within four roundings of a
 * whole one count as whole, as in preprocessCore. */
static double at_share(const double *sorted, Py_ssize_t length, double share) {
    double place = 1.0 + ((double)length - 1.0) * share;
    double whole = floor(place + 4 * DBL_EPSILON), rest = place - whole;
    if (fabs(rest) <= 4 * DBL_EPSILON) rest = 0.0;
    Py_ssize_t index = (Py_ssize_t)(whole + 0.5);
    if (index < 1) return sorted[0];
    if (index >= length) return sorted[length - 1];
    return rest == 0.0 ? sorted[index - 1] : (1.0 - rest) * sorted[index - 1] + rest * sorted[index];
}

/* The target's value for an average rank (1-based, .5 for ties) among n present values of a sample of `genes`. */
static double value_at_rank(const double *target, Py_ssize_t length, double rank, uint32_t n, int same_length) {
    if (same_length) {
        Py_ssize_t whole = (Py_ssize_t)rank;
        return rank - (double)whole > 0.4 ? 0.5 * (target[whole - 1] + target[whole]) : target[whole - 1];
    }
    /* a lone value has no place in an order: it gets the middle of the target */
    return at_share(target, length, n > 1 ? (rank - 1.0) / ((double)n - 1.0) : 0.5);
}

/* The same operations, four at a time where the processor can: the same bytes. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__)
#define IN_WIDE_REGISTERS __attribute__((target_clones("avx2", "default")))
#else
#define IN_WIDE_REGISTERS
#endif

/* high + low += values, one by one. What is not finite stays so, with a low of zero. */
IN_WIDE_REGISTERS
static void add_exactly(const double *restrict values, Py_ssize_t count, double *restrict high, double *restrict low) {
    for (Py_ssize_t i = 0; i < count; i++) {
        double value = values[i], before = high[i];
        double anchor = fabs(value) < GRID_ANCHOR ? copysign(GRID_ANCHOR, value) : 0.0;
        value = (value + anchor) - anchor;
        double sum = before + value, part = sum - before; /* Knuth's TwoSum */
        double rest = (before - (sum - part)) + (value - part) + low[i];
        rest = fabs(rest) <= DBL_MAX ? rest : 0.0;
        double whole = sum + rest, left = rest - (whole - sum);
        high[i] = whole;
        low[i] = fabs(left) <= DBL_MAX ? left : 0.0;
    }
}

/* Sorted values of a row with missing ones, stretched over all places. */
static void stretch(const double *sorted, uint32_t n, double *values, Py_ssize_t genes) {
    for (Py_ssize_t i = 0; i < genes; i++)
        values[i] = at_share(sorted, n, genes > 1 ? (double)i / ((double)genes - 1.0) : 0.5);
}

/* Writes the target's values to the places of one sorted row. */
#define WRITE_ROW(TYPE, KEYED, KEY_OF_ENTRY, POSITION_OF_ENTRY)                                                        \
    do {                                                                                                               \
        const KEYED *sorted = buffers->from;                                                                           \
        TYPE *line = out;                                                                                              \
        int same_length = (Py_ssize_t)n == genes && genes == length;                                                   \
        if ((Py_ssize_t)n < genes)                                                                                     \
            for (Py_ssize_t i = 0; i < genes; i++) line[i] = (TYPE)NAN;                                                \
        for (uint32_t i = 0; i < n;) {                                                                                 \
            uint32_t end = i + 1;                                                                                      \
            while (end < n && KEY_OF_ENTRY(sorted[end]) == KEY_OF_ENTRY(sorted[i])) end++;                             \
            if (end == i + 1 && same_length) { /* most values: the target's at this place */                           \
                line[POSITION_OF_ENTRY(sorted[i])] = (TYPE)target[i];                                                  \
                i = end;                                                                                               \
                continue;                                                                                              \
            }                                                                                                          \
            double rank = 0.5 * ((double)i + 1.0 + (double)end);                                                       \
            TYPE value = (TYPE)value_at_rank(target, length, rank, n, same_length);                                    \
            for (; i < end; i++) line[POSITION_OF_ENTRY(sorted[i])] = value;                                           \
        }                                                                                                              \
    } while (0)

/* The present values of a row, ascending; returns how many. */
static uint32_t sorted_values(const void *row, int is_double, Py_ssize_t genes, double *values, Buffers *buffers) {
    uint32_t n = is_double ? sort_doubles(row, genes, buffers) : sort_float_keys(row, genes, buffers);
    if (is_double) {
        const Keyed *sorted = buffers->from;
        for (uint32_t i = 0; i < n; i++) values[i] = double_of_key(sorted[i].key);
    } else {
        const uint32_t *sorted = buffers->from;
        for (uint32_t i = 0; i < n; i++) values[i] = (double)float_of_key(sorted[i]);
    }
    return n;
}

/* Adds one row; values has place for two. Answers whether it has any value. */
static int add_row(const void *row, int is_double, Py_ssize_t genes, double *high, double *low, double *values,
                   Buffers *buffers) {
    uint32_t n = sorted_values(row, is_double, genes, values, buffers);
    if (!n && genes) return 0;
    if ((Py_ssize_t)n < genes) {
        stretch(values, n, values + genes, genes);
        values += genes;
    }
    add_exactly(values, genes, high, low);
    return 1;
}

static void apply_row(const void *row, int is_double, Py_ssize_t genes, const double *target, Py_ssize_t length,
                      void *out, Buffers *buffers) {
    if (is_double) {
        uint32_t n = sort_doubles(row, genes, buffers);
        WRITE_ROW(double, Keyed, KEYED_KEY, KEYED_POSITION);
    } else {
        uint32_t n = sort_floats(row, genes, buffers);
        WRITE_ROW(float, uint64_t, PACKED_KEY, PACKED_POSITION);
    }
}

/* A C-contiguous buffer of float32 or float64 with `ndim` dimensions. */
static int get_array(PyObject *object, Py_buffer *view, int ndim, int writable, const char *name) {
    int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) return -1;
    int known = view->format && (strcmp(view->format, "d") == 0 || strcmp(view->format, "f") == 0);
    if (known && view->ndim == ndim) return 0;
    PyErr_Format(PyExc_ValueError, "%s must be float32 or float64 with %d dimension(s)", name, ndim);
    PyBuffer_Release(view);
    return -1;
}

static int is_double(const Py_buffer *view) { return view->format[0] == 'd'; }

static int get_vector(PyObject *object, Py_buffer *view, int writable, const char *name) {
    if (get_array(object, view, 1, writable, name) < 0) return -1;
    if (is_double(view)) return 0;
    PyErr_Format(PyExc_ValueError, "%s must be float64", name);
    PyBuffer_Release(view);
    return -1;
}

static int get_buffers(Buffers *buffers, Py_ssize_t genes, int is_double) {
    if (genes >= MOST_GENES) {
        PyErr_SetString(PyExc_ValueError, "a sample may have at most 2^31 - 1 genes");
        return -1;
    }
    size_t bytes = ((size_t)genes + 1) * (is_double ? sizeof(Keyed) : sizeof(uint64_t));
    buffers->from = PyMem_RawMalloc(bytes);
    buffers->to = PyMem_RawMalloc(bytes);
    if (buffers->from && buffers->to) return 0;
    PyMem_RawFree(buffers->from);
    PyMem_RawFree(buffers->to);
    PyErr_NoMemory();
    return -1;
}

static void free_buffers(Buffers *buffers) {
    PyMem_RawFree(buffers->from);
    PyMem_RawFree(buffers->to);
}

/* The sums, as long as they have to be. */
static int get_sums(PyObject *high_object, PyObject *low_object, Py_ssize_t length, Py_buffer *high, Py_buffer *low) {
    if (get_vector(high_object, high, 1, "high") < 0) return -1;
    if (get_vector(low_object, low, 1, "low") < 0) goto no_low;
    if (high->shape[0] == length && low->shape[0] == length) return 0;
    PyErr_SetString(PyExc_ValueError, "high and low must be as long as what is added");
    PyBuffer_Release(low);
no_low:
    PyBuffer_Release(high);
    return -1;
}

static PyObject *add_sorted(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *rows_object, *high_object, *low_object, *result = NULL;
    Py_buffer rows, high, low;
    Buffers buffers;
    Py_ssize_t added = 0;
    if (!PyArg_ParseTuple(args, "OOO:add_sorted", &rows_object, &high_object, &low_object)) return NULL;
    if (get_array(rows_object, &rows, 2, 0, "rows") < 0) return NULL;
    Py_ssize_t samples = rows.shape[0], genes = rows.shape[1];
    if (get_sums(high_object, low_object, genes, &high, &low) < 0) goto no_sums;
    if (get_buffers(&buffers, genes, is_double(&rows)) < 0) goto no_buffers;
    double *values = PyMem_RawMalloc((2 * (size_t)genes + 1) * sizeof(double));
    if (!values) {
        PyErr_NoMemory();
        goto no_values;
    }
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t i = 0; i < samples; i++) {
        const char *row = (const char *)rows.buf + i * genes * rows.itemsize;
        added += add_row(row, is_double(&rows), genes, high.buf, low.buf, values, &buffers);
    }
    Py_END_ALLOW_THREADS;
    result = PyLong_FromSsize_t(added);
    PyMem_RawFree(values);
no_values:
    free_buffers(&buffers);
no_buffers:
    PyBuffer_Release(&low);
    PyBuffer_Release(&high);
no_sums:
    PyBuffer_Release(&rows);
    return result;
}

static PyObject *add_vector(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *values_object, *high_object, *low_object, *result = NULL;
    Py_buffer values, high, low;
    if (!PyArg_ParseTuple(args, "OOO:add_vector", &values_object, &high_object, &low_object)) return NULL;
    if (get_vector(values_object, &values, 0, "values") < 0) return NULL;
    if (get_sums(high_object, low_object, values.shape[0], &high, &low) < 0) goto no_sums;
    add_exactly(values.buf, values.shape[0], high.buf, low.buf);
    result = Py_NewRef(Py_None);
    PyBuffer_Release(&low);
    PyBuffer_Release(&high);
no_sums:
    PyBuffer_Release(&values);
    return result;
}

static PyObject *apply(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *rows_object, *target_object, *out_object, *result = NULL;
    Py_buffer rows, target, out;
    Buffers buffers;
    if (!PyArg_ParseTuple(args, "OOO:apply", &rows_object, &target_object, &out_object)) return NULL;
    if (get_array(rows_object, &rows, 2, 0, "rows") < 0) return NULL;
    if (get_vector(target_object, &target, 0, "target") < 0) goto no_target;
    if (get_array(out_object, &out, 2, 1, "out") < 0) goto no_out;
    Py_ssize_t samples = rows.shape[0], genes = rows.shape[1];
    if (out.shape[0] != samples || out.shape[1] != genes || is_double(&out) != is_double(&rows) || !target.shape[0]) {
        PyErr_SetString(PyExc_ValueError, "out must have the shape and type of rows, and target at least one value");
        goto no_buffers;
    }
    if (get_buffers(&buffers, genes, is_double(&rows)) < 0) goto no_buffers;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t i = 0; i < samples; i++) {
        Py_ssize_t offset = i * genes * rows.itemsize;
        apply_row((const char *)rows.buf + offset, is_double(&rows), genes, target.buf, target.shape[0],
                  (char *)out.buf + offset, &buffers);
    }
    Py_END_ALLOW_THREADS;
    result = Py_NewRef(Py_None);
    free_buffers(&buffers);
no_buffers:
    PyBuffer_Release(&out);
no_out:
    PyBuffer_Release(&target);
no_target:
    PyBuffer_Release(&rows);
    return result;
}

static PyObject *sort_values(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *row_object, *out_object, *result = NULL;
    Py_buffer row, out;
    Buffers buffers;
    if (!PyArg_ParseTuple(args, "OO:sort_values", &row_object, &out_object)) return NULL;
    if (get_array(row_object, &row, 1, 0, "row") < 0) return NULL;
    if (get_vector(out_object, &out, 1, "out") < 0) goto no_out;
    if (out.shape[0] != row.shape[0]) {
        PyErr_SetString(PyExc_ValueError, "out must be as long as row");
        goto no_buffers;
    }
    if (get_buffers(&buffers, row.shape[0], is_double(&row)) < 0) goto no_buffers;
    result = PyLong_FromUnsignedLong(sorted_values(row.buf, is_double(&row), row.shape[0], out.buf, &buffers));
    free_buffers(&buffers);
no_buffers:
    PyBuffer_Release(&out);
no_out:
    PyBuffer_Release(&row);
    return result;
}

/* Goes through both at once; a value that both have counts in both before the difference is looked at. Written so that
 * NaN, which callers leave out, cannot keep it from ending. */
static int64_t step_of(const double *one, int64_t length, const double *other, int64_t other_length) {
    int64_t i = 0, j = 0, largest = 0;
    while (i < length && j < other_length) {
        double least = other[j] < one[i] ? other[j] : one[i];
        while (i < length && !(one[i] > least)) i++;
        while (j < other_length && !(other[j] > least)) j++;
        int64_t step = i * other_length - j * length;
        if (step < 0) step = -step;
        if (step > largest) largest = step;
    }
    return largest;
}

static PyObject *largest_step(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *one_object, *other_object, *result = NULL;
    Py_buffer one, other;
    if (!PyArg_ParseTuple(args, "OO:largest_step", &one_object, &other_object)) return NULL;
    if (get_vector(one_object, &one, 0, "one") < 0) return NULL;
    if (get_vector(other_object, &other, 0, "other") < 0) goto no_other;
    if (one.shape[0] < MOST_GENES && other.shape[0] < MOST_GENES)
        result = PyLong_FromLongLong(step_of(one.buf, one.shape[0], other.buf, other.shape[0]));
    else
        PyErr_SetString(PyExc_ValueError, "a vector may have at most 2^31 - 1 values");
    PyBuffer_Release(&other);
no_other:
    PyBuffer_Release(&one);
    return result;
}

static PyMethodDef METHODS[] = {
    {"add_sorted", add_sorted, METH_VARARGS,
     "add_sorted(rows, high, low): add each row (samples x genes, float32 or float64), sorted, to the sums high + low "
     "(float64); returns how many rows have values."},
    {"add_vector", add_vector, METH_VARARGS, "add_vector(values, high, low): add values (float64) to the sums."},
    {"apply", apply, METH_VARARGS,
     "apply(rows, target, out): write to out (may be rows) the target's values (sorted, float64) at the rows' ranks."},
    {"sort_values", sort_values, METH_VARARGS,
     "sort_values(row, out): write the values of row (float32 or float64), ascending and without NaN, to the beginning "
     "of out (float64); returns how many there are."},
    {"largest_step", largest_step, METH_VARARGS,
     "largest_step(one, other): Kolmogorov-Smirnov statistic of ascending float64 vectors, times both their lengths."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_quantiles", "Sorting and ranking for quantile normalisation.", 0, METHODS,
    NULL,                  NULL,         NULL,                                              NULL,
};

PyMODINIT_FUNC PyInit__quantiles(void) { return PyModule_Create(&MODULE); }
