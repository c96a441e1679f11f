/* SPDX-License-Identifier: MIT */
/* The tiny models' Hugging Face folders, to be changed and written elsewhere. */
#ifndef TEST_REALIZAR_TINY_FOLDER_H
#define TEST_REALIZAR_TINY_FOLDER_H

#include "support.h"

#include <jansson.h>

/* A container and its config, to be changed. */
typedef struct folder {
    json_t *header, *config;
    uint8_t *data;
    size_t bytes;
    int pad; /* spaces after the header, which move every tensor */
} folder;

/* All bytes of a file, from malloc; fails the test where there is none. */
void *read_file(const char *path, size_t *bytes);

/* Model `name` of the folder of tiny models; free_folder() it. */
folder read_folder(const char *tiny, const char *name);
void free_folder(folder *f);

/* config.json, and model.safetensors, into the folder `work`, whose path is short. */
void write_config(const folder *f, const char *work);
void write_folder(const folder *f, const char *work);

/* Remove what write_folder() wrote, and the folder. */
void remove_folder(const char *work);

#endif
