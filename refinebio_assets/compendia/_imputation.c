/* Fills missing cells of a block of samples from two low-rank models and measures how far these are apart.
 *
 * fill(block, new_scores, new_axes, old_scores, old_axes) -> (sum of squared differences, sum of squares of the old)
 *
 * block       samples x genes, float32; NaN cells are replaced by the new model's values
 * *_scores    samples x rank, float32;  *_axes  genes x rank, float32: a cell is the inner product of its rows
 *
 * Ranks may differ and may be 0 (a model of zeros). Sums are made in float64, cell after cell.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>

static inline float inner(const float *a, const float *b, Py_ssize_t rank) {
    float sums[4] = {0, 0, 0, 0};
    Py_ssize_t i = 0;
    for (; i + 4 <= rank; i += 4)
        for (int lane = 0; lane < 4; lane++) sums[lane] += a[i + lane] * b[i + lane];
    float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (; i < rank; i++) sum += a[i] * b[i];
    return sum;
}

static int get_matrix(PyObject *object, Py_buffer *view, int writable, const char *name) {
    int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) return -1;
    if (view->ndim == 2 && view->format && view->format[0] == 'f' && view->format[1] == '\0') return 0;
    PyErr_Format(PyExc_ValueError, "%s must be a float32 matrix", name);
    PyBuffer_Release(view);
    return -1;
}

static PyObject *fill(PyObject *Py_UNUSED(module), PyObject *args) {
    static const char *NAMES[5] = {"block", "new_scores", "new_axes", "old_scores", "old_axes"};
    PyObject *objects[5], *result = NULL;
    Py_buffer views[5];
    int held = 0;
    if (!PyArg_ParseTuple(args, "OOOOO:fill", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4]))
        return NULL;
    for (; held < 5; held++)
        if (get_matrix(objects[held], &views[held], held == 0, NAMES[held]) < 0) goto done;
    Py_ssize_t samples = views[0].shape[0], genes = views[0].shape[1];
    Py_ssize_t rank = views[1].shape[1], old_rank = views[3].shape[1];
    if (views[1].shape[0] != samples || views[3].shape[0] != samples || views[2].shape[0] != genes ||
        views[4].shape[0] != genes || views[2].shape[1] != rank || views[4].shape[1] != old_rank) {
        PyErr_SetString(PyExc_ValueError, "scores must be samples x rank and axes genes x rank");
        goto done;
    }
    float *block = views[0].buf;
    const float *new_scores = views[1].buf, *new_axes = views[2].buf;
    const float *old_scores = views[3].buf, *old_axes = views[4].buf;
    double moved = 0, size = 0;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t sample = 0; sample < samples; sample++) {
        float *line = block + sample * genes;
        double line_moved = 0, line_size = 0;
        for (Py_ssize_t gene = 0; gene < genes; gene++) {
            if (!isnan(line[gene])) continue;
            float value = inner(new_scores + sample * rank, new_axes + gene * rank, rank);
            float old = inner(old_scores + sample * old_rank, old_axes + gene * old_rank, old_rank);
            double difference = (double)value - (double)old;
            line_moved += difference * difference;
            line_size += (double)old * (double)old;
            line[gene] = value;
        }
        moved += line_moved;
        size += line_size;
    }
    Py_END_ALLOW_THREADS;
    result = Py_BuildValue("dd", moved, size);
done:
    while (held--) PyBuffer_Release(&views[held]);
    return result;
}

static PyMethodDef METHODS[] = {
    {"fill", fill, METH_VARARGS,
     "fill(block, new_scores, new_axes, old_scores, old_axes): replace NaN by the new model; returns the sum of squared "
     "differences from the old model and the old model's sum of squares, over these cells."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_imputation", "Filling missing cells from low-rank models.", 0, METHODS,
    NULL,                  NULL,          NULL,                                          NULL,
};

PyMODINIT_FUNC PyInit__imputation(void) { return PyModule_Create(&MODULE); }
