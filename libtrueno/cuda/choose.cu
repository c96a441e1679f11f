/* SPDX-License-Identifier: MIT */
/* Tokens chosen from logits, in the order of the host's sampler: bias, penalties, top-k, top-p,
 * min-p, temperature. A warp of the first kernel looks over a part of a row: its largest changed
 * logit, and the sum of exponentials of the model's own. The k-th largest of these maxima bounds
 * the k-th largest logit from below, so the second kernel, a block a row, reads only the parts with
 * such maxima, sorts what reaches the bound, and draws. Sums over candidates are in double, one
 * after the other, as on the host; exponentials are rounded from double, as a good expf() is. */
#include "kernels.h"
#include "device.cuh"

enum {
    PARTS = CHOICE_PARTS,
    PART_WARPS = 8,
    CHOOSE_THREADS = 1024,
    MOST_SORTED = 4096 /* more values at the bound: a slower way */
};

/* What a warp found in its part. */
struct part_facts {
    float most;         /* after bias and penalties */
    float largest, sum; /* of the model's own logits: sum of exp(logit - largest) */
    float bad;          /* a value that is not finite and not -infinity, else 0 */
};

static_assert(sizeof(part_facts) == CHOICE_PART_BYTES, "kernels.h knows the size");

/* Logit `id` after bias and penalties; false: it cannot be chosen. *own: before them. */
__device__ __forceinline__ bool changed_logit(const choice_row &c, const float *logits, int id,
                                              float *own, float *changed)
{
    float v = __ldcg(logits + id);

    *own = v;
    if (c.forbidden != NULL && c.forbidden[id])
        return false;
    for (int i = 0; i < c.n_bias; i++)
        if (c.bias[i].id == id)
            v += c.bias[i].bias;
    if (c.n_recent > 0 || c.last != NULL) {
        int count = 0;

        for (int i = 0; i < c.n_recent; i++)
            count += c.recent[i] == id;
        if (c.last != NULL)
            count += __ldcg(c.last) == id;
        if (count > 0) {
            v = v > 0 ? __fdiv_rn(v, c.repeat_penalty) : __fmul_rn(v, c.repeat_penalty);
            v = __fsub_rn(
                v, __fadd_rn(__fmul_rn(c.frequency_penalty, (float)count), c.presence_penalty));
        }
    }
    *changed = v + 0.0f; /* one zero */
    return true;
}

__global__ __launch_bounds__(32 * PART_WARPS) void look_kernel(const choice_row *rows,
                                                               const float *logits, int width,
                                                               part_facts *facts)
{
    const int part = blockIdx.x * PART_WARPS + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    const int each = (width + PARTS - 1) / PARTS, first = part * each,
              end = min(width, first + each);
    const float *row = logits + (size_t)blockIdx.y * width;
    part_facts f = {-INFINITY, -INFINITY, 0, 0};

    pdl_launch();
    pdl_wait();
    const choice_row &c = rows[blockIdx.y];

    if (c.top_k == 0)
        return;
    for (int id = first + lane; id < end; id += 32) {
        float own, changed;
        const bool there = changed_logit(c, row, id, &own, &changed);

        if (isnan(own) || own == INFINITY)
            f.bad = 1;
        else if (there) {
            const float now = fmaxf(f.largest, own);

            if (now > -INFINITY)
                f.sum = f.sum * expf(f.largest - now) + expf(own - now);
            f.largest = now;
            f.most = fmaxf(f.most, changed);
        }
    }
    const float largest = warp_max(f.largest);

    f.sum = warp_sum(largest > -INFINITY ? f.sum * expf(f.largest - largest) : 0.0f);
    f.largest = largest;
    f.most = warp_max(f.most);
    f.bad = warp_max(f.bad);
    if (lane == 0)
        facts[(size_t)blockIdx.y * PARTS + part] = f;
}

/* Floats in an order of unsigned numbers. */
__device__ __forceinline__ uint32_t ordered(float x)
{
    const uint32_t u = __float_as_uint(x);

    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

__device__ __forceinline__ float unordered(uint32_t u)
{
    return __uint_as_float(u & 0x80000000u ? u & 0x7fffffffu : ~u);
}

/* Larger keys first; n is a power of two. */
__device__ void sort_keys(uint64_t *key, int n)
{
    for (int size = 2; size <= n; size <<= 1)
        for (int step = size >> 1; step > 0; step >>= 1) {
            for (int i = threadIdx.x; i < n / 2; i += blockDim.x) {
                const int a = 2 * i - (i & (step - 1)), b = a + step;
                const uint64_t x = key[a], y = key[b];

                if (((a & size) == 0) == (x < y))
                    key[a] = y, key[b] = x;
            }
            __syncthreads();
        }
}

/* Collect the keys of values that reach `bound` in the parts whose largest does; returns how many
 * there are, which may be more than there is room for. */
__device__ int collect(const choice_row &c, const float *row, int width, const float *most,
                       float bound, uint64_t *key, int *count)
{
    const int each = (width + PARTS - 1) / PARTS, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;

    if (threadIdx.x == 0)
        *count = 0;
    __syncthreads();
    for (int part = warp; part < PARTS; part += CHOOSE_THREADS / 32) {
        if (!(most[part] >= bound) || most[part] == -INFINITY)
            continue;
        for (int id = part * each + lane; id < min(width, (part + 1) * each); id += 32) {
            float own, v;

            if (!changed_logit(c, row, id, &own, &v) || !(v >= bound) || v == -INFINITY)
                continue;
            const int at = atomicAdd(count, 1);

            if (at < MOST_SORTED)
                key[at] = (uint64_t)ordered(v) << 32 | (0xffffffffu - (uint32_t)id);
        }
    }
    __syncthreads();
    return *count;
}

/* The same where too many values are equal: the largest below the one before, k times. */
__device__ int collect_slowly(const choice_row &c, const float *row, int width, int k,
                              uint64_t *key, uint64_t *shared)
{
    uint64_t before = ~0ull;
    int n = 0;

    for (; n < k; n++) {
        uint64_t best = 0;

        for (int id = threadIdx.x; id < width; id += blockDim.x) {
            float own, v;

            if (!changed_logit(c, row, id, &own, &v) || v == -INFINITY)
                continue;
            const uint64_t mine = (uint64_t)ordered(v) << 32 | (0xffffffffu - (uint32_t)id);

            if (mine < before && mine > best)
                best = mine;
        }
        for (int m = 16; m > 0; m >>= 1) {
            const uint64_t other = __shfl_xor_sync(ALL_LANES, best, m);

            best = other > best ? other : best;
        }
        if ((threadIdx.x & 31) == 0)
            shared[threadIdx.x >> 5] = best;
        __syncthreads();
        best = 0;
        for (int i = 0; i < CHOOSE_THREADS / 32; i++)
            best = shared[i] > best ? shared[i] : best;
        __syncthreads();
        if (best == 0)
            break;
        if (threadIdx.x == 0)
            key[n] = best;
        before = best;
    }
    __syncthreads();
    return n;
}

/* Probabilities at temperature t, as the host's sampler computes them. */
__device__ void set_probabilities(const float *value, float *probability, int n, float t,
                                  double *total)
{
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        probability[i] = (float)exp((double)__fdiv_rn(value[i] - value[0], t));
    __syncthreads();
    if (threadIdx.x == 0) {
        double sum = 0;

        for (int i = 0; i < n; i++)
            sum += (double)probability[i];
        *total = sum;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        probability[i] = (float)((double)probability[i] / *total);
    __syncthreads();
}

/* How many candidates top-p and min-p leave; one thread. */
__device__ int cut(const choice_row &c, const float *probability, int n)
{
    double sum = 0;
    int kept = 1;

    if (c.top_p < 1.0f)
        for (int i = 0; i < n; i++) {
            sum += (double)probability[i];
            if (sum >= (double)c.top_p) {
                n = i + 1;
                break;
            }
        }
    if (!(c.min_p > 0.0f))
        return n;
    while (kept < n && probability[kept] >= c.min_p * probability[0])
        kept++;
    return kept;
}

__device__ int draw(const float *probability, int n, double random)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        sum += (double)probability[i];
        if (random < sum)
            return i;
    }
    return n - 1;
}

/* log of the sum of exponentials of a row's own logits; +infinity when one is bad. One warp. */
__device__ float log_of_sum(const part_facts *facts, int lane)
{
    float largest = -INFINITY, bad = 0;
    double sum = 0;

    for (int i = lane; i < PARTS; i += 32) {
        largest = fmaxf(largest, facts[i].largest);
        bad = fmaxf(bad, facts[i].bad);
    }
    largest = warp_max(largest);
    bad = warp_max(bad);
    if (bad > 0 || largest == -INFINITY)
        return bad > 0 ? INFINITY : -INFINITY;
    for (int i = lane; i < PARTS; i += 32)
        if (facts[i].largest > -INFINITY)
            sum += (double)facts[i].sum * exp((double)(facts[i].largest - largest));
    for (int m = 16; m > 0; m >>= 1)
        sum += __shfl_xor_sync(ALL_LANES, sum, m);
    return largest + (float)log(sum);
}

__global__ __launch_bounds__(CHOOSE_THREADS) void choose_kernel(const choice_row *rows,
                                                                const float *logits, int width,
                                                                const part_facts *all_facts)
{
    __shared__ uint64_t key[MOST_SORTED], best[CHOOSE_THREADS / 32];
    __shared__ float most[PARTS], value[TRUENO_MOST_CANDIDATES],
        probability[TRUENO_MOST_CANDIDATES];
    __shared__ double total;
    __shared__ float log_sum;
    __shared__ int count, n_kept;
    const part_facts *facts = all_facts + (size_t)blockIdx.x * PARTS;
    const float *row = logits + (size_t)blockIdx.x * width;

    pdl_launch();
    pdl_wait();
    const choice_row &c = rows[blockIdx.x];
    const int k = c.top_k;

    if (k == 0)
        return;

    for (int i = threadIdx.x; i < PARTS; i += blockDim.x) {
        most[i] = __ldcg(&facts[i].most);
        key[i] = ordered(most[i]);
    }
    if (threadIdx.x < 32) {
        const float sum = log_of_sum(facts, threadIdx.x);

        if (threadIdx.x == 0)
            log_sum = sum;
    }
    __syncthreads();
    if (k > 1) {
        sort_keys(key, PARTS);
    } else { /* the largest alone */
        if (threadIdx.x < 32) {
            float top = -INFINITY;

            for (int i = threadIdx.x; i < PARTS; i += 32)
                top = fmaxf(top, most[i]);
            top = warp_max(top);
            if (threadIdx.x == 0)
                key[0] = ordered(top);
        }
        __syncthreads();
    }
    const float bound = unordered((uint32_t)key[k - 1]);
    __syncthreads();
    int n = collect(c, row, width, most, bound, key, &count);

    if (n > MOST_SORTED) {
        n = collect_slowly(c, row, width, k, key, best);
    } else {
        int room = 2;

        while (room < n)
            room *= 2;
        for (int i = n + threadIdx.x; i < room; i += blockDim.x)
            key[i] = 0;
        __syncthreads();
        sort_keys(key, room);
        n = min(n, k);
    }
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        value[i] = unordered((uint32_t)(key[i] >> 32));
    __syncthreads();
    if (n > 1 && c.temperature > 0) {
        set_probabilities(value, probability, n, 1.0f, &total);
        if (threadIdx.x == 0)
            n_kept = cut(c, probability, n);
        __syncthreads();
        n = n_kept;
        set_probabilities(value, probability, n, c.temperature, &total);
    }
    if (threadIdx.x == 0) {
        const bool drawn = n > 1 && c.temperature > 0;
        const int at = drawn ? draw(probability, n, c.random) : 0;
        const int id = n > 0 ? (int)(0xffffffffu - (uint32_t)key[at]) : 0;
        volatile choice_result *out = c.result;

        *c.place = id;
        out->id = log_sum == INFINITY              ? TRUENO_CHOSEN_NOT_FINITE
                  : n == 0 || log_sum == -INFINITY ? TRUENO_CHOSEN_NONE
                                                   : id;
        out->probability = drawn ? probability[at] : 1.0f;
        out->log_probability = __ldcg(row + id) - log_sum;
        __threadfence_system();
        out->number = c.number;
    }
}

void launch_choose(const launcher *l, const choice_row *rows, const float *logits, int n, int width,
                   void *facts)
{
    LAUNCH(l, look_kernel, dim3(PARTS / PART_WARPS, n), 32 * PART_WARPS, 0, rows, logits, width,
           (part_facts *)facts);
    LAUNCH(l, choose_kernel, n, CHOOSE_THREADS, 0, rows, logits, width, (const part_facts *)facts);
}
