/* SPDX-License-Identifier: MIT */
/* Every limit that a model file is held to, in one place. */
#ifndef APR_FILE_LIMITS_H
#define APR_FILE_LIMITS_H

enum {
    APR_LIMIT_NAME_BYTES = 256,  /* a tensor's name */
    APR_LIMIT_KEY_BYTES = 65535, /* a metadata key; GGUF's own limit */
    /* files in use have fewer than 100 keys and 2,000 tensors; so many cost less than 1 MiB beyond
       twice the bytes of their tables */
    APR_LIMIT_GGUF_KEYS = 2048,
    APR_LIMIT_GGUF_TENSORS = 8192,
    APR_LIMIT_TENSORS = 131072,            /* the largest unstacked mixture of experts has 91,000 */
    APR_LIMIT_HEADER_BYTES = 100000000,    /* SafeTensors' own limit */
    APR_LIMIT_METADATA_BYTES = 16 << 20,   /* .apr's */
    APR_LIMIT_CONFIG_BYTES = 16 << 20,     /* config.json and its like */
    APR_LIMIT_TOKENIZER_BYTES = 256 << 20, /* tokenizer.json; the largest in use have 35 MB */
    APR_LIMIT_INDEX_BYTES = 64 << 20,
    APR_LIMIT_DIMS = 4,
    APR_LIMIT_SPLITS = 1024, /* files of a set */
    APR_LIMIT_ALIGNMENT = 1 << 20,
    APR_LIMIT_TOKENS = 1 << 22,
    APR_LIMIT_TEMPLATE_BYTES = 1 << 20 /* a chat template */
};

#endif
