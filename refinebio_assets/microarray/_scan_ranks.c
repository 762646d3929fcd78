/* Ranks of probes for SCAN: bins of equal size, standardising in groups of similar background, trimmed means.
 *
 * quantile_bins()    a bin per value, between the values at equally spaced ranks
 * standardize()      residuals divided by the root mean square of their group; groups are runs of the sorted fitted values
 * trimmed_means()    mean without a share of the lowest and highest values, per probe set
 *
 * No array is sorted as a whole: values are counted into buckets of equal width, and only the buckets that hold a wanted
 * rank are sorted. Equal values keep the order of their places, as in a stable sort.
 */
#include "_arrays.h"
#include <math.h>
#include <stdlib.h>

#define MOST_BINS 256
#define FEW_VALUES 32 /* insertion sort up to here */

/* ---- elements at given ranks ---- */

typedef struct {
    double value;
    uint32_t place;
} Element;

typedef struct {
    double low, scale;
    uint32_t buckets;
    uint32_t *before;  /* per bucket: how many of the elements lie in lower buckets */
    Element *elements; /* at the wanted ranks, ascending */
} Cuts;

static inline uint32_t bucket_of(const Cuts *cuts, double value) { return (uint32_t)((value - cuts->low) * cuts->scale); }

static int by_value_then_place(const void *left, const void *right) {
    const Element *a = left, *b = right;
    if (a->value != b->value) return a->value < b->value ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int set_scale(Cuts *cuts, const double *values, size_t n) {
    double low = values[0], high = values[0];
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) return 0;
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    cuts->buckets = n > 100000 ? 1u << 16 : 1u << 12;
    cuts->low = low;
    cuts->scale = ((double)cuts->buckets - 1.0) / (high - low);
    if (!isfinite(cuts->scale) || !isfinite(high - low)) cuts->scale = 0.0; /* all in one bucket */
    return 1;
}

/* Copies the members of every bucket that holds a wanted rank, sorts them, picks the elements. starts: per bucket. */
static void pick(Cuts *cuts, const double *values, size_t n, const int64_t *ranks, size_t wanted, const uint32_t *starts,
                 uint32_t *slots, Element *members) {
    uint32_t filled = 0, bucket = 0;
    memset(slots, 0xff, cuts->buckets * sizeof *slots);
    for (size_t k = 0; k < wanted; k++) {
        while (starts[bucket + 1] <= ranks[k]) {
            bucket++;
            cuts->before[bucket] = (uint32_t)k;
        }
        if (slots[bucket] != UINT32_MAX) continue;
        slots[bucket] = filled;
        filled += starts[bucket + 1] - starts[bucket];
    }
    for (uint32_t rest = bucket + 1; rest < cuts->buckets; rest++) cuts->before[rest] = (uint32_t)wanted;
    for (size_t i = 0; i < n; i++) {
        uint32_t *slot = &slots[bucket_of(cuts, values[i])];
        if (*slot == UINT32_MAX) continue;
        members[*slot].value = values[i];
        members[(*slot)++].place = (uint32_t)i;
    }
    bucket = 0;
    uint32_t sorted = UINT32_MAX;
    for (size_t k = 0; k < wanted; k++) {
        while (starts[bucket + 1] <= ranks[k]) bucket++;
        uint32_t size = starts[bucket + 1] - starts[bucket], first = slots[bucket] - size;
        if (sorted != bucket) qsort(members + first, size, sizeof *members, by_value_then_place);
        sorted = bucket;
        cuts->elements[k] = members[first + (uint32_t)(ranks[k] - starts[bucket])];
    }
}

static void free_cuts(Cuts *cuts) {
    PyMem_RawFree(cuts->before);
    PyMem_RawFree(cuts->elements);
}

/* Ranks are 0-based, ascending and below n. NULL, or what is wrong; then nothing is held. Needs no GIL. */
static const char *find_cuts(Cuts *cuts, const double *values, size_t n, const int64_t *ranks, size_t wanted) {
    cuts->before = NULL;
    cuts->elements = NULL;
    if (n == 0 || n >= UINT32_MAX) return "there must be values, and fewer than 2^32";
    for (size_t k = 0; k < wanted; k++)
        if (ranks[k] < 0 || ranks[k] >= (int64_t)n || (k > 0 && ranks[k] < ranks[k - 1])) return "ranks must ascend";
    if (!set_scale(cuts, values, n)) return "values must be finite";
    uint32_t *starts = PyMem_RawCalloc((size_t)cuts->buckets + 2, sizeof *starts);
    uint32_t *slots = PyMem_RawMalloc(cuts->buckets * sizeof *slots);
    Element *members = PyMem_RawMalloc(n * sizeof *members);
    cuts->before = PyMem_RawCalloc(cuts->buckets, sizeof *cuts->before);
    cuts->elements = PyMem_RawMalloc((wanted + 1) * sizeof *cuts->elements);
    const char *problem = "out of memory";
    if (starts && slots && members && cuts->before && cuts->elements) {
        for (size_t i = 0; i < n; i++) starts[bucket_of(cuts, values[i]) + 1]++;
        for (uint32_t b = 0; b < cuts->buckets; b++) starts[b + 1] += starts[b];
        pick(cuts, values, n, ranks, wanted, starts, slots, members);
        problem = NULL;
    }
    PyMem_RawFree(starts);
    PyMem_RawFree(slots);
    PyMem_RawFree(members);
    if (problem) free_cuts(cuts);
    return problem;
}

/* ---- bins ---- */

/* Bins as SCAN.UPC has them: as many as values at the ranks floor(n k / bins) - 1 lie below. */
static const char *bins_of(const double *values, size_t n, size_t bins, uint8_t *bin, size_t *used) {
    int64_t ranks[MOST_BINS];
    size_t wanted = 0, counts[MOST_BINS + 1] = {0};
    for (size_t k = 1; k <= bins; k++)
        if (n * k / bins > 0) ranks[wanted++] = (int64_t)(n * k / bins) - 1;
    Cuts cuts;
    const char *problem = find_cuts(&cuts, values, n, ranks, wanted);
    if (problem) return problem;
    for (size_t i = 0; i < n; i++) {
        size_t below = cuts.before[bucket_of(&cuts, values[i])];
        while (below < wanted && cuts.elements[below].value < values[i]) below++;
        bin[i] = (uint8_t)below;
        counts[below]++;
    }
    *used = 0;
    for (size_t k = 0; k <= bins; k++) *used += counts[k] > 0;
    free_cuts(&cuts);
    return NULL;
}

/* ---- groups ---- */

typedef struct {
    double squares;
    double members;
} Group;

/* Probe i belongs to group g when g of the elements at `starts` do not come after it. With `as_scan_upc` the probes before
 * the first start get 0, and the first probe of a group also counts in the mean square of the group before. */
static const char *standardize_groups(const double *y, const double *fitted, size_t n, const int64_t *starts,
                                      size_t wanted, int as_scan_upc, double *out) {
    Cuts cuts;
    const char *problem = find_cuts(&cuts, fitted, n, starts, wanted);
    if (problem) return problem;
    Group *groups = PyMem_RawCalloc(wanted + 1, sizeof *groups);
    uint32_t *group_of = PyMem_RawMalloc(n * sizeof *group_of);
    if (groups && group_of) {
        for (size_t i = 0; i < n; i++) {
            size_t group = cuts.before[bucket_of(&cuts, fitted[i])];
            Element self = {fitted[i], (uint32_t)i};
            while (group < wanted && by_value_then_place(&cuts.elements[group], &self) <= 0) group++;
            double residual = y[i] - fitted[i];
            group_of[i] = (uint32_t)group;
            groups[group].squares += residual * residual;
            groups[group].members += 1.0;
        }
        for (size_t k = 1; as_scan_upc && k < wanted; k++) {
            uint32_t place = cuts.elements[k].place;
            double residual = y[place] - fitted[place];
            groups[k].squares += residual * residual;
            groups[k].members += 1.0;
        }
        for (size_t k = 0; k <= wanted; k++) groups[k].squares = sqrt(groups[k].squares / groups[k].members);
        if (as_scan_upc) groups[0].squares = 0.0;
        for (size_t i = 0; i < n; i++) {
            double deviation = groups[group_of[i]].squares;
            out[i] = deviation > 0.0 ? (y[i] - fitted[i]) / deviation : 0.0;
        }
    } else {
        problem = "out of memory";
    }
    PyMem_RawFree(groups);
    PyMem_RawFree(group_of);
    free_cuts(&cuts);
    return problem;
}

/* ---- trimmed means ---- */

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void sort_values(double *values, size_t n) {
    if (n > FEW_VALUES) {
        qsort(values, n, sizeof *values, by_value);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        double value = values[i];
        size_t j = i;
        for (; j > 0 && values[j - 1] > value; j--) values[j] = values[j - 1];
        values[j] = value;
    }
}

/* Mean in two passes, the second over the deviations from the first, as R's mean(). */
static double mean_of(const double *values, size_t n) {
    double sum = 0.0, rest = 0.0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) rest += values[i] - mean;
    return mean + rest / (double)n;
}

static const char *trimmed(const double *values, size_t n, const int32_t *members, size_t listed, const int64_t *starts,
                           size_t sets, double share, double *means) {
    size_t largest = 1;
    if (starts[0] != 0 || starts[sets] != (int64_t)listed) return "starts must cover the members";
    for (size_t s = 0; s < sets; s++) {
        if (starts[s + 1] < starts[s] || starts[s + 1] > (int64_t)listed) return "starts must ascend";
        size_t size = (size_t)(starts[s + 1] - starts[s]);
        largest = size > largest ? size : largest;
    }
    for (size_t i = 0; i < listed; i++)
        if (members[i] < 0 || (size_t)members[i] >= n) return "no such probe";
    double *kept = PyMem_RawMalloc(largest * sizeof *kept);
    if (!kept) return "out of memory";
    for (size_t s = 0; s < sets; s++) {
        size_t size = (size_t)(starts[s + 1] - starts[s]), cut = (size_t)floor((double)size * share);
        for (size_t i = 0; i < size; i++) kept[i] = values[members[starts[s] + (int64_t)i]];
        if (cut > 0) sort_values(kept, size);
        means[s] = size ? mean_of(kept + cut, size - 2 * cut) : NAN;
    }
    PyMem_RawFree(kept);
    return NULL;
}

/* ---- what Python calls ---- */

static PyObject *finish(Py_buffer *views, int count, const char *problem) {
    release_arrays(views, count);
    if (!problem) Py_RETURN_NONE;
    PyErr_SetString(strcmp(problem, "out of memory") == 0 ? PyExc_MemoryError : PyExc_ValueError, problem);
    return NULL;
}

static PyObject *quantile_bins(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {{"values", 'd', 1, 0}, {"bins", 'B', 1, 1}};
    Py_buffer views[2];
    if (given != 3) return PyErr_Format(PyExc_TypeError, "3 arguments are needed");
    long bins = PyLong_AsLong(objects[2]);
    if (bins == -1 && PyErr_Occurred()) return NULL;
    if (get_arrays(objects, arguments, 2, views) < 0) return NULL;
    size_t n = (size_t)views[0].shape[0], used = 0;
    if (views[1].shape[0] != views[0].shape[0] || bins < 1 || bins >= MOST_BINS)
        return finish(views, 2, "bins must have one entry per value, and be fewer than 256");
    const char *problem;
    Py_BEGIN_ALLOW_THREADS;
    problem = bins_of(views[0].buf, n, (size_t)bins, views[1].buf, &used);
    Py_END_ALLOW_THREADS;
    PyObject *done = finish(views, 2, problem);
    Py_XDECREF(done);
    return done ? PyLong_FromSize_t(used) : NULL;
}

static PyObject *standardize(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {
        {"y", 'd', 1, 0}, {"fitted", 'd', 1, 0}, {"out", 'd', 1, 1}, {"starts", 'q', 1, 0}};
    Py_buffer views[4];
    if (given != 5) return PyErr_Format(PyExc_TypeError, "5 arguments are needed");
    int as_scan_upc = PyObject_IsTrue(objects[4]);
    if (as_scan_upc < 0) return NULL;
    if (get_arrays(objects, arguments, 4, views) < 0) return NULL;
    Py_ssize_t n = views[0].shape[0];
    if (views[1].shape[0] != n || views[2].shape[0] != n)
        return finish(views, 4, "the arrays must have one entry per probe");
    const char *problem;
    Py_BEGIN_ALLOW_THREADS;
    problem = standardize_groups(views[0].buf, views[1].buf, (size_t)n, views[3].buf, (size_t)views[3].shape[0],
                                 as_scan_upc, views[2].buf);
    Py_END_ALLOW_THREADS;
    return finish(views, 4, problem);
}

static PyObject *trimmed_means(PyObject *Py_UNUSED(module), PyObject *const *objects, Py_ssize_t given) {
    static const Argument arguments[] = {
        {"values", 'd', 1, 0}, {"members", 'i', 1, 0}, {"starts", 'q', 1, 0}, {"means", 'd', 1, 1}};
    Py_buffer views[4];
    if (given != 5) return PyErr_Format(PyExc_TypeError, "5 arguments are needed");
    double share = PyFloat_AsDouble(objects[4]);
    if (share == -1.0 && PyErr_Occurred()) return NULL;
    if (get_arrays(objects, arguments, 4, views) < 0) return NULL;
    if (views[2].shape[0] != views[3].shape[0] + 1 || !(share >= 0.0 && share < 0.5))
        return finish(views, 4, "there must be one start more than means, and a share below 0.5");
    const char *problem;
    Py_BEGIN_ALLOW_THREADS;
    problem = trimmed(views[0].buf, (size_t)views[0].shape[0], views[1].buf, (size_t)views[1].shape[0], views[2].buf,
                      (size_t)views[3].shape[0], share, views[3].buf);
    Py_END_ALLOW_THREADS;
    return finish(views, 4, problem);
}

#define METHOD(NAME, FUNCTION, DOC) {NAME, (PyCFunction)(void (*)(void))FUNCTION, METH_FASTCALL, DOC}
static PyMethodDef METHODS[] = {
    METHOD("quantile_bins", quantile_bins, "quantile_bins(values, bins, number): how many bins are not empty."),
    METHOD("standardize", standardize, "standardize(y, fitted, out, starts, as_scan_upc): scaled residuals."),
    METHOD("trimmed_means", trimmed_means, "trimmed_means(values, members, starts, means, share): one per set."),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_scan_ranks", "Ranks of probes for SCAN.", 0, METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__scan_ranks(void) { return PyModule_Create(&MODULE); }
