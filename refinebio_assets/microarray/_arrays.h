/* Arguments of the extension modules beside this file: C-contiguous arrays with a fixed type and number of dimensions. */
#ifndef REFINEBIO_ARRAYS_H
#define REFINEBIO_ARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* One argument: its name in messages, its type ('d' float64, 'Q' uint64, 'q' int64, 'i' int32, 'H' uint16, 'B' uint8),
 * its dimensions, and whether it is written to. */
typedef struct {
    const char *name;
    char kind;
    int ndim;
    int writable;
} Argument;

static int is_of_kind(const Py_buffer *view, char kind) {
    static const char *const FORMATS[] = {"dd", "QLQ", "qlq", "ii", "HH", "BB"}; /* kind, then the formats that are it */
    static const char SIZES[] = {8, 8, 8, 4, 2, 1};
    if (!view->format || !view->format[0] || view->format[1]) return 0;
    for (size_t i = 0; i < sizeof SIZES; i++)
        if (FORMATS[i][0] == kind) return view->itemsize == SIZES[i] && strchr(FORMATS[i] + 1, view->format[0]) != NULL;
    return 0;
}

static void release_arrays(Py_buffer *views, int count) {
    for (int i = 0; i < count; i++) PyBuffer_Release(&views[i]);
}

/* Fills views from the first `count` objects; -1 with a ValueError or TypeError and nothing held if one does not fit. */
static int get_arrays(PyObject *const *objects, const Argument *arguments, int count, Py_buffer *views) {
    for (int i = 0; i < count; i++) {
        int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (arguments[i].writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(objects[i], &views[i], flags) < 0) {
            release_arrays(views, i);
            return -1;
        }
        if (views[i].ndim != arguments[i].ndim || !is_of_kind(&views[i], arguments[i].kind)) {
            PyErr_Format(PyExc_ValueError, "%s does not have the type or the dimensions it should", arguments[i].name);
            release_arrays(views, i + 1);
            return -1;
        }
    }
    return 0;
}

/* Ends a call with a ValueError. */
static inline PyObject *refuse(Py_buffer *views, int count, const char *message) {
    release_arrays(views, count);
    PyErr_SetString(PyExc_ValueError, message);
    return NULL;
}

#endif
