#include <realizar/answer.h>
#include <stdio.h>
static bool show(void *file, const realizar_piece *p) { return fwrite(p->text, 1, p->bytes, file) == p->bytes; }
int main(int argc, char **argv) {
    trueno_error err = {0};
    realizar_engine *engine = NULL;
    if (argc == 3 && realizar_engine_open(&engine, argv[1], NULL, &err) == TRUENO_OK)
        realizar_answer(engine, argv[2], NULL, show, stdout, &err);
    realizar_engine_close(engine);
    return err.status < 0 ? (fprintf(stderr, "%s\n", err.message), 1) : argc != 3; }
