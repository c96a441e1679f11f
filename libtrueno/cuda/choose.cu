/* SPDX-License-Identifier: MIT */
/* Tokens chosen from logits, in the order of the host's sampler: bias, penalties, top-k, top-p,
 * min-p, temperature. A warp of the first kernel looks over a part of a row: its largest changed
 * logit, and the sum of exponentials of the model's own. The k-th largest of these maxima bounds
 * the k-th largest logit from below, so the second kernel, a block a row, reads only the parts with
 * such maxima, sorts what reaches the bound, and draws. Sums over candidates are in double, one
 * after the other, as on the host; exponentials are rounded from double, as a good expf() is. */
#include "choose.cuh"

enum {
    CHOOSE_THREADS = 1024,
    MOST_SORTED = 4096 /* more values at the bound: a slower way */
};

static_assert((int)PARTS == (int)CHOOSE_THREADS, "a thread has a part");

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

/* Collect the keys of values that reach `bound` in the parts whose largest does (`most`: of the
 * part that has this thread's number); returns how many there are, which may be more than there is
 * room for. */
__device__ int collect(const choice_row &c, const float *row, int width, float most, float bound,
                       uint64_t *key, int *count)
{
    const int each = (width + PARTS - 1) / PARTS, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    unsigned parts = __ballot_sync(ALL_LANES, most >= bound && most > -INFINITY);

    if (threadIdx.x == 0)
        *count = 0;
    __syncthreads();
    for (; parts != 0; parts &= parts - 1) {
        const int first = (warp * 32 + __ffs((int)parts) - 1) * each,
                  end = min(width, first + each);

        for (int from = first + lane; from < end; from += 32 * LOADS) {
            lane_logits own;

            (void)own.load(c, row, from, end);
#pragma unroll
            for (int k = 0; k < LOADS; k++) {
                const int id = from + 32 * k;

                if (own.own[k] == -INFINITY)
                    continue;
                const float v = changed_logit(c, id, own.own[k]);

                if (!(v >= bound) || v == -INFINITY)
                    continue;
                const int at = atomicAdd(count, 1);

                if (at < MOST_SORTED)
                    key[at] = (uint64_t)ordered(v) << 32 | (0xffffffffu - (uint32_t)id);
            }
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
            const bool barred = c.forbidden != NULL && c.forbidden[id];
            const float v = barred ? -INFINITY : changed_logit(c, id, __ldcg(row + id));

            if (!(v > -INFINITY))
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

/* What the parts say together, each thread having one: *top, the largest changed logit, for every
 * thread, and the log of the sum of exponentials of the model's own logits (+infinity when one of
 * them is bad), for thread 0. */
__device__ float gather_parts(const float4 f, float scratch[3][CHOOSE_THREADS / 32],
                              double sums[CHOOSE_THREADS / 32], float *top)
{
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const float3 in_warp = make_float3(warp_largest(f.x), warp_largest(f.y), warp_largest(f.w));

    if (lane == 0)
        scratch[0][warp] = in_warp.x, scratch[1][warp] = in_warp.y, scratch[2][warp] = in_warp.z;
    __syncthreads();
    *top = warp_largest(scratch[0][lane]);
    const float largest = warp_largest(scratch[1][lane]), bad = warp_largest(scratch[2][lane]);
    double sum = f.y > -INFINITY ? (double)(f.z * expf(f.y - largest)) : 0.0;

    for (int m = 16; m > 0; m >>= 1)
        sum += __shfl_xor_sync(ALL_LANES, sum, m);
    if (lane == 0)
        sums[warp] = sum;
    __syncthreads();
    if (warp > 0)
        return 0;
    sum = sums[lane];
    for (int m = 16; m > 0; m >>= 1)
        sum += __shfl_xor_sync(ALL_LANES, sum, m);
    if (bad > 0 || largest == -INFINITY)
        return bad > 0 ? INFINITY : -INFINITY;
    return largest + logf((float)sum);
}

/* A number of the result, into the host's memory. */
__device__ __forceinline__ void put_word(const choice_row &c, int which, uint32_t number)
{
    *(volatile uint64_t *)&c.result->word[which] = (uint64_t)c.number << 32 | number;
}

/* One choice. `mine`: what this thread's part says. `rehearsal`: the result is not kept. */
__device__ __forceinline__ void choose_one(const choice_row &c, const float *row, int width,
                                           const float4 mine, bool rehearsal)
{
    __shared__ uint64_t key[MOST_SORTED], best[CHOOSE_THREADS / 32];
    __shared__ float value[TRUENO_MOST_CANDIDATES], probability[TRUENO_MOST_CANDIDATES];
    __shared__ float scratch[3][CHOOSE_THREADS / 32];
    __shared__ double total, sums[CHOOSE_THREADS / 32];
    __shared__ int count, n_kept;
    const int k = c.top_k;
    float bound;
    const float log_sum = gather_parts(mine, scratch, sums, &bound);

    if (k > 1) { /* else the largest alone */
        key[threadIdx.x] = ordered(mine.x);
        __syncthreads();
        sort_keys(key, PARTS);
        bound = unordered((uint32_t)key[k - 1]);
        __syncthreads();
    }
    int n = collect(c, row, width, mine.x, bound, key, &count);

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
        const float log_probability = __ldcg(row + id) - log_sum;
        const int said = log_sum == INFINITY              ? TRUENO_CHOSEN_NOT_FINITE
                         : n == 0 || log_sum == -INFINITY ? TRUENO_CHOSEN_NONE
                                                          : id;

        if (rehearsal)
            return;
        *c.place = id;
        put_word(c, CHOSEN_ID, (uint32_t)said);
        put_word(c, CHOSEN_PROBABILITY, __float_as_uint(drawn ? probability[at] : 1.0f));
        put_word(c, CHOSEN_LOG_PROBABILITY, __float_as_uint(log_probability));
    }
}

/* A block a row. While the product before it runs it makes a choice between the first part's
 * logits, whatever they are, to no avail but that its instructions, which the weights have pushed
 * out of the caches since the last token, are there when it counts. */
__global__ __launch_bounds__(CHOOSE_THREADS) void choose_kernel(const choice_row *rows,
                                                                const float *logits, int width,
                                                                const part_facts *facts)
{
    const float *row = logits + (size_t)blockIdx.x * width;
    const choice_row &c = rows[blockIdx.x]; /* there before the step's first kernel */

    pdl_launch();
#pragma unroll 1
    for (int pass = 0; pass < 2 && c.top_k > 0; pass++) {
        float4 mine = make_float4(threadIdx.x == 0 ? 0.0f : -INFINITY, 0, 1, 0);

        if (pass == 1) {
            pdl_wait();
            mine = __ldcg((const float4 *)(facts + (size_t)blockIdx.x * PARTS) + threadIdx.x);
        }
        choose_one(c, row, width, mine, pass == 0);
        __syncthreads();
    }
}

void launch_choose(const launcher *l, const choice_row *rows, const float *logits, int n, int width,
                   void *facts)
{
    launch_look(l, rows, logits, n, width, facts);
    LAUNCH(l, choose_kernel, n, CHOOSE_THREADS, 0, rows, logits, width, (const part_facts *)facts);
}
