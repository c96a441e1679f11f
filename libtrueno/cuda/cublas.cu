/* SPDX-License-Identifier: MIT */
/* cuBLAS, opened at the first product that wants it; without it our own kernel does the work. */
#include "internal.h"

#include <dlfcn.h>

enum {
    OP_NO_TRANSPOSE = 0,
    OP_TRANSPOSE = 1,
    TYPE_R_16F = 2,
    TYPE_R_32F = 0,
    COMPUTE_32F = 68,
    ALGORITHM_DEFAULT = -1
};

typedef struct cublas_library {
    void *handle, *context;
    int (*create)(void **);
    int (*destroy)(void *);
    int (*set_stream)(void *, cudaStream_t);
    int (*gemm)(void *, int, int, int, int, int, const void *, const void *, int, int, const void *,
                int, int, const void *, void *, int, int, int, int);
} cublas_library;

static bool open_library(cublas_library *lib)
{
    static const char *const NAMES[] = {"libcublas.so.13", "libcublas.so.12"};

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0] && lib->handle == NULL; i++)
        lib->handle = dlopen(NAMES[i], RTLD_NOW | RTLD_LOCAL);
    if (lib->handle == NULL)
        return false;
    *(void **)&lib->create = dlsym(lib->handle, "cublasCreate_v2");
    *(void **)&lib->destroy = dlsym(lib->handle, "cublasDestroy_v2");
    *(void **)&lib->set_stream = dlsym(lib->handle, "cublasSetStream_v2");
    *(void **)&lib->gemm = dlsym(lib->handle, "cublasGemmEx");
    return lib->create != NULL && lib->destroy != NULL && lib->set_stream != NULL &&
           lib->gemm != NULL && lib->create(&lib->context) == 0;
}

static void free_library(cuda_backend *be, cublas_library *lib)
{
    if (lib->context != NULL)
        lib->destroy(lib->context);
    if (lib->handle != NULL)
        (void)dlclose(lib->handle);
    trueno_release(be->allocator, lib, sizeof *lib);
}

bool cublas_ready(cuda_backend *be)
{
    cublas_library *lib;

    if (be->cublas_tried)
        return be->cublas != NULL;
    be->cublas_tried = true;
    lib = (cublas_library *)trueno_allocate_zero(be->allocator, sizeof *lib);
    if (lib == NULL)
        return false;
    if (!open_library(lib) || lib->set_stream(lib->context, be->stream) != 0) {
        trueno_log_write(&be->log, TRUENO_LOG_INFO, "cuda: no usable cuBLAS, using own products");
        free_library(be, lib);
        return false;
    }
    be->cublas = lib;
    return true;
}

bool cublas_multiply(cuda_backend *be, const uint16_t *w, int rows, int w_stride, const uint16_t *a,
                     int n, int cols, int stride, float factor, float *c, int ld)
{
    const float zero = 0.0f;

    return be->cublas->gemm(be->cublas->context, OP_TRANSPOSE, OP_NO_TRANSPOSE, rows, n, cols,
                            &factor, w, TYPE_R_16F, w_stride, a, TYPE_R_16F, stride, &zero, c,
                            TYPE_R_32F, ld, COMPUTE_32F, ALGORITHM_DEFAULT) == 0;
}

void cublas_close(cuda_backend *be)
{
    if (be->cublas != NULL)
        free_library(be, be->cublas);
    be->cublas = NULL;
}
