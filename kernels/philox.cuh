// Philox 4x64-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011), in the words of
// gputrain/random/philox.py: the counter of block b of a draw is (b, 0, step, 0), the key (seed, stream).

__device__ __forceinline__ void philox4x64(u64 block, u64 step, u64 seed, u64 stream, u64 (&word)[4]) {
    u64 c0 = block, c1 = 0, c2 = step, c3 = 0, k0 = seed, k1 = stream;
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const u64 low0 = 0xD2E7470EE14C6C93ULL * c0, high0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0);
        const u64 low1 = 0xCA5A826395121157ULL * c2, high1 = __umul64hi(0xCA5A826395121157ULL, c2);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B97F4A7C15ULL;
        k1 += 0xBB67AE8584CAA73BULL;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}
