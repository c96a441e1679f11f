/* SPDX-License-Identifier: MIT */
/* The list of file formats. */
#include "formats.h"

static const apr_format FORMATS[] = {
    {"GGUF", apr_gguf_probe, apr_gguf_read},
    {"APR", apr_format_probe_apr, apr_format_read_apr},
    {"SafeTensors", apr_safetensors_probe, apr_safetensors_read},
    {"JSON", apr_hf_json_probe, apr_hf_json_read},
};

const apr_format *apr_format_probe(const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
        if (FORMATS[i].probe(data, bytes))
            return &FORMATS[i];
    return NULL;
}
