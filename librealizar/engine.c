/* SPDX-License-Identifier: MIT */
/* Opening a model as an engine: file, backend, weights, tokenizer; and what can be asked of it. */
#include "internal.h"
#include "placement.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *realizar_version(void)
{
    return REALIZAR_VERSION;
}

void realizar_engine_options_init(realizar_engine_options *o, size_t size)
{
    memset(o, 0, size);
    o->size = size;
}

/* The caller's struct may be of an older, shorter version: missing fields are zero. */
static realizar_engine_options read_options(const realizar_engine_options *given)
{
    realizar_engine_options o = {0};

    if (given != NULL)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    return o;
}

static trueno_status unknown_architecture(const char *name, trueno_error *err)
{
    char list[300] = "";
    size_t used = 0;

    for (int i = 0; realizar_architecture(i) != NULL && used + 32 < sizeof list; i++) {
        (void)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                       realizar_architecture(i));
        used += strlen(list + used);
    }
    return trueno_fail(err, TRUENO_UNSUPPORTED, "architecture '%s' is not supported; these are: %s",
                       name, list);
}

static trueno_status check_config(realizar_engine *e, trueno_error *err)
{
    const apr_config *c = e->config;

    e->arch = architecture_find(c->architecture);
    if (e->arch == NULL)
        return unknown_architecture(c->architecture, err);
    if (c->n_kv_heads <= 0 || c->n_heads % c->n_kv_heads != 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%d query heads do not share %d key heads evenly", c->n_heads,
                           c->n_kv_heads);
    if (e->arch->experts &&
        (c->n_experts <= 0 || c->n_experts_used <= 0 || c->n_experts_used > c->n_experts))
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%d of %d experts are to be used",
                           c->n_experts_used, c->n_experts);
    return TRUENO_OK;
}

static trueno_status choose_context(realizar_engine *e, const realizar_engine_options *o,
                                    trueno_error *err)
{
    if (o->context < 0)
        return trueno_fail(err, TRUENO_USAGE, "context %d, it must be positive", o->context);
    e->context = o->context > 0 ? o->context : e->config->max_positions;
    if (e->context <= 0)
        e->context = 4096;
    return TRUENO_OK;
}

/* The backend keeps weights in the size that they have in the file. */
static trueno_status check_device_memory(const realizar_engine *e, trueno_error *err)
{
    double need = (double)apr_model_bytes(e->model);
    trueno_memory_use use = {0};

    e->backend->memory_use(e->backend, &use);
    if (use.device_total == 0 || need <= (double)use.device_free)
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_NO_MEMORY,
                       "the model has %.1f MiB, the GPU %.1f MiB of which %.1f MiB are free",
                       need / 1048576, (double)use.device_total / 1048576,
                       (double)use.device_free / 1048576);
}

/* A copy of the weights in the kernels' own layout would not fit in this machine's memory; from the
 * mapped file the system reads what is used. */
static bool exceeds_memory(const realizar_engine *e)
{
    uint64_t bytes = apr_model_bytes(e->model), memory;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    memory = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    if (!placement_exceeds(bytes, memory))
        return false;
    trueno_log_write(&e->log, TRUENO_LOG_WARNING,
                     "the model has %.1f GiB, the machine %.1f: computing from the file's layout",
                     (double)bytes / 1073741824, (double)memory / 1073741824);
    return true;
}

/* A GPU when one is there and the model fits; the CPU when not asked otherwise. */
static trueno_status open_backend(realizar_engine *e, const realizar_engine_options *o,
                                  trueno_error *err)
{
    trueno_backend_options b;
    trueno_memory_use use = {0};
    uint64_t bytes = apr_model_bytes(e->model);

    trueno_backend_options_init(&b, sizeof b);
    b.threads = o->threads;
    b.device = o->device;
    b.keep_mapping = o->keep_mapping;
    b.allocator = o->allocator;
    b.log = o->log;
    if (o->backend != NULL) {
        trueno_status status;

        b.keep_mapping |= strcmp(o->backend, "cuda") != 0 && exceeds_memory(e);
        status = trueno_backend_open(&e->backend, o->backend, &b, err);
        return status < 0 ? status : check_device_memory(e, err);
    }
    if (trueno_backend_open(&e->backend, "cuda", &b, NULL) == TRUENO_OK) {
        e->backend->memory_use(e->backend, &use);
        if (placement_fits(bytes, use.device_free))
            return TRUENO_OK;
        trueno_log_write(&o->log, TRUENO_LOG_INFO,
                         "GPU has %llu bytes free, the model %llu and needs a quarter more",
                         (unsigned long long)use.device_free, (unsigned long long)bytes);
        e->backend->close(e->backend);
        e->backend = NULL;
    }
    b.keep_mapping |= exceeds_memory(e);
    return trueno_backend_open(&e->backend, "cpu", &b, err);
}

static int32_t choose_step_rows(const realizar_engine *e, const realizar_engine_options *o)
{
    trueno_memory_use use = {0};

    if (o->step_rows > 0)
        return o->step_rows;
    e->backend->memory_use(e->backend, &use);
    return placement_step_rows(apr_model_bytes(e->model), use.device_total > 0);
}

static trueno_status make_tokenizer(realizar_engine *e, const realizar_engine_options *o,
                                    trueno_error *err)
{
    const apr_vocab *vocab = apr_model_vocab(e->model);

    if (vocab == NULL && o->bench_only)
        return TRUENO_OK;
    if (vocab == NULL)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "no vocabulary: the file has none, and no tokenizer.json is beside it");
    return realizar_tokenizer_new(&e->tokenizer, vocab, e->allocator, err);
}

static trueno_status engine_fill(realizar_engine *e, const realizar_engine_options *o,
                                 trueno_error *err)
{
    trueno_status status;

    e->config = apr_model_config(e->model);
    if ((status = check_config(e, err)) < 0 || (status = choose_context(e, o, err)) < 0 ||
        (status = make_tokenizer(e, o, err)) < 0 || (status = open_backend(e, o, err)) < 0)
        return status;
    e->step_rows = choose_step_rows(e, o);
    if ((status = step_prepare(e, err)) < 0 || (status = bind_weights(e, err)) < 0)
        return status;
    return choice_prepare(e, err);
}

static trueno_status engine_new(realizar_engine **out, apr_model *model,
                                const realizar_engine_options *o, trueno_error *err)
{
    realizar_engine *e = trueno_allocate_zero(o->allocator, sizeof *e);
    trueno_status status;

    if (e == NULL) {
        apr_model_close(model);
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for an engine");
    }
    e->model = model;
    e->allocator = o->allocator;
    e->log = o->log;
    e->arena.allocator = o->allocator;
    e->kv_type = o->kv_type;
    e->process = getpid();
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    status = engine_fill(e, o, err);
    if (status < 0) {
        if (status != TRUENO_NO_DEVICE) /* that is no matter of the model's */
            (void)trueno_prefix(err, apr_model_path(model));
        realizar_engine_close(e);
        return status;
    }
    *out = e;
    return TRUENO_OK;
}

static apr_model_options model_options(const realizar_engine_options *o)
{
    apr_model_options m;

    apr_model_options_init(&m, sizeof m);
    m.lenient = o->lenient;
    m.verify = o->verify;
    m.allocator = o->allocator;
    m.log = o->log;
    return m;
}

trueno_status realizar_engine_open(realizar_engine **out, const char *path,
                                   const realizar_engine_options *options, trueno_error *err)
{
    realizar_engine_options o = read_options(options);
    apr_model_options m = model_options(&o);
    apr_model *model;
    trueno_status status = apr_model_open(&model, path, &m, err);

    *out = NULL;
    return status < 0 ? status : engine_new(out, model, &o, err);
}

trueno_status realizar_engine_open_memory(realizar_engine **out, const void *data, size_t bytes,
                                          const realizar_engine_options *options, trueno_error *err)
{
    realizar_engine_options o = read_options(options);
    apr_model_options m = model_options(&o);
    apr_model *model;
    trueno_status status = apr_model_open_memory(&model, data, bytes, &m, err);

    *out = NULL;
    return status < 0 ? status : engine_new(out, model, &o, err);
}

trueno_status realizar_engine_open_demo(realizar_engine **out,
                                        const realizar_engine_options *options, trueno_error *err)
{
    size_t bytes;
    const void *data = realizar_demo_model(&bytes);

    *out = NULL;
    if (data == NULL)
        return trueno_fail(err, TRUENO_NO_DEVICE, "this library was built without the demo model");
    return realizar_engine_open_memory(out, data, bytes, options, err);
}

void realizar_engine_close(realizar_engine *e)
{
    if (e == NULL)
        return;
    if (e->backend != NULL) {
        activations_free(e);
        unbind_weights(e);
        e->backend->release(e->backend, e->forbidden);
        e->backend->close(e->backend);
    }
    realizar_tokenizer_free(e->tokenizer);
    trueno_arena_free(&e->arena);
    apr_model_close(e->model);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    trueno_release(e->allocator, e, sizeof *e);
}

const apr_model *realizar_engine_model(const realizar_engine *e)
{
    return e->model;
}

const realizar_tokenizer *realizar_engine_tokenizer(const realizar_engine *e)
{
    return e->tokenizer;
}

const char *realizar_engine_backend(const realizar_engine *e)
{
    return e->backend->name;
}

const char *realizar_engine_device(const realizar_engine *e)
{
    return e->backend->device;
}

int32_t realizar_engine_context(const realizar_engine *e)
{
    return e->context;
}

int32_t realizar_engine_vocab_size(const realizar_engine *e)
{
    return e->vocab_rows;
}

int32_t realizar_engine_hidden_size(const realizar_engine *e)
{
    return e->config->hidden_size;
}

bool realizar_engine_chooses(const realizar_engine *e)
{
    return e->backend->choose != NULL;
}

uint64_t realizar_engine_bytes_per_token(const realizar_engine *e)
{
    uint64_t total = e->weights.embedding_bytes + e->weights.output_bytes;

    for (int32_t layer = 0; layer < e->config->n_layers; layer++) {
        const layer_weights *w = &e->weights.layer[layer];

        total += w->qkv_bytes + w->attn_out_bytes + w->ffn_bytes;
    }
    return total;
}

trueno_status realizar_engine_bandwidth(realizar_engine *e, double *gb_s, trueno_error *err)
{
    trueno_status status;

    *gb_s = 0;
    if (e->backend->bandwidth == NULL)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "backend %s does not measure its memory",
                           e->backend->name);
    pthread_mutex_lock(&e->lock);
    while (e->leading) /* the backend belongs to the leading thread */
        pthread_cond_wait(&e->changed, &e->lock);
    status = e->backend->bandwidth(e->backend, gb_s, err);
    pthread_mutex_unlock(&e->lock);
    return status;
}

void realizar_engine_memory(const realizar_engine *e, trueno_memory_use *out)
{
    e->backend->memory_use(e->backend, out);
}
