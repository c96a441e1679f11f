/* SPDX-License-Identifier: MIT */
/*
 * What a program that embeds librealizar may count on: an allocator of its own gets every byte
 * back, notes come to its callback, no signal is touched, a fork is safe, and Apache's portable
 * runtime, a library with a similar name, lives in the same process.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <realizar/answer.h>
#include <realizar/session.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct text {
    char bytes[256];
    size_t length;
} text;

static atomic_size_t in_use, allocations;

static void *count_allocate(void *user, size_t bytes, size_t align)
{
    void *p = aligned_alloc(align, (bytes + align) / align * align);

    (void)user;
    if (p != NULL) {
        atomic_fetch_add(&in_use, bytes);
        atomic_fetch_add(&allocations, 1);
    }
    return p;
}

static void count_release(void *user, void *p, size_t bytes)
{
    (void)user;
    atomic_fetch_sub(&in_use, bytes);
    free(p);
}

static const trueno_allocator COUNTING = {count_allocate, count_release, NULL};

static bool keep(void *user, const realizar_piece *piece)
{
    text *t = user;

    if (t->length + piece->bytes < sizeof t->bytes)
        memcpy(t->bytes + t->length, piece->text, piece->bytes);
    t->length += piece->bytes;
    t->bytes[t->length] = '\0';
    return true;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

/* Opens an engine of its own, asks, and closes; 0 when the answer is 4. */
static int ask(const char *who)
{
    realizar_engine *engine = NULL;
    realizar_engine_options o;
    trueno_error err = {0};
    text answer = {0};

    realizar_engine_options_init(&o, sizeof o);
    o.allocator = &COUNTING;
    if (realizar_engine_open_demo(&engine, &o, &err) == TRUENO_OK)
        realizar_answer(engine, "What is 2+2?", NULL, keep, &answer, &err);
    realizar_engine_close(engine);
    if (err.status < 0)
        return fail(who, err.message);
    return strchr(answer.bytes, '4') == NULL ? fail(who, answer.bytes) : 0;
}

static int child_status(pid_t child)
{
    int status = 0;

    if (child < 0 || waitpid(child, &status, 0) != child)
        return fail("fork", "no child");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child made before anything was opened, and one of a process with an open engine. */
static int check_fork(void)
{
    realizar_engine *engine = NULL;
    trueno_error err = {0};
    text answer = {0};
    pid_t child = fork();

    if (child == 0)
        _exit(ask("child before first use"));
    if (child_status(child) != 0)
        return 1;
    if (realizar_engine_open_demo(&engine, NULL, &err) < 0)
        return fail("open", err.message);
    child = fork();
    if (child == 0) {
        if (realizar_answer(engine, "What is 2+2?", NULL, keep, &answer, &err) != TRUENO_USAGE ||
            strstr(err.message, "fork") == NULL)
            _exit(fail("inherited engine", err.message));
        _exit(ask("child of an open engine"));
    }
    if (child_status(child) != 0)
        return 1;
    if (realizar_answer(engine, "What is 2+2?", NULL, keep, &answer, &err) < 0)
        return fail("parent after fork", err.message);
    realizar_engine_close(engine);
    return 0;
}

static void *ask_on_thread(void *user)
{
    *(int *)user = ask("thread");
    return NULL;
}

/* Two engines at once: there is no state that they share. */
static int check_two(void)
{
    pthread_t other;
    int there = 1, here;

    if (pthread_create(&other, NULL, ask_on_thread, &there) != 0)
        return fail("thread", "not started");
    here = ask("beside a thread");
    pthread_join(other, NULL);
    return here | there;
}

static void count_note(void *user, trueno_log_level level, const char *line)
{
    (void)level;
    if (line[0] != '\0' && strchr(line, '\n') == NULL)
        ++*(int *)user;
}

/* A file whose opening has something to say (argv[1]: one that only the lenient reader takes). */
static int check_log(const char *path)
{
    realizar_engine *engine = NULL;
    realizar_engine_options o;
    trueno_error err = {0};
    int notes = 0;

    realizar_engine_options_init(&o, sizeof o);
    o.log.write = count_note;
    o.log.user = &notes;
    o.lenient = true;
    if (realizar_engine_open(&engine, path, &o, &err) < 0)
        return fail(path, err.message);
    realizar_engine_close(engine);
    return notes == 0 ? fail(path, "opened without a note") : 0;
}

static int check_signals(const struct sigaction *before)
{
    for (int i = 1; i < SIGRTMIN; i++) {
        struct sigaction now;

        if (sigaction(i, NULL, &now) == 0 && now.sa_handler != before[i].sa_handler)
            return fail("signal", strsignal(i));
    }
    return 0;
}

/* 77 when the runtime is not installed. */
static int check_apache_runtime(const char *library)
{
    void *runtime = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    int (*initialize)(void), failed;
    void (*terminate)(void);

    if (runtime == NULL) {
        printf("skipped: %s is not installed\n", library);
        return 77;
    }
    *(void **)&initialize = dlsym(runtime, "apr_initialize");
    *(void **)&terminate = dlsym(runtime, "apr_terminate");
    if (initialize == NULL || terminate == NULL || initialize() != 0)
        return fail(library, "does not start");
    failed = ask("beside Apache's runtime");
    terminate();
    return failed;
}

int main(int argc, char **argv)
{
    struct sigaction before[64];

    if (argc == 3 && strcmp(argv[1], "apache") == 0)
        return check_apache_runtime(argv[2]);
    for (int i = 1; i < SIGRTMIN; i++)
        sigaction(i, NULL, &before[i]);
    if (argc != 2 || check_fork() || check_two() || check_log(argv[1]) || check_signals(before))
        return 1;
    if (in_use != 0 || allocations < 10)
        return fprintf(stderr, "%zu bytes in use, %zu allocations\n", in_use, allocations), 1;
    return 0;
}
