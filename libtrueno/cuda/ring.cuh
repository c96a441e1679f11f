/* SPDX-License-Identifier: MIT */
/* A warp's own ring of pieces of weights in shared memory, filled ahead without passing through
 * registers: bulk copies on compute capability 9.0 and up, 16-byte asynchronous copies from 8.0 on,
 * plain copies before. Pieces are waited for in the order in which they were asked for. */
#ifndef CUDA_RING_CUH
#define CUDA_RING_CUH

#include "device.cuh"

enum { MOST_SLOTS = 8 };

struct warp_ring {
    uint8_t *slots;     /* [n][piece_bytes] */
    uint32_t barriers;  /* shared address of n mbarriers */
    int n, piece_bytes; /* at most; a multiple of 16 */
    int at, phase;      /* next to wait for */
    int next;           /* next to fill */
    bool once;          /* nobody else reads the pieces: they need no place in the cache */

    __device__ __forceinline__ void begin(uint8_t *memory, uint64_t *bars, int count, int bytes,
                                          int lane, bool read_once = false)
    {
        slots = memory;
        barriers = (uint32_t)__cvta_generic_to_shared(bars);
        n = count;
        piece_bytes = bytes;
        at = phase = next = 0;
        once = read_once;
#if __CUDA_ARCH__ >= 900
        if (lane == 0) {
#pragma unroll 1
            for (int i = 0; i < n; i++)
                asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barriers + 8 * i)
                             : "memory");
            asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
            asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        }
        __syncwarp();
#endif
    }

#if __CUDA_ARCH__ >= 900
    __device__ __forceinline__ void copy(uint32_t to, const uint8_t *from, int bytes, uint32_t bar)
    {
        uint64_t policy;

        if (!once) {
            asm volatile(
                "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
                "[%3];" ::"r"(to),
                "l"(from), "r"(bytes), "r"(bar)
                : "memory");
            return;
        }
        asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
        asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes."
                     "L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(to),
                     "l"(from), "r"(bytes), "r"(bar), "l"(policy)
                     : "memory");
    }
#endif

    /* Ask for the next piece, in up to two parts that lie one behind the other in the slot; a call
     * with bytes 0 only keeps the count. All lanes call. */
    __device__ __forceinline__ void ask(const uint8_t *from, int bytes, const uint8_t *second,
                                        int more, int lane)
    {
        uint8_t *to = slots + next * piece_bytes;

#if __CUDA_ARCH__ >= 900
        if (lane == 0 && bytes > 0) {
            const uint32_t bar = barriers + 8 * next,
                           address = (uint32_t)__cvta_generic_to_shared(to);

            asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar),
                         "r"(bytes + more)
                         : "memory");
            copy(address, from, bytes, bar);
            if (more > 0)
                copy(address + bytes, second, more, bar);
        }
#else
        for (int i = lane * 16; i < bytes + more; i += 32 * 16) {
            const uint8_t *p = i < bytes ? from + i : second + (i - bytes);
#if __CUDA_ARCH__ >= 800
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                             (uint32_t)__cvta_generic_to_shared(to + i)),
                         "l"(p)
                         : "memory");
#else
            *(uint4 *)(to + i) = *(const uint4 *)p;
#endif
        }
#if __CUDA_ARCH__ >= 800
        asm volatile("cp.async.commit_group;" ::: "memory");
#endif
#endif
        next = next + 1 == n ? 0 : next + 1;
    }

    /* The oldest piece asked for; free it with done(). */
    __device__ __forceinline__ const uint8_t *wait(void)
    {
#if __CUDA_ARCH__ >= 900
        uint32_t ready = 0;

        while (!ready)
            asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                         "selp.u32 %0, 1, 0, p;\n}"
                         : "=r"(ready)
                         : "r"(barriers + 8 * at), "r"(phase)
                         : "memory");
#elif __CUDA_ARCH__ >= 800
        switch (n) { /* all but the n - 1 youngest */
        case 1:
            asm volatile("cp.async.wait_group 0;" ::: "memory");
            break;
        case 2:
            asm volatile("cp.async.wait_group 1;" ::: "memory");
            break;
        case 3:
            asm volatile("cp.async.wait_group 2;" ::: "memory");
            break;
        default:
            asm volatile("cp.async.wait_group 3;" ::: "memory");
            break;
        }
        __syncwarp();
#else
        __syncwarp();
#endif
        return slots + at * piece_bytes;
    }

    /* The piece has been loaded into registers that this lane has not used yet: as done(), but
     * waits until the loads are over. A bulk copy asked for behind them can overtake loads that are
     * queued.
     */
    __device__ __forceinline__ void loaded(void)
    {
#if __CUDA_ARCH__ >= 900
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
        done();
    }

    /* This lane has used what it read of the piece; the slot may be asked for again. */
    __device__ __forceinline__ void done(void)
    {
        at++;
        if (at == n) {
            at = 0;
            phase ^= 1;
        }
        __syncwarp();
    }
};

#endif
