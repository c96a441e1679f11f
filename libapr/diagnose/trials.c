/* SPDX-License-Identifier: MIT */
/* Damaged copies of a converted model, and what a reader finds in each. */
#include "trials.h"

#include "../model_private.h"
#include "faults.h"
#include "learn.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLE_VALUES = 1 << 20, PIECE = 1024, LEAST_WATCHED = 1 << 10, MOST_WATCHED = 32 << 20 };

/* Sums that an exchange of values leaves as they are. */
typedef struct order_free {
    double sum, sum_sizes, sum_squares, min, max;
    uint64_t not_finite;
} order_free;

void trial_file_watch(trial_file *file)
{
    size_t n = apr_model_tensor_count(file->model), usable = 0, seen = 0;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            const apr_tensor *t = apr_model_tensor(file->model, i);

            if (t->n_dims != 2 || trueno_type_get(t->type) == NULL || t->packed != 0 ||
                t->bytes < LEAST_WATCHED || t->bytes > MOST_WATCHED)
                continue;
            if (pass == 0)
                usable++;
            else if (seen++ * TRIAL_WATCHED / usable >= (size_t)file->n_watched &&
                     file->n_watched < TRIAL_WATCHED)
                file->watched[file->n_watched++] = t;
        }
}

static trueno_status map_private(const char *path, fault_image *image, trueno_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &st) == 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        (void)close(fd);
    if (p == MAP_FAILED)
        return trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
    image->bytes = p;
    image->size = image->kept = (size_t)st.st_size;
    return TRUENO_OK;
}

static order_free order_free_of(const apr_tensor *t, const uint8_t *data)
{
    const trueno_type_info *info = trueno_type_get(t->type);
    int64_t left = (int64_t)apr_tensor_elements(t), at = 0;
    order_free o = {.min = INFINITY, .max = -INFINITY};
    float values[PIECE];

    for (; left > 0; at += PIECE, left -= PIECE) {
        int64_t n = left < PIECE ? left : PIECE;

        info->dequantize(data + (size_t)(at / info->block) * (size_t)info->bytes, values, n);
        for (int64_t i = 0; i < n; i++) {
            double v = values[i];

            if (!isfinite(v)) {
                o.not_finite++;
                continue;
            }
            o.sum += v;
            o.sum_sizes += fabs(v);
            o.sum_squares += v * v;
            o.min = fmin(o.min, v);
            o.max = fmax(o.max, v);
        }
    }
    return o;
}

static bool is_same_set(const order_free *a, const order_free *b)
{
    double near = 1e-9 * (a->sum_sizes + 1e-30);

    return a->not_finite == b->not_finite && a->min == b->min && a->max == b->max &&
           fabs(a->sum - b->sum) <= near && fabs(a->sum_sizes - b->sum_sizes) <= near &&
           fabs(a->sum_squares - b->sum_squares) <= 1e-9 * a->sum_squares;
}

/* What is the matter with a tensor, as positions of `features` that become 1. */
enum { LOG_ROWS, LOG_COLS, CODE, REFUSED, SAYS_TENSOR, SHAPE, TYPE, NOT_FINITE, DAMAGED, MOVED };

_Static_assert(MOVED + 1 == TRIAL_FEATURES, "one position a feature");

static void find_in_values(const apr_tensor *clean, const uint8_t *seen, trial *out)
{
    const trueno_type_info *info = trueno_type_get(clean->type);
    uint64_t blocks = clean->bytes / (uint64_t)info->bytes, differ = 0;
    order_free before, after;

    for (uint64_t i = 0; i < blocks; i++)
        differ += memcmp((const uint8_t *)clean->data + i * (uint64_t)info->bytes,
                         seen + i * (uint64_t)info->bytes, (size_t)info->bytes) != 0;
    if (differ == 0)
        return;
    before = order_free_of(clean, clean->data);
    after = order_free_of(clean, seen);
    out->found = true;
    if (is_same_set(&before, &after)) {
        out->features[MOVED] = 1;
        (void)snprintf(out->message, sizeof out->message,
                       "%s: the source's weights in another order: layout of %lld rows and %lld "
                       "columns exchanged",
                       clean->name, (long long)clean->dims[0], (long long)clean->dims[1]);
        return;
    }
    out->features[DAMAGED] = 1;
    out->features[NOT_FINITE] = after.not_finite > 0;
    (void)snprintf(out->message, sizeof out->message,
                   "%s: %llu of %llu quantised blocks differ from the source's, %llu weights not "
                   "finite, largest %.3g instead of %.3g: wrong scales",
                   clean->name, (unsigned long long)differ, (unsigned long long)blocks,
                   (unsigned long long)after.not_finite, fmax(after.max, -after.min),
                   fmax(before.max, -before.min));
}

/* The first difference of a copy's tables from the clean file's. */
static bool find_in_tables(const apr_model *clean, const apr_model *seen, trial *out)
{
    for (size_t i = 0; i < apr_model_tensor_count(clean); i++) {
        const apr_tensor *a = apr_model_tensor(clean, i), *b = apr_model_find(seen, a->name);

        if (b == NULL) {
            (void)snprintf(out->message, sizeof out->message, "%s: missing", a->name);
            return true;
        }
        if (a->type != b->type) {
            out->features[TYPE] = 1;
            (void)snprintf(out->message, sizeof out->message, "%s: type %s, the source has type %s",
                           a->name, apr_tensor_type_name(b), apr_tensor_type_name(a));
            return true;
        }
        if (a->dims[0] != b->dims[0] || a->dims[1] != b->dims[1]) {
            out->features[SHAPE] = 1;
            (void)snprintf(out->message, sizeof out->message,
                           "%s: shape %lld x %lld, the source has %lld x %lld", a->name,
                           (long long)b->dims[0], (long long)b->dims[1], (long long)a->dims[0],
                           (long long)a->dims[1]);
            return true;
        }
    }
    return false;
}

static const char *const SHAPE_WORDS[] = {"shape", "dimension", " rows", NULL};
static const char *const QUANT_WORDS[] = {"quantised", "scale", "block", NULL};
static const char *const TYPE_WORDS[] = {" type ", "dtype", NULL};
static const char *const LAYOUT_WORDS[] = {"layout", "order", "column-major", NULL};

static bool has_word(const char *message, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(message, *words) != NULL)
            return true;
    return false;
}

void trial_message_features(const char *message, double *out)
{
    out[0] = (double)strlen(message) / 100;
    out[1] = has_word(message, SHAPE_WORDS);
    out[2] = has_word(message, QUANT_WORDS);
    out[3] = has_word(message, TYPE_WORDS);
    out[4] = has_word(message, LAYOUT_WORDS);
}

/* A copy that does not open: what the message says stands for what could be looked at. */
static void find_in_refusal(const trial_file *file, const trueno_error *refusal, trial *out)
{
    const char *colon = strstr(refusal->message, "memory: ");

    (void)snprintf(out->message, sizeof out->message, "%s",
                   colon == refusal->message ? refusal->message + strlen("memory: ")
                                             : refusal->message);
    out->found = true;
    out->features[REFUSED] = 1;
    for (int32_t i = 0; i < file->n_watched; i++)
        if (strstr(out->message, file->watched[i]->name) != NULL) {
            out->features[SAYS_TENSOR] = 1;
            out->features[SHAPE] = has_word(out->message, SHAPE_WORDS);
            out->features[TYPE] = has_word(out->message, TYPE_WORDS);
        }
}

static void look(const trial_file *file, const fault_image *image, const apr_tensor *damaged,
                 trial *out)
{
    trueno_error refusal = {0};
    apr_model_options o;
    apr_model *seen = NULL;

    apr_model_options_init(&o, sizeof o);
    o.allocator = image->allocator;
    out->status = apr_model_open_memory(&seen, image->bytes, image->kept, &o, &refusal);
    if (out->status == TRUENO_OK && !find_in_tables(file->model, seen, out)) {
        for (int32_t i = 0; i < file->n_watched && !out->found; i++)
            find_in_values(file->watched[i], image->bytes + file->watched[i]->offset, out);
    } else {
        out->found = true;
        if (out->status < 0)
            find_in_refusal(file, &refusal, out);
    }
    if (damaged != NULL) {
        out->features[LOG_ROWS] = log2((double)damaged->dims[0]) / 32;
        out->features[LOG_COLS] = log2((double)damaged->dims[1]) / 32;
    }
    out->features[CODE] = -(double)out->status / 8;
    apr_model_close(seen);
}

static bool damage_any(const trial_file *file, const fault_row *fault, fault_image *image,
                       uint64_t *random, const apr_tensor **damaged)
{
    size_t first = apr_random_below(random, (size_t)file->n_watched);

    *damaged = NULL;
    if (fault->header)
        return fault->damage(image, NULL, random);
    for (int32_t i = 0; i < file->n_watched; i++) {
        const apr_tensor *t = file->watched[(first + (size_t)i) % (size_t)file->n_watched];

        if (fault->damage(image, t, random)) {
            *damaged = t;
            return true;
        }
    }
    return false;
}

trueno_status trial_run(const trial_file *file, apr_damage damage, uint32_t number,
                        uint64_t *random, trial *out, bool *possible, trueno_error *err)
{
    const fault_row *fault = fault_find(damage, number, strcmp(file->format, "gguf") == 0);
    const apr_tensor *damaged = NULL;
    fault_image image = {.allocator = file->model->options.allocator};
    trueno_status status;

    *possible = false;
    if (fault == NULL || file->n_watched == 0)
        return TRUENO_OK;
    if ((status = map_private(file->path, &image, err)) < 0)
        return status;
    if (damage_any(file, fault, &image, random, &damaged)) {
        const trueno_type_info *info = damaged == NULL ? NULL : trueno_type_get(damaged->type);

        *out = (trial){.damage = damage,
                       .fault = fault->name,
                       .format = file->format,
                       .tensor = damaged == NULL ? NULL : damaged->name,
                       .quantised = info != NULL && info->block > 1};
        look(file, &image, damaged, out);
        *possible = true;
    }
    (void)munmap(image.bytes, image.size);
    return TRUENO_OK;
}
