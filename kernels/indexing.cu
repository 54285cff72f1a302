// Gathers and scatters by computed indices, and one-hot rows.
//
// Indices count from the end where negative and wrap around outside, as NumPy's mode "wrap". A scatter is turned into a
// gather: the indices are sorted together with their positions, so that each output row finds the slices to add, in
// their order. Nothing depends on which thread comes first, so equal inputs give equal bits.

//! include vectors.cuh

enum {
    TILE = 1024,  // keys that one block sorts
    HEAVY = 256,  // slices for one output row from which on a whole block adds them
};

// `index` inside 0 .. size - 1.
template <typename U> __device__ __forceinline__ i64 wrapped(U index, i64 size) {
    i64 i = (i64)index;
    if (i < 0) i += size;
    if (i >= 0 && i < size) return i;
    i %= size;
    return i < 0 ? i + size : i;
}

// Quotient of numbers from 0 on, in 32 bits where both fit: that is many times faster.
__device__ __forceinline__ i64 quotient(i64 n, i64 d) {
    return ((u64)n | (u64)d) >> 32 ? n / d : (i64)((unsigned)n / (unsigned)d);
}

// ------------------------------------------------------------------------------------------------------ gathers

// W threads copy one slice, in packs of V elements; D is a multiple of V.
template <typename T, typename U, int V, int W>
__global__ void take(const T *x,        // (P, N, D)
                     const U *indices,  // (M)
                     T *out,            // (P, M, D)
                     i64 P, i64 N, i64 M, i64 D) {
    typedef Vector<T, V> Packed;
    const i64 packs = D / V;
    GPUTRAIN_GRID_STRIDE(thread, P * M * W) {
        const i64 slice = thread / W, p = quotient(slice, M), m = slice - p * M;
        const i64 row = wrapped(indices[m], N);
        const Packed *from = reinterpret_cast<const Packed *>(x) + (p * N + row) * packs;
        Packed *to = reinterpret_cast<Packed *>(out) + slice * packs;
        for (i64 d = thread & (W - 1); d < packs; d += W) to[d] = from[d];
    }
}

template <typename T, typename U>
__global__ void take_along(const T *x,        // (A, N, B)
                           const U *indices,  // (A, K, B)
                           T *out,            // (A, K, B)
                           i64 A, i64 N, i64 K, i64 B) {
    GPUTRAIN_GRID_STRIDE(i, A * K * B) {
        const i64 line = quotient(i, B), a = quotient(line, K);
        out[i] = x[(a * N + wrapped(indices[i], N)) * B + (i - line * B)];
    }
}

template <typename T, typename U>
__global__ void one_hot(const U *indices,  // (A, B)
                        T *out,            // (A, classes, B)
                        i64 A, i64 classes, i64 B) {
    GPUTRAIN_GRID_STRIDE(i, A * classes * B) {
        const i64 line = quotient(i, B), a = quotient(line, classes), c = line - a * classes;
        const bool here = (i64)indices[a * B + (i - line * B)] == c;
        out[i] = narrow<T>((wide_t<T>)(here ? 1 : 0));
    }
}

// --------------------------------------------------------------------------------------- order of the indices

// Keys (output row, position) of a tile, sorted. Index i of (A, K, B) goes to row (a, index, b) of (A, N, B); plain
// lists of indices have A = B = 1. A key is row * count + position, so no two are equal.
template <typename U>
__global__ void sort_tiles(const U *indices,  // (count), count = A * K * B
                           u64 *keys,         // (count)
                           i64 count, i64 N, i64 K, i64 B) {
    GPUTRAIN_SHARED(u64, tile, TILE);
    for (i64 base = (i64)blockIdx.x * TILE; base < count; base += (i64)gridDim.x * TILE) {
        __syncthreads();  // the turn before this one may still be writing
        for (int j = threadIdx.x; j < TILE; j += blockDim.x) {
            const i64 i = base + j;
            u64 key = ~(u64)0;
            if (i < count) {
                const i64 line = quotient(i, B), a = quotient(line, K);
                key = (u64)((a * N + wrapped(indices[i], N)) * B + (i - line * B)) * (u64)count + (u64)i;
            }
            tile[j] = key;
        }
        // Bitonic sorting network (Batcher 1968).
        for (int size = 2; size <= TILE; size *= 2) {
            for (int stride = size / 2; stride > 0; stride /= 2) {
                __syncthreads();
                for (int j = threadIdx.x; j < TILE / 2; j += blockDim.x) {
                    const int low = 2 * j - (j & (stride - 1)), high = low + stride;
                    const u64 a = tile[low], b = tile[high];
                    if ((a > b) == ((low & size) == 0)) {
                        tile[low] = b;
                        tile[high] = a;
                    }
                }
            }
        }
        __syncthreads();
        for (int j = threadIdx.x; j < TILE; j += blockDim.x)
            if (base + j < count) keys[base + j] = tile[j];
    }
}

// How many of `count` ascending keys are below `key`.
__device__ __forceinline__ i64 below(const u64 *keys, i64 count, u64 key) {
    i64 low = 0, high = count;
    while (low < high) {
        const i64 middle = (low + high) >> 1;
        if (keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Sorted runs of `run` keys, merged by pairs: a key's new place is its own in its run plus its rank in the other.
__global__ void merge_runs(const u64 *keys,  // (count)
                           u64 *merged,      // (count)
                           i64 count, i64 run) {
    GPUTRAIN_GRID_STRIDE(i, count) {
        const i64 number = quotient(i, run), own = number * run, other = (number ^ 1) * run;
        const i64 length = other + run < count ? run : (other < count ? count - other : 0);
        const i64 first = own < other ? own : other;
        merged[first + (i - own) + below(keys + (length ? other : 0), length, keys[i])] = keys[i];
    }
}

// Where the keys of each row begin; starts[rows] = count.
__global__ void row_starts(const u64 *keys,  // (count)
                           i64 *starts,      // (rows + 1)
                           i64 count, i64 rows) {
    GPUTRAIN_GRID_STRIDE(r, rows + 1) { starts[r] = below(keys, count, (u64)r * (u64)count); }
}

// ----------------------------------------------------------------------------------------------------- scatters

template <typename T> __global__ void zeros(T *out /* (count) */, i64 count) {
    GPUTRAIN_GRID_STRIDE(i, count) { out[i] = narrow<T>(wide_t<T>(0)); }
}

// W threads add the slices of one output row in their order, in packs of V elements. Rows of HEAVY slices and more are
// left to `add_heavy_rows`.
template <typename T, int V, int W>
__global__ void add_rows(const T *ct,        // (P, M, D)
                         const u64 *keys,    // (M)
                         const i64 *starts,  // (N + 1)
                         T *out,             // (P, N, D)
                         i64 P, i64 N, i64 M, i64 D) {
    typedef wide_t<T> A;
    typedef Vector<T, V> Packed;
    const i64 packs = D / V;
    GPUTRAIN_GRID_STRIDE(thread, P * N * W) {
        const i64 slice = thread / W, p = quotient(slice, N), row = slice - p * N;
        const i64 from = starts[row], until = starts[row + 1];
        const u64 base = (u64)row * (u64)M;
        if (until - from >= HEAVY) continue;
        const Packed *parts = reinterpret_cast<const Packed *>(ct) + p * M * packs;
        for (i64 d = thread & (W - 1); d < packs; d += W) {
            A total[V];
#pragma unroll
            for (int v = 0; v < V; ++v) total[v] = A(0);
#pragma unroll 4
            for (i64 k = from; k < until; ++k) {
                const Packed part = parts[(i64)(keys[k] - base) * packs + d];
#pragma unroll
                for (int v = 0; v < V; ++v) total[v] = (A)(total[v] + wide(part.at[v]));
            }
            Packed sum;
#pragma unroll
            for (int v = 0; v < V; ++v) sum.at[v] = narrow<T>(total[v]);
            (reinterpret_cast<Packed *>(out) + slice * packs)[d] = sum;
        }
    }
}

// Rows of HEAVY slices and more: a block of 32 columns by 8 strides adds one row's slices, then its strides' sums. Such
// a row holds at least one of the sorted places 0, HEAVY, 2 * HEAVY ...; the block of the first of them takes it.
template <typename T>
__global__ void add_heavy_rows(const T *ct,        // (P, M, D)
                               const u64 *keys,    // (M)
                               const i64 *starts,  // (N + 1)
                               T *out,             // (P, N, D)
                               i64 P, i64 N, i64 M, i64 D) {
    typedef wide_t<T> A;
    GPUTRAIN_SHARED(A, partial, 256);
    const int column = threadIdx.x & 31, y = threadIdx.x >> 5;
    const i64 places = (M + HEAVY - 1) / HEAVY, groups = (D + 31) / 32;
    for (i64 block = blockIdx.x; block < places * P * groups; block += gridDim.x) {
        const i64 rest = block / groups, d = (block - rest * groups) * 32 + column;
        const i64 p = rest / places, place = (rest - p * places) * HEAVY;
        const i64 row = (i64)(keys[place] / (u64)M), from = starts[row], until = starts[row + 1];
        if (until - from < HEAVY || from + HEAVY <= place) continue;
        const T *parts = ct + p * M * D + d;
        const u64 base = (u64)row * (u64)M;
        A total = A(0);
        if (d < D) {
#pragma unroll 4
            for (i64 k = from + y; k < until; k += 8) total = (A)(total + wide(parts[(i64)(keys[k] - base) * D]));
        }
        __syncthreads();  // the turn before this one may still be reading
        partial[threadIdx.x] = total;
        __syncthreads();
        if (y == 0 && d < D) {
            for (int k = 1; k < 8; ++k) total = (A)(total + partial[k * 32 + column]);
            out[(p * N + row) * D + d] = narrow<T>(total);
        }
    }
}

// Few additions along an axis: each output looks through its K indices.
template <typename T, typename U>
__global__ void add_along(const T *ct,       // (A, K, B)
                          const U *indices,  // (A, K, B)
                          T *out,            // (A, N, B)
                          i64 A, i64 N, i64 K, i64 B) {
    GPUTRAIN_GRID_STRIDE(i, A * N * B) {
        const i64 line = quotient(i, B), a = quotient(line, N), n = line - a * N, b = i - line * B;
        wide_t<T> total = 0;
        for (i64 place = a * K * B + b, k = 0; k < K; ++k, place += B)
            if (wrapped(indices[place], N) == n) total = (wide_t<T>)(total + wide(ct[place]));
        out[i] = narrow<T>(total);
    }
}
