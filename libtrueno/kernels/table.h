/* SPDX-License-Identifier: MIT */
/* Fills a kernel table from the bodies; included once a level, after its lanes. */
#ifndef KERNELS_TABLE_H
#define KERNELS_TABLE_H

#include "attention.h"
#include "elementwise.h"
#include "kv_codecs.h"
#include "norm.h"

#define KERNEL_TABLE(name)                                                                        \
    {                                                                                             \
        .level = (name), .rms_norm = rms_norm, .layer_norm = layer_norm, .rotate = rotate,        \
        .glu = glu, .activate = activate, .add_scaled = add_scaled, .softcap = softcap,           \
        .argmax = argmax, .softmax = softmax, .attention_scores = attention_scores,               \
        .attention_weights = attention_weights, .attention_values = attention_values,             \
        .scale = scale, .attention_merge = attention_merge, .attention_finish = attention_finish, \
        .kv = KV_CODECS,                                                                          \
    }

#endif
