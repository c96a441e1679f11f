/* SPDX-License-Identifier: MIT */
/* Cosines and sines of a step's rotations: frequencies lie on the device, angles are computed once
 * a step. */
#include "internal.h"

void frequencies_free(cuda_backend *be)
{
    for (int i = 0; i < MAX_FREQUENCIES; i++) {
        frequency_copy *f = &be->frequencies[i];

        (void)cudaFree(f->device);
        trueno_release(be->allocator, f->host, (size_t)f->n * sizeof *f->host);
        memset(f, 0, sizeof *f);
    }
}

static bool copy_frequencies(cuda_backend *be, frequency_copy *f, const float *from, int32_t n)
{
    size_t bytes = (size_t)n * sizeof *from;
    void *device = NULL;
    trueno_error err = {};

    f->n = n;
    f->host = (float *)trueno_allocate(be->allocator, bytes, 64);
    if (f->host == NULL || device_alloc(be, bytes, "rotary frequencies", &device, &err) < 0) {
        if (be->failure.status == TRUENO_OK)
            trueno_fail(&be->failure, TRUENO_NO_MEMORY, "no memory for rotary frequencies");
        return false;
    }
    memcpy(f->host, from, bytes);
    f->device = (float *)device;
    cuda_note(be, cudaMemcpyAsync(device, f->host, bytes, cudaMemcpyHostToDevice, be->stream),
              "rotary frequencies");
    return true;
}

/* The device's copy of a rotation's frequencies, and its place among those of the step. */
static int find_frequencies(cuda_backend *be, const trueno_rope *rope)
{
    int32_t n = rope->n_rot / 2, free_one = -1;
    size_t bytes = (size_t)n * sizeof(float);

    for (int i = 0; i < MAX_FREQUENCIES; i++) {
        frequency_copy *f = &be->frequencies[i];

        if (f->host != NULL && f->n == n && memcmp(f->host, rope->inverse_frequency, bytes) == 0)
            return i;
        if (f->host == NULL && free_one < 0)
            free_one = i;
    }
    if (free_one < 0) { /* a model has one or two; these were another's */
        graphs_drop(be);
        frequencies_free(be);
        free_one = 0;
    }
    return copy_frequencies(be, &be->frequencies[free_one], rope->inverse_frequency, n) ? free_one
                                                                                        : -1;
}

/* The job of a rotation that is not known yet, which becomes so; false: no memory. */
static bool new_turns(cuda_backend *be, const trueno_rope *rope,
                      const float2 *known[MAX_FREQUENCIES], int i, turn_job *job)
{
    static const enum scratch_use USES[MAX_FREQUENCIES] = {SCRATCH_TURNS, SCRATCH_TURNS_1,
                                                           SCRATCH_TURNS_2, SCRATCH_TURNS_3};

    job->n_pairs = rope->n_rot / 2;
    job->frequency = be->frequencies[i].device;
    job->magnitude = rope->magnitude;
    job->turns = (float2 *)scratch_get(be, USES[i],
                                       (size_t)be->key.n_rows * job->n_pairs * sizeof *job->turns);
    known[i] = job->turns;
    return job->turns != NULL;
}

const float2 *step_turns(cuda_backend *be, const trueno_rope *rope,
                         const float2 *known[MAX_FREQUENCIES])
{
    turn_job job;
    int i;

    if (rope->n_rot < 2 || (i = find_frequencies(be, rope)) < 0)
        return NULL;
    if (known[i] == NULL && new_turns(be, rope, known, i, &job))
        launch_turns(&be->launch, (const row_info *)be->step_rows, be->key.n_rows, &job);
    return known[i];
}

bool first_turns(cuda_backend *be, const trueno_rope *rope, const float2 *known[MAX_FREQUENCIES],
                 turn_job *job)
{
    int i;

    return rope->n_rot >= 2 && (i = find_frequencies(be, rope)) >= 0 && known[i] == NULL &&
           new_turns(be, rope, known, i, job);
}
