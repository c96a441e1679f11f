/* SPDX-License-Identifier: MIT */
/* Which matrix-vector kernels exist: asked for by the types of one or two segments and the rows. */
#ifndef CUDA_MATVEC_TABLE_H
#define CUDA_MATVEC_TABLE_H

struct matvec_args;
typedef void (*matvec_fn)(const struct matvec_args);

/* The kernel for one type (other == type) or two in one launch, for 1, up to 4 or up to 8 rows. */
matvec_fn matvec_simple(int type, int other, int rows);
matvec_fn matvec_k(int type, int other, int rows);
/* For F16 and BF16, the latter from compute capability 8.0 on. */
matvec_fn matvec_half(int type, int rows);

struct launcher;
struct split_rows;

/* Slots of the rings: enough bytes on their way to fill the memory's latency, within half of a
 * processor's shared memory, so that blocks of the next kernel find room; more would only make
 * other kernels' loads wait longer. `pieces`: most that a warp ever asks for; what it does not need
 * is left to the kernels before and behind this one. */
int matvec_slots(const struct launcher *l, int warps, int piece_bytes, int other_bytes, int pieces);
/* F32, and BF16 below compute capability 8.0. */
void launch_plain(const struct launcher *l, struct matvec_args *a, int y_blocks);
void launch_split_rows(const struct launcher *l, int type, const float *x, int n, int cols,
                       const struct split_rows *out);

#define MATVEC_ROW(t)                                   \
    if (type == (t) && other == (t))                    \
        return rows == 1   ? matvec_kernel<(t), (t), 1> \
               : rows == 4 ? matvec_kernel<(t), (t), 4> \
                           : matvec_kernel<(t), (t), 8>;

/* Two types in one launch pay only where the launch is what costs: one row. */
#define MATVEC_PAIR(t, o)                         \
    if (type == (t) && other == (o) && rows == 1) \
        return matvec_kernel<(t), (o), 1>;

#endif
