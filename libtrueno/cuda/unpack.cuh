/* SPDX-License-Identifier: MIT */
/* One unit of packed weights in a warp's registers: loading, its int8 operands, its scales. The
 * only place where kernels know the weight types; layout.h is the description of what is read here.
 */
#ifndef CUDA_UNPACK_CUH
#define CUDA_UNPACK_CUH

#include "device.cuh"
#include "layout.h"

/* Every block type, for instantiating kernels. */
#define FOR_BLOCK_TYPES(M) \
    M(TRUENO_Q4_0)         \
    M(TRUENO_Q4_1)         \
    M(TRUENO_Q5_0)         \
    M(TRUENO_Q5_1)         \
    M(TRUENO_Q8_0)         \
    M(TRUENO_Q2_K)         \
    M(TRUENO_Q3_K)         \
    M(TRUENO_Q4_K)         \
    M(TRUENO_Q5_K)         \
    M(TRUENO_Q6_K)         \
    M(TRUENO_IQ4_NL)       \
    M(TRUENO_IQ4_XS)

/* Four nibbles in the low half of `sel` to four signed bytes of the IQ4 levels. */
__device__ __forceinline__ uint32_t table_bytes(uint32_t sel)
{
    const uint32_t t0 = 0xbfad9881u, t1 = 0xf6eaddcfu, t2 = 0x26190d01u, t3 = 0x71594535u;
    uint32_t low = __byte_perm(t0, t1, sel & 0x7777), high = __byte_perm(t2, t3, sel & 0x7777);

    return __byte_perm(low, high, 0x3210 | (sel & 0x8888) >> 1);
}

__device__ __forceinline__ float half_bits_float(uint32_t h)
{
    return __half2float(__ushort_as_half((unsigned short)h));
}

template <int TYPE> struct Unit {
    static constexpr layout_info INFO = layout_get(TYPE);
    static constexpr int STEPS = INFO.steps, BYTES = INFO.unit_bytes;
    static constexpr int STEP_BYTES = layout_offsets(&INFO, 1).nibbles; /* without scales */
    static constexpr bool MINIMA = TYPE == TRUENO_Q4_1 || TYPE == TRUENO_Q5_1 ||
                                   TYPE == TRUENO_Q2_K || TYPE == TRUENO_Q4_K ||
                                   TYPE == TRUENO_Q5_K;
    static constexpr bool SIGNED = !MINIMA; /* operands are signed bytes, else unsigned */
    /* Scales per 16 columns: the two halves of a group of 32 are separate products. */
    static constexpr bool SIXTEENS =
        TYPE == TRUENO_Q2_K || TYPE == TRUENO_Q3_K || TYPE == TRUENO_Q6_K;
    static constexpr int PARTS = SIXTEENS ? 2 : 1;
    static constexpr bool FIVE = INFO.nibbles && INFO.ones;

    uint4 nibbles[INFO.nibbles ? 2 * STEPS : 1], bytes[INFO.bytes ? 4 * STEPS : 1];
    uint4 twos[INFO.twos ? STEPS : 1];
    uint2 ones[INFO.ones ? STEPS : 1];
    uint32_t small[2], halves[2];

    __device__ __forceinline__ void load(const uint8_t *unit, int lane)
    {
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            constexpr layout_info info = INFO;
            const layout_planes at = layout_offsets(&info, step);

            if (INFO.nibbles)
#pragma unroll
                for (int p = 0; p < 2; p++)
                    nibbles[2 * step + p] =
                        *(const uint4 *)(unit + at.nibbles + p * 512 + lane * 16);
            if (INFO.bytes)
#pragma unroll
                for (int s = 0; s < 4; s++)
                    bytes[4 * step + s] = *(const uint4 *)(unit + at.bytes + s * 512 + lane * 16);
            if (INFO.twos)
                twos[step] = *(const uint4 *)(unit + at.twos + lane * 16);
            if (INFO.ones)
                ones[step] = *(const uint2 *)(unit + at.ones + lane * 8);
        }
        load_scales(unit, lane);
    }

    /* One step alone, as step 0; scales() still wants the step that it is. */
    __device__ __forceinline__ void load_step(const uint8_t *planes, const uint8_t *scales,
                                              int lane)
    {
        constexpr layout_info info = INFO;
        const layout_planes at = layout_offsets(&info, 0);

        if (INFO.nibbles)
#pragma unroll
            for (int p = 0; p < 2; p++)
                nibbles[p] = *(const uint4 *)(planes + at.nibbles + p * 512 + lane * 16);
        if (INFO.bytes)
#pragma unroll
            for (int s = 0; s < 4; s++)
                bytes[s] = *(const uint4 *)(planes + at.bytes + s * 512 + lane * 16);
        if (INFO.twos)
            twos[0] = *(const uint4 *)(planes + at.twos + lane * 16);
        if (INFO.ones)
            ones[0] = *(const uint2 *)(planes + at.ones + lane * 8);
        read_scales(scales, lane);
    }

    __device__ __forceinline__ void load_scales(const uint8_t *unit, int lane)
    {
        constexpr layout_info info = INFO;

        read_scales(unit + layout_offsets(&info, 0).scales, lane);
    }

    __device__ __forceinline__ void read_scales(const uint8_t *s, int lane)
    {
        const int g = lane >> 2;

        if (STEPS == 1) {
            if (MINIMA) {
                uint2 v = *(const uint2 *)(s + lane * 8);

                halves[0] = v.x;
                halves[1] = v.y;
            } else {
                halves[0] = *(const uint32_t *)(s + lane * 4);
            }
            return;
        }
        if (TYPE == TRUENO_Q2_K || TYPE == TRUENO_Q6_K) {
            uint2 v = *(const uint2 *)(s + lane * 8);

            small[0] = v.x;
            small[1] = v.y;
            s += 256;
        } else if (TYPE == TRUENO_IQ4_XS) {
            uint32_t low = *(const unsigned short *)(s + 2 * lane);

            low |= (uint32_t) * (const unsigned char *)(s + 64 + lane) << 16;
            small[0] = low & 0xfff;
            small[1] = low >> 12;
            s += 96;
        } else {
            uint32_t low = *(const uint32_t *)(s + 4 * lane);
            uint32_t high = *(const unsigned short *)(s + 128 + 2 * lane);

            small[0] = low & 0xffffff;
            small[1] = low >> 24 | high << 8;
            s += 192;
        }
        if (MINIMA) {
            halves[0] = *(const uint32_t *)(s + 4 * g);
            halves[1] = *(const uint32_t *)(s + 32 + 4 * g);
        } else {
            halves[0] = *(const unsigned short *)(s + 2 * g);
            halves[1] = *(const unsigned short *)(s + 16 + 2 * g);
        }
    }

    /* The int8 operand of group s of a step: codes times 1 / operand_scale(s), exact. */
    __device__ __forceinline__ void operand(int step, int s, uint32_t a[4]) const
    {
        const uint4 n4 = nibbles[INFO.nibbles ? 2 * step + (s >> 1) : 0];
        const uint4 t4 = twos[INFO.twos ? step : 0], b4 = bytes[INFO.bytes ? 4 * step + s : 0];
        const uint32_t n[4] = {n4.x, n4.y, n4.z, n4.w}, two[4] = {t4.x, t4.y, t4.z, t4.w};
        const uint32_t byte[4] = {b4.x, b4.y, b4.z, b4.w};
        const uint32_t one = s < 2 ? ones[INFO.ones ? step : 0].x : ones[INFO.ones ? step : 0].y;

#pragma unroll
        for (int f = 0; f < 4; f++) {
            const int bit = 4 * (s & 1) + f;

            if (INFO.bytes)
                a[f] = byte[f];
            else if (TYPE == TRUENO_IQ4_NL || TYPE == TRUENO_IQ4_XS)
                a[f] = table_bytes((s & 1) ? n[f] >> 16 : n[f] & 0xffff);
            else if (TYPE == TRUENO_Q2_K)
                a[f] = two[f] >> 2 * s & 0x03030303u;
            else if (TYPE == TRUENO_Q3_K)
                a[f] = ((s < 3 ? two[f] << (5 - 2 * (s % 3)) : two[f] >> 1) & 0x60606060u) |
                       (one << (7 - bit) & 0x80808080u);
            else if (TYPE == TRUENO_Q6_K)
                a[f] = (((s & 1) ? n[f] >> 2 : n[f] << 2) & 0x3c3c3c3cu) |
                       (two[f] << (6 - 2 * s) & 0xc0c0c0c0u);
            else if (FIVE)
                a[f] = (((s & 1) ? n[f] >> 1 : n[f] << 3) & 0x78787878u) |
                       (one << (7 - bit) & 0x80808080u);
            else if (SIGNED)
                a[f] = ((s & 1) ? n[f] : n[f] << 4) & 0xf0f0f0f0u;
            else
                a[f] = n[f] & ((s & 1) ? 0xf0f0f0f0u : 0x0f0f0f0fu);
        }
    }

    static __device__ __forceinline__ float operand_scale(int s)
    {
        return TYPE == TRUENO_Q3_K                          ? 1.0f / 32
               : TYPE == TRUENO_Q6_K                        ? 1.0f / 4
               : FIVE                                       ? 1.0f / 8
               : TYPE == TRUENO_Q4_0                        ? 1.0f / 16
               : TYPE == TRUENO_Q4_1 || TYPE == TRUENO_Q4_K ? ((s & 1) ? 1.0f / 16 : 1.0f)
                                                            : 1.0f;
    }

    /* For rows g and g + 8 (index 0, 1) and group t of the step: w = scale * operand - minimum, per
     * part (16 columns) where the type has such scales. */
    __device__ __forceinline__ void scales(int step, int lane, float scale[2][PARTS],
                                           float minimum[2][PARTS]) const
    {
        const float unit = operand_scale(lane & 1);

#pragma unroll
        for (int row = 0; row < 2; row++) {
            if (STEPS == 1) {
                scale[row][0] = half_bits_float(row ? halves[0] >> 16 : halves[0]) * unit;
                if (MINIMA)
                    minimum[row][0] = -half_bits_float(row ? halves[1] >> 16 : halves[1]);
                continue;
            }
            const float d = half_bits_float(halves[row]) * unit;
            const float m = half_bits_float(halves[row] >> 16);
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                const uint32_t v = small[row];
                const int at = 2 * step + part;

                if (TYPE == TRUENO_Q6_K)
                    scale[row][part] = d * (float)(int)(signed char)(v >> 8 * at);
                else if (TYPE == TRUENO_Q3_K)
                    scale[row][part] = d * (float)((int)(v >> 6 * at & 63) - 32);
                else if (TYPE == TRUENO_Q2_K)
                    scale[row][part] = d * (float)(int)(v >> 8 * at & 15);
                else if (TYPE == TRUENO_IQ4_XS)
                    scale[row][part] = d * (float)((int)(v >> 6 * step & 63) - 32);
                else
                    scale[row][part] = d * (float)(int)(v >> 12 * step & 63);
                if (TYPE == TRUENO_Q2_K)
                    minimum[row][part] = m * (float)(int)(v >> (8 * at + 4) & 15);
                else if (MINIMA)
                    minimum[row][part] = m * (float)(int)(v >> (12 * step + 6) & 63);
            }
        }
    }
};

#endif
