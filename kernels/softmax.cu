// Softmax and the crossentropies over rows of (rows, columns).
//
// A row is worked on by a team: some lanes of a warp where rows are short, a block where they are long. The maximum and
// the sum of exponentials come from one pass over the row (Milakov & Gimelshein 2018, Online normalizer calculation for
// softmax); a second pass, which finds the row in the cache, writes the results. Probabilities are never stored, and
// each element is read for the last time by the thread that then writes its place, so outputs may lie in place.

//! include teams.cuh

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return ::exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return ::log(x); }

// The largest value so far, and the sum of exp(value - top).
template <typename A> struct Peak {
    A top, total;
};

template <typename A> __device__ __forceinline__ Peak<A> no_peak() { return Peak<A>{-infinity(A()), A(0)}; }

// Equal values count 1 without a subtraction, which makes NaN of two infinities. A NaN reaches the sum, not the top.
template <typename A> __device__ __forceinline__ void climb(Peak<A> &peak, A x) {
    if (x > peak.top) {
        peak.total = peak.total * exponential(peak.top - x) + A(1);
        peak.top = x;
    } else {
        peak.total += x == peak.top ? A(1) : exponential(x - peak.top);
    }
}

struct Higher {
    template <typename A> __device__ __forceinline__ Peak<A> operator()(Peak<A> a, Peak<A> b) const {
        const A top = b.top > a.top ? b.top : a.top;
        const A left = a.top == top ? a.total : a.total * exponential(a.top - top);
        const A right = b.top == top ? b.total : b.total * exponential(b.top - top);
        return Peak<A>{top, left + right};
    }
};

// The whole sum: NaN where the largest value is infinite, because then no difference to it has a meaning.
template <typename A> __device__ __forceinline__ A denominator(Peak<A> peak) {
    return peak.total + (peak.top - peak.top);
}

template <typename A> __device__ __forceinline__ Peak<A> shuffled(Peak<A> value, int offset) {
    return Peak<A>{shuffled(value.top, offset), shuffled(value.total, offset)};
}

// Top and sum of exponentials of `count` values, the same in every thread of the team. A team without a row counts 0.
template <typename Team, typename T>
__device__ __forceinline__ Peak<wide_t<T>> row_peak(const T *x, i64 count) {
    Peak<wide_t<T>> peak = no_peak<wide_t<T>>();
    for (i64 j = Team::rank(); j < count; j += Team::size()) climb(peak, wide(x[j]));
    return Team::combine(peak, no_peak<wide_t<T>>(), Higher());
}

// ---------------------------------------------------------------------------------------------------- softmax

template <typename T, typename Team>
__global__ void softmax(const T *x,  // (rows, columns)
                        T *y,        // (rows, columns), may be x
                        i64 rows, i64 columns) {
    typedef wide_t<T> A;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const T *from = x + row * columns;
        const Peak<A> peak = row_peak<Team>(from, count);
        const A scale = A(1) / denominator(peak);
        for (i64 j = Team::rank(); j < count; j += Team::size())
            y[row * columns + j] = narrow<T>(exponential(wide(from[j]) - peak.top) * scale);
    }
}

template <typename T, typename Team>
__global__ void log_softmax(const T *x,  // (rows, columns)
                            T *y,        // (rows, columns), may be x
                            i64 rows, i64 columns) {
    typedef wide_t<T> A;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const T *from = x + row * columns;
        const Peak<A> peak = row_peak<Team>(from, count);
        const A logs = logarithm(denominator(peak));
        for (i64 j = Team::rank(); j < count; j += Team::size())
            y[row * columns + j] = narrow<T>(wide(from[j]) - peak.top - logs);
    }
}

// ---------------------------------------------------------------------------------------------- crossentropies

// Loss sum(target * -log_softmax) and gradient softmax * sum(target) - target, where the target is moved by the share
// `smoothing` of its way toward 1 / columns.
template <typename T, typename U, typename Team>
__global__ void softmax_crossentropy(const U *target,  // (rows, columns)
                                     const T *logits,  // (rows, columns)
                                     T *loss,          // (rows)
                                     T *gradient,      // (rows, columns), may be logits
                                     i64 rows, i64 columns, double smoothing) {
    typedef wide_t<T> A;
    const A kept = (A)(1.0 - smoothing), even = (A)smoothing / (A)columns;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const T *z = logits + row * columns;
        const U *t = target + row * columns;
        Peak<A> peak = no_peak<A>();
        A mass = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            climb(peak, wide(z[j]));
            mass += kept * (A)wide(t[j]) + even;
        }
        peak = Team::combine(peak, no_peak<A>(), Higher());
        mass = Team::combine(mass, A(0), Plus());
        const A total = denominator(peak), logs = logarithm(total), scale = A(1) / total;
        A part = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            const A shifted = wide(z[j]) - peak.top, weight = kept * (A)wide(t[j]) + even;
            part += weight * (logs - shifted);
            gradient[row * columns + j] = narrow<T>(exponential(shifted) * scale * mass - weight);
        }
        part = Team::combine(part, A(0), Plus());
        if (Team::rank() == 0 && row < rows) loss[row] = narrow<T>(part);
    }
}

// Loss -log_softmax[label] and gradient softmax - onehot(label), both 0 for a label that names no class.
template <typename T, typename U, typename Team>
__global__ void sparse_softmax_crossentropy(const U *label,   // (rows)
                                            const T *logits,  // (rows, columns)
                                            T *loss,          // (rows)
                                            T *gradient,      // (rows, columns), may be logits
                                            i64 rows, i64 columns) {
    typedef wide_t<T> A;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const T *z = logits + row * columns;
        const i64 place = row < rows ? (i64)label[row] : -1;
        const bool known = place >= 0 && place < count;
        const Peak<A> peak = row_peak<Team>(z, count);
        // A factor rather than a choice: a row of NaN shows even where its label is outside.
        const A weight = known ? A(1) : A(0), total = denominator(peak), scale = A(1) / total;
        A picked = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            const A shifted = wide(z[j]) - peak.top;
            if (j == place) picked = shifted;
            gradient[row * columns + j] = narrow<T>((exponential(shifted) * scale - A(j == place)) * weight);
        }
        picked = Team::combine(picked, A(0), Plus());
        if (Team::rank() == 0 && row < rows)
            loss[row] = narrow<T>(columns > 0 ? (logarithm(total) - picked) * weight : A(0));
    }
}

// Loss -sum(target * log(q)), q being the output over its row's sum (0 counts as 1), clipped to low..high.
template <typename T, typename U, typename Team>
__global__ void categorical_crossentropy(const U *target,  // (rows, columns)
                                         const T *output,  // (rows, columns)
                                         T *loss,          // (rows)
                                         i64 rows, i64 columns, double low, double high) {
    typedef wide_t<T> A;
    const A least = (A)low, most = (A)high;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const T *p = output + row * columns;
        const U *t = target + row * columns;
        A total = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) total += wide(p[j]);
        total = Team::combine(total, A(0), Plus());
        if (total == A(0)) total = A(1);
        A part = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            A q = wide(p[j]) / total;
            q = q < least ? least : (q > most ? most : q);
            part += (A)wide(t[j]) * logarithm(q);
        }
        part = Team::combine(part, A(0), Plus());
        if (Team::rank() == 0 && row < rows) loss[row] = narrow<T>(-part);
    }
}
