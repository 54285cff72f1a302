// How a window slides over images (N, H, W, C) or volumes (N, D, H, W, C), channels last. A sequence is an image of
// one row.
//
// Kernels are templates over R, the number of axes between N and C. They are launched with numbers for three axes,
// of which images leave the first alone: to them it costs nothing.

// Sizes before and after, the window's own, its steps, the distance of its taps, and the border before the first
// element. every and back: see each_meeting.
#define WINDOW_PARAMS                                                                                             \
    i64 images, i64 channels, i64 size_d, i64 size_h, i64 size_w, i64 out_d, i64 out_h, i64 out_w, i64 kernel_d,  \
        i64 kernel_h, i64 kernel_w, i64 stride_d, i64 stride_h, i64 stride_w, i64 dilation_d, i64 dilation_h,     \
        i64 dilation_w, i64 every_d, i64 every_h, i64 every_w, i64 back_d, i64 back_h, i64 back_w, i64 before_d,  \
        i64 before_h, i64 before_w

// Declares a Window<R> of a kernel's WINDOW_PARAMS.
#define WINDOW(name)                                                      \
    Window<R> name;                                                       \
    last_axes<R>(name.size, size_d, size_h, size_w);                      \
    last_axes<R>(name.out, out_d, out_h, out_w);                          \
    last_axes<R>(name.kernel, kernel_d, kernel_h, kernel_w);              \
    last_axes<R>(name.stride, stride_d, stride_h, stride_w);              \
    last_axes<R>(name.dilation, dilation_d, dilation_h, dilation_w);      \
    last_axes<R>(name.every, every_d, every_h, every_w);                  \
    last_axes<R>(name.back, back_d, back_h, back_w);                      \
    last_axes<R>(name.before, before_d, before_h, before_w)

template <int R> struct Window {
    int size[R], out[R], kernel[R], stride[R], dilation[R], every[R], back[R], before[R];
};

template <int R> __device__ __forceinline__ void last_axes(int* axes, i64 depth, i64 height, i64 width) {
    if (R == 3) axes[0] = (int)depth;
    axes[R - 2] = (int)height;
    axes[R - 1] = (int)width;
}

// All of several sizes multiplied.
template <int R> __device__ __forceinline__ i64 product(const int* sizes) {
    i64 total = 1;
    for (int d = 0; d < R; ++d) total *= sizes[d];
    return total;
}

// The pixel that a tap of the window at some position meets, counted from the first image on; -1 outside.
template <int R>
__device__ __forceinline__ i64 pixel_under(const Window<R>& w, i64 image, const int* position, const int* tap) {
    i64 pixel = image;
    bool inside = true;
    for (int d = 0; d < R; ++d) {
        const int i = position[d] * w.stride[d] - w.before[d] + tap[d] * w.dilation[d];
        inside = inside && i >= 0 && i < w.size[d];
        pixel = pixel * w.size[d] + i;
    }
    return inside ? pixel : -1;
}

// Calls body(tap, pixel) for each tap of the window at a position that meets a pixel, in order. Begins with tap = 0 and
// pixel = the image.
template <int R, int D = 0, typename Body>
__device__ __forceinline__ void each_tap(
    const Window<R>& w, const int* position, int tap, i64 pixel, const Body& body
) {
    if constexpr (D == R) {
        body(tap, pixel);
    } else {
        for (int k = 0, i = position[D] * w.stride[D] - w.before[D]; k < w.kernel[D]; ++k, i += w.dilation[D]) {
            if (i >= 0 && i < w.size[D])
                each_tap<R, D + 1>(w, position, tap * w.kernel[D] + k, pixel * w.size[D] + i, body);
        }
    }
}

// The taps of a window that meet one pixel: along one axis tap, tap + every, tap + 2*every ... below the window's
// size, with every = stride / gcd(stride, dilation). From each to the next the window lies back = dilation / gcd
// positions before.
struct Meeting {
    int tap, out;
};

__device__ __forceinline__ Meeting first_meeting(int padded, int stride, int dilation, int every) {
    if (dilation == 1) return {padded % stride, padded / stride};
    for (int tap = 0; tap < every; ++tap) {
        const int rest = padded - tap * dilation;
        if (rest < 0) break;
        if (rest % stride == 0) return {tap, rest / stride};
    }
    return {0, -1};  // none: positions below 0 end the loops
}

template <int R>
__device__ __forceinline__ void first_meetings(const Window<R>& w, const int* pixel, Meeting* first) {
    for (int d = 0; d < R; ++d)
        first[d] = first_meeting(pixel[d] + w.before[d], w.stride[d], w.dilation[d], w.every[d]);
}

// Calls body(tap, position, at) for each window that a pixel is in, in the order of the pixel's place in it: `tap`
// counts the elements of a window, `position` all windows from those of the first image on, `at` is where this one
// is. Begins with tap = 0 and position = the image.
template <int R, int D = 0, typename Body>
__device__ __forceinline__ void each_meeting(
    const Window<R>& w, const Meeting* first, int* at, int tap, i64 position, const Body& body
) {
    if constexpr (D == R) {
        body(tap, position, at);
    } else {
        for (int k = first[D].tap, o = first[D].out; k < w.kernel[D] && o >= 0; k += w.every[D], o -= w.back[D]) {
            if (o >= w.out[D]) continue;
            at[D] = o;
            each_meeting<R, D + 1>(w, first, at, tap * w.kernel[D] + k, position * w.out[D] + o, body);
        }
    }
}

// The taps of an undilated window along one axis that lie inside: begin .. end - 1. It starts at element `start`.
struct Span {
    int start, begin, end;
};

template <int R> __device__ __forceinline__ void spans_at(const Window<R>& w, const int* position, Span* span) {
    for (int d = 0; d < R; ++d) {
        const int start = position[d] * w.stride[d] - w.before[d], rest = w.size[d] - start;
        span[d] = {start, start < 0 ? -start : 0, rest < w.kernel[d] ? rest : w.kernel[d]};
    }
}

// How many taps those are.
template <int R> __device__ __forceinline__ i64 taps_inside(const Span* span) {
    i64 count = 1;
    for (int d = 0; d < R; ++d) count *= span[d].end - span[d].begin;
    return count;
}

// Calls body(tap, pixel) for each of them in order. Begins with tap = 0 and pixel = the image.
template <int R, int D = 0, typename Body>
__device__ __forceinline__ void each_inside(
    const Window<R>& w, const Span* span, int tap, i64 pixel, const Body& body
) {
    if constexpr (D == R) {
        body(tap, pixel);
    } else {
        for (int k = span[D].begin; k < span[D].end; ++k)
            each_inside<R, D + 1>(w, span, tap * w.kernel[D] + k, pixel * w.size[D] + span[D].start + k, body);
    }
}
