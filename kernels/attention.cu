// Attention whose scores are never stored, and its gradients (Dao et al. 2022, FlashAttention).
//
// A block works on TILE queries of a head, or on TILE keys, and goes through the tiles of the others. Scores of a tile
// are made from slices of DEPTH features in shared memory; they, or what follows from them, lie there as one square for
// the products with values, keys or queries. Each thread has every 16th row and every 16th column of a square. In the
// forward pass the largest score and the sum of a row go along (Milakov & Gimelshein 2018). Backward, one kernel makes
// the gradient of queries and another one those of keys and values, each summed in a fixed order by one block.
//
// Results are made in strips of TILE columns; for wider heads each strip makes the scores again.

//! include teams.cuh
//! include philox.cuh

enum { DEPTH = 32, SIDE = 16, THREADS = SIDE * SIDE };

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return ::exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return ::log(x); }

// The score of a key that is not seen: 0.7 times the least float, in every dtype. Also the log-sum-exp of a row of such.
#define GPUTRAIN_LEAST (-2.3819763e38f)

// What all of an attention have in common. `shapes` has four bits each for the bias and four masks, in the order N,
// heads, T, S from the highest: whether the array has that axis, or 1 there.
struct Sizes {
    i64 n, t, s, heads, groups, d, e;
    i64 causal, window, limited, shapes;
};

template <typename T> struct Further {
    const T *bias;
    const bool *masks[4];
};

// Dropout of the weights: those whose 16-bit lane is below the threshold are kept. None below 0.
struct Drop {
    const i64 *step;
    u64 seed, stream;
    i64 threshold;
    double factor;
};

#define GPUTRAIN_SIZES \
    i64 n, i64 t, i64 s, i64 heads, i64 groups, i64 d, i64 e, i64 causal, i64 window, i64 limited, i64 shapes
#define GPUTRAIN_SIZES_OF Sizes{n, t, s, heads, groups, d, e, causal, window, limited, shapes}
#define GPUTRAIN_FURTHER                                                                                      \
    const T *bias, const bool *mask0, const bool *mask1, const bool *mask2, const bool *mask3, const i64 *step, \
        u64 seed, u64 stream, i64 threshold, double factor
#define GPUTRAIN_FURTHER_OF Further<T>{bias, {mask0, mask1, mask2, mask3}}
#define GPUTRAIN_DROP_OF Drop{step, seed, stream, threshold, factor}

// Where an array that may lack axes has its element.
__device__ __forceinline__ i64 place(i64 shape, const Sizes &z, i64 n, i64 h, i64 t, i64 s) {
    i64 at = shape & 8 ? n : 0;
    if (shape & 4) at = at * z.heads + h;
    if (shape & 2) at = at * z.t + t;
    if (shape & 1) at = at * z.s + s;
    return at;
}

// Whether a query sees a key.
template <typename T>
__device__ __forceinline__ bool seen(const Sizes &z, const Further<T> &more, i64 n, i64 h, i64 t, i64 s) {
    if (z.causal && s > t) return false;
    if (z.window && (s - t >= z.window || t - s >= z.window)) return false;
    for (int i = 0; i < 4; ++i)
        if (more.masks[i] && !more.masks[i][place(z.shapes >> (4 * i + 4) & 15, z, n, h, t, s)]) return false;
    return true;
}

// Keys that the queries first .. first + count - 1 may see by their places; all, unless `limited`.
__device__ __forceinline__ void near_keys(const Sizes &z, i64 first, i64 count, i64 &from, i64 &to) {
    from = 0, to = z.s;
    if (!z.limited) return;
    if (z.window && first - z.window + 1 > 0) from = first - z.window + 1;
    if (z.causal && first + count < to) to = first + count;
    if (!z.causal && z.window && first + count + z.window - 1 < to) to = first + count + z.window - 1;
}

// Queries that may see the keys first .. first + count - 1.
__device__ __forceinline__ void near_queries(const Sizes &z, i64 first, i64 count, i64 &from, i64 &to) {
    from = 0, to = z.t;
    if (!z.limited) return;
    if (z.causal) from = first;
    if (z.window && first + count + z.window - 1 < to) to = first + count + z.window - 1;
    if (!z.causal && z.window && first - z.window + 1 > 0) from = first - z.window + 1;
}

// ---------------------------------------------------------------------------------------------------- squares

// Rows of an array (rows, pitch) of which `columns` count; what lies outside reads as 0.
template <typename T> struct Rows {
    const T *start;
    i64 pitch, rows, columns;

    __device__ __forceinline__ wide_t<T> at(i64 row, i64 column) const {
        return row < rows && column < columns ? wide(start[row * pitch + column]) : wide_t<T>(0);
    }
};

// The rows of one head of (N, L, heads, size).
template <typename T>
__device__ __forceinline__ Rows<T> head_of(const T *x, i64 n, i64 h, i64 length, i64 heads, i64 size) {
    return Rows<T>{x + (n * length * heads + h) * size, heads * size, length, size};
}

template <typename A, int TILE> struct Square {
    enum { EACH = TILE / SIDE, PITCH = TILE + 1, SLICE = DEPTH + 1 };
    A value[EACH][EACH];

    __device__ __forceinline__ void clear() {
        for (int i = 0; i < EACH; ++i)
            for (int j = 0; j < EACH; ++j) value[i][j] = A(0);
    }

    // value += left[top + row] . right[first + column], over all features.
    template <typename T>
    __device__ __forceinline__ void multiply(
        const Rows<T> &left, i64 top, const Rows<T> &right, i64 first, A *lefts, A *rights) {
        const int y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
        for (i64 start = 0; start < left.columns; start += DEPTH) {
            __syncthreads();  // what lies there may still be read
            for (int k = threadIdx.x; k < TILE * DEPTH; k += THREADS) {
                const int row = k / DEPTH, column = k % DEPTH;
                lefts[row * SLICE + column] = left.at(top + row, start + column);
                rights[row * SLICE + column] = right.at(first + row, start + column);
            }
            __syncthreads();
#pragma unroll 4
            for (int k = 0; k < DEPTH; ++k) {
                A a[EACH], b[EACH];
                for (int i = 0; i < EACH; ++i) a[i] = lefts[(y + SIDE * i) * SLICE + k];
                for (int j = 0; j < EACH; ++j) b[j] = rights[(x + SIDE * j) * SLICE + k];
                for (int i = 0; i < EACH; ++i)
                    for (int j = 0; j < EACH; ++j) value[i][j] += a[i] * b[j];
            }
        }
    }

    // The square in shared memory, by rows.
    __device__ __forceinline__ void lay(A *square) const {
        const int y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
        __syncthreads();
        for (int i = 0; i < EACH; ++i)
            for (int j = 0; j < EACH; ++j) square[(y + SIDE * i) * PITCH + x + SIDE * j] = value[i][j];
    }

    // value += square @ columns left .. left + TILE - 1 of the rows from `first` on; the square may be transposed.
    template <bool TRANSPOSED, typename T>
    __device__ __forceinline__ void add_product(
        const A *square, const Rows<T> &rows, i64 first, i64 left, A *slice) {
        const int y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
        for (int start = 0; start < TILE; start += DEPTH) {
            __syncthreads();
            for (int k = threadIdx.x; k < DEPTH * TILE; k += THREADS)
                slice[k / TILE * PITCH + k % TILE] = rows.at(first + start + k / TILE, left + k % TILE);
            __syncthreads();
#pragma unroll 4
            for (int k = 0; k < DEPTH; ++k) {
                A a[EACH], b[EACH];
                for (int i = 0; i < EACH; ++i) {
                    const int row = y + SIDE * i, column = start + k;
                    a[i] = TRANSPOSED ? square[column * PITCH + row] : square[row * PITCH + column];
                }
                for (int j = 0; j < EACH; ++j) b[j] = slice[k * PITCH + x + SIDE * j];
                for (int i = 0; i < EACH; ++i)
                    for (int j = 0; j < EACH; ++j) value[i][j] += a[i] * b[j];
            }
        }
    }

    // Rows top .. of one head of (N, L, heads, size), columns left .. of it.
    template <typename T>
    __device__ __forceinline__ void store(T *out, i64 n, i64 h, i64 length, i64 heads, i64 size, i64 top, i64 left) {
        const int y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
        for (int i = 0; i < EACH; ++i)
            for (int j = 0; j < EACH; ++j) {
                const i64 row = top + y + SIDE * i, column = left + x + SIDE * j;
                if (row < length && column < size)
                    out[((n * length + row) * heads + h) * size + column] = narrow<T>(value[i][j]);
            }
    }
};

// Which weights of a square are kept, 16 bits for 16 keys: a draw of 16 lanes each. Its keys begin at a whole 16.
template <int TILE>
__device__ __forceinline__ void draw(const Drop &drop, const Sizes &z, i64 n, i64 h, i64 top, i64 first, unsigned *kept) {
    enum { GROUPS = TILE / 16 };
    __syncthreads();
    for (int k = threadIdx.x; k < TILE * GROUPS; k += THREADS) {
        const i64 row = (n * z.heads + h) * z.t + top + k / GROUPS;
        u64 word[4];
        philox4x64((u64)(row * ((z.s + 15) / 16) + first / 16 + k % GROUPS), (u64)*drop.step, drop.seed, drop.stream, word);
        unsigned bits = 0;
        for (int lane = 0; lane < 16; ++lane)
            if ((i64)(word[lane / 4] >> 16 * (lane % 4) & 0xFFFF) < drop.threshold) bits |= 1u << lane;
        kept[k] = bits;
    }
    __syncthreads();
}

// What a weight at this place of a square is multiplied by.
template <typename A, int TILE>
__device__ __forceinline__ A kept_share(const Drop &drop, const unsigned *kept, int row, int column) {
    if (drop.threshold < 0) return A(1);
    return kept[row * (TILE / 16) + column / 16] >> column % 16 & 1 ? (A)drop.factor : A(0);
}

template <typename A, int TILE> struct Scores {
    Square<A, TILE> score;
    bool counts[TILE / SIDE][TILE / SIDE];  // whether the score depends on query and key

    // Scores of the queries from `top` on and the keys from `first` on; -infinity where there is no key.
    template <typename T>
    __device__ __forceinline__ void make(
        const Sizes &z, const Further<T> &more, double scale, const Rows<T> &queries, const Rows<T> &keys, i64 n,
        i64 h, i64 top, i64 first, A *lefts, A *rights) {
        const int y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
        score.clear();
        score.multiply(queries, top, keys, first, lefts, rights);
        for (int i = 0; i < TILE / SIDE; ++i)
            for (int j = 0; j < TILE / SIDE; ++j) {
                const i64 t = top + y + SIDE * i, s = first + x + SIDE * j;
                const bool inside = t < z.t && s < z.s;
                A &value = score.value[i][j];
                counts[i][j] = inside && seen(z, more, n, h, t, s);
                value *= (A)scale;
                if (inside && more.bias) value += wide(more.bias[place(z.shapes & 15, z, n, h, t, s)]);
                if (!counts[i][j]) value = inside ? A(GPUTRAIN_LEAST) : -infinity(A());
            }
    }
};

// ---------------------------------------------------------------------------------------------------- forward

template <typename T, int TILE>
__global__ void attention(
    const T *q,          // (N, T, heads, D)
    const T *k,          // (N, S, groups, D)
    const T *v,          // (N, S, groups, E)
    T *y,                // (N, T, heads, E)
    wide_t<T> *lse,      // (N, T, heads)
    double scale, GPUTRAIN_FURTHER, GPUTRAIN_SIZES) {
    typedef wide_t<T> A;
    enum { EACH = TILE / SIDE };
    GPUTRAIN_SHARED(A, lefts, TILE * (DEPTH + 1));
    GPUTRAIN_SHARED(A, rights, TILE * (DEPTH + 1));
    GPUTRAIN_SHARED(A, square, TILE * (TILE + 1));
    GPUTRAIN_SHARED(unsigned, kept, TILE * TILE / 16);
    const Sizes z = GPUTRAIN_SIZES_OF;
    const Further<T> more = GPUTRAIN_FURTHER_OF;
    const Drop drop = GPUTRAIN_DROP_OF;
    const int row = threadIdx.x / SIDE, column = threadIdx.x % SIDE;
    const i64 tiles = (t + TILE - 1) / TILE, strips = e ? (e + TILE - 1) / TILE : 1;
    for (i64 item = blockIdx.x; item < n * heads * tiles * strips; item += gridDim.x) {
        const i64 strip = item % strips, top = item / strips % tiles * TILE;
        const i64 h = item / strips / tiles % heads, sample = item / strips / tiles / heads;
        const i64 group = h / (heads / groups);
        const Rows<T> queries = head_of(q, sample, h, t, heads, d), keys = head_of(k, sample, group, s, groups, d);
        const Rows<T> values = head_of(v, sample, group, s, groups, e);
        Square<A, TILE> result;
        result.clear();
        A peak[EACH], total[EACH];
        for (int i = 0; i < EACH; ++i) peak[i] = -infinity(A()), total[i] = A(0);
        i64 from, to;
        near_keys(z, top, TILE, from, to);
        for (i64 first = from / TILE * TILE; first < to; first += TILE) {
            Scores<A, TILE> scores;
            scores.make(z, more, scale, queries, keys, sample, h, top, first, lefts, rights);
            if (threshold >= 0) draw<TILE>(drop, z, sample, h, top, first, kept);
            for (int i = 0; i < EACH; ++i) {
                A *const score = scores.score.value[i];
                A most = peak[i];
                for (int j = 0; j < EACH; ++j) most = Larger()(most, score[j]);
                most = Lanes<SIDE>::combine(most, A(0), Larger());
                const A shrink = peak[i] == most ? A(1) : exponential(peak[i] - most);
                A sum = 0;
                for (int j = 0; j < EACH; ++j) {
                    // Equal values count 1 without a subtraction; where nothing is finite yet, nothing counts.
                    const A weight = score[j] == -infinity(A()) ? A(0) : score[j] == most ? A(1) : exponential(score[j] - most);
                    sum += weight;
                    score[j] = weight * kept_share<A, TILE>(drop, kept, row + SIDE * i, column + SIDE * j);
                    result.value[i][j] *= shrink;
                }
                total[i] = total[i] * shrink + Lanes<SIDE>::combine(sum, A(0), Plus());
                peak[i] = most;
            }
            scores.score.lay(square);
            result.template add_product<false>(square, values, first, strip * TILE, rights);
        }
        for (int i = 0; i < EACH; ++i) {
            // NaN where the largest score is infinite: no difference to it has a meaning.
            const A whole = total[i] + (peak[i] - peak[i]);
            for (int j = 0; j < EACH; ++j) result.value[i][j] /= whole;
            const i64 at = top + row + SIDE * i;
            if (strip == 0 && column == 0 && at < t)
                lse[(sample * t + at) * heads + h] = peak[i] == A(GPUTRAIN_LEAST) ? peak[i] : peak[i] + logarithm(whole);
        }
        result.store(y, sample, h, t, heads, e, top, strip * TILE);
    }
}

// --------------------------------------------------------------------------------------------------- backward

// Weights from scores and the log-sum-exp of their rows; where a row sees no key, all have the same.
template <typename A>
__device__ __forceinline__ A weight_of(A score, A lse, i64 keys) {
    if (score == -infinity(A())) return A(0);
    if (lse == A(GPUTRAIN_LEAST)) return A(1) / (A)keys;
    return exponential(score - lse);
}

// Scores become gradients of scores, and `weights` what dropout leaves of the weights.
template <typename T, typename A, int TILE>
__device__ __forceinline__ void turn(
    Scores<A, TILE> &scores, Square<A, TILE> &weights, const Rows<T> &cts, const Rows<T> &values, const A *lse,
    const A *delta, const Sizes &z, const Drop &drop, double scale, i64 n, i64 h, i64 top, i64 first, A *lefts, A *rights,
    unsigned *kept) {
    const int row = threadIdx.x / SIDE, column = threadIdx.x % SIDE;
    weights.clear();
    weights.multiply(cts, top, values, first, lefts, rights);  // gradients of weights, so far
    if (drop.threshold >= 0) draw<TILE>(drop, z, n, h, top, first, kept);
    for (int i = 0; i < TILE / SIDE; ++i) {
        const i64 t = top + row + SIDE * i, at = (n * z.t + t) * z.heads + h;
        const A own = t < z.t ? lse[at] : A(0), mean = t < z.t ? delta[at] : A(0);
        for (int j = 0; j < TILE / SIDE; ++j) {
            const A share = kept_share<A, TILE>(drop, kept, row + SIDE * i, column + SIDE * j);
            const A weight = weight_of(scores.score.value[i][j], own, z.s);
            const A slope = weights.value[i][j] * share - mean;
            scores.score.value[i][j] = scores.counts[i][j] ? weight * slope * (A)scale : A(0);
            weights.value[i][j] = weight * share;
        }
    }
}

template <typename T, int TILE>
__global__ void attention_dq(
    const T *ct,               // (N, T, heads, E)
    const T *q,                // (N, T, heads, D)
    const T *k,                // (N, S, groups, D)
    const T *v,                // (N, S, groups, E)
    const wide_t<T> *lse,      // (N, T, heads)
    const wide_t<T> *delta,    // (N, T, heads)
    T *dq,                     // (N, T, heads, D)
    double scale, GPUTRAIN_FURTHER, GPUTRAIN_SIZES) {
    typedef wide_t<T> A;
    GPUTRAIN_SHARED(A, lefts, TILE * (DEPTH + 1));
    GPUTRAIN_SHARED(A, rights, TILE * (DEPTH + 1));
    GPUTRAIN_SHARED(A, square, TILE * (TILE + 1));
    GPUTRAIN_SHARED(unsigned, kept, TILE * TILE / 16);
    const Sizes z = GPUTRAIN_SIZES_OF;
    const Further<T> more = GPUTRAIN_FURTHER_OF;
    const Drop drop = GPUTRAIN_DROP_OF;
    const i64 tiles = (t + TILE - 1) / TILE, strips = (d + TILE - 1) / TILE;
    for (i64 item = blockIdx.x; item < n * heads * tiles * strips; item += gridDim.x) {
        const i64 strip = item % strips, top = item / strips % tiles * TILE;
        const i64 h = item / strips / tiles % heads, sample = item / strips / tiles / heads;
        const i64 group = h / (heads / groups);
        const Rows<T> queries = head_of(q, sample, h, t, heads, d), cts = head_of(ct, sample, h, t, heads, e);
        const Rows<T> keys = head_of(k, sample, group, s, groups, d), values = head_of(v, sample, group, s, groups, e);
        Square<A, TILE> result, weights;
        result.clear();
        i64 from, to;
        near_keys(z, top, TILE, from, to);
        for (i64 first = from / TILE * TILE; first < to; first += TILE) {
            Scores<A, TILE> scores;
            scores.make(z, more, scale, queries, keys, sample, h, top, first, lefts, rights);
            turn(scores, weights, cts, values, lse, delta, z, drop, scale, sample, h, top, first, lefts, rights, kept);
            scores.score.lay(square);
            result.template add_product<false>(square, keys, first, strip * TILE, rights);
        }
        result.store(dq, sample, h, t, heads, d, top, strip * TILE);
    }
}

template <typename T, int TILE>
__global__ void attention_dkv(
    const T *ct,               // (N, T, heads, E)
    const T *q,                // (N, T, heads, D)
    const T *k,                // (N, S, groups, D)
    const T *v,                // (N, S, groups, E)
    const wide_t<T> *lse,      // (N, T, heads)
    const wide_t<T> *delta,    // (N, T, heads)
    T *dk,                     // (N, S, groups, D)
    T *dv,                     // (N, S, groups, E)
    double scale, GPUTRAIN_FURTHER, GPUTRAIN_SIZES) {
    typedef wide_t<T> A;
    GPUTRAIN_SHARED(A, lefts, TILE * (DEPTH + 1));
    GPUTRAIN_SHARED(A, rights, TILE * (DEPTH + 1));
    GPUTRAIN_SHARED(A, square, TILE * (TILE + 1));
    GPUTRAIN_SHARED(unsigned, kept, TILE * TILE / 16);
    const Sizes z = GPUTRAIN_SIZES_OF;
    const Further<T> more = GPUTRAIN_FURTHER_OF;
    const Drop drop = GPUTRAIN_DROP_OF;
    const i64 tiles = (s + TILE - 1) / TILE, sharing = heads / groups;
    const i64 widest = d > e ? d : e, strips = (widest + TILE - 1) / TILE;
    for (i64 item = blockIdx.x; item < n * groups * tiles * strips; item += gridDim.x) {
        const i64 strip = item % strips, first = item / strips % tiles * TILE;
        const i64 group = item / strips / tiles % groups, sample = item / strips / tiles / groups;
        const Rows<T> keys = head_of(k, sample, group, s, groups, d), values = head_of(v, sample, group, s, groups, e);
        Square<A, TILE> by_keys, by_values, weights;
        by_keys.clear();
        by_values.clear();
        i64 from, to;
        near_queries(z, first, TILE, from, to);
        for (i64 h = group * sharing; h < (group + 1) * sharing; ++h) {
            const Rows<T> queries = head_of(q, sample, h, t, heads, d), cts = head_of(ct, sample, h, t, heads, e);
            for (i64 top = from / TILE * TILE; top < to; top += TILE) {
                Scores<A, TILE> scores;
                scores.make(z, more, scale, queries, keys, sample, h, top, first, lefts, rights);
                turn(scores, weights, cts, values, lse, delta, z, drop, scale, sample, h, top, first, lefts, rights, kept);
                weights.lay(square);
                by_values.template add_product<true>(square, cts, top, strip * TILE, rights);
                scores.score.lay(square);
                by_keys.template add_product<true>(square, queries, top, strip * TILE, rights);
            }
        }
        by_keys.store(dk, sample, group, s, groups, d, first, strip * TILE);
        by_values.store(dv, sample, group, s, groups, e, first, strip * TILE);
    }
}
