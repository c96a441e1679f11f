/* SPDX-License-Identifier: MIT */
/* The CUDA backend as a module: opening a device, its memory, errors. */
#include "internal.h"

#include <stdio.h>
#include <trueno/sys/module.h>

enum { ALIGN = 256, MOST_SLACK = 1 << 20, OLDEST_MAJOR = 7, OLDEST_MINOR = 5 };

trueno_status cuda_check(cudaError_t code, const char *what, trueno_error *err)
{
    if (code == cudaSuccess)
        return TRUENO_OK;
    (void)cudaGetLastError();
    return trueno_fail(err, code == cudaErrorMemoryAllocation ? TRUENO_NO_MEMORY : TRUENO_INFERENCE,
                       "GPU, %s: %s", what, cudaGetErrorString(code));
}

/* Keep the first failure of a step; operations themselves cannot fail. */
void cuda_note(cuda_backend *be, cudaError_t code, const char *what)
{
    trueno_error err = {};

    if (cuda_check(code, what, &err) < 0 && be->failure.status == TRUENO_OK)
        be->failure = err;
}

trueno_status device_alloc(cuda_backend *be, size_t bytes, const char *what, void **out,
                           trueno_error *err)
{
    size_t available = 0, total = 0;
    cudaError_t code = cudaMalloc(out, bytes > 0 ? bytes : 1);

    (void)be;
    if (code == cudaSuccess)
        return TRUENO_OK;
    (void)cudaGetLastError();
    *out = NULL;
    if (code != cudaErrorMemoryAllocation)
        return cuda_check(code, what, err);
    (void)cudaMemGetInfo(&available, &total);
    return trueno_fail(
        err, TRUENO_NO_MEMORY, "%s need %.1f MiB of GPU memory, %.1f MiB of %.1f MiB are free",
        what, (double)bytes / 1048576, (double)available / 1048576, (double)total / 1048576);
}

void *scratch_get(cuda_backend *be, enum scratch_use use, size_t bytes)
{
    scratch *s = &be->scratch[use];
    trueno_error err = {};
    void *data;

    if (bytes <= s->bytes && s->data != NULL)
        return s->data;
    bytes = (bytes + (bytes / 8 < MOST_SLACK ? bytes / 8 : MOST_SLACK) + ALIGN) / ALIGN * ALIGN;
    cuda_note(be, cudaStreamSynchronize(be->stream), "waiting for the device");
    (void)cudaFree(s->data);
    be->activation_bytes -= s->bytes;
    be->scratch_moves++;
    s->data = NULL;
    s->bytes = 0;
    if (device_alloc(be, bytes, "working arrays", &data, &err) < 0) {
        if (be->failure.status == TRUENO_OK)
            be->failure = err;
        return NULL;
    }
    cuda_note(be, cudaMemsetAsync(data, 0, bytes, be->stream), "clearing memory");
    s->data = data;
    s->bytes = bytes;
    be->activation_bytes += bytes;
    return data;
}

/* Sizes are kept before the array, in memory of the host's allocator. */
typedef struct array_note {
    void *data;
    size_t bytes;
    struct array_note *next;
} array_note;

typedef struct module_backend {
    cuda_backend cuda; /* first */
    array_note *arrays;
} module_backend;

static trueno_status array_alloc(trueno_backend *table, size_t bytes, void **out, trueno_error *err)
{
    module_backend *be = (module_backend *)table;
    array_note *note = (array_note *)trueno_allocate(be->cuda.allocator, sizeof *note, 64);
    trueno_status status;

    if (note == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for an array");
    status = device_alloc(&be->cuda, bytes, "activations", out, err);
    if (status < 0) {
        trueno_release(be->cuda.allocator, note, sizeof *note);
        return status;
    }
    *note = array_note{*out, bytes, be->arrays};
    be->arrays = note;
    be->cuda.activation_bytes += bytes;
    return TRUENO_OK;
}

static void array_release(trueno_backend *table, void *p)
{
    module_backend *be = (module_backend *)table;

    for (array_note **at = &be->arrays; *at != NULL; at = &(*at)->next) {
        array_note *note = *at;

        if (note->data != p)
            continue;
        *at = note->next;
        be->cuda.activation_bytes -= note->bytes;
        (void)cudaStreamSynchronize(be->cuda.stream); /* a step that was left may still run */
        graphs_drop(&be->cuda);                       /* a later array may get the same address */
        (void)cudaFree(p);
        trueno_release(be->cuda.allocator, note, sizeof *note);
        return;
    }
}

static trueno_status array_write(trueno_backend *table, void *to, const void *from, size_t bytes,
                                 trueno_error *err)
{
    cuda_backend *be = cuda_of(table);

    flush(be, NULL);
    return cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, be->stream),
                      "writing an array", err);
}

static trueno_status array_read(trueno_backend *table, void *to, const void *from, size_t bytes,
                                trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    trueno_status status;

    flush(be, from);
    status = cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, be->stream),
                        "reading an array", err);
    if (status == TRUENO_OK)
        status = cuda_check(cudaStreamSynchronize(be->stream), "computing", err);
    if (be->failure.status != TRUENO_OK) {
        if (err != NULL)
            *err = be->failure;
        return be->failure.status;
    }
    return status;
}

static trueno_status largest(trueno_backend *table, const float *logits, int32_t n, int32_t width,
                             int32_t *ids, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    size_t pairs = (size_t)n * ARGMAX_BLOCKS * sizeof(float2);
    uint8_t *memory = (uint8_t *)scratch_get(be, SCRATCH_ARGMAX, pairs + (size_t)n * sizeof *ids);

    flush(be, logits);
    if (memory != NULL) {
        launch_argmax(&be->launch, logits, n, width, (float2 *)memory, (int32_t *)(memory + pairs));
        return array_read(table, ids, memory + pairs, (size_t)n * sizeof *ids, err);
    }
    if (err != NULL)
        *err = be->failure;
    return be->failure.status;
}

static void memory_use(const trueno_backend *table, trueno_memory_use *out)
{
    const cuda_backend *be = (const cuda_backend *)table;
    size_t available = 0, total = 0;

    (void)cudaMemGetInfo(&available, &total);
    out->weights = be->weight_bytes;
    out->kv = be->kv_bytes;
    out->activations = be->activation_bytes;
    out->device_free = available;
    out->device_total = total;
}

static void close_backend(trueno_backend *table)
{
    module_backend *module = (module_backend *)table;
    cuda_backend *be = &module->cuda;
    const trueno_allocator *allocator;

    if (table == NULL)
        return;
    allocator = be->allocator;
    if (be->stream != NULL)
        (void)cudaStreamSynchronize(be->stream);
    graphs_drop(be);
    cublas_close(be);
    staging_free(be);
    while (module->arrays != NULL)
        array_release(table, module->arrays->data);
    for (int i = 0; i < N_SCRATCH; i++)
        (void)cudaFree(be->scratch[i].data);
    frequencies_free(be);
    for (int i = 0; i < be->n_experts; i++)
        (void)cudaFree(be->experts[i].device);
    for (int i = 0; i < N_STEPS; i++) {
        step_memory_free(&be->steps[i]);
    }
    trueno_release(allocator, be->ops, (size_t)be->room_ops * sizeof *be->ops);
    for (int i = 0; i < N_PLACES; i++)
        if (be->ran[i] != NULL)
            (void)cudaEventDestroy(be->ran[i]);
    if (be->copies != NULL)
        (void)cudaStreamDestroy(be->copies);
    if (be->stream != NULL)
        (void)cudaStreamDestroy(be->stream);
    trueno_release(allocator, module, sizeof *module);
}

static void fill_table(trueno_backend *table)
{
    table->abi = TRUENO_BACKEND_ABI;
    table->name = "cuda";
    table->row_tolerance = 2e-3f;
    table->close = close_backend;
    table->alloc = array_alloc;
    table->release = array_release;
    table->write = array_write;
    table->read = array_read;
    table->memory_use = memory_use;
    table->weight_new = cuda_weight_new;
    table->weight_free = cuda_weight_free;
    table->kv_new = cuda_kv_new;
    table->kv_free = cuda_kv_free;
    table->kv_reserve = cuda_kv_reserve;
    table->kv_bytes = cuda_kv_bytes;
    table->step_begin = cuda_step_begin;
    table->step_end = cuda_step_end;
    table->argmax = largest;
    table->choose = cuda_choose;
    table->chosen = cuda_chosen;
    table->step_leave = cuda_step_leave;
    table->bandwidth = cuda_bandwidth;
    record_fill(table);
}

static trueno_status count_devices(int *n, trueno_error *err)
{
    cudaError_t code = cudaGetDeviceCount(n);

    if (code != cudaSuccess || *n == 0) {
        (void)cudaGetLastError();
        return trueno_fail(err, TRUENO_NO_DEVICE, "no CUDA device: %s",
                           code != cudaSuccess ? cudaGetErrorString(code) : "none is installed");
    }
    return TRUENO_OK;
}

static trueno_status open_streams(cuda_backend *be, trueno_error *err)
{
    trueno_status status =
        cuda_check(cudaStreamCreateWithFlags(&be->stream, cudaStreamNonBlocking), "a stream", err);

    if (status == TRUENO_OK)
        status = cuda_check(cudaStreamCreateWithFlags(&be->copies, cudaStreamNonBlocking),
                            "a stream", err);
    for (int i = 0; i < N_PLACES && status == TRUENO_OK; i++)
        status = cuda_check(cudaEventCreateWithFlags(&be->ran[i], cudaEventDisableTiming),
                            "an event", err);
    return status;
}

static trueno_status open_device(cuda_backend *be, int device, trueno_error *err)
{
    struct cudaDeviceProp properties;
    trueno_status status;
    int n = 0;

    if ((status = count_devices(&n, err)) < 0)
        return status;
    if (device < 0 || device >= n)
        return trueno_fail(err, TRUENO_NO_DEVICE, "no CUDA device %d: there are %d, counted from 0",
                           device, n);
    if (cudaSetDevice(device) != cudaSuccess ||
        cudaGetDeviceProperties(&properties, device) != cudaSuccess ||
        cudaFree(NULL) != cudaSuccess)
        return trueno_fail(err, TRUENO_NO_DEVICE, "CUDA device %d cannot be used: %s", device,
                           cudaGetErrorString(cudaGetLastError()));
    if (properties.major * 10 + properties.minor < OLDEST_MAJOR * 10 + OLDEST_MINOR)
        return trueno_fail(
            err, TRUENO_NO_DEVICE, "%s has compute capability %d.%d, at least %d.%d is needed",
            properties.name, properties.major, properties.minor, OLDEST_MAJOR, OLDEST_MINOR);
    if ((status = open_streams(be, err)) < 0)
        return status;
    be->device = device;
    be->launch.stream = be->stream;
    be->launch.n_sm = properties.multiProcessorCount;
    be->launch.shared_bytes = (int)properties.sharedMemPerBlockOptin;
    be->launch.capability = properties.major * 10 + properties.minor;
    be->launch.dependent = properties.major >= 9;
    (void)snprintf(be->table.device, sizeof be->table.device, "%.100s, sm_%d%d", properties.name,
                   properties.major, properties.minor);
    return TRUENO_OK;
}

static trueno_status open_backend(trueno_backend **out, const trueno_backend_options *options,
                                  trueno_error *err)
{
    module_backend *module =
        (module_backend *)trueno_allocate_zero(options->allocator, sizeof *module);
    trueno_status status;

    *out = NULL;
    if (module == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a backend");
    module->cuda.allocator = options->allocator;
    module->cuda.log = options->log;
    staging_threads(&module->cuda, options->threads);
    fill_table(&module->cuda.table);
    status = open_device(&module->cuda, options->device, err);
    if (status < 0) {
        close_backend(&module->cuda.table);
        return status;
    }
    *out = &module->cuda.table;
    return TRUENO_OK;
}

static void describe(char *line, size_t bytes)
{
    struct cudaDeviceProp properties;
    trueno_error err = {};
    size_t used = 0;
    int n = 0;

    if (count_devices(&n, &err) < 0) {
        (void)snprintf(line, bytes, "%s", err.message);
        return;
    }
    for (int i = 0; i < n && used < bytes; i++)
        if (cudaGetDeviceProperties(&properties, i) == cudaSuccess)
            used += (size_t)snprintf(line + used, bytes - used, "%s%d: %s, sm_%d%d, %zu MiB",
                                     i > 0 ? "; " : "", i, properties.name, properties.major,
                                     properties.minor, properties.totalGlobalMem >> 20);
}

static const trueno_module MODULE = {TRUENO_BACKEND_ABI, "cuda", open_backend, describe};

extern "C" __attribute__((visibility("default"))) const trueno_module *trueno_backend_module(void)
{
    return &MODULE;
}
