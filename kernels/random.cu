// Draws: dropout, uniform and normal numbers. Element i of a draw has the same bits as on the host.
//! include vectors.cuh
//! include philox.cuh

enum { DRAWERS = 256, LANES = 4 };  // threads of a block; 16-bit lanes of a word

// ---------------------------------------------------------------------------------------------------- dropout

// x * scale where kept, else x * scale * 0: a NaN stays one, as on the host.
template <typename T>
__device__ __forceinline__ T masked(T x, wide_t<T> scale, bool kept) {
    const T scaled = narrow<T>(wide(x) * scale);
    return narrow<T>(wide(scaled) * (kept ? wide_t<T>(1) : wide_t<T>(0)));
}

// Elements start .. start + 3, whose lanes are those of one word. With VECTORS they are moved together.
template <typename T, int VECTORS>
__device__ __forceinline__ void drop_four(
    const T* x, T* y, bool* keep, i64 start, i64 count, u64 word, unsigned int threshold, wide_t<T> scale) {
    if (VECTORS && start + LANES <= count) {
        Vector<T, LANES> values = load_as<Vector<T, LANES>>(x + start);
        Vector<bool, LANES> kept;
        for (int k = 0; k < LANES; ++k) {
            kept.at[k] = (unsigned int)(word >> 16 * k & 0xFFFF) < threshold;
            values.at[k] = masked(values.at[k], scale, kept.at[k]);
        }
        store_as(y + start, values);
        store_as(keep + start, kept);
        return;
    }
    for (int k = 0; k < LANES && start + k < count; ++k) {
        const bool kept = (unsigned int)(word >> 16 * k & 0xFFFF) < threshold;
        y[start + k] = masked(x[start + k], scale, kept);
        keep[start + k] = kept;
    }
}

// x, y, keep  (count,); step  (); y may be x
//
// Each thread draws one Philox block, 16 elements' lanes. The words go through shared memory, so that the threads of a
// warp then move neighbouring vectors.
template <typename T, int VECTORS>
__global__ void dropout(
    const T* x, T* y, bool* keep, const i64* step, u64 seed, u64 stream, i64 threshold, double scale, i64 count) {
    GPUTRAIN_SHARED(u64, drawn, 4 * DRAWERS);
    const i64 blocks = (count + 4 * LANES - 1) / (4 * LANES);
    const u64 now = (u64)*step;
    for (i64 first = (i64)blockIdx.x * DRAWERS; first < blocks; first += (i64)gridDim.x * DRAWERS) {
        u64 word[4] = {0, 0, 0, 0};
        if (first + threadIdx.x < blocks) philox4x64((u64)(first + threadIdx.x), now, seed, stream, word);
        __syncthreads();  // words of the blocks before may still be read
        for (int w = 0; w < 4; ++w) drawn[4 * threadIdx.x + w] = word[w];
        __syncthreads();
        for (int k = 0; k < 4; ++k) {
            const int place = k * DRAWERS + threadIdx.x;
            drop_four<T, VECTORS>(
                x, y, keep, LANES * (4 * first + place), count, drawn[place], (unsigned int)threshold,
                (wide_t<T>)scale);
        }
    }
}

// ct, keep, out  (count,); out may be ct
template <typename T, int VECTORS>
__global__ void dropout_grad(const T* ct, const bool* keep, T* out, double scale, i64 count) {
    const wide_t<T> factor = (wide_t<T>)scale;
    GPUTRAIN_GRID_STRIDE(i, (count + LANES - 1) / LANES) {
        const i64 start = i * LANES;
        if (VECTORS && start + LANES <= count) {
            Vector<T, LANES> values = load_as<Vector<T, LANES>>(ct + start);
            const Vector<bool, LANES> kept = load_as<Vector<bool, LANES>>(keep + start);
            for (int k = 0; k < LANES; ++k) values.at[k] = masked(values.at[k], factor, kept.at[k]);
            store_as(out + start, values);
        } else {
            for (i64 k = start; k < count && k < start + LANES; ++k) out[k] = masked(ct[k], factor, keep[k]);
        }
    }
}

// --------------------------------------------------------------------------------------- uniform and normal

// A double as the nearest T, rounded once.
template <typename T> struct Rounded {
    static __device__ __forceinline__ T from(double x) { return (T)x; }
};

#ifdef GPUTRAIN_HALF
// By way of a float cut towards zero whose last bit says that something was cut off: rounding that to half sees all it
// must know, where a float rounded to nearest could be rounded twice.
template <> struct Rounded<__half> {
    static __device__ __forceinline__ __half from(double x) {
        const float near = (float)x;
        int bits = __float_as_int(near);
        if (fabs((double)near) > fabs(x)) --bits;
        if ((double)near != x) bits |= 1;
        return __float2half_rn(__int_as_float(bits));
    }
};
#endif

// The upper 53 bits of a word as a number in [0, 1).
__device__ __forceinline__ double unit(u64 word) { return (double)(word >> 11) * 1.1102230246251565e-16; }

// Elements start .. start + 3 of out  (count,), together with VECTORS.
template <typename T, int VECTORS>
__device__ __forceinline__ void store_four(T* out, i64 start, i64 count, const Vector<T, 4>& values) {
    if (VECTORS && start + 4 <= count) {
        store_as(out + start, values);
    } else {
        for (int k = 0; k < 4 && start + k < count; ++k) out[start + k] = values.at[k];
    }
}

// out  (count,); step  (); top: the largest T below 1
template <typename T, int VECTORS>
__global__ void uniform(T* out, const i64* step, u64 seed, u64 stream, double top, i64 count) {
    const u64 now = (u64)*step;
    GPUTRAIN_GRID_STRIDE(block, (count + 3) / 4) {
        u64 word[4];
        philox4x64((u64)block, now, seed, stream, word);
        Vector<T, 4> values;
        for (int k = 0; k < 4; ++k) {
            const T rounded = Rounded<T>::from(unit(word[k]));
            values.at[k] = wide(rounded) < wide_t<T>(1) ? rounded : Rounded<T>::from(top);
        }
        store_four<T, VECTORS>(out, block * 4, count, values);
    }
}

// out  (count,); step  (). Box and Muller, 1958: a pair of words gives a pair of numbers.
template <typename T, int VECTORS>
__global__ void normal(T* out, const i64* step, u64 seed, u64 stream, i64 count) {
    const u64 now = (u64)*step;
    GPUTRAIN_GRID_STRIDE(block, (count + 3) / 4) {
        u64 word[4];
        philox4x64((u64)block, now, seed, stream, word);
        Vector<T, 4> values;
        for (int k = 0; k < 4; k += 2) {
            const double radius = sqrt(-2.0 * log(unit(word[k]) + 1.1102230246251565e-16));
            const double angle = 6.283185307179586 * unit(word[k + 1]);
            values.at[k] = Rounded<T>::from(radius * cos(angle));
            values.at[k + 1] = Rounded<T>::from(radius * sin(angle));
        }
        store_four<T, VECTORS>(out, block * 4, count, values);
    }
}
