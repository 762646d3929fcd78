/* Fits to the intensities of one array: local regression, and a normal background plus an exponential signal.
 *
 * lowess()            Cleveland's robust locally weighted regression (1979, 1981) as R's stats::lowess computes it
 * weighted_lowess()   the same with prior weights, as limma's weightedLowess computes it
 * fit_normexp()       normal + exponential by the saddle-point approximation and Nelder and Mead's simplex (Ritchie et al.
 *                     2007, Silver et al. 2009), as limma's normexp.fit(method = "saddle") computes it
 * normexp_likelihood() minus twice the exact log-likelihood, its gradient and Hessian
 * normexp_signal()    expected signal given the observed intensity
 *
 * Sums run from first to last in plain IEEE double precision (compiled without contraction to fused multiply-add):
 * where an iteration stops depends on the last bits of a sum, and so would the result.
 */
#include "_arrays.h"
#include <math.h>
#include <stdlib.h>

static Argument vector(const char *name, int writable) { return (Argument){name, 'd', 1, writable}; }

static Py_ssize_t length_of(const Py_buffer *view) { return view->len / (Py_ssize_t)sizeof(double); }

static int all_finite(const double *values, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++)
        if (!isfinite(values[i])) return 0;
    return 1;
}

static int is_ascending(const double *values, Py_ssize_t n) {
    for (Py_ssize_t i = 1; i < n; i++)
        if (values[i - 1] > values[i]) return 0;
    return 1;
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double cube(double value) { return value * value * value; }

static double square(double value) { return value * value; }

/* ---- lowess ---- */

typedef struct {
    const double *x, *y;
    Py_ssize_t n;
    double *fitted, *weights, *robustness;
} Smoother;

/* The fit at x[at] from the neighbours first ... last; 0 if all of them have weight zero. */
static int fit_locally(Smoother *s, Py_ssize_t at, Py_ssize_t first, Py_ssize_t last, int robust) {
    const double here = s->x[at];
    const double reach = fmax(here - s->x[first], s->x[last] - here);
    const double far = 0.999 * reach, near = 0.001 * reach;
    double total = 0.0;
    Py_ssize_t end = first;
    for (; end < s->n; end++) { /* ties at the right may lie beyond `last` */
        double distance = fabs(s->x[end] - here);
        s->weights[end] = 0.0;
        if (distance <= far) {
            s->weights[end] = distance <= near ? 1.0 : cube(1.0 - cube(distance / reach));
            if (robust) s->weights[end] *= s->robustness[end];
            total += s->weights[end];
        } else if (s->x[end] > here) {
            break;
        }
    }
    if (!(total > 0.0)) return 0;
    for (Py_ssize_t j = first; j < end; j++) s->weights[j] /= total;
    if (reach > 0.0) {
        double centre = 0.0, spread = 0.0;
        for (Py_ssize_t j = first; j < end; j++) centre += s->weights[j] * s->x[j];
        for (Py_ssize_t j = first; j < end; j++) spread += s->weights[j] * (s->x[j] - centre) * (s->x[j] - centre);
        if (sqrt(spread) > 0.001 * (s->x[s->n - 1] - s->x[0])) {
            double slope = (here - centre) / spread;
            for (Py_ssize_t j = first; j < end; j++) s->weights[j] *= slope * (s->x[j] - centre) + 1.0;
        }
    }
    double fit = 0.0;
    for (Py_ssize_t j = first; j < end; j++) fit += s->weights[j] * s->y[j];
    s->fitted[at] = fit;
    return 1;
}

/* One pass over the points: fits at points that are delta apart, straight lines in between. */
static void fit_everywhere(Smoother *s, Py_ssize_t neighbours, double delta, int robust) {
    Py_ssize_t first = 0, last = neighbours - 1, done = -1, at = 0;
    for (;;) {
        while (last < s->n - 1 && s->x[at] - s->x[first] > s->x[last + 1] - s->x[at]) {
            first++;
            last++;
        }
        if (!fit_locally(s, at, first, last, robust)) s->fitted[at] = s->y[at];
        if (done >= 0 && done < at - 1) {
            double width = s->x[at] - s->x[done];
            for (Py_ssize_t j = done + 1; j < at; j++) {
                double share = (s->x[j] - s->x[done]) / width;
                s->fitted[j] = share * s->fitted[at] + (1.0 - share) * s->fitted[done];
            }
        }
        done = at;
        double cut = s->x[done] + delta;
        for (at = done + 1; at < s->n && s->x[at] <= cut; at++)
            if (s->x[at] == s->x[done]) {
                s->fitted[at] = s->fitted[done];
                done = at;
            }
        at = done + 1 > at - 1 ? done + 1 : at - 1;
        if (done >= s->n - 1) return;
    }
}

/* Bisquare weights of the residuals; 0 if they are all as good as zero. */
static int weigh_residuals(Smoother *s) {
    double mean = 0.0;
    for (Py_ssize_t i = 0; i < s->n; i++) {
        s->weights[i] = fabs(s->y[i] - s->fitted[i]);
        s->robustness[i] = s->weights[i];
        mean += s->weights[i];
    }
    mean /= (double)s->n;
    qsort(s->robustness, (size_t)s->n, sizeof(double), compare_doubles);
    double upper = s->robustness[s->n / 2];
    double scale = s->n % 2 ? 6.0 * upper : 3.0 * (upper + s->robustness[s->n - s->n / 2 - 1]);
    if (scale < 1e-7 * mean) return 0;
    for (Py_ssize_t i = 0; i < s->n; i++) {
        double residual = s->weights[i];
        s->robustness[i] = residual <= 0.001 * scale   ? 1.0
                           : residual <= 0.999 * scale ? square(1.0 - square(residual / scale))
                                                       : 0.0;
    }
    return 1;
}

static void smooth(Smoother *s, double share, long repeats, double delta) {
    double wanted = share * (double)s->n + 1e-7;
    Py_ssize_t neighbours = wanted >= (double)s->n ? s->n : (Py_ssize_t)wanted;
    if (neighbours < 2) neighbours = 2;
    fit_everywhere(s, neighbours, delta, 0);
    while (repeats-- > 0 && weigh_residuals(s)) fit_everywhere(s, neighbours, delta, 1);
}

static PyObject *py_lowess(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[3];
    double share, delta;
    long repeats;
    if (!PyArg_ParseTuple(args, "OOdldO", &objects[0], &objects[1], &share, &repeats, &delta, &objects[2])) return NULL;
    const Argument expected[3] = {vector("x", 0), vector("y", 0), vector("fitted", 1)};
    Py_buffer views[3];
    if (get_arrays(objects, expected, 3, views) < 0) return NULL;
    Py_ssize_t n = length_of(&views[0]);
    PyObject *result = NULL;
    double *room = NULL;
    Smoother s = {views[0].buf, views[1].buf, n, views[2].buf, NULL, NULL};
    if (n != length_of(&views[1]) || n != length_of(&views[2]) || n < 2) {
        PyErr_SetString(PyExc_ValueError, "x, y and fitted must have one length of at least 2");
    } else if (!all_finite(s.x, n) || !all_finite(s.y, n) || !is_ascending(s.x, n)) {
        PyErr_SetString(PyExc_ValueError, "x and y must be finite, x ascending");
    } else if (!(share > 0.0) || !(delta >= 0.0) || repeats < 0) {
        PyErr_SetString(PyExc_ValueError, "span must be positive, delta and iterations not negative");
    } else if ((room = malloc(2 * (size_t)n * sizeof(double))) == NULL) {
        PyErr_NoMemory();
    } else {
        s.weights = room;
        s.robustness = room + n;
        Py_BEGIN_ALLOW_THREADS
        smooth(&s, share, repeats, delta);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    }
    free(room);
    release_arrays(views, 3);
    return result;
}

/* ---- lowess with prior weights ---- */

#define NEGLIGIBLE 1e-7

typedef struct {
    Py_ssize_t at, first, last;
    double reach;
} Window;

typedef struct {
    double size;
    Py_ssize_t place;
} Residual;

static int compare_residuals(const void *left, const void *right) {
    const Residual *a = left, *b = right;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

/* The nearest points around one that together have the weight asked for, ties included. */
static Window window_around(Py_ssize_t at, const double *x, const double *weights, Py_ssize_t n, double enough) {
    Window w = {at, at, at, 0.0};
    double weight = weights[at];
    while (weight < enough && (w.first > 0 || w.last < n - 1)) {
        double left = w.first > 0 ? x[at] - x[w.first - 1] : INFINITY;
        double right = w.last < n - 1 ? x[w.last + 1] - x[at] : INFINITY;
        weight += left < right ? weights[--w.first] : weights[++w.last];
        w.reach = fmax(w.reach, fmin(left, right));
    }
    while (w.first > 0 && x[w.first] == x[w.first - 1]) w.first--;
    while (w.last < n - 1 && x[w.last] == x[w.last + 1]) w.last++;
    return w;
}

static double fit_window(const Window *w, const double *x, const double *y, const double *prior, const double *robustness) {
    double total = 0.0, mean_x = 0.0, mean_y = 0.0, variance = 0.0, covariance = 0.0;
    const int flat = w->reach < NEGLIGIBLE;
#define WEIGHT(j) \
    ((flat ? 1.0 : cube(1.0 - cube(fabs(x[w->at] - x[j]) / w->reach))) * prior[j] * robustness[j])
    for (Py_ssize_t j = w->first; j <= w->last; j++) {
        double weight = WEIGHT(j);
        total += weight;
        mean_x += weight * x[j];
        mean_y += weight * y[j];
    }
    mean_x /= total;
    mean_y /= total;
    if (flat) return mean_y;
    for (Py_ssize_t j = w->first; j <= w->last; j++) {
        double weight = WEIGHT(j), off = x[j] - mean_x;
        variance += off * off * weight;
        covariance += off * (y[j] - mean_y) * weight;
    }
#undef WEIGHT
    if (variance < NEGLIGIBLE) return mean_y;
    double slope = covariance / variance;
    return slope * x[w->at] + (mean_y - slope * mean_x);
}

static void interpolate(const double *x, Py_ssize_t left, Py_ssize_t right, double least, double *fitted) {
    double width = x[right] - x[left], slope = (fitted[right] - fitted[left]) / width;
    double intercept = fitted[right] - slope * x[right], middle = 0.5 * (fitted[right] + fitted[left]);
    for (Py_ssize_t j = left + 1; j < right; j++) fitted[j] = width > least ? slope * x[j] + intercept : middle;
}

/* Six times the weighted median of the sorted residuals. */
static double weighted_scale(const Residual *sorted, const double *prior, Py_ssize_t n, double half) {
    double weight = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) {
        weight += prior[sorted[i].place];
        if (weight == half && i + 1 < n) return 3.0 * (sorted[i].size + sorted[i + 1].size);
        if (weight >= half) return 6.0 * sorted[i].size;
    }
    return 0.0;
}

static void smooth_weighted(const double *x, const double *y, const double *prior, Py_ssize_t n, const Window *windows,
                            Py_ssize_t count, long rounds, double *fitted, double *robustness, Residual *residuals) {
    double total = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) {
        total += prior[i];
        robustness[i] = 1.0;
    }
    const double least = NEGLIGIBLE * ((x[n - 1] - x[0]) / (double)n);
    while (rounds-- > 0) {
        for (Py_ssize_t k = 0; k < count; k++) {
            fitted[windows[k].at] = fit_window(&windows[k], x, y, prior, robustness);
            if (k > 0) interpolate(x, windows[k - 1].at, windows[k].at, least, fitted);
        }
        double mean = 0.0;
        for (Py_ssize_t i = 0; i < n; i++) {
            residuals[i] = (Residual){fabs(y[i] - fitted[i]), i};
            mean += residuals[i].size;
        }
        mean /= (double)n;
        qsort(residuals, (size_t)n, sizeof(Residual), compare_residuals);
        double scale = weighted_scale(residuals, prior, n, total / 2.0);
        if (!(scale > NEGLIGIBLE * mean)) return;
        for (Py_ssize_t i = 0; i < n; i++) {
            double ratio = residuals[i].size / scale;
            robustness[residuals[i].place] = residuals[i].size < scale ? square(1.0 - square(ratio)) : 0.0;
        }
    }
}

/* Points that are more than delta apart, the first and the last one always. */
static Py_ssize_t place_windows(const double *x, const double *prior, Py_ssize_t n, double span, double delta, Window *windows) {
    double total = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) total += prior[i];
    Py_ssize_t count = 0, previous = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        if (i == 0 || i == n - 1 || x[i] - x[previous] > delta) {
            windows[count++] = window_around(i, x, prior, n, total * span);
            previous = i;
        }
    return count;
}

static int are_weights(const double *values, Py_ssize_t n) {
    double total = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!isfinite(values[i]) || values[i] < 0.0) return 0;
        total += values[i];
    }
    return total > 0.0 && isfinite(total);
}

static PyObject *py_weighted_lowess(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[4];
    double span, delta;
    long rounds;
    if (!PyArg_ParseTuple(args, "OOOdldO", &objects[0], &objects[1], &objects[2], &span, &rounds, &delta, &objects[3]))
        return NULL;
    const Argument expected[4] = {vector("x", 0), vector("y", 0), vector("weights", 0), vector("fitted", 1)};
    Py_buffer views[4];
    if (get_arrays(objects, expected, 4, views) < 0) return NULL;
    const double *x = views[0].buf, *y = views[1].buf, *prior = views[2].buf;
    Py_ssize_t n = length_of(&views[0]);
    PyObject *result = NULL;
    Window *windows = NULL;
    Residual *residuals = NULL;
    double *robustness = NULL;
    if (n != length_of(&views[1]) || n != length_of(&views[2]) || n != length_of(&views[3]) || n < 2) {
        PyErr_SetString(PyExc_ValueError, "x, y, weights and fitted must have one length of at least 2");
    } else if (!all_finite(x, n) || !all_finite(y, n) || !is_ascending(x, n) || !are_weights(prior, n)) {
        PyErr_SetString(PyExc_ValueError, "x, y and weights must be finite, x ascending, weights not negative");
    } else if (!(span > 0.0) || !(delta >= 0.0) || rounds < 1) {
        PyErr_SetString(PyExc_ValueError, "span and iterations must be positive, delta not negative");
    } else {
        windows = malloc((size_t)n * sizeof *windows);
        residuals = malloc((size_t)n * sizeof *residuals);
        robustness = malloc((size_t)n * sizeof *robustness);
        if (!windows || !residuals || !robustness) {
            PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            Py_ssize_t count = place_windows(x, prior, n, span, delta, windows);
            smooth_weighted(x, y, prior, n, windows, count, rounds, views[3].buf, robustness, residuals);
            Py_END_ALLOW_THREADS
            result = Py_NewRef(Py_None);
        }
    }
    free(windows);
    free(residuals);
    free(robustness);
    release_arrays(views, 4);
    return result;
}

/* ---- normal background plus exponential signal ---- */

#define PARAMETERS 3 /* mean of the background, log of its standard deviation, log of the signal's mean */
#define MOST_NEWTON_STEPS 51
#define MOST_EVALUATIONS 500
#define SMALLEST_STEP 1e-10
#define TOLERANCE 1.490116e-08
#define NO_VALUE 1e35

static const double PI = 3.14159265358979323846;

/* Second-order saddle-point approximation of the log-density at x. */
static double saddle_log_density(double x, double mu, double sigma2, double alpha) {
    const double error = x - mu;
    const double bound = fmin(fmax(0.0, (error - alpha) / (alpha * fabs(error))), error / sigma2);
    const double a = sigma2 * alpha, b = -sigma2 - error * alpha, c = -alpha + error;
    double theta = fmin((-b - sqrt(b * b - 4.0 * c * a)) / (2.0 * a), bound);
    const double alpha2 = alpha * alpha, alpha3 = alpha * alpha2, alpha4 = alpha2 * alpha2;
    for (int step = 1; step <= MOST_NEWTON_STEPS; step++) { /* the saddle point: K'(theta) = x */
        double rest = 1.0 - alpha * theta;
        double first = mu + sigma2 * theta + alpha / rest, second = sigma2 + alpha2 / (rest * rest);
        double change = (x - first) / second;
        theta += change;
        if (step == 1) theta = fmin(theta, bound);
        if (fabs(change) < SMALLEST_STEP) break;
    }
    const double rest = 1.0 - alpha * theta, rest2 = rest * rest;
    const double k1 = mu * theta + 0.5 * sigma2 * theta * theta - log(rest);
    const double k2 = sigma2 + alpha2 / rest2;
    const double k3 = 2.0 * alpha3 / (rest * rest2);
    const double k4 = 6.0 * alpha4 / (rest2 * rest2);
    double density = -0.5 * log(2.0 * PI * k2) - x * theta + k1;
    density += k4 / (8.0 * k2 * k2) - (5.0 * k3 * k3) / (24.0 * k2 * k2 * k2);
    return density;
}

/* Scanners count: of 40,000 intensities some thousand are distinct. Each is computed once, the sum runs over all. */
typedef struct {
    const double *distinct;
    Py_ssize_t count;
    const int64_t *codes;
    Py_ssize_t n;
    double *densities; /* room for one per distinct intensity */
    int evaluations;
} Intensities;

/* Minus twice the log-likelihood; NO_VALUE where it is not finite. */
static double deviance(Intensities *data, const double *parameters) {
    const double sigma = exp(parameters[1]), alpha = exp(parameters[2]);
    double sum = 0.0;
    for (Py_ssize_t k = 0; k < data->count; k++)
        data->densities[k] = saddle_log_density(data->distinct[k], parameters[0], sigma * sigma, alpha);
    for (Py_ssize_t i = 0; i < data->n; i++) sum += data->densities[data->codes[i]];
    data->evaluations++;
    return isfinite(sum) ? -2.0 * sum : NO_VALUE;
}

typedef struct {
    double at[PARAMETERS], value;
} Vertex;

static void order_of_vertices(const Vertex *simplex, int *lowest, int *highest) {
    double low = simplex[*lowest].value, high = low;
    *highest = *lowest;
    for (int j = 0; j <= PARAMETERS; j++) {
        if (simplex[j].value < low) {
            *lowest = j;
            low = simplex[j].value;
        }
        if (simplex[j].value > high) {
            *highest = j;
            high = simplex[j].value;
        }
    }
}

static Vertex between(const double *one, double share, const double *other, double rest, Intensities *data) {
    Vertex made;
    for (int i = 0; i < PARAMETERS; i++) made.at[i] = share * one[i] + rest * other[i];
    made.value = deviance(data, made.at);
    return made;
}

/* Shrinks towards the lowest vertex; the new size, a sum of absolute differences. */
static double shrink(Vertex *simplex, int lowest, Intensities *data) {
    double size = 0.0;
    for (int j = 0; j <= PARAMETERS; j++) {
        if (j == lowest) continue;
        for (int i = 0; i < PARAMETERS; i++) {
            double low = simplex[lowest].at[i];
            simplex[j].at[i] = 0.5 * (simplex[j].at[i] - low) + low;
            size += fabs(simplex[j].at[i] - low);
        }
    }
    for (int j = 0; j <= PARAMETERS; j++)
        if (j != lowest) simplex[j].value = deviance(data, simplex[j].at);
    return size;
}

/* Replaces the highest vertex by a reflection, expansion or contraction; 0 if none of them is lower. */
static int move_highest(Vertex *simplex, int lowest, int highest, Intensities *data) {
    double centre[PARAMETERS];
    for (int i = 0; i < PARAMETERS; i++) {
        centre[i] = -simplex[highest].at[i];
        for (int j = 0; j <= PARAMETERS; j++) centre[i] += simplex[j].at[i];
        centre[i] /= PARAMETERS;
    }
    const double worst = simplex[highest].value;
    Vertex reflected = between(centre, 2.0, simplex[highest].at, -1.0, data);
    if (reflected.value < simplex[lowest].value) {
        Vertex expanded = between(reflected.at, 2.0, centre, -1.0, data);
        simplex[highest] = expanded.value < reflected.value ? expanded : reflected;
        return 1;
    }
    if (reflected.value < worst) simplex[highest] = reflected;
    Vertex contracted = between(simplex[highest].at, 0.5, centre, 0.5, data);
    if (contracted.value < simplex[highest].value) {
        simplex[highest] = contracted;
        return 1;
    }
    return reflected.value < worst;
}

/* Nash's version of the simplex (Compact Numerical Methods, algorithm 19), as R's optim has it; -1 without a start. */
static int minimise(Intensities *data, double *parameters, double *lowest_value) {
    Vertex simplex[PARAMETERS + 1];
    double step = 0.0, size = 0.0;
    memcpy(simplex[0].at, parameters, sizeof simplex[0].at);
    simplex[0].value = deviance(data, parameters);
    if (simplex[0].value == NO_VALUE) return -1;
    const double tolerance = TOLERANCE * (fabs(simplex[0].value) + TOLERANCE);
    for (int i = 0; i < PARAMETERS; i++) step = fmax(step, 0.1 * fabs(parameters[i]));
    if (step == 0.0) step = 0.1;
    for (int j = 1; j <= PARAMETERS; j++) {
        double tried = step;
        memcpy(simplex[j].at, parameters, sizeof simplex[j].at);
        for (; simplex[j].at[j - 1] == parameters[j - 1]; tried *= 10.0) simplex[j].at[j - 1] = parameters[j - 1] + tried;
        size += tried;
        simplex[j].value = deviance(data, simplex[j].at);
    }
    int lowest = 0, highest;
    do {
        order_of_vertices(simplex, &lowest, &highest);
        if (simplex[highest].value <= simplex[lowest].value + tolerance) break;
        if (!move_highest(simplex, lowest, highest, data)) {
            double shrunk = shrink(simplex, lowest, data);
            if (!(shrunk < size)) break;
            size = shrunk;
        }
    } while (data->evaluations <= MOST_EVALUATIONS);
    memcpy(parameters, simplex[lowest].at, sizeof simplex[lowest].at);
    *lowest_value = simplex[lowest].value;
    return data->evaluations <= MOST_EVALUATIONS;
}

static int are_places(const int64_t *codes, Py_ssize_t n, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < n; i++)
        if (codes[i] < 0 || codes[i] >= count) return 0;
    return 1;
}

static PyObject *py_fit_normexp(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[3];
    if (!PyArg_ParseTuple(args, "OOO", &objects[0], &objects[1], &objects[2])) return NULL;
    const Argument expected[3] = {vector("distinct", 0), {"codes", 'q', 1, 0}, vector("parameters", 1)};
    Py_buffer views[3];
    if (get_arrays(objects, expected, 3, views) < 0) return NULL;
    Intensities data = {views[0].buf, length_of(&views[0]), views[1].buf, length_of(&views[1]), NULL, 0};
    double value = 0.0;
    int outcome = 0;
    if (length_of(&views[2]) != PARAMETERS || !are_places(data.codes, data.n, data.count)) {
        PyErr_SetString(PyExc_ValueError, "codes must be places among distinct intensities, parameters three");
    } else if ((data.densities = malloc(((size_t)data.count + 1) * sizeof(double))) == NULL) {
        PyErr_NoMemory();
    } else {
        Py_BEGIN_ALLOW_THREADS
        outcome = minimise(&data, views[2].buf, &value);
        Py_END_ALLOW_THREADS
        if (outcome < 0) PyErr_SetString(PyExc_ValueError, "the likelihood has no value at the first parameters");
    }
    free(data.densities);
    release_arrays(views, 3);
    if (PyErr_Occurred()) return NULL;
    return Py_BuildValue("Odi", outcome ? Py_True : Py_False, value, data.evaluations);
}

#define FARTHEST_BY_ERFC (-36.0)

/* log of the standard normal distribution function */
static double log_normal_probability(double z) {
    if (z > 0.0) return log1p(-0.5 * erfc(z * M_SQRT1_2));
    if (z > FARTHEST_BY_ERFC) return log(0.5 * erfc(-z * M_SQRT1_2));
    const double u = 1.0 / (z * z); /* asymptotic series (Abramowitz and Stegun 26.2.12) */
    const double series = -u * (1.0 - u * (3.0 - u * (15.0 - u * (105.0 - u * (945.0 - u * 10395.0)))));
    return -0.5 * z * z - 0.5 * log(2.0 * PI) - log(-z) + log1p(series);
}

static double log_normal_density(double z) { return -0.5 * z * z - 0.5 * log(2.0 * PI); }

/* Adds log-density, gradient and upper triangle of the Hessian with regard to mu, log(sigma^2), log(alpha). */
static void add_derivatives(double x, const double *parameters, double *sums) {
    const double sigma = exp(0.5 * parameters[1]), sigma2 = sigma * sigma, alpha = exp(parameters[2]);
    const double error = x - parameters[0], ratio = sigma / alpha, ratio2 = sigma2 / (alpha * alpha);
    const double z = error / sigma - ratio;
    const double log_probability = log_normal_probability(z);
    const double hazard = exp(log_normal_density(z) - log_probability), curvature = -hazard * (z + hazard);
    const double dz[3] = {-1.0 / sigma, -0.5 * (error / sigma + ratio), ratio};
    const double ddz[6] = {0.0, 0.5 / sigma, 0.0, 0.25 * (error / sigma - ratio), 0.5 * ratio, -ratio};
    const double dq[3] = {1.0 / alpha, 0.5 * ratio2, -1.0 + error / alpha - ratio2};
    const double ddq[6] = {0.0, 0.0, -1.0 / alpha, 0.5 * ratio2, -ratio2, -error / alpha + 2.0 * ratio2};
    sums[0] += -parameters[2] - error / alpha + 0.5 * ratio2 + log_probability;
    for (int i = 0; i < 3; i++) sums[1 + i] += dq[i] + hazard * dz[i];
    for (int i = 0, k = 0; i < 3; i++)
        for (int j = i; j < 3; j++, k++) sums[4 + k] += ddq[k] + curvature * dz[i] * dz[j] + hazard * ddz[k];
}

static PyObject *py_normexp_likelihood(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[3];
    if (!PyArg_ParseTuple(args, "OOO", &objects[0], &objects[1], &objects[2])) return NULL;
    const Argument expected[3] = {vector("x", 0), vector("parameters", 0), vector("sums", 1)};
    Py_buffer views[3];
    if (get_arrays(objects, expected, 3, views) < 0) return NULL;
    if (length_of(&views[1]) != 3 || length_of(&views[2]) != 10) {
        PyErr_SetString(PyExc_ValueError, "there are three parameters and ten sums");
    } else {
        Py_BEGIN_ALLOW_THREADS
        const double *x = views[0].buf;
        double *sums = views[2].buf;
        memset(sums, 0, 10 * sizeof(double));
        for (Py_ssize_t i = 0; i < length_of(&views[0]); i++) add_derivatives(x[i], views[1].buf, sums);
        for (int k = 0; k < 10; k++) sums[k] *= -2.0;
        Py_END_ALLOW_THREADS
    }
    release_arrays(views, 3);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_normexp_signal(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *objects[2];
    double mu, sigma, alpha;
    if (!PyArg_ParseTuple(args, "OdddO", &objects[0], &mu, &sigma, &alpha, &objects[1])) return NULL;
    const Argument expected[2] = {vector("x", 0), vector("signal", 1)};
    Py_buffer views[2];
    if (get_arrays(objects, expected, 2, views) < 0) return NULL;
    if (length_of(&views[0]) != length_of(&views[1])) {
        PyErr_SetString(PyExc_ValueError, "x and signal must have one length");
    } else {
        Py_BEGIN_ALLOW_THREADS
        const double *x = views[0].buf;
        double *signal = views[1].buf;
        for (Py_ssize_t i = 0; i < length_of(&views[0]); i++) {
            double mean = x[i] - mu - sigma * sigma / alpha, z = mean / sigma;
            double log_hazard = log_normal_density(z) - log(sigma) - log_normal_probability(z);
            signal[i] = mean + sigma * sigma * exp(log_hazard);
        }
        Py_END_ALLOW_THREADS
    }
    release_arrays(views, 2);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef METHODS[] = {
    {"lowess", py_lowess, METH_VARARGS, "lowess(x, y, span, iterations, delta, fitted): x ascending"},
    {"weighted_lowess", py_weighted_lowess, METH_VARARGS, "weighted_lowess(x, y, weights, span, iterations, delta, fitted)"},
    {"fit_normexp", py_fit_normexp, METH_VARARGS, "fit_normexp(distinct, codes, parameters) -> converged, deviance, evaluations"},
    {"normexp_likelihood", py_normexp_likelihood, METH_VARARGS, "normexp_likelihood(x, parameters, sums)"},
    {"normexp_signal", py_normexp_signal, METH_VARARGS, "normexp_signal(x, mu, sigma, alpha, signal)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, .m_name = "_intensity_fits", .m_doc = "Fits to the intensities of one array.", .m_size = 0, .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__intensity_fits(void) { return PyModule_Create(&MODULE); }
