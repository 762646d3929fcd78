/* Reads Salmon's quant.sf: one header line, then per transcript
 *
 *     Name <TAB> Length <TAB> EffectiveLength <TAB> TPM <TAB> NumReads <LF>
 *
 * (https://salmon.readthedocs.io/en/latest/file_formats.html#quantification-file).
 *
 * parse()  checks one file completely and gives its columns; it is the only place that words an error.
 * sum_by_gene()  is for the second and later files of an experiment: their first two columns are compared with those
 *                of the first file by memcmp, and the numbers go straight into per-gene sums. It answers False for
 *                anything unexpected; the caller then asks parse() what it is.
 *
 * Memory safety: both work on [text, end) where end[-1] is a line feed, so every scan over digits or names stops at
 * the latest there; nothing is read at or behind `end`, and rows are bounded by the size of the caller's arrays.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static const char HEADER[] = "Name\tLength\tEffectiveLength\tTPM\tNumReads";
#define HEADER_LENGTH ((Py_ssize_t)(sizeof(HEADER) - 1))
#define NUMBERS 4 /* Length, EffectiveLength, TPM, NumReads */

static PyObject *QuantSfError; /* QuantSfError(kind, line, column) */

/* 10^0 .. 10^22 are exact doubles, so m / 10^k is correctly rounded for m <= 2^53, k <= 22
 * (W. D. Clinger, How to read floating point numbers accurately, PLDI 1990). */
static const double POWER_OF_TEN[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_INTEGERS ((uint64_t)1 << 53)
#define LONGEST_NUMBER 1024

static int ends_field(char c) { return c == '\t' || c == '\n' || c == '\r'; }

/* Exponents, signs and long decimals; also tells what is wrong with a field. Returns NULL or the kind of error. */
static const char *slow_number(const char *start, const char *stop, double *value) {
    char digits[LONGEST_NUMBER + 1];
    size_t length = (size_t)(stop - start);
    if (length == 0 || length > LONGEST_NUMBER) return "not_a_number";
    memcpy(digits, start, length);
    digits[length] = '\0';
    const char *word = digits + (*digits == '-' || *digits == '+');
    if (PyOS_stricmp(word, "nan") == 0 || PyOS_stricmp(word, "inf") == 0 || PyOS_stricmp(word, "infinity") == 0)
        return "not_finite";
    if (strspn(digits, "0123456789+-.eE") != length) return "not_a_number";
    /* the locale-independent strtod of CPython sets exceptions, so it needs the GIL */
    PyGILState_STATE gil = PyGILState_Ensure();
    *value = PyOS_string_to_double(digits, NULL, NULL);
    int failed = PyErr_Occurred() != NULL;
    PyErr_Clear();
    PyGILState_Release(gil);
    if (failed) return "not_a_number";
    if (!isfinite(*value)) return "not_finite";
    if (*value < 0) return "negative";
    *value = fabs(*value); /* -0.0 */
    return NULL;
}

/* One number; *cursor is left on the character that ends the field. Returns NULL or the kind of error. */
static inline const char *number(const char **cursor, double *value) {
    const char *start = *cursor, *p = start, *point = NULL;
    uint64_t mantissa = 0;
    unsigned digit;
    while ((digit = (unsigned)((unsigned char)*p - '0')) <= 9) mantissa = mantissa * 10 + digit, p++;
    Py_ssize_t digits = p - start, decimals = 0;
    if (*p == '.') {
        point = ++p;
        while ((digit = (unsigned)((unsigned char)*p - '0')) <= 9) mantissa = mantissa * 10 + digit, p++;
        decimals = p - point;
        digits += decimals;
    }
    /* up to 19 digits cannot wrap around in 64 bits */
    if (digits > 0 && digits <= 19 && mantissa <= EXACT_INTEGERS && ends_field(*p)) {
        *cursor = p;
        *value = (double)mantissa / POWER_OF_TEN[decimals];
        return NULL;
    }
    while (!ends_field(*p)) p++;
    *cursor = p;
    return slow_number(start, p, value);
}

/* Steps over the tab between two fields. */
static inline int tab(const char **cursor) {
    if (**cursor != '\t') return 0;
    ++*cursor;
    return 1;
}

/* Steps over LF or CRLF. */
static inline int line_feed(const char **cursor) {
    const char *p = *cursor;
    if (*p == '\r') p++;
    if (*p != '\n') return 0;
    *cursor = p + 1;
    return 1;
}

/* The first character after the header line, or NULL. `end` is behind the last line feed. */
static const char *after_header(const char *text, const char *end) {
    if (end - text <= HEADER_LENGTH || memcmp(text, HEADER, HEADER_LENGTH) != 0) return NULL;
    const char *p = text + HEADER_LENGTH;
    /* a carriage return cannot be the last character, the one before `end` is a line feed */
    return line_feed(&p) ? p : NULL;
}

static const char *last_line_end(const char *text, Py_ssize_t size) {
    while (size > 0 && text[size - 1] != '\n') size--;
    return text + size;
}

/* What went wrong in which row (0-based) and which column (0-based, -1: the whole line). */
typedef struct {
    const char *kind;
    Py_ssize_t row;
    int column;
} Problem;

/* Reads the numbers of all rows; NULL in problem->kind when all is well. Returns the number of rows. No GIL needed. */
static Py_ssize_t parse_rows(const char *p, const char *end, double *columns, Py_ssize_t rows, Problem *problem) {
    Py_ssize_t row = 0;
    for (; p < end && row < rows; row++) {
        problem->row = row;
        problem->column = -1;
        const char *name = p;
        while (!ends_field(*p)) p++;
        if (p == name || *p == '\r') return problem->kind = "fields", row;
        for (int column = 0; column < NUMBERS; column++) {
            if (!tab(&p)) return problem->kind = "fields", row;
            problem->kind = number(&p, &columns[column * rows + row]);
            problem->column = column + 1;
            if (problem->kind != NULL) return row;
        }
        problem->column = -1;
        if (!line_feed(&p)) return problem->kind = "fields", row;
    }
    return p < end ? row + 1 : row; /* more rows than places: the caller compares */
}

static PyObject *fail(const char *kind, Py_ssize_t line, int column) {
    PyObject *arguments = Py_BuildValue("(sni)", kind, line, column);
    if (arguments != NULL) PyErr_SetObject(QuantSfError, arguments);
    Py_XDECREF(arguments);
    return NULL;
}

/* The Name column as a list of str, and "Name<TAB>Length<TAB>" of every row, back to back, with the end of each. */
static PyObject *names_and_prefixes(const char *p, const char *end, Py_ssize_t rows, int64_t *ends) {
    PyObject *names = PyList_New(rows);
    PyObject *prefixes = PyBytes_FromStringAndSize(NULL, end - p);
    if (names == NULL || prefixes == NULL) goto error;
    char *out = PyBytes_AS_STRING(prefixes);
    int64_t filled = 0;
    for (Py_ssize_t row = 0; row < rows; row++) {
        const char *first = memchr(p, '\t', (size_t)(end - p));
        const char *second = memchr(first + 1, '\t', (size_t)(end - first - 1));
        PyObject *name = PyUnicode_DecodeUTF8(p, first - p, "strict");
        if (name == NULL) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) fail("not_text", row + 2, 0);
            goto error;
        }
        PyList_SET_ITEM(names, row, name);
        size_t length = (size_t)(second + 1 - p);
        memcpy(out + filled, p, length);
        filled += (int64_t)length;
        ends[row] = filled;
        p = (const char *)memchr(second, '\n', (size_t)(end - second)) + 1;
    }
    if (_PyBytes_Resize(&prefixes, filled) < 0) goto error;
    return Py_BuildValue("(NN)", names, prefixes);
error:
    Py_XDECREF(names);
    Py_XDECREF(prefixes);
    return NULL;
}

static PyObject *parse(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *data, *result = NULL; /* bytes: no other thread can change them */
    Py_buffer columns, ends;
    if (!PyArg_ParseTuple(args, "Sw*w*:parse", &data, &columns, &ends)) return NULL;
    const char *text = PyBytes_AS_STRING(data), *end = last_line_end(text, PyBytes_GET_SIZE(data));
    const char *body = after_header(text, end);
    Py_ssize_t rows = columns.len / (Py_ssize_t)(NUMBERS * sizeof(double)), read;
    Problem problem = {NULL, 0, -1};
    if (rows * (Py_ssize_t)sizeof(int64_t) > ends.len) {
        PyErr_SetString(PyExc_ValueError, "prefix_ends is shorter than the columns");
    } else if (PyBytes_GET_SIZE(data) == 0) {
        fail("empty", 1, -1);
    } else if (body == NULL) {
        fail("header", 1, -1);
    } else {
        Py_BEGIN_ALLOW_THREADS
        read = parse_rows(body, end, columns.buf, rows, &problem);
        Py_END_ALLOW_THREADS
        if (problem.kind != NULL) fail(problem.kind, problem.row + 2, problem.column);
        else if (end != text + PyBytes_GET_SIZE(data)) fail("truncated", read + 2, -1);
        else if (read == 0) fail("no_rows", 2, -1);
        else if (read != rows) PyErr_SetString(PyExc_ValueError, "the arrays do not have one place per row");
        else result = names_and_prefixes(body, end, rows, ends.buf);
    }
    PyBuffer_Release(&columns);
    PyBuffer_Release(&ends);
    return result;
}

/* Where the effective length of a row begins, or NULL if the row is about another transcript. */
static inline const char *after_prefix(const char *p, const char *end, const char *prefix, size_t length) {
    if ((size_t)(end - p) > length && memcmp(p, prefix, length) == 0) return p + length;
    const char *name_end = memchr(prefix, '\t', length); /* same name, but Length written differently? */
    double ignored;
    if (name_end == NULL) return NULL;
    size_t name = (size_t)(name_end + 1 - prefix);
    if ((size_t)(end - p) <= name || memcmp(p, prefix, name) != 0) return NULL;
    p += name;
    return number(&p, &ignored) == NULL && tab(&p) ? p : NULL;
}

/* sums is (genes, 4): TPM, NumReads, TPM x EffectiveLength, EffectiveLength. */
static int sum_rows(const char *p, const char *end, const char *prefixes, const int64_t *ends, const int32_t *gene_of_row,
                    Py_ssize_t rows, double *sums) {
    int64_t start = 0;
    for (Py_ssize_t row = 0; row < rows; row++) {
        double length, tpm, reads;
        p = after_prefix(p, end, prefixes + start, (size_t)(ends[row] - start));
        if (p == NULL || number(&p, &length) != NULL || !tab(&p) || number(&p, &tpm) != NULL || !tab(&p) ||
            number(&p, &reads) != NULL || !line_feed(&p))
            return 0;
        start = ends[row];
        double *gene = sums + (Py_ssize_t)gene_of_row[row] * 4;
        gene[0] += tpm;
        gene[1] += reads;
        gene[2] += tpm * length;
        gene[3] += length;
    }
    return p == end;
}

/* The arrays come from our own Python side; they are checked all the same, since a wrong index would write anywhere. */
static int fits(Py_ssize_t prefixes, const Py_buffer *ends, const Py_buffer *genes, const Py_buffer *sums) {
    Py_ssize_t rows = genes->len / (Py_ssize_t)sizeof(int32_t);
    Py_ssize_t places = sums->len / (Py_ssize_t)(4 * sizeof(double));
    const int64_t *end_of = ends->buf;
    const int32_t *gene = genes->buf;
    if (ends->len != rows * (Py_ssize_t)sizeof(int64_t)) return 0;
    int64_t previous = 0;
    for (Py_ssize_t row = 0; row < rows; row++) {
        if (gene[row] < 0 || gene[row] >= places || end_of[row] <= previous) return 0;
        previous = end_of[row];
    }
    return previous <= prefixes;
}

static PyObject *sum_by_gene(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *data, *prefixes;
    Py_buffer ends, genes, sums;
    if (!PyArg_ParseTuple(args, "SSy*y*w*:sum_by_gene", &data, &prefixes, &ends, &genes, &sums)) return NULL;
    const char *text = PyBytes_AS_STRING(data), *prefix = PyBytes_AS_STRING(prefixes);
    Py_ssize_t size = PyBytes_GET_SIZE(data), rows = genes.len / (Py_ssize_t)sizeof(int32_t);
    int same = 0, fit;
    Py_BEGIN_ALLOW_THREADS
    fit = fits(PyBytes_GET_SIZE(prefixes), &ends, &genes, &sums);
    const char *end = last_line_end(text, size), *body = after_header(text, end);
    if (fit && body != NULL && end == text + size) {
        memset(sums.buf, 0, (size_t)sums.len);
        same = sum_rows(body, end, prefix, ends.buf, genes.buf, rows, sums.buf);
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&ends);
    PyBuffer_Release(&genes);
    PyBuffer_Release(&sums);
    if (!fit) return PyErr_SetString(PyExc_ValueError, "prefix_ends, gene_of_row and sums do not fit together"), NULL;
    return PyBool_FromLong(same);
}

static PyMethodDef METHODS[] = {
    {"parse", parse, METH_VARARGS, "parse(data, columns, prefix_ends) -> (names, prefixes)"},
    {"sum_by_gene", sum_by_gene, METH_VARARGS,
     "sum_by_gene(data, prefixes, prefix_ends, gene_of_row, sums) -> bool: the rows are those of the first file"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_quant_sf",
    .m_doc = "Byte parser of Salmon's quant.sf, fused with the per-gene sums.",
    .m_size = -1,
    .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__quant_sf(void) {
    PyObject *module = PyModule_Create(&MODULE);
    if (module == NULL) return NULL;
    QuantSfError = PyErr_NewException("refinebio_assets.rna_seq._quant_sf.QuantSfError", PyExc_ValueError, NULL);
    if (QuantSfError == NULL || PyModule_AddObjectRef(module, "QuantSfError", QuantSfError) < 0) {
        Py_XDECREF(QuantSfError);
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
