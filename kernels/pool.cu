// Max and average pooling over images (N, H, W, C), channels last, with their gradients. Each thread works on E
// neighbouring channels.
//
// Gradients gather: each pixel looks for the windows it is in, in the order of its place in them, so there are no
// atomics and equal inputs give equal bits.

//! include vectors.cuh
//! include walking.cuh

// A window sliding over images: sizes, strides, and the border before the first row and column.
#define WINDOW_PARAMS                                                                                            \
    i64 images, i64 height, i64 width, i64 channels, i64 out_height, i64 out_width, i64 pool_height,             \
        i64 pool_width, i64 stride_h, i64 stride_w, i64 top, i64 left

// The taps of one window along one axis that lie inside the image: begin .. end - 1.
struct Span {
    int begin, end;
};

__device__ __forceinline__ Span inside(i64 start, i64 size, i64 pool) {
    const i64 rest = size - start;
    return {(int)(start < 0 ? -start : 0), (int)(rest < pool ? rest : pool)};
}

// A thread's place in (N, rows, columns, packs of channels).
enum { IMAGE, ROW, COLUMN, PACK };

__device__ __forceinline__ Odometer<4> place_in(i64 rows, i64 columns, i64 packs) {
    Odometer<4> place;
    place.size[ROW] = (int)rows;
    place.size[COLUMN] = (int)columns;
    place.size[PACK] = (int)packs;
    place.set(THREAD, THREADS);
    return place;
}

// x (N, H, W, C) to best (N, OH, OW, C) and winner (N, OH, OW, C): which tap of the window it was, the first of equals.
// A NaN wins; the border never does.
template <typename T, typename W, int E>
__global__ void max_pool(const T* x, T* best, W* winner, WINDOW_PARAMS) {
    const i64 packs = channels / E, total = images * out_height * out_width * packs;
    if (THREAD >= total) return;
    Odometer<4> place = place_in(out_height, out_width, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const i64 first_row = place.at[ROW] * stride_h - top, first_column = place.at[COLUMN] * stride_w - left;
        const Span down = inside(first_row, height, pool_height);
        const Span across = inside(first_column, width, pool_width);
        const T* image = x + place.at[IMAGE] * height * width * channels + place.at[PACK] * E;
        wide_t<T> largest[E];
        Vector<W, E> tap_of;
        for (int e = 0; e < E; ++e) {
            largest[e] = -infinity(wide_t<T>());
            tap_of.at[e] = (W)(down.begin * pool_width + across.begin);
        }
        for (int kh = down.begin; kh < down.end; ++kh) {
            for (int kw = across.begin; kw < across.end; ++kw) {
                const i64 pixel = (first_row + kh) * width + first_column + kw;
                const Vector<T, E> pack = load_as<Vector<T, E>>(image + pixel * channels);
                for (int e = 0; e < E; ++e) {
                    const wide_t<T> value = wide(pack.at[e]);
                    // "not <=" rather than ">", so that a NaN wins; the second half lets the first one stay.
                    if (!(value <= largest[e]) && largest[e] == largest[e]) {
                        largest[e] = value;
                        tap_of.at[e] = (W)(kh * pool_width + kw);
                    }
                }
            }
        }
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(largest[e]);
        store_as(best + i * E, result);
        store_as(winner + i * E, tap_of);
        place.advance();
    }
}

// dy and winner (N, OH, OW, C) to dx (N, H, W, C): each pixel sums dy of the windows that it won.
template <typename T, typename W, int E>
__global__ void max_pool_grad(const T* dy, const W* winner, T* dx, WINDOW_PARAMS) {
    const i64 packs = channels / E, total = images * height * width * packs;
    if (THREAD >= total) return;
    Odometer<4> place = place_in(height, width, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const int row = place.at[ROW] + (int)top, column = place.at[COLUMN] + (int)left;
        const i64 image = place.at[IMAGE] * out_height;
        // Every stride-th tap meets this pixel; from each to the next the window lies one position before.
        for (int kh = row % (int)stride_h, oh = row / (int)stride_h; kh < pool_height && oh >= 0;
             kh += (int)stride_h, --oh) {
            if (oh >= out_height) continue;
            for (int kw = column % (int)stride_w, ow = column / (int)stride_w; kw < pool_width && ow >= 0;
                 kw += (int)stride_w, --ow) {
                if (ow >= out_width) continue;
                const i64 from = (((image + oh) * out_width + ow) * packs + place.at[PACK]) * E;
                const Vector<W, E> won = load_as<Vector<W, E>>(winner + from);
                const Vector<T, E> pack = load_as<Vector<T, E>>(dy + from);
                const W tap = (W)(kh * pool_width + kw);
                for (int e = 0; e < E; ++e)
                    if (won.at[e] == tap) sum[e] += wide(pack.at[e]);
            }
        }
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
        store_as(dx + i * E, result);
        place.advance();
    }
}

// x (N, H, W, C) and winner (N, OH, OW, C) to y (N, OH, OW, C): the element of each window that `winner` names, 0 where
// that lies outside.
template <typename T, typename W>
__global__ void max_pool_gather(const T* x, const W* winner, T* y, WINDOW_PARAMS) {
    const i64 total = images * out_height * out_width * channels;
    if (THREAD >= total) return;
    Odometer<4> place = place_in(out_height, out_width, channels);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const int tap = (int)winner[i], kh = tap / (int)pool_width, kw = tap % (int)pool_width;
        const i64 row = place.at[ROW] * stride_h - top + kh, column = place.at[COLUMN] * stride_w - left + kw;
        const bool named = tap >= 0 && kh < pool_height;
        const bool seen = named && row >= 0 && row < height && column >= 0 && column < width;
        const i64 pixel = (place.at[IMAGE] * height + row) * width + column;
        y[i] = seen ? x[pixel * channels + place.at[PACK]] : narrow<T>(0);
        place.advance();
    }
}

// x (N, H, W, C) to y (N, OH, OW, C): the mean of each window's elements inside the image.
template <typename T, int E> __global__ void average_pool(const T* x, T* y, WINDOW_PARAMS) {
    const i64 packs = channels / E, total = images * out_height * out_width * packs;
    if (THREAD >= total) return;
    Odometer<4> place = place_in(out_height, out_width, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const i64 first_row = place.at[ROW] * stride_h - top, first_column = place.at[COLUMN] * stride_w - left;
        const Span down = inside(first_row, height, pool_height);
        const Span across = inside(first_column, width, pool_width);
        const T* image = x + place.at[IMAGE] * height * width * channels + place.at[PACK] * E;
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        for (int kh = down.begin; kh < down.end; ++kh) {
            for (int kw = across.begin; kw < across.end; ++kw) {
                const i64 pixel = (first_row + kh) * width + first_column + kw;
                const Vector<T, E> pack = load_as<Vector<T, E>>(image + pixel * channels);
                for (int e = 0; e < E; ++e) sum[e] += wide(pack.at[e]);
            }
        }
        const wide_t<T> count = (wide_t<T>)((i64)(down.end - down.begin) * (across.end - across.begin));
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e] / count);
        store_as(y + i * E, result);
        place.advance();
    }
}

// dy (N, OH, OW, C) to dx (N, H, W, C): each pixel sums dy of the windows it is in, divided by how many share it.
template <typename T, int E> __global__ void average_pool_grad(const T* dy, T* dx, WINDOW_PARAMS) {
    const i64 packs = channels / E, total = images * height * width * packs;
    if (THREAD >= total) return;
    Odometer<4> place = place_in(height, width, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const int row = place.at[ROW] + (int)top, column = place.at[COLUMN] + (int)left;
        const i64 image = place.at[IMAGE] * out_height;
        for (int kh = row % (int)stride_h, oh = row / (int)stride_h; kh < pool_height && oh >= 0;
             kh += (int)stride_h, --oh) {
            if (oh >= out_height) continue;
            const Span down = inside(oh * stride_h - top, height, pool_height);
            for (int kw = column % (int)stride_w, ow = column / (int)stride_w; kw < pool_width && ow >= 0;
                 kw += (int)stride_w, --ow) {
                if (ow >= out_width) continue;
                const Span across = inside(ow * stride_w - left, width, pool_width);
                const wide_t<T> count = (wide_t<T>)((i64)(down.end - down.begin) * (across.end - across.begin));
                const i64 from = (((image + oh) * out_width + ow) * packs + place.at[PACK]) * E;
                const Vector<T, E> pack = load_as<Vector<T, E>>(dy + from);
                for (int e = 0; e < E; ++e) sum[e] += wide(pack.at[e]) / count;
            }
        }
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
        store_as(dx + i * E, result);
        place.advance();
    }
}
