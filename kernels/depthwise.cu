// Convolution of each channel by itself, with M filters for each: x (N, H, W, C) or (N, D, H, W, C), channels last,
// filters (taps, C*M), y (N, OH, OW, C*M) with the M outputs of a channel side by side.
//
// Neighbouring threads work on neighbouring channels, so that all loads are of whole lines. A thread does E of them at
// a time, which asks for M = 1 unless E is 1. Sums have a fixed order: equal inputs give equal bits.

//! include vectors.cuh
//! include walking.cuh
//! include window.cuh

enum { IMAGE, POSITION };

// A thread's place among N, the axes of `sizes`, and packs of channels.
template <int R> __device__ __forceinline__ Odometer<R + 2> place_among(const int* sizes, int packs) {
    Odometer<R + 2> place;
    for (int d = 0; d < R; ++d) place.size[POSITION + d] = sizes[d];
    place.size[POSITION + R] = packs;
    return place;
}

// sum[e] += a[e] * b[e]
template <typename T, int E>
__device__ __forceinline__ void add_products(wide_t<T>* sum, const T* a, const T* b) {
    const Vector<T, E> left = load_as<Vector<T, E>>(a), right = load_as<Vector<T, E>>(b);
    for (int e = 0; e < E; ++e) sum[e] += wide(left.at[e]) * wide(right.at[e]);
}

template <typename T, int E> __device__ __forceinline__ void store_sums(T* target, const wide_t<T>* sum) {
    Vector<T, E> result;
    for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
    store_as(target, result);
}

// y from x and filters: each thread sums over the taps of E outputs.
template <typename T, int E, int R>
__global__ void depthwise(const T* x, const T* filters, T* y, i64 multiplier, WINDOW_PARAMS) {
    WINDOW(w);
    const int outputs = (int)(channels * multiplier), packs = outputs / E;
    Odometer<R + 2> place = place_among<R>(w.out, packs);
    const i64 total = images * product<R>(w.out) * packs;
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const int output = place.at[POSITION + R] * E, channel = output / (int)multiplier;
        each_tap(w, place.at + POSITION, 0, place.at[IMAGE], [&](int tap, i64 pixel) {
            add_products<T, E>(sum, x + pixel * channels + channel, filters + (i64)tap * outputs + output);
        });
        store_sums<T, E>(y + i * E, sum);
        place.advance();
    }
}

// dx from dy and filters: each thread sums over the windows that E channels of a pixel are in.
template <typename T, int E, int R>
__global__ void depthwise_input_grad(const T* dy, const T* filters, T* dx, i64 multiplier, WINDOW_PARAMS) {
    WINDOW(w);
    const int outputs = (int)(channels * multiplier), packs = (int)channels / E;
    Odometer<R + 2> place = place_among<R>(w.size, packs);
    const i64 total = images * product<R>(w.size) * packs;
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const int output = place.at[POSITION + R] * E * (int)multiplier;
        Meeting first_of[R];
        int at[R];
        first_meetings(w, place.at + POSITION, first_of);
        each_meeting(w, first_of, at, 0, place.at[IMAGE], [&](int tap, i64 row, const int*) {
            for (int m = output; m < output + (int)multiplier; ++m)
                add_products<T, E>(sum, dy + row * outputs + m, filters + (i64)tap * outputs + m);
        });
        store_sums<T, E>(dx + i * E, sum);
        place.advance();
    }
}

// sums (parts, taps, C*M) from x and dy: each thread sums, for one tap of one filter, over `each` positions of the
// windows of all images.
template <typename T, typename S, int R>
__global__ void depthwise_filter_sums(
    const T* x, const T* dy, S* sums, i64 multiplier, i64 each, i64 parts, WINDOW_PARAMS
) {
    WINDOW(w);
    const int outputs = (int)(channels * multiplier);
    const i64 rows = images * product<R>(w.out);
    Odometer<R + 2> place = place_among<R>(w.kernel, outputs);
    const i64 total = parts * product<R>(w.kernel) * outputs;
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const i64 begin = place.at[0] * each, end = begin + each < rows ? begin + each : rows;
        const int output = place.at[R + 1], channel = output / (int)multiplier;
        Odometer<R + 1> row;
        for (int d = 0; d < R; ++d) row.size[POSITION + d] = w.out[d];
        row.set((unsigned)begin, 1);
        S sum = 0;
        for (i64 r = begin; r < end; ++r) {
            const i64 pixel = pixel_under(w, row.at[IMAGE], row.at + POSITION, place.at + 1);
            if (pixel >= 0) sum += (S)wide(x[pixel * channels + channel]) * (S)wide(dy[r * outputs + output]);
            row.next();
        }
        sums[i] = sum;
        place.advance();
    }
}

// Each of `count` elements of the filters' gradient is the sum of its parts; a warp sums one.
template <typename T, typename S>
__global__ void depthwise_filter_total(const S* sums, T* filters, i64 count, i64 parts) {
    const int lane = threadIdx.x & 31;
    for (i64 i = ((i64)blockIdx.x * blockDim.x + threadIdx.x) / 32; i < count;
         i += (i64)gridDim.x * blockDim.x / 32) {
        S sum = 0;
        for (i64 part = lane; part < parts; part += 32) sum += sums[part * count + i];
        sum = warp_reduce(sum, Plus());
        if (lane == 0) filters[i] = narrow<T>(sum);
    }
}
