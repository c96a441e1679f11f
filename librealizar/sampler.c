/* SPDX-License-Identifier: MIT */
/* From logits to a token. */
#include "internal.h"

#include <math.h>
#include <string.h>

enum { MAX_LOOK_BACK = 4096 };

struct realizar_sampler {
    realizar_sampling s;
    realizar_logit_bias *bias;
    const realizar_tokenizer *tokenizer;
    const trueno_allocator *allocator;
    int32_t vocab_size, n_allowed;
    float *work;                    /* [vocab_size]: logits after bias and penalties */
    uint8_t *forbidden;             /* [vocab_size] */
    realizar_candidate *candidates; /* [vocab_size]: kept tokens, most probable first */
    int32_t n_candidates;
    float log_sum; /* log of the sum of exp(logit) of the model's own distribution */
    uint64_t state[4];
};

void realizar_sampling_init(realizar_sampling *s, size_t size)
{
    memset(s, 0, size);
    s->size = size;
    s->repeat_penalty = 1.0f;
    s->repeat_last_n = 64;
    s->top_k = 40;
    s->top_p = 0.95f;
    s->min_p = 0.05f;
    s->temperature = 0.7f;
}

void realizar_sampling_from_model(realizar_sampling *s, const apr_generation_defaults *d)
{
    if (d->temperature >= 0)
        s->temperature = d->temperature;
    if (d->top_k >= 0)
        s->top_k = d->top_k;
    if (d->top_p >= 0)
        s->top_p = d->top_p;
    if (d->min_p >= 0)
        s->min_p = d->min_p;
    if (d->repeat_penalty > 0)
        s->repeat_penalty = d->repeat_penalty;
    if (d->do_sample == 0)
        s->temperature = 0.0f;
}

trueno_status realizar_sampling_check(const realizar_sampling *s, trueno_error *err)
{
    const struct {
        const char *name;
        double value, low, high;
    } ranges[] = {
        {"temperature", s->temperature, 0, 1e4},
        {"top_k", s->top_k, 0, INT32_MAX},
        {"top_p", s->top_p, 0, 1},
        {"min_p", s->min_p, 0, 1},
        {"repeat_penalty", s->repeat_penalty, 1e-4, 1e4},
        {"frequency_penalty", s->frequency_penalty, -1e4, 1e4},
        {"presence_penalty", s->presence_penalty, -1e4, 1e4},
        {"repeat_last_n", s->repeat_last_n, 0, MAX_LOOK_BACK},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!(ranges[i].value >= ranges[i].low && ranges[i].value <= ranges[i].high))
            return trueno_fail(err, TRUENO_USAGE, "%s is %g, allowed are %g to %g", ranges[i].name,
                               ranges[i].value, ranges[i].low, ranges[i].high);
    return TRUENO_OK;
}

/* splitmix64 spreads a seed over the state of xoshiro256** (Blackman and Vigna, public domain). */
static void seed_state(uint64_t state[4], uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        state[i] = z ^ z >> 31;
    }
}

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* Uniform in [0, 1). */
static double uniform(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return (double)(result >> 11) * 0x1p-53;
}

static void forbid_unused(realizar_sampler *p)
{
    for (int32_t id = 0; id < p->vocab_size; id++) {
        p->forbidden[id] = p->tokenizer != NULL && realizar_tokenizer_is_unused(p->tokenizer, id);
        p->n_allowed += !p->forbidden[id];
    }
}

trueno_status realizar_sampler_new(realizar_sampler **out, const realizar_sampling *s,
                                   const realizar_tokenizer *tokenizer, int32_t vocab_size,
                                   const trueno_allocator *allocator, trueno_error *err)
{
    size_t n = (size_t)vocab_size;
    realizar_sampler *p;
    trueno_status status = realizar_sampling_check(s, err);

    *out = NULL;
    if (status < 0)
        return status;
    p = trueno_allocate_zero(allocator, sizeof *p);
    if (p == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a sampler");
    p->s = *s;
    p->tokenizer = tokenizer;
    p->allocator = allocator;
    p->vocab_size = vocab_size;
    p->work = trueno_allocate(allocator, n * sizeof *p->work, 64);
    p->forbidden = trueno_allocate(allocator, n, 64);
    p->candidates = trueno_allocate(allocator, n * sizeof *p->candidates, 64);
    p->bias = trueno_allocate(allocator, (size_t)s->n_bias * sizeof *p->bias, 64);
    if (p->work == NULL || p->forbidden == NULL || p->candidates == NULL || p->bias == NULL) {
        realizar_sampler_free(p);
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a sampler of %d tokens",
                           vocab_size);
    }
    if (s->n_bias > 0)
        memcpy(p->bias, s->bias, (size_t)s->n_bias * sizeof *p->bias);
    p->s.bias = p->bias;
    for (int32_t i = 0; i < s->n_bias; i++)
        if (p->bias[i].id < 0 || p->bias[i].id >= vocab_size) {
            int32_t id = p->bias[i].id;

            realizar_sampler_free(p);
            return trueno_fail(err, TRUENO_USAGE, "logit bias for token %d, the vocabulary has %d",
                               id, vocab_size);
        }
    forbid_unused(p);
    seed_state(p->state, s->seed);
    *out = p;
    return TRUENO_OK;
}

void realizar_sampler_free(realizar_sampler *p)
{
    size_t n;

    if (p == NULL)
        return;
    n = (size_t)p->vocab_size;
    trueno_release(p->allocator, p->work, n * sizeof *p->work);
    trueno_release(p->allocator, p->forbidden, n);
    trueno_release(p->allocator, p->candidates, n * sizeof *p->candidates);
    trueno_release(p->allocator, p->bias, (size_t)p->s.n_bias * sizeof *p->bias);
    trueno_release(p->allocator, p, sizeof *p);
}

static bool has_penalties(const realizar_sampling *s)
{
    return s->repeat_last_n > 0 && (s->repeat_penalty != 1.0f || s->frequency_penalty != 0.0f ||
                                    s->presence_penalty != 0.0f);
}

/* Each distinct recent token once: count it among the last ones and lower its logit. */
static void penalize(realizar_sampler *p, const int32_t *recent, int32_t n)
{
    const realizar_sampling *s = &p->s;
    int32_t first = n > s->repeat_last_n ? n - s->repeat_last_n : 0;

    for (int32_t i = first; i < n; i++) {
        int32_t id = recent[i], count = 0, earlier = 0;

        for (int32_t j = first; j < n; j++) {
            count += recent[j] == id;
            earlier += j < i && recent[j] == id;
        }
        if (earlier > 0 || id < 0 || id >= p->vocab_size)
            continue;
        p->work[id] =
            p->work[id] > 0 ? p->work[id] / s->repeat_penalty : p->work[id] * s->repeat_penalty;
        p->work[id] -= s->frequency_penalty * (float)count + s->presence_penalty;
    }
}

/* Copy the logits, look for NaN, and take the log-sum-exp of the model's own distribution. */
static trueno_status load_logits(realizar_sampler *p, const float *logits, trueno_error *err)
{
    float largest = -INFINITY;
    double sum = 0;

    for (int32_t i = 0; i < p->vocab_size; i++) {
        if (isnan(logits[i]) || logits[i] == INFINITY)
            return trueno_fail(err, TRUENO_INFERENCE,
                               "logit %d of %d is %f: the model's output is "
                               "not finite",
                               i, p->vocab_size, (double)logits[i]);
        p->work[i] = logits[i];
        if (!p->forbidden[i] && logits[i] > largest)
            largest = logits[i];
    }
    if (largest == -INFINITY)
        return trueno_fail(err, TRUENO_INFERENCE, "all %d logits are -infinity", p->vocab_size);
    for (int32_t i = 0; i < p->vocab_size; i++)
        if (!p->forbidden[i])
            sum += expf(logits[i] - largest);
    p->log_sum = largest + (float)log(sum);
    return TRUENO_OK;
}

static bool more_probable(const realizar_sampler *p, int32_t a, int32_t b)
{
    return p->work[a] > p->work[b] || (p->work[a] == p->work[b] && a < b);
}

/* Restore the heap property downwards; the root is the least probable of the kept ones. */
static void sift_down(const realizar_sampler *p, realizar_candidate *heap, int32_t n, int32_t i)
{
    for (;;) {
        int32_t least = i, left = 2 * i + 1;

        for (int32_t child = left; child < left + 2 && child < n; child++)
            if (more_probable(p, heap[least].id, heap[child].id))
                least = child;
        if (least == i)
            return;
        realizar_candidate swap = heap[i];
        heap[i] = heap[least];
        heap[least] = swap;
        i = least;
    }
}

/* The `k` most probable allowed tokens, most probable first. */
static void keep_top(realizar_sampler *p, int32_t k)
{
    realizar_candidate *heap = p->candidates;
    int32_t n = 0;

    for (int32_t id = 0; id < p->vocab_size; id++) {
        if (p->forbidden[id] || p->work[id] == -INFINITY)
            continue;
        if (n < k) {
            heap[n++].id = id;
            if (n == k)
                for (int32_t i = n / 2 - 1; i >= 0; i--)
                    sift_down(p, heap, n, i);
        } else if (more_probable(p, id, heap[0].id)) {
            heap[0].id = id;
            sift_down(p, heap, n, 0);
        }
    }
    if (n < k)
        for (int32_t i = n / 2 - 1; i >= 0; i--)
            sift_down(p, heap, n, i);
    p->n_candidates = n;
    for (int32_t end = n - 1; end > 0; end--) { /* heap sort: least probable to the back */
        realizar_candidate swap = heap[0];

        heap[0] = heap[end];
        heap[end] = swap;
        sift_down(p, heap, end, 0);
    }
}

/* Softmax over the kept candidates at temperature `t`. */
static void set_probabilities(realizar_sampler *p, float t)
{
    realizar_candidate *c = p->candidates;
    float largest = p->work[c[0].id];
    double sum = 0;

    for (int32_t i = 0; i < p->n_candidates; i++) {
        c[i].probability = expf((p->work[c[i].id] - largest) / t);
        sum += c[i].probability;
    }
    for (int32_t i = 0; i < p->n_candidates; i++)
        c[i].probability = (float)(c[i].probability / sum);
}

/* Nucleus: the fewest most probable tokens whose probabilities reach top_p. */
static void cut_top_p(realizar_sampler *p)
{
    double sum = 0;

    for (int32_t i = 0; i < p->n_candidates; i++) {
        sum += p->candidates[i].probability;
        if (sum >= p->s.top_p) {
            p->n_candidates = i + 1;
            return;
        }
    }
}

static void cut_min_p(realizar_sampler *p)
{
    float least = p->s.min_p * p->candidates[0].probability;
    int32_t n = 1;

    while (n < p->n_candidates && p->candidates[n].probability >= least)
        n++;
    p->n_candidates = n;
}

static int32_t draw(realizar_sampler *p)
{
    double r = uniform(p->state), sum = 0;

    for (int32_t i = 0; i < p->n_candidates; i++) {
        sum += p->candidates[i].probability;
        if (r < sum)
            return i;
    }
    return p->n_candidates - 1;
}

static int32_t candidates_wanted(const realizar_sampler *p)
{
    if (p->s.temperature == 0.0f)
        return 1;
    return p->s.top_k > 0 && p->s.top_k < p->n_allowed ? p->s.top_k : p->n_allowed;
}

trueno_status realizar_sampler_choose(realizar_sampler *p, const float *logits,
                                      const int32_t *recent, int32_t n_recent,
                                      realizar_candidate *chosen, trueno_error *err)
{
    int32_t at = 0;
    trueno_status status = load_logits(p, logits, err);

    if (status < 0)
        return status;
    for (int32_t i = 0; i < p->s.n_bias; i++)
        p->work[p->bias[i].id] += p->bias[i].bias;
    if (has_penalties(&p->s))
        penalize(p, recent, n_recent);
    keep_top(p, candidates_wanted(p));
    if (p->n_candidates == 0)
        return trueno_fail(err, TRUENO_INFERENCE, "every token is forbidden by the logit bias");
    if (p->s.temperature > 0) {
        set_probabilities(p, 1.0f);
        if (p->s.top_p < 1.0f)
            cut_top_p(p);
        if (p->s.min_p > 0.0f)
            cut_min_p(p);
        set_probabilities(p, p->s.temperature);
        at = draw(p);
    } else {
        p->candidates[0].probability = 1.0f;
    }
    *chosen = p->candidates[at];
    chosen->log_probability = logits[chosen->id] - p->log_sum;
    return TRUENO_OK;
}

int32_t realizar_sampler_top(const realizar_sampler *p, realizar_candidate *out, int32_t n)
{
    int32_t found = 0;

    for (int32_t id = 0; id < p->vocab_size; id++) {
        int32_t at = found < n ? found : n - 1;

        if (p->forbidden[id] || (found == n && !more_probable(p, id, out[n - 1].id)))
            continue;
        while (at > 0 && more_probable(p, id, out[at - 1].id)) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = (realizar_candidate){.id = id, .log_probability = p->work[id] - p->log_sum};
        found += found < n;
    }
    for (int32_t i = 0; i < found; i++)
        for (int32_t j = 0; j < p->n_candidates; j++)
            if (p->candidates[j].id == out[i].id)
                out[i].probability = p->candidates[j].probability;
    return found;
}

const realizar_sampling *sampler_settings(const realizar_sampler *p)
{
    return &p->s;
}

double sampler_random(realizar_sampler *p)
{
    return uniform(p->state);
}
