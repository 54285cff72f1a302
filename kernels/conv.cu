// The two sides of convolution as matrix products: im2col lays out patches of images as rows of a matrix, col2im adds
// such rows up where they overlap. Images are (N, H, W, C) or (N, D, H, W, C), channels last.
//
// cols (groups, N*OH*OW, KH*KW*C/groups): one matrix for each group of channels, patches as rows.
//
// col2im gathers: each pixel looks for the patches it is in, in a fixed order, so there are no atomics and equal inputs
// give equal bits.

//! include vectors.cuh
//! include walking.cuh
//! include window.cuh

// A thread's place in cols: the group, the image, the position of the window, the tap, and packs of channels.
enum { GROUP, IMAGE, POSITION };

template <int R> __device__ __forceinline__ Odometer<2 * R + 3> place_in(const Window<R>& w, i64 images, int packs) {
    Odometer<2 * R + 3> place;
    place.size[IMAGE] = (int)images;
    for (int d = 0; d < R; ++d) {
        place.size[POSITION + d] = w.out[d];
        place.size[POSITION + R + d] = w.kernel[d];
    }
    place.size[POSITION + 2 * R] = packs;
    return place;
}

// cols from images x (first + images, ..., C), C/groups divisible by E: each thread copies E channels at a time.
template <typename T, int E, int R>
__global__ void im2col_channels(const T* x, T* cols, i64 first, i64 groups, WINDOW_PARAMS) {
    WINDOW(w);
    const int run = (int)(channels / groups), packs = run / E;
    const i64 total = groups * images * product<R>(w.out) * product<R>(w.kernel) * packs;
    Odometer<2 * R + 3> place = place_in(w, images, packs);
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const int* position = place.at + POSITION;
        const i64 pixel = pixel_under(w, first + place.at[IMAGE], position, position + R);
        Vector<T, E> pack;
        if (pixel >= 0) {
            pack = load_as<Vector<T, E>>(x + pixel * channels + place.at[GROUP] * run + position[2 * R] * E);
        } else {
            for (int e = 0; e < E; ++e) pack.at[e] = narrow<T>(0);
        }
        store_as(cols + i * E, pack);
        place.advance();
    }
}

// cols from images x (first + images, ..., C), any number of channels: each thread fills E neighbouring elements of
// the matrix, wherever they come from, so that the matrix is still written in large pieces.
template <typename T, int E, int R>
__global__ void im2col_elements(const T* x, T* cols, i64 first, i64 groups, WINDOW_PARAMS) {
    WINDOW(w);
    const int run = (int)(channels / groups);
    const i64 total = groups * images * product<R>(w.out) * product<R>(w.kernel) * run;
    Odometer<2 * R + 3> place = place_in(w, images, run);
    // A thread walks E elements by `next`; the rest of its step is one move.
    if (THREAD * (i64)E < total) place.set(THREAD * E, (THREADS - 1) * E);
    GPUTRAIN_GRID_STRIDE(i, (total + E - 1) / E) {
        const int count = total - i * E < E ? (int)(total - i * E) : E;
        Vector<T, E> pack;
        for (int e = 0; e < count; ++e) {
            const int* position = place.at + POSITION;
            const i64 pixel = pixel_under(w, first + place.at[IMAGE], position, position + R);
            const i64 channel = place.at[GROUP] * run + position[2 * R];
            pack.at[e] = pixel >= 0 ? x[pixel * channels + channel] : narrow<T>(0);
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

// dx (first + images, ..., C) from cols: each thread sums E channels of a pixel over the patches it is in.
template <typename T, int E, int R>
__global__ void col2im(const T* cols, T* dx, i64 first, i64 groups, WINDOW_PARAMS) {
    WINDOW(w);
    const int run = (int)(channels / groups), packs = run / E;
    const i64 pixels = product<R>(w.size), total = images * pixels * groups * packs;
    const i64 patch = product<R>(w.kernel) * run, rows = images * product<R>(w.out);
    enum { OF_IMAGE, PIXEL, OF_GROUP = R + 1, PACK };
    Odometer<R + 3> place;
    for (int d = 0; d < R; ++d) place.size[PIXEL + d] = w.size[d];
    place.size[OF_GROUP] = (int)groups;
    place.size[PACK] = packs;
    if (THREAD < total) place.set(THREAD, THREADS);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const T* group = cols + place.at[OF_GROUP] * rows * patch + place.at[PACK] * E;
        Meeting first_of[R];
        int at[R];
        first_meetings(w, place.at + PIXEL, first_of);
        each_meeting(w, first_of, at, 0, place.at[OF_IMAGE], [&](int tap, i64 row, const int*) {
            const Vector<T, E> pack = load_as<Vector<T, E>>(group + row * patch + tap * run);
            for (int e = 0; e < E; ++e) sum[e] += wide(pack.at[e]);
        });
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
        store_as(dx + (first * pixels * groups * packs + i) * E, result);
        place.advance();
    }
}
