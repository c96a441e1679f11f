/* SPDX-License-Identifier: MIT */
/*
 * The CUDA backend where something is short or broken: memory that does not suffice for a weight,
 * an array, a session, the working arrays of a step; a device that fails; backends opened and
 * closed many times. cuda_limits [CYCLES], or cuda_limits hold: takes the device's memory until the
 * end of its input. Without a device it exits with 77 (skipped).
 */
#include "cuda_sides.h"
#include "step_model.h"

#include <unistd.h>

static const model_shape SMALL = {"small", 512, 1024, 8, 2, 64, 3, 1000, true};
/* Its working arrays for ROWS rows do not fit what is left of the device's 2 MiB pages. */
static const model_shape WIDE = {"wide", 2048, 8192, 16, 4, 128, 1, 1000, true};
static const type_mix MIX = {"Q4_K_M",    TRUENO_Q4_K, TRUENO_Q4_K, TRUENO_Q4_K,
                             TRUENO_Q6_K, TRUENO_Q6_K, TRUENO_Q6_K};

enum { ROWS = 70, MOST_PIECES = 256 };

static trueno_backend *open_cuda(trueno_error *err)
{
    trueno_backend *be = NULL;

    return trueno_backend_open(&be, "cuda", NULL, err) < 0 ? NULL : be;
}

/* A prompt of ROWS rows; its last logits, or the step's failure. */
static trueno_status prompt(step_model *m, trueno_kv *kv, float *logits, trueno_error *err)
{
    int32_t tokens[ROWS], last = ROWS - 1;
    trueno_span span = {kv, 0, ROWS, 0};
    trueno_rows rows = {ROWS, 1, tokens, &span};
    trueno_status status, ended;

    for (int i = 0; i < ROWS; i++)
        tokens[i] = 13 * i % m->s.vocab;
    model_step(m, &rows, &last, 1, false);
    status = m->be->read(m->be, logits, m->logits, (size_t)m->s.vocab * sizeof *logits, err);
    ended = m->be->step_end(m->be, status < 0 ? NULL : err);
    return status < 0 ? status : ended;
}

static void expect(const char *what, trueno_status got, trueno_status want, const trueno_error *err)
{
    printf("%s: %s\n", what, got < 0 ? err->message : "works");
    report(what, got != want, 0);
}

/* Take all memory but `leave` bytes, in pieces; returns how many. */
static int take_memory(trueno_backend *be, void **piece, size_t leave)
{
    int n = 0;

    for (size_t bytes = (size_t)1 << 36; bytes >= 1 << 20 && n < MOST_PIECES;) {
        trueno_memory_use use;

        be->memory_use(be, &use);
        if (use.device_free < bytes + leave || be->alloc(be, bytes, &piece[n], NULL) < 0)
            bytes /= 2;
        else
            n++;
    }
    return n;
}

static void give_memory(trueno_backend *be, void **piece, int n)
{
    for (int i = 0; i < n; i++)
        be->release(be, piece[i]);
}

static void check_too_large(trueno_backend *be)
{
    trueno_error err = {0};
    trueno_memory_use use;
    trueno_weight *w;
    trueno_tensor part;
    void *p = NULL;

    be->memory_use(be, &use);
    part = trueno_tensor_make(TRUENO_F16, (int64_t)(use.device_total / 65536) + 1000, 32768, &err);
    expect("a weight larger than the device",
           be->weight_new(be, &part, 1, TRUENO_USE_MATMUL, &w, &err), TRUENO_NO_MEMORY, &err);
    report("the message has both numbers",
           strstr(err.message, "MiB of GPU memory") == NULL || strstr(err.message, "free") == NULL,
           0);
    expect("an array larger than the device", be->alloc(be, use.device_total + 1, &p, &err),
           TRUENO_NO_MEMORY, &err);
    report("there is no array", p != NULL, 0);
}

static void check_session(step_model *m)
{
    trueno_kv_shape shape = {m->s.n_layers, m->s.n_kv_heads, m->s.dim, 200000000, TRUENO_KV_F16};
    trueno_memory_use before, after;
    trueno_error err = {0};
    trueno_kv *kv;

    m->be->memory_use(m->be, &before);
    expect("a session's table", m->be->kv_new(m->be, &shape, &kv, &err), TRUENO_OK, &err);
    expect("a session larger than the device",
           m->be->kv_reserve(m->be, kv, shape.n_positions, &err), TRUENO_NO_MEMORY, &err);
    m->be->kv_free(m->be, kv);
    m->be->memory_use(m->be, &after);
    report("its memory is counted back", after.kv != before.kv, 0);
}

static void check_bandwidth(trueno_backend *be)
{
    void *piece[MOST_PIECES];
    trueno_memory_use before, after;
    trueno_error err = {0};
    double gb_s = 0;
    int n;

    be->memory_use(be, &before);
    expect("reading at full speed", be->bandwidth(be, &gb_s, &err), TRUENO_OK, &err);
    be->memory_use(be, &after);
    printf("memory is read at %.0f GB/s\n", gb_s);
    report("as fast as any such device at least", !(gb_s > 20 && gb_s < 1e6), 0);
    report("its memory is given back", after.device_free != before.device_free, 0);
    n = take_memory(be, piece, 0);
    expect("the same without memory", be->bandwidth(be, &gb_s, &err), TRUENO_NO_MEMORY, &err);
    give_memory(be, piece, n);
}

/* Steps fail while memory is short and work again afterwards, with the same logits. */
static void check_short_step(step_model *m)
{
    size_t vocab = (size_t)m->s.vocab, bytes = vocab * sizeof(float);
    float *want = malloc(bytes), *got = malloc(bytes);
    trueno_backend *fresh = open_cuda(NULL);
    trueno_kv *kv = model_session(m, ROWS, TRUENO_KV_F16), *other;
    step_model wide;
    uint64_t seed = test_seed;
    trueno_rows nothing = {0};
    trueno_error err = {0};
    void *piece[MOST_PIECES];
    int n;

    expect("a step", prompt(m, kv, want, &err), TRUENO_OK, &err);
    model_make(&wide, fresh, &WIDE, &MIX); /* one that has no working arrays yet */
    model_rows(&wide, ROWS, 1);
    other = model_session(&wide, ROWS, TRUENO_KV_F16);
    if (fresh->kv_reserve(fresh, other, ROWS, &err) < 0 ||
        fresh->step_begin(fresh, &nothing, &err) < 0 || fresh->step_end(fresh, &err) < 0)
        die(&err); /* the first step gives the memory of uploads back */
    n = take_memory(m->be, piece, 0);
    expect("a step without memory", prompt(&wide, other, got, &err), TRUENO_NO_MEMORY, &err);
    expect("the same of a backend that has its arrays", prompt(m, kv, got, &err), TRUENO_OK, &err);
    report("logits while memory is short", memcmp(want, got, bytes) != 0, 0);
    give_memory(m->be, piece, n);
    expect("a step when there is memory again", prompt(&wide, other, got, &err), TRUENO_OK, &err);
    m->be->kv_free(m->be, kv);
    fresh->kv_free(fresh, other);
    model_free(&wide);
    fresh->close(fresh);
    test_seed = seed;
    free(want), free(got);
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%lu %lu", &pages, &resident) != 2)
        resident = 0;
    if (f != NULL)
        (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Everything that a user of the backend does, once. */
static void one_cycle(float *logits)
{
    trueno_error err = {0};
    trueno_backend *be = open_cuda(&err);
    step_model m;
    trueno_kv *kv;
    int32_t token = 1, row = 0, id;

    if (be == NULL)
        die(&err);
    model_make(&m, be, &SMALL, &MIX);
    model_rows(&m, ROWS, 1);
    kv = model_session(&m, ROWS + 8, TRUENO_KV_F16);
    if (prompt(&m, kv, logits, &err) < 0)
        die(&err);
    for (int i = 0; i < 4; i++) { /* the last ones are graphs */
        trueno_span span = {kv, 0, 1, ROWS + i};
        trueno_rows rows = {1, 1, &token, &span};

        model_step(&m, &rows, &row, 1, false);
        if (be->argmax(be, m.logits, 1, m.s.vocab, &id, &err) < 0 || be->step_end(be, &err) < 0)
            die(&err);
    }
    be->kv_free(be, kv);
    model_free(&m);
    be->close(be);
}

static void check_cycles(int cycles)
{
    float *logits = malloc((size_t)SMALL.vocab * sizeof *logits);
    trueno_backend *be = open_cuda(NULL); /* only to ask for the memory */
    trueno_memory_use before, after;
    size_t resident;

    for (int i = 0; i < 5; i++)
        one_cycle(logits);
    be->memory_use(be, &before);
    resident = resident_bytes();
    for (int i = 0; i < cycles; i++)
        one_cycle(logits);
    be->memory_use(be, &after);
    printf("%d cycles: device memory %+.2f MiB, host memory %+.2f MiB\n", cycles,
           ((double)before.device_free - (double)after.device_free) / 1048576,
           ((double)resident_bytes() - (double)resident) / 1048576);
    report("device memory grows", before.device_free > after.device_free + (2 << 20), 0);
    report("host memory grows", resident_bytes() > resident + (8 << 20), 0);
    be->close(be);
    free(logits);
}

/* In a process of its own: a kernel reads where nothing is, and the device is lost to the process.
 */
static int lose_device(void)
{
    trueno_error err = {0};
    trueno_backend *be = open_cuda(&err), *again;
    float *y, value;
    void *p;

    if (be == NULL)
        die(&err);
    y = put_poison(be, 64);
    be->add(be, (const float *)(uintptr_t)4096, 64, 1, y);
    expect("reading after a failed kernel", be->read(be, &value, y, sizeof value, &err),
           TRUENO_INFERENCE, &err);
    err.message[0] = '\0';
    report("an array of a lost device", be->alloc(be, 4096, &p, &err) == TRUENO_OK, 0);
    printf("an array of a lost device: %s\n", err.message);
    err.message[0] = '\0';
    again = open_cuda(&err);
    report("a lost device is not opened", again != NULL || err.status != TRUENO_NO_DEVICE, 0);
    printf("a lost device is not opened: %s\n", err.message);
    be->close(be);
    printf("%d checks, %d failed\n", n_checks, n_failed);
    return n_failed > 0;
}

static int hold_memory(void)
{
    trueno_error err = {0};
    trueno_backend *be = open_cuda(&err);
    void *piece[MOST_PIECES];
    int n;

    if (be == NULL)
        die(&err);
    n = take_memory(be, piece, 0);
    printf("holding\n");
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
    give_memory(be, piece, n);
    be->close(be);
    return 0;
}

int main(int argc, char **argv)
{
    step_model m;
    trueno_backend *be;
    char command[512];

    if (argc > 1 && strcmp(argv[1], "hold") == 0)
        return hold_memory();
    test_seed_init();
    if (argc > 1 && strcmp(argv[1], "lose") == 0)
        return lose_device();
    open_sides();
    be = sides[CUDA];
    check_too_large(be);
    model_make(&m, be, &SMALL, &MIX);
    model_rows(&m, ROWS, 1);
    check_session(&m);
    check_bandwidth(be);
    check_short_step(&m);
    model_free(&m);
    check_cycles(argc > 1 ? atoi(argv[1]) : 20);
    (void)snprintf(command, sizeof command, "'%s' lose", argv[0]);
    report("a lost device", system(command) != 0, 0);
    return close_sides();
}
