/* SPDX-License-Identifier: MIT */
/* Dequantises every tensor of a real file and compares with what the gguf package made of it:
 * tensor_crcs RECORDED.txt MODEL.gguf. Data: tests/references/tensor_crcs.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/model.h>
#include <zlib.h>

/* CRC-32 of a tensor's values as floats. */
static unsigned long crc_of(const apr_model *model, const apr_tensor *tensor)
{
    trueno_tensor matrix = apr_tensor_matrix(model, tensor);
    float *row = malloc((size_t)matrix.cols * sizeof *row);
    unsigned long crc = crc32(0, NULL, 0);

    if (row == NULL)
        abort();
    for (int64_t r = 0; r < matrix.rows; r++) {
        trueno_tensor_row_to_f32(&matrix, r, row);
        crc = crc32(crc, (const unsigned char *)row, (unsigned)((size_t)matrix.cols * sizeof *row));
    }
    free(row);
    return crc;
}

/* One recorded line against its tensor; returns whether they differ. */
static int check(const apr_model *model, const char *name, const char *type, unsigned long crc)
{
    const apr_tensor *tensor = apr_model_find(model, name);
    unsigned long ours;

    if (tensor == NULL || trueno_type_find(type) != (int)tensor->type) {
        (void)printf("%s: missing, or not %s\n", name, type);
        return 1;
    }
    ours = crc_of(model, tensor);
    if (ours != crc)
        (void)printf("%s (%s): CRC-32 %08lx, the reference's is %08lx\n", name, type, ours, crc);
    return ours != crc;
}

int main(int argc, char **argv)
{
    FILE *recorded = argc == 3 ? fopen(argv[1], "r") : NULL;
    char name[256], type[32];
    unsigned long crc;
    size_t checked = 0, wrong = 0;
    apr_model *model;
    trueno_error err;

    if (recorded == NULL || apr_model_open(&model, argv[2], NULL, &err) < 0) {
        (void)fprintf(stderr, "%s\n", recorded == NULL ? "no recorded data" : err.message);
        return 1;
    }
    for (; fscanf(recorded, "%255s %31s %lx", name, type, &crc) == 3; checked++)
        wrong += (size_t)check(model, name, type, crc);
    (void)printf("%zu tensors checked, %zu differ\n", checked, wrong);
    if (checked == 0 || checked != apr_model_tensor_count(model))
        wrong++;
    (void)fclose(recorded);
    apr_model_close(model);
    return wrong != 0;
}
