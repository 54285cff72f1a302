// Max and average pooling over images (N, H, W, C) or volumes (N, D, H, W, C), channels last, with their gradients.
// Each thread works on E neighbouring channels.
//
// Gradients gather: each pixel looks for the windows it is in, in the order of its place in them, so there are no
// atomics and equal inputs give equal bits.

//! include vectors.cuh
//! include walking.cuh
//! include window.cuh

// A thread's place in (N, axes, packs of channels).
enum { IMAGE, AXES };

template <int R> __device__ __forceinline__ Odometer<R + 2> place_in(const int* axes, i64 packs) {
    Odometer<R + 2> place;
    for (int d = 0; d < R; ++d) place.size[AXES + d] = axes[d];
    place.size[AXES + R] = (int)packs;
    place.set(THREAD, THREADS);
    return place;
}

// x (N, H, W, C) to best (N, OH, OW, C) and winner (N, OH, OW, C): which tap of the window it was, the first of equals.
// A NaN is the largest, and ends the search for a winner; the border never wins.
template <typename T, typename W, int E, int R>
__global__ void max_pool(const T* x, T* best, W* winner, WINDOW_PARAMS) {
    WINDOW(w);
    const i64 packs = channels / E, total = images * product<R>(w.out) * packs;
    if (THREAD >= total) return;
    Odometer<R + 2> place = place_in<R>(w.out, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const T* source = x + place.at[AXES + R] * E;
        Span span[R];
        spans_at(w, place.at + AXES, span);
        int first = 0;
        for (int d = 0; d < R; ++d) first = first * w.kernel[d] + span[d].begin;
        wide_t<T> largest[E];
        Vector<W, E> tap_of;
        for (int e = 0; e < E; ++e) {
            largest[e] = -infinity(wide_t<T>());
            tap_of.at[e] = (W)first;
        }
        each_inside(w, span, 0, place.at[IMAGE], [&](int tap, i64 pixel) {
            const Vector<T, E> pack = load_as<Vector<T, E>>(source + pixel * channels);
            for (int e = 0; e < E; ++e) {
                const wide_t<T> value = wide(pack.at[e]);
                if (value > largest[e]) tap_of.at[e] = (W)tap;
                if (!(value <= largest[e]) && largest[e] == largest[e]) largest[e] = value;  // a NaN stays
            }
        });
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(largest[e]);
        store_as(best + i * E, result);
        store_as(winner + i * E, tap_of);
        place.advance();
    }
}

// dy and winner (N, OH, OW, C) to dx (N, H, W, C): each pixel sums dy of the windows that it won.
template <typename T, typename W, int E, int R>
__global__ void max_pool_grad(const T* dy, const W* winner, T* dx, WINDOW_PARAMS) {
    WINDOW(w);
    const i64 packs = channels / E, total = images * product<R>(w.size) * packs;
    if (THREAD >= total) return;
    Odometer<R + 2> place = place_in<R>(w.size, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const int pack = place.at[AXES + R];
        Meeting first[R];
        int at[R];
        first_meetings(w, place.at + AXES, first);
        each_meeting(w, first, at, 0, place.at[IMAGE], [&](int tap, i64 position, const int*) {
            const i64 from = (position * packs + pack) * E;
            const Vector<W, E> won = load_as<Vector<W, E>>(winner + from);
            const Vector<T, E> gradient = load_as<Vector<T, E>>(dy + from);
            for (int e = 0; e < E; ++e)
                if (won.at[e] == (W)tap) sum[e] += wide(gradient.at[e]);
        });
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
        store_as(dx + i * E, result);
        place.advance();
    }
}

// x (N, H, W, C) and winner (N, OH, OW, C) to y (N, OH, OW, C): the element of each window that `winner` names, 0 where
// that lies outside.
template <typename T, typename W, int R>
__global__ void max_pool_gather(const T* x, const W* winner, T* y, WINDOW_PARAMS) {
    WINDOW(w);
    const i64 total = images * product<R>(w.out) * channels;
    if (THREAD >= total) return;
    Odometer<R + 2> place = place_in<R>(w.out, channels);
    GPUTRAIN_GRID_STRIDE(i, total) {
        int rest = (int)winner[i], tap[R];
        const bool below = rest < 0;
        for (int d = R - 1; d >= 0; --d) {
            tap[d] = rest % w.kernel[d];
            rest /= w.kernel[d];
        }
        const i64 pixel = below || rest ? -1 : pixel_under(w, place.at[IMAGE], place.at + AXES, tap);
        y[i] = pixel >= 0 ? x[pixel * channels + place.at[AXES + R]] : narrow<T>(0);
        place.advance();
    }
}

// x (N, H, W, C) to y (N, OH, OW, C): the mean of each window's elements inside the image.
template <typename T, int E, int R> __global__ void average_pool(const T* x, T* y, WINDOW_PARAMS) {
    WINDOW(w);
    const i64 packs = channels / E, total = images * product<R>(w.out) * packs;
    if (THREAD >= total) return;
    Odometer<R + 2> place = place_in<R>(w.out, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        const T* source = x + place.at[AXES + R] * E;
        Span span[R];
        spans_at(w, place.at + AXES, span);
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        each_inside(w, span, 0, place.at[IMAGE], [&](int, i64 pixel) {
            const Vector<T, E> pack = load_as<Vector<T, E>>(source + pixel * channels);
            for (int e = 0; e < E; ++e) sum[e] += wide(pack.at[e]);
        });
        const wide_t<T> count = (wide_t<T>)taps_inside<R>(span);
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e] / count);
        store_as(y + i * E, result);
        place.advance();
    }
}

// dy (N, OH, OW, C) to dx (N, H, W, C): each pixel sums dy of the windows it is in, divided by how many share it.
template <typename T, int E, int R> __global__ void average_pool_grad(const T* dy, T* dx, WINDOW_PARAMS) {
    WINDOW(w);
    const i64 packs = channels / E, total = images * product<R>(w.size) * packs;
    if (THREAD >= total) return;
    Odometer<R + 2> place = place_in<R>(w.size, packs);
    GPUTRAIN_GRID_STRIDE(i, total) {
        wide_t<T> sum[E];
        for (int e = 0; e < E; ++e) sum[e] = 0;
        const int pack = place.at[AXES + R];
        Meeting first[R];
        int at[R];
        first_meetings(w, place.at + AXES, first);
        each_meeting(w, first, at, 0, place.at[IMAGE], [&](int, i64 position, const int* there) {
            Span span[R];
            spans_at(w, there, span);
            const wide_t<T> count = (wide_t<T>)taps_inside<R>(span);
            const Vector<T, E> gradient = load_as<Vector<T, E>>(dy + (position * packs + pack) * E);
            for (int e = 0; e < E; ++e) sum[e] += wide(gradient.at[e]) / count;
        });
        Vector<T, E> result;
        for (int e = 0; e < E; ++e) result.at[e] = narrow<T>(sum[e]);
        store_as(dx + i * E, result);
        place.advance();
    }
}
