/* SPDX-License-Identifier: MIT */
/* Steps: the rows go to the device, the list of operations is run when somebody waits for it, and a
 * list that comes again is captured as a graph. Everything that differs between two such steps
 * (tokens, positions, pages) lies in device memory, so the graph is launched as it is. Rows go up
 * on a stream of their own, into one of two places: while the step before still runs. */
#include "internal.h"

bool step_room(cuda_backend *be, step_memory *m, size_t bytes)
{
    void *more;

    if (bytes <= m->bytes)
        return true;
    bytes = (bytes + 65535) / 65536 * 65536;
    if (cudaMallocHost(&more, bytes) != cudaSuccess) {
        (void)cudaGetLastError();
        if (be->failure.status == TRUENO_OK)
            trueno_fail(&be->failure, TRUENO_NO_MEMORY, "no pinned memory for a step (%zu bytes)",
                        bytes);
        return false;
    }
    if (m->data != NULL)
        memcpy(more, m->data, m->bytes);
    (void)cudaFreeHost(m->data);
    m->data = more;
    m->bytes = bytes;
    return true;
}

step_memory *step_memory_next(cuda_backend *be, step_memory *memories, uint32_t *at, uint32_t n)
{
    step_memory *m = &memories[(*at)++ % n];

    if (m->read == NULL)
        cuda_note(be, cudaEventCreateWithFlags(&m->read, cudaEventDisableTiming), "an event");
    else
        cuda_note(be, cudaEventSynchronize(m->read), "waiting for the device");
    return m;
}

void step_memory_free(step_memory *m)
{
    if (m->read != NULL)
        (void)cudaEventDestroy(m->read);
    (void)cudaFreeHost(m->data);
    memset(m, 0, sizeof *m);
}

static size_t rows_bytes(const cuda_backend *be)
{
    return (size_t)be->key.n_rows * sizeof(row_info);
}

/* Where the settings of choices lie: behind rows and numbers. */
static size_t choices_at(const cuda_backend *be)
{
    return (rows_bytes(be) + (size_t)be->n_gathered * sizeof(int32_t) + 15) / 16 * 16;
}

/* All that goes up. */
static size_t step_bytes(const cuda_backend *be)
{
    return choices_at(be) + (size_t)be->n_choices * sizeof(choice_row);
}

/* Pinned memory for what goes up with the step's rows, up to `bytes`; NULL: none. */
static uint8_t *step_host(cuda_backend *be, size_t bytes)
{
    if (be->uploaded) { /* the copy to the device may still read what is there */
        cuda_note(be, cudaStreamSynchronize(be->stream), "waiting for the device");
        be->uploaded = false;
    }
    if (be->step == NULL) /* outside a step */
        be->step = step_memory_next(be, be->steps, &be->step_at, N_STEPS);
    return step_room(be, be->step, bytes) ? (uint8_t *)be->step->data : NULL;
}

int32_t step_numbers(cuda_backend *be, const int32_t *numbers, int32_t n)
{
    int32_t first = be->n_gathered;
    size_t at = rows_bytes(be) + (size_t)first * sizeof *numbers;
    uint8_t *host = step_host(be, at + (size_t)n * sizeof *numbers);

    if (host == NULL)
        return 0;
    memcpy(host + at, numbers, (size_t)n * sizeof *numbers);
    be->n_gathered += n;
    return first;
}

choice_row *step_choices(cuda_backend *be, int32_t n, int32_t *at)
{
    uint8_t *host = step_host(be, choices_at(be) + (size_t)n * sizeof(choice_row));

    if (host == NULL)
        return NULL;
    be->n_choices = n;
    *at = (int32_t)choices_at(be);
    return (choice_row *)(host + *at);
}

static void fill_rows(cuda_backend *be, const trueno_rows *rows)
{
    row_info *info = (row_info *)be->step->data;

    for (int32_t s = 0; s < rows->n_spans; s++) {
        const trueno_span *span = &rows->spans[s];

        for (int32_t i = 0; i < span->n_rows; i++) {
            row_info *row = &info[span->first_row + i];

            row->pages = span->kv != NULL ? span->kv->pages : NULL;
            row->token = rows->tokens[span->first_row + i];
            row->position = span->first_pos + i;
            row->alone = span->n_rows == 1;
            row->pad = 0;
        }
    }
}

/* A session may stand in two spans. */
static bool all_alone(const trueno_rows *rows)
{
    for (int32_t s = 0; s < rows->n_spans; s++) {
        if (rows->spans[s].n_rows != 1)
            return false;
        for (int32_t k = 0; k < s; k++)
            if (rows->spans[k].kv == rows->spans[s].kv)
                return false;
    }
    return true;
}

/* Attention needs few blocks as long as sessions are short. Doubled for a row alone, so that a
 * session that grows needs another graph seldom, and at last none; two sizes for several. */
static int32_t longest_of(const trueno_rows *rows)
{
    bool one = rows->n_rows <= 1;
    int32_t longest = one ? (int)SPLIT_POSITIONS : (int)CLUSTER_POSITIONS, furthest = 0;

    for (int32_t s = 0; s < rows->n_spans; s++)
        if (rows->spans[s].first_pos > furthest)
            furthest = rows->spans[s].first_pos;
    while (longest <= furthest && longest < MAX_SPLITS * SPLIT_POSITIONS)
        longest = one ? 2 * longest : MAX_SPLITS * SPLIT_POSITIONS;
    return longest;
}

trueno_status cuda_step_begin(trueno_backend *table, const trueno_rows *rows, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    const trueno_kv *kv = rows->n_spans > 0 ? rows->spans[0].kv : NULL;

    staging_free(be); /* the model is loaded */
    be->failure.status = TRUENO_OK;
    memset(&be->key, 0, sizeof be->key);
    be->key.n_rows = rows->n_rows;
    be->key.alone = all_alone(rows);
    be->key.longest = longest_of(rows);
    if (kv != NULL) {
        be->key.kv = kv->layer0;
        be->key.layer_bytes = kv->layer_bytes;
    }
    be->n_gathered = be->n_choices = 0;
    be->uploaded = be->flushed = false;
    be->place = (be->place + 1) % N_PLACES;
    be->step = step_memory_next(be, be->steps, &be->step_at, N_STEPS);
    if (!step_room(be, be->step, rows_bytes(be)))
        return err != NULL ? (*err = be->failure).status : be->failure.status;
    fill_rows(be, rows);
    be->rows = rows;
    return TRUENO_OK;
}

static void step_close(cuda_backend *be)
{
    flush(be, NULL);
    cuda_note(be, cudaEventRecord(be->ran[be->place], be->stream), "an event");
    be->rows = NULL;
    memset(&be->key, 0, sizeof be->key);
    be->n_gathered = be->n_choices = 0;
}

trueno_status cuda_step_end(trueno_backend *table, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);

    step_close(be);
    cuda_note(be, cudaStreamSynchronize(be->stream), "computing a step");
    if (be->failure.status != TRUENO_OK && err != NULL)
        *err = be->failure;
    return be->failure.status;
}

trueno_status cuda_step_leave(trueno_backend *table, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);

    step_close(be);
    if (be->failure.status != TRUENO_OK && err != NULL)
        *err = be->failure;
    return be->failure.status;
}

static void graph_free(cuda_backend *be, graph_entry *g)
{
    for (int i = 0; i < N_PLACES; i++)
        if (g->exec[i] != NULL)
            (void)cudaGraphExecDestroy(g->exec[i]);
    trueno_release(be->allocator, g->ops, (size_t)g->n_ops * sizeof *g->ops);
    memset(g, 0, sizeof *g);
}

void graphs_drop(cuda_backend *be)
{
    for (int i = 0; i < MAX_GRAPHS; i++)
        graph_free(be, &be->graphs[i]);
}

static graph_entry *graph_find(cuda_backend *be, const void *kept)
{
    for (int i = 0; i < MAX_GRAPHS; i++) {
        graph_entry *g = &be->graphs[i];

        if (g->n_ops == be->n_ops && g->kept == kept &&
            memcmp(&g->key, &be->key, sizeof g->key) == 0 &&
            memcmp(g->ops, be->ops, (size_t)g->n_ops * sizeof *g->ops) == 0)
            return g;
    }
    return NULL;
}

/* Remember this list, in place of the one unused for longest. */
static void graph_remember(cuda_backend *be, const void *kept)
{
    graph_entry *oldest = &be->graphs[0];
    size_t bytes = (size_t)be->n_ops * sizeof *be->ops;

    for (int i = 1; i < MAX_GRAPHS; i++)
        if (be->graphs[i].used < oldest->used)
            oldest = &be->graphs[i];
    graph_free(be, oldest);
    oldest->ops = (operation *)trueno_allocate(be->allocator, bytes, 64);
    if (oldest->ops == NULL)
        return; /* it runs without a graph */
    memcpy(oldest->ops, be->ops, bytes);
    oldest->n_ops = be->n_ops;
    oldest->key = be->key;
    oldest->kept = kept;
    oldest->used = ++be->graph_clock;
}

static void graph_capture(cuda_backend *be, cudaGraphExec_t *exec, const void *kept)
{
    cudaGraph_t graph = NULL;

    if (cudaStreamBeginCapture(be->stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess)
        return;
    run_operations(be, be->ops, be->n_ops, kept);
    if (cudaStreamEndCapture(be->stream, &graph) != cudaSuccess ||
        cudaGraphInstantiate(exec, graph, 0) != cudaSuccess) {
        *exec = NULL;
        (void)cudaGetLastError();
    }
    if (graph != NULL)
        (void)cudaGraphDestroy(graph);
}

static void upload_rows(cuda_backend *be)
{
    static const enum scratch_use USES[N_PLACES] = {SCRATCH_STEP, SCRATCH_STEP_1};
    size_t bytes = step_bytes(be);
    uint64_t moves = be->scratch_moves;
    /* Room for more than this step, so that gathers of later ones do not move it. */
    void *device = scratch_get(be, USES[be->place], (bytes + 65535) / 65536 * 65536);

    if (be->scratch_moves != moves) /* it is being cleared, on the other stream */
        cuda_note(be, cudaStreamSynchronize(be->stream), "waiting for the device");
    be->step_rows = (const uint8_t *)device;
    if (bytes > 0 && device != NULL && !be->uploaded) {
        cuda_note(be, cudaStreamWaitEvent(be->copies, be->ran[be->place], 0), "an event");
        cuda_note(
            be, cudaMemcpyAsync(device, be->step->data, bytes, cudaMemcpyHostToDevice, be->copies),
            "uploading a step");
        cuda_note(be, cudaEventRecord(be->step->read, be->copies), "an event");
        cuda_note(be, cudaStreamWaitEvent(be->stream, be->step->read, 0), "an event");
    }
    be->uploaded = true;
}

static bool is_watched(const cuda_backend *be)
{
    for (int i = 0; i < be->n_ops; i++)
        if (be->ops[i].watch.log_sum_exp != NULL || be->ops[i].watch.mean_score != NULL)
            return true;
    return false;
}

void flush(cuda_backend *be, const void *kept)
{
    graph_entry *g = NULL;
    cudaGraphExec_t *exec = NULL;
    bool whole =
        be->rows != NULL && !be->flushed && be->key.n_rows <= MAX_GRAPH_ROWS && be->key.alone;

    if (be->n_ops == 0)
        return;
    upload_rows(be);
    if (be->scratch_moves != be->graph_moves) {
        graphs_drop(be);
        be->graph_moves = be->scratch_moves;
    }
    whole = whole && be->failure.status == TRUENO_OK && !is_watched(be);
    if (whole && (g = graph_find(be, kept)) == NULL)
        graph_remember(be, kept);
    if (g != NULL) {
        g->used = ++be->graph_clock;
        exec = &g->exec[be->place];
        if (*exec == NULL)
            graph_capture(be, exec, kept);
    }
    if (be->failure.status != TRUENO_OK)
        ; /* the step has failed: its values are not defined */
    else if (exec != NULL && *exec != NULL)
        cuda_note(be, cudaGraphLaunch(*exec, be->stream), "launching a graph");
    else
        run_operations(be, be->ops, be->n_ops, kept);
    cuda_note(be, cudaGetLastError(), "launching kernels");
    if (be->rows == NULL) /* outside a step: nobody will close it */
        cuda_note(be, cudaEventRecord(be->ran[be->place], be->stream), "an event");
    be->n_ops = 0;
    be->flushed = true;
}
