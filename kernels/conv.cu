// The two sides of convolution as matrix products: im2col lays out patches of images as rows of a matrix, col2im adds
// such rows up where they overlap. Images are (N, H, W, C), channels last.
//
// cols (groups, N*OH*OW, KH*KW*C/groups): one matrix for each group of channels, patches as rows.
//
// col2im gathers: each pixel looks for the patches it is in, in a fixed order, so there are no atomics and equal inputs
// give equal bits.

//! include vectors.cuh
//! include walking.cuh

// A window sliding over images: sizes, strides, dilation, and the border of zeros before the first row and column.
#define WINDOW_PARAMS                                                                                           \
    i64 images, i64 height, i64 width, i64 channels, i64 out_height, i64 out_width, i64 kernel_height,          \
        i64 kernel_width, i64 stride_h, i64 stride_w, i64 dilation_h, i64 dilation_w, i64 top, i64 left,        \
        i64 groups

// cols from images x (first + images, H, W, C), C/groups divisible by E: each thread copies E channels at a time.
template <typename T, int E>
__global__ void im2col_channels(const T* x, T* cols, i64 first, WINDOW_PARAMS) {
    const int run = (int)(channels / groups), packs = run / E;
    const i64 total = groups * images * out_height * out_width * kernel_height * kernel_width * packs;
    enum { GROUP, IMAGE, OH, OW, KH, KW, PACK };
    Odometer<7> place;
    place.size[IMAGE] = (int)images;
    place.size[OH] = (int)out_height;
    place.size[OW] = (int)out_width;
    place.size[KH] = (int)kernel_height;
    place.size[KW] = (int)kernel_width;
    place.size[PACK] = packs;
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const int row = place.at[OH] * (int)stride_h - (int)top + place.at[KH] * (int)dilation_h;
        const int column = place.at[OW] * (int)stride_w - (int)left + place.at[KW] * (int)dilation_w;
        Vector<T, E> pack;
        if (row >= 0 && row < height && column >= 0 && column < width) {
            const i64 pixel = ((first + place.at[IMAGE]) * height + row) * width + column;
            pack = load_as<Vector<T, E>>(x + pixel * channels + place.at[GROUP] * run + place.at[PACK] * E);
        } else {
            for (int e = 0; e < E; ++e) pack.at[e] = narrow<T>(0);
        }
        store_as(cols + i * E, pack);
        place.advance();
    }
}

// cols from images x (first + images, H, W, C), any number of channels: each thread fills E neighbouring elements of
// the matrix, wherever they come from, so that the matrix is still written in large pieces.
template <typename T, int E>
__global__ void im2col_elements(const T* x, T* cols, i64 first, WINDOW_PARAMS) {
    const int run = (int)(channels / groups);
    const i64 total = groups * images * out_height * out_width * kernel_height * kernel_width * run;
    enum { GROUP, IMAGE, OH, OW, KH, KW, CHANNEL };
    Odometer<7> place;
    place.size[IMAGE] = (int)images;
    place.size[OH] = (int)out_height;
    place.size[OW] = (int)out_width;
    place.size[KH] = (int)kernel_height;
    place.size[KW] = (int)kernel_width;
    place.size[CHANNEL] = run;
    // A thread walks E elements by `next`; the rest of its step is one move.
    if (THREAD * (i64)E < total) place.set(THREAD * E, (THREADS - 1) * E);
    GPUTRAIN_GRID_STRIDE(i, (total + E - 1) / E) {
        const int count = total - i * E < E ? (int)(total - i * E) : E;
        Vector<T, E> pack;
        for (int e = 0; e < count; ++e) {
            const int row = place.at[OH] * (int)stride_h - (int)top + place.at[KH] * (int)dilation_h;
            const int column = place.at[OW] * (int)stride_w - (int)left + place.at[KW] * (int)dilation_w;
            const i64 pixel = ((first + place.at[IMAGE]) * height + row) * width + column;
            const bool inside = row >= 0 && row < height && column >= 0 && column < width;
            pack.at[e] = inside ? x[pixel * channels + place.at[GROUP] * run + place.at[CHANNEL]] : narrow<T>(0);
            place.next();
        }
        if (count == E) {
            store_as(cols + i * E, pack);
        } else {
            for (int e = 0; e < count; ++e) cols[i * E + e] = pack.at[e];
        }
        place.advance();
    }
}

// The taps of a window that meet one pixel: along one axis tap, tap + every, tap + 2*every ... while below `end`.
// The output position of a tap falls by `back` from each to the next.
struct Taps {
    int tap, out;
};

__device__ __forceinline__ Taps first_tap(int padded, int stride, int dilation, int every) {
    for (int tap = 0; tap < every; ++tap) {
        const int rest = padded - tap * dilation;
        if (rest < 0) break;
        if (rest % stride == 0) return {tap, rest / stride};
    }
    return {0, -1};  // none: output positions below 0 end the loops
}

// dx (first + images, H, W, C) from cols: each thread sums E channels of a pixel over the patches it is in.
// every = stride / gcd(stride, dilation): taps between those that meet a pixel; back = dilation / gcd.
template <typename T, int E>
__global__ void col2im(
    const T* cols, T* dx, i64 first, i64 every_h, i64 every_w, i64 back_h, i64 back_w, WINDOW_PARAMS
) {
    const int run = (int)(channels / groups), packs = run / E;
    const i64 total = images * height * width * groups * packs;
    const i64 patch = kernel_height * kernel_width * run, rows = images * out_height * out_width;
    enum { IMAGE, ROW, COLUMN, GROUP, PACK };
    Odometer<5> place;
    place.size[ROW] = (int)height;
    place.size[COLUMN] = (int)width;
    place.size[GROUP] = (int)groups;
    place.size[PACK] = packs;
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const Taps down = first_tap(place.at[ROW] + (int)top, (int)stride_h, (int)dilation_h, (int)every_h);
        const Taps across = first_tap(place.at[COLUMN] + (int)left, (int)stride_w, (int)dilation_w, (int)every_w);
        const T* group = cols + place.at[GROUP] * rows * patch + place.at[PACK] * E;
        for (int kh = down.tap, oh = down.out; kh < kernel_height && oh >= 0; kh += every_h, oh -= back_h) {
            if (oh >= out_height) continue;
            for (int kw = across.tap, ow = across.out; kw < kernel_width && ow >= 0; kw += every_w, ow -= back_w) {
                if (ow >= out_width) continue;
                const i64 row = (place.at[IMAGE] * out_height + oh) * out_width + ow;
                const Vector<T, E> pack = load_as<Vector<T, E>>(group + row * patch + (kh * kernel_width + kw) * run);
                for (int e = 0; e < E; ++e) sum[e] += wide(pack.at[e]);
            }
        }
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
        store_as(dx + (first * height * width * groups * packs + i) * E, result);
        place.advance();
    }
}
