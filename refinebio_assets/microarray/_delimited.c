/* Columns of delimited text: the cell tables of CEL and CDF files, probe tables, PGF files.
 *
 * parse_rows()   reads numbers and the places of texts from lines into arrays of the caller.
 * encode()       gives every distinct text a number, in the order of first appearance.
 * fixed_width()  copies letters (sequences) into a matrix of bytes, in upper case.
 *
 * Memory safety: a line is [p, line_end) with line_end <= data + stop; every scan is bounded by it. Rows are bounded by
 * the arrays of the caller, whose length and item size are checked before anything is written. Spans given to encode()
 * and fixed_width() are checked against the data.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MOST_COLUMNS 256
#define LONGEST_NUMBER 64

static PyObject *DelimitedError; /* DelimitedError(kind, offset of the line, field) */

/* 10^0 .. 10^22 are exact doubles, so m / 10^k is correctly rounded for m <= 2^53, k <= 22
 * (W. D. Clinger, How to read floating point numbers accurately, PLDI 1990). */
static const double POWER_OF_TEN[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_INTEGERS ((uint64_t)1 << 53)

static inline int is_blank(char c) { return c == ' ' || c == '\t'; }

/* An integer within [low, high]; NULL or the kind of error. */
static const char *integer(const char *p, const char *end, int64_t low, int64_t high, int64_t *value) {
    int negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return "not_a_number";
    int64_t sum = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)((unsigned char)*p - '0');
        if (digit > 9) return "not_a_number";
        if (sum <= INT32_MAX) sum = sum * 10 + digit; /* beyond that it is out of range whatever follows */
    }
    *value = negative ? -sum : sum;
    return *value < low || *value > high ? "out_of_range" : NULL;
}

/* Signs, exponents and long decimals; also tells what is wrong. */
static const char *slow_number(const char *start, const char *end, double *value) {
    char digits[LONGEST_NUMBER + 1];
    size_t length = (size_t)(end - start);
    if (length == 0 || length > LONGEST_NUMBER) return "not_a_number";
    memcpy(digits, start, length);
    digits[length] = '\0';
    const char *word = digits + (*digits == '-' || *digits == '+');
    if (PyOS_strnicmp(word, "nan", 3) == 0 || PyOS_strnicmp(word, "inf", 3) == 0 || strchr(word, '#') != NULL)
        return "not_finite"; /* 1.#INF, 1.#QNAN: what Windows' C library writes */
    if (strspn(digits, "0123456789+-.eE") != length) return "not_a_number";
    *value = PyOS_string_to_double(digits, NULL, NULL);
    if (*value == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return "not_a_number";
    }
    return NULL;
}

static const char *number(const char *start, const char *end, double *value) {
    const char *p = start, *point = NULL;
    uint64_t mantissa = 0;
    unsigned digit;
    if (end - start > 19) return slow_number(start, end, value); /* 19 digits cannot wrap around in 64 bits */
    for (; p < end; p++) {
        if ((digit = (unsigned)((unsigned char)*p - '0')) <= 9)
            mantissa = mantissa * 10 + digit;
        else if (*p == '.' && point == NULL)
            point = p + 1;
        else
            return slow_number(start, end, value);
    }
    if (end - start <= (point != NULL) || mantissa > EXACT_INTEGERS) return slow_number(start, end, value);
    *value = (double)mantissa / POWER_OF_TEN[point == NULL ? 0 : end - point];
    return NULL;
}

/* One field into row `row` of its column; NULL or the kind of error. */
static const char *store(char kind, char *column, Py_ssize_t row, const char *start, const char *end,
                         const char *data) {
    int64_t whole;
    double real;
    const char *problem;
    switch (kind) {
    case 'i':
        if ((problem = integer(start, end, INT32_MIN, INT32_MAX, &whole)) != NULL) return problem;
        ((int32_t *)column)[row] = (int32_t)whole;
        return NULL;
    case 'v': { /* key=value */
        const char *sign = memchr(start, '=', (size_t)(end - start));
        if (sign == NULL) return "no_key";
        if ((problem = integer(sign + 1, end, INT32_MIN, INT32_MAX, &whole)) != NULL) return problem;
        ((int32_t *)column)[row] = (int32_t)whole;
        return NULL;
    }
    case 'h':
        if ((problem = integer(start, end, INT16_MIN, INT16_MAX, &whole)) != NULL) return problem;
        ((int16_t *)column)[row] = (int16_t)whole;
        return NULL;
    case 'f':
        if ((problem = number(start, end, &real)) != NULL) return problem;
        if (!(fabs(real) <= FLT_MAX)) return "not_finite";
        ((float *)column)[row] = (float)real;
        return NULL;
    case 'c':
        if (end - start > 1) return "not_one_letter";
        column[row] = end == start ? 0 : *start;
        return NULL;
    default: /* 's' */
        ((int32_t *)column)[2 * row] = (int32_t)(start - data);
        ((int32_t *)column)[2 * row + 1] = (int32_t)(end - data);
        return NULL;
    }
}

typedef struct {
    const char *kinds;
    Py_ssize_t fields;
    char *columns[MOST_COLUMNS];
    unsigned char separates[256];
    int runs; /* blanks separate, any number of them; otherwise each separator ends a field */
} Layout;

/* All fields of one line; NULL or the kind of error, with *field the one at fault. */
static const char *line_fields(const Layout *layout, Py_ssize_t row, const char *p, const char *end, const char *data,
                               Py_ssize_t *field) {
    for (*field = 0; *field < layout->fields; (*field)++) {
        const char *start, *stop;
        if (layout->runs) {
            while (p < end && is_blank(*p)) p++;
            if (p == end) return "fields";
            for (start = p; p < end && !is_blank(*p);) p++;
            stop = p;
        } else {
            if (p > end) return "fields";
            for (start = p; p < end && !layout->separates[(unsigned char)*p];) p++;
            stop = p++; /* behind the separator; behind the end if there was none */
            while (start < stop && is_blank(*start)) start++;
            while (stop > start && is_blank(stop[-1])) stop--;
        }
        char kind = layout->kinds[*field];
        if (kind == '-') continue;
        const char *problem = store(kind, layout->columns[*field], row, start, stop, data);
        if (problem != NULL) return problem;
    }
    return NULL;
}

static PyObject *fail(const char *kind, Py_ssize_t offset, Py_ssize_t field) {
    PyObject *arguments = Py_BuildValue("(snn)", kind, offset, field);
    if (arguments != NULL) {
        PyErr_SetObject(DelimitedError, arguments);
        Py_DECREF(arguments);
    }
    return NULL;
}

static Py_ssize_t item_size(char kind) {
    switch (kind) {
    case 'i': case 'v': case 'f': return 4;
    case 'h': return 2;
    case 'c': return 1;
    case 's': return 8;
    default: return 0;
    }
}

/* Lines one behind the other, or at the places in `starts`. Returns rows read, and the offset behind the last one. */
static PyObject *read_lines(const Layout *layout, const char *data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t rows,
                            const int64_t *starts) {
    Py_ssize_t row = 0, offset = start, field = 0;
    for (; row < rows; row++) {
        if (starts != NULL) {
            offset = (Py_ssize_t)starts[row];
            if (offset < 0 || offset > stop) return PyErr_Format(PyExc_ValueError, "a line begins outside the data");
        }
        if (offset >= stop) break;
        const char *line = data + offset;
        const char *feed = memchr(line, '\n', (size_t)(stop - offset));
        const char *end = feed == NULL ? data + stop : feed;
        if (end > line && end[-1] == '\r') end--;
        if (starts == NULL && (end == line || *line == '[')) break; /* the table ends at a blank line or a section */
        const char *problem = line_fields(layout, row, line, end, data, &field);
        if (problem != NULL) return fail(problem, offset, field);
        offset = feed == NULL ? stop : feed - data + 1;
    }
    return Py_BuildValue("(nn)", row, offset);
}

static PyObject *parse_rows(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer data, separators, kinds, arrays[MOST_COLUMNS], starts = {0};
    PyObject *columns, *start_places, *result = NULL;
    Py_ssize_t start, stop, rows, taken = 0, wanted = 0;
    if (!PyArg_ParseTuple(args, "y*nny*y*O!nO", &data, &start, &stop, &separators, &kinds, &PyTuple_Type, &columns,
                          &rows, &start_places))
        return NULL;
    Layout layout = {.kinds = kinds.buf, .fields = kinds.len, .runs = separators.len == 0};
    if (start < 0 || stop > data.len || start > stop || rows < 0 || data.len > INT32_MAX || kinds.len > MOST_COLUMNS) {
        PyErr_SetString(PyExc_ValueError, "the data, the number of rows or that of columns is out of bounds");
        goto done;
    }
    for (Py_ssize_t i = 0; i < separators.len; i++) layout.separates[((unsigned char *)separators.buf)[i]] = 1;
    for (Py_ssize_t i = 0; i < kinds.len; i++) {
        Py_ssize_t size = item_size(layout.kinds[i]);
        if (size == 0) continue;
        if (wanted++ >= PyTuple_GET_SIZE(columns)) break;
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(columns, wanted - 1), &arrays[taken], PyBUF_WRITABLE) < 0) goto done;
        taken++;
        if (arrays[taken - 1].len / size < rows) {
            PyErr_SetString(PyExc_ValueError, "an array has less room than there are rows");
            goto done;
        }
        layout.columns[i] = arrays[taken - 1].buf;
    }
    if (wanted != PyTuple_GET_SIZE(columns)) {
        PyErr_SetString(PyExc_ValueError, "as many arrays are needed as kinds that are stored");
        goto done;
    }
    if (start_places != Py_None) {
        if (PyObject_GetBuffer(start_places, &starts, PyBUF_SIMPLE) < 0) goto done;
        if (starts.len / 8 < rows) {
            PyErr_SetString(PyExc_ValueError, "there are less starts than rows");
            goto done;
        }
    }
    result = read_lines(&layout, data.buf, start, stop, rows, starts.buf);
done:
    for (Py_ssize_t i = 0; i < taken; i++) PyBuffer_Release(&arrays[i]);
    if (starts.obj != NULL) PyBuffer_Release(&starts);
    PyBuffer_Release(&data);
    PyBuffer_Release(&separators);
    PyBuffer_Release(&kinds);
    return result;
}

/* The places of `rows` texts, checked against the data. */
static int spans_are_within(const int32_t *spans, Py_ssize_t rows, Py_ssize_t length) {
    for (Py_ssize_t row = 0; row < rows; row++)
        if (spans[2 * row] < 0 || spans[2 * row + 1] < spans[2 * row] || spans[2 * row + 1] > length) {
            PyErr_SetString(PyExc_ValueError, "a text lies outside the data");
            return 0;
        }
    return 1;
}

/* The number of one text in `numbers`; -1 with an exception set. */
static int32_t number_of(PyObject *numbers, PyObject *names, const char *text, Py_ssize_t length, Py_ssize_t offset) {
    if (length == 0) {
        fail("no_name", offset, 0);
        return -1;
    }
    PyObject *name = PyUnicode_DecodeUTF8(text, length, NULL);
    if (name == NULL) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            PyErr_Clear();
            fail("not_text", offset, 0);
        }
        return -1;
    }
    int32_t code = -1;
    PyObject *known = PyDict_GetItemWithError(numbers, name);
    if (known != NULL) {
        code = (int32_t)PyLong_AsLong(known);
    } else if (!PyErr_Occurred()) {
        PyObject *fresh = PyLong_FromSsize_t(PyList_GET_SIZE(names));
        if (fresh != NULL && PyDict_SetItem(numbers, name, fresh) == 0 && PyList_Append(names, name) == 0)
            code = (int32_t)(PyList_GET_SIZE(names) - 1);
        Py_XDECREF(fresh);
    }
    Py_DECREF(name);
    return code;
}

static PyObject *encode(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer data, spans, codes;
    if (!PyArg_ParseTuple(args, "y*y*w*", &data, &spans, &codes)) return NULL;
    PyObject *names = PyList_New(0), *numbers = PyDict_New();
    Py_ssize_t rows = spans.len / 8;
    const int32_t *span = spans.buf;
    int32_t *out = codes.buf;
    const char *text = data.buf, *previous = NULL;
    Py_ssize_t previous_length = -1;
    int failed = names == NULL || numbers == NULL;
    if (!failed && codes.len / 4 < rows) {
        PyErr_SetString(PyExc_ValueError, "there is less room for codes than there are texts");
        failed = 1;
    }
    failed = failed || !spans_are_within(span, rows, data.len);
    for (Py_ssize_t row = 0; row < rows && !failed; row++) {
        const char *here = text + span[2 * row];
        Py_ssize_t length = span[2 * row + 1] - span[2 * row];
        if (length == previous_length && memcmp(here, previous, (size_t)length) == 0) {
            out[row] = out[row - 1]; /* probes of a set mostly follow each other */
            continue;
        }
        out[row] = number_of(numbers, names, here, length, span[2 * row]);
        failed = out[row] < 0;
        previous = here;
        previous_length = length;
    }
    if (failed) Py_CLEAR(names);
    Py_XDECREF(numbers);
    PyBuffer_Release(&data);
    PyBuffer_Release(&spans);
    PyBuffer_Release(&codes);
    return names;
}

static PyObject *fixed_width(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer data, spans, matrix;
    Py_ssize_t width;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*w*n", &data, &spans, &matrix, &width)) return NULL;
    Py_ssize_t rows = spans.len / 8, row = 0;
    const int32_t *span = spans.buf;
    if (width < 1 || (rows > 0 && matrix.len / width < rows)) {
        PyErr_SetString(PyExc_ValueError, "there is less room for letters than there are texts");
        goto done;
    }
    if (!spans_are_within(span, rows, data.len)) goto done;
    memset(matrix.buf, 0, (size_t)matrix.len);
    for (; row < rows; row++) {
        const char *text = (const char *)data.buf + span[2 * row];
        Py_ssize_t length = span[2 * row + 1] - span[2 * row];
        char *out = (char *)matrix.buf + row * width;
        if (length > width) {
            fail("too_long", span[2 * row], 0);
            goto done;
        }
        for (Py_ssize_t i = 0; i < length; i++) {
            char letter = text[i] & (char)0xDF; /* upper case */
            if (letter < 'A' || letter > 'Z' || (text[i] & (char)0x80)) {
                fail("not_a_sequence", span[2 * row], 0);
                goto done;
            }
            out[i] = letter;
        }
    }
    result = Py_NewRef(Py_None);
done:
    PyBuffer_Release(&data);
    PyBuffer_Release(&spans);
    PyBuffer_Release(&matrix);
    return result;
}

static PyMethodDef METHODS[] = {
    {"parse_rows", parse_rows, METH_VARARGS,
     "parse_rows(data, start, stop, separators, kinds, columns, rows, starts)\n--\n\n"
     "Read lines into columns: i int32, v int32 behind a key and =, h int16, f float32, c one letter,\n"
     "s place of a text, - nothing."},
    {"encode", encode, METH_VARARGS, "encode(data, spans, codes)\n--\n\nNumber distinct texts; the names, in order."},
    {"fixed_width", fixed_width, METH_VARARGS,
     "fixed_width(data, spans, matrix, width)\n--\n\nCopy letters in upper case, padded with zero bytes."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, .m_name = "_delimited", .m_size = -1, .m_methods = METHODS};

PyMODINIT_FUNC PyInit__delimited(void) {
    PyObject *module = PyModule_Create(&MODULE);
    if (module == NULL) return NULL;
    DelimitedError = PyErr_NewExceptionWithDoc("refinebio_assets.microarray._delimited.DelimitedError",
                                               "What is wrong: kind, offset in the data, field of the line.",
                                               PyExc_ValueError, NULL);
    if (DelimitedError == NULL || PyModule_AddObjectRef(module, "DelimitedError", DelimitedError) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
