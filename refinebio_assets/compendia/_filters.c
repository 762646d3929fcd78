/* Blocks of samples for the filters of a compendium: made from parts, counted and cut in one pass and without copies.
 *
 * spread(part, samples, columns, out)    out[i, columns[gene]] = part[gene, samples[i]], NaN in all other columns
 * count(values, present, filled, sums)   adds to each gene's counts of present values, of those that are not zero, and
 *                                        (unless None) to its sum, sample after sample
 * take(values, genes, out)               out = values[:, genes]
 * count_filled(values, filled)           how many present values that are not zero each sample has
 *
 * Values are samples x genes, float32; a part is genes x samples. Infinite ones are missing, like NaN; take makes them
 * NaN.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LINE 16  /* values of a cache line: genes that are turned together */
#define TILE 512 /* genes counted together, so that their counts stay in the cache */

/* The same operations, more at a time where the processor can: the same bytes. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__)
#define IN_WIDE_REGISTERS __attribute__((target_clones("avx2", "default")))
#else
#define IN_WIDE_REGISTERS
#endif

IN_WIDE_REGISTERS
static void count_row(const float *restrict row, Py_ssize_t genes, int32_t *restrict present,
                      int32_t *restrict filled) {
    for (Py_ssize_t i = 0; i < genes; i++) {
        int there = fabsf(row[i]) <= FLT_MAX;
        present[i] += there;
        filled[i] += there & (row[i] != 0.0f);
    }
}

IN_WIDE_REGISTERS
static void add_row(const float *restrict row, Py_ssize_t genes, double *restrict sums) {
    for (Py_ssize_t i = 0; i < genes; i++) {
        float value = fabsf(row[i]) <= FLT_MAX ? row[i] : 0.0f;
        sums[i] += (double)value;
    }
}

IN_WIDE_REGISTERS
static int64_t filled_of(const float *row, Py_ssize_t genes) {
    int32_t filled = 0; /* fewer than 2^31 genes */
    for (Py_ssize_t i = 0; i < genes; i++) filled += (fabsf(row[i]) <= FLT_MAX) & (row[i] != 0.0f);
    return filled;
}

static int get(PyObject *object, Py_buffer *view, int ndim, char format, int writable, const char *name) {
    int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) return -1;
    char found = view->format && view->format[0] && !view->format[1] ? view->format[0] : '?';
    if (found == 'q') found = 'l'; /* both are int64 */
    if (view->ndim == ndim && found == format && (format != 'l' || view->itemsize == 8)) return 0;
    PyErr_Format(PyExc_ValueError, "%s must be a C-contiguous array of %d dimension(s) of %s", name, ndim,
                 format == 'f' ? "float32" : format == 'd' ? "float64" : "int64");
    PyBuffer_Release(view);
    return -1;
}

static void release(Py_buffer *views, int held) {
    while (held--) PyBuffer_Release(&views[held]);
}

static void count_tile(const Py_buffer *values, Py_ssize_t start, Py_ssize_t genes, int64_t *present, int64_t *filled,
                       double *sums) {
    int32_t tile_present[TILE] = {0}, tile_filled[TILE] = {0};
    Py_ssize_t samples = values->shape[0], width = values->shape[1];
    for (Py_ssize_t sample = 0; sample < samples; sample++) {
        const float *row = (const float *)values->buf + sample * width + start;
        count_row(row, genes, tile_present, tile_filled);
        if (sums) add_row(row, genes, sums + start);
    }
    for (Py_ssize_t i = 0; i < genes; i++) {
        present[start + i] += tile_present[i];
        filled[start + i] += tile_filled[i];
    }
}

static PyObject *count(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[4];
    Py_buffer views[4];
    if (!PyArg_ParseTuple(args, "OOOO:count", &objects[0], &objects[1], &objects[2], &objects[3])) return NULL;
    int held = 0, wanted = objects[3] == Py_None ? 3 : 4;
    static const char *NAMES[4] = {"values", "present", "filled", "sums"}, FORMATS[4] = {'f', 'l', 'l', 'd'};
    for (; held < wanted; held++)
        if (get(objects[held], &views[held], held ? 1 : 2, FORMATS[held], held > 0, NAMES[held]) < 0) goto failed;
    Py_ssize_t genes = views[0].shape[1];
    for (int i = 1; i < wanted; i++)
        if (views[i].shape[0] != genes) {
            PyErr_SetString(PyExc_ValueError, "counts and sums must be as long as a row");
            goto failed;
        }
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t start = 0; start < genes; start += TILE)
        count_tile(&views[0], start, genes - start < TILE ? genes - start : TILE, views[1].buf, views[2].buf,
                   wanted == 4 ? views[3].buf : NULL);
    Py_END_ALLOW_THREADS;
    release(views, held);
    Py_RETURN_NONE;
failed:
    release(views, held);
    return NULL;
}

/* Whether all places are among the first ones. */
static int are_places(const Py_buffer *places, Py_ssize_t length) {
    const int64_t *place = places->buf;
    for (Py_ssize_t i = 0; i < places->shape[0]; i++)
        if (place[i] < 0 || place[i] >= length) return 0;
    return 1;
}

static PyObject *take(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[3];
    Py_buffer views[3];
    if (!PyArg_ParseTuple(args, "OOO:take", &objects[0], &objects[1], &objects[2])) return NULL;
    int held = 0;
    static const char *NAMES[3] = {"values", "genes", "out"}, FORMATS[3] = {'f', 'l', 'f'};
    for (; held < 3; held++)
        if (get(objects[held], &views[held], held == 1 ? 1 : 2, FORMATS[held], held == 2, NAMES[held]) < 0) goto failed;
    Py_ssize_t samples = views[0].shape[0], width = views[0].shape[1], kept = views[1].shape[0];
    const int64_t *genes = views[1].buf;
    if (views[2].shape[0] != samples || views[2].shape[1] != kept || !are_places(&views[1], width)) {
        PyErr_SetString(PyExc_ValueError, "genes must be columns of values, and out as many samples of as many genes");
        goto failed;
    }
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t sample = 0; sample < samples; sample++) {
        const float *row = (const float *)views[0].buf + sample * width;
        float *line = (float *)views[2].buf + sample * kept;
        for (Py_ssize_t i = 0; i < kept; i++) {
            float value = row[genes[i]];
            line[i] = fabsf(value) <= FLT_MAX ? value : NAN;
        }
    }
    Py_END_ALLOW_THREADS;
    release(views, held);
    Py_RETURN_NONE;
failed:
    release(views, held);
    return NULL;
}

static void spread_tile(const float *part, Py_ssize_t width, const int64_t *samples, Py_ssize_t count,
                        const int64_t *columns, int genes, float *out, Py_ssize_t out_width) {
    for (Py_ssize_t i = 0; i < count; i++)
        for (int gene = 0; gene < genes; gene++) out[i * out_width + columns[gene]] = part[gene * width + samples[i]];
}

static PyObject *spread(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[4];
    Py_buffer views[4];
    if (!PyArg_ParseTuple(args, "OOOO:spread", &objects[0], &objects[1], &objects[2], &objects[3])) return NULL;
    int held = 0;
    static const char *NAMES[4] = {"part", "samples", "columns", "out"}, FORMATS[4] = {'f', 'l', 'l', 'f'};
    for (; held < 4; held++)
        if (get(objects[held], &views[held], held % 3 ? 1 : 2, FORMATS[held], held == 3, NAMES[held]) < 0) goto failed;
    Py_ssize_t genes = views[0].shape[0], width = views[0].shape[1];
    Py_ssize_t samples = views[3].shape[0], out_width = views[3].shape[1];
    if (views[1].shape[0] != samples || views[2].shape[0] != genes || !are_places(&views[1], width) ||
        !are_places(&views[2], out_width)) {
        PyErr_SetString(PyExc_ValueError, "samples and columns must be places in part and out");
        goto failed;
    }
    const float *part = views[0].buf;
    const int64_t *columns = views[2].buf;
    float *out = views[3].buf;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t i = 0; i < samples * out_width; i++) out[i] = NAN;
    for (Py_ssize_t gene = 0; gene < genes; gene += LINE)
        spread_tile(part + gene * width, width, views[1].buf, samples, columns + gene,
                    (int)(genes - gene < LINE ? genes - gene : LINE), out, out_width);
    Py_END_ALLOW_THREADS;
    release(views, held);
    Py_RETURN_NONE;
failed:
    release(views, held);
    return NULL;
}

static PyObject *count_filled(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *values_object, *filled_object;
    Py_buffer values, filled;
    if (!PyArg_ParseTuple(args, "OO:count_filled", &values_object, &filled_object)) return NULL;
    if (get(values_object, &values, 2, 'f', 0, "values") < 0) return NULL;
    if (get(filled_object, &filled, 1, 'l', 1, "filled") < 0) goto no_filled;
    if (filled.shape[0] != values.shape[0]) {
        PyErr_SetString(PyExc_ValueError, "filled must have one place for each sample");
        goto failed;
    }
    Py_ssize_t genes = values.shape[1];
    for (Py_ssize_t sample = 0; sample < values.shape[0]; sample++)
        ((int64_t *)filled.buf)[sample] = filled_of((const float *)values.buf + sample * genes, genes);
    PyBuffer_Release(&filled);
    PyBuffer_Release(&values);
    Py_RETURN_NONE;
failed:
    PyBuffer_Release(&filled);
no_filled:
    PyBuffer_Release(&values);
    return NULL;
}

static PyMethodDef METHODS[] = {
    {"spread", spread, METH_VARARGS,
     "spread(part, samples, columns, out): write samples of a part (genes x samples) to the columns of out (samples x "
     "genes), NaN to all others."},
    {"count", count, METH_VARARGS,
     "count(values, present, filled, sums): add each gene's present values, those not zero and their sum (or None)."},
    {"take", take, METH_VARARGS, "take(values, genes, out): out = values[:, genes], infinite values as NaN."},
    {"count_filled", count_filled, METH_VARARGS,
     "count_filled(values, filled): write how many present values that are not zero each sample has."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_filters", "Counting and taking values for a compendium's filters.", 0, METHODS,
    NULL,                  NULL,       NULL,                                                     NULL,
};

PyMODINIT_FUNC PyInit__filters(void) { return PyModule_Create(&MODULE); }
