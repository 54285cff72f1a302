// Batch normalization, over all axes but the last of (R, C), and layer normalization, over the last.
//
// Sums over rows are those of columns: a block of X columns by 256 / X rows walks down a part of the rows, and where
// there are S > 1 parts a second launch combines them. Every order is fixed, so equal inputs give equal bits.

//! include teams.cuh
//! include vectors.cuh

__device__ __forceinline__ float inverse_root(float x) { return 1.0f / sqrtf(x); }
__device__ __forceinline__ double inverse_root(double x) { return 1.0 / ::sqrt(x); }

// Count, mean and sum of squared differences to the mean.
template <typename A> struct Moments {
    A count, mean, squares;
};

struct Pooled {  // Chan, Golub & LeVeque 1979, Updating formulae for computing sample variances
    template <typename A> __device__ __forceinline__ Moments<A> operator()(Moments<A> a, Moments<A> b) const {
        if (a.count == A(0) || b.count == A(0)) return a.count == A(0) ? b : a;
        const A count = a.count + b.count, apart = b.mean - a.mean, share = b.count / count;
        return Moments<A>{count, a.mean + apart * share, a.squares + b.squares + apart * apart * a.count * share};
    }
};

// Sums of a cotangent times the normalized input, and of the cotangent: gradients of gamma and beta.
template <typename A> struct Products {
    A gamma, beta;
};

struct Together {
    template <typename A> __device__ __forceinline__ Products<A> operator()(Products<A> a, Products<A> b) const {
        return Products<A>{a.gamma + b.gamma, a.beta + b.beta};
    }
};

// The states of the threads of one column combined, in the threads of the first row. All threads take part.
template <int X, typename State, typename Op> __device__ __forceinline__ State column_merge(State state, Op op) {
    GPUTRAIN_SHARED(State, partial, 256);
    const int y = threadIdx.x / X;
    __syncthreads();  // a call before this one may still be reading
    partial[threadIdx.x] = state;
    for (int half = 256 / X / 2; half > 0; half >>= 1) {
        __syncthreads();
        if (y < half) {
            state = op(state, partial[threadIdx.x + half * X]);
            partial[threadIdx.x] = state;
        }
    }
    return state;
}

// Where a thread works: column `c` (may lie outside), rows from `from` in steps of 256 / X before `until`, in part
// `part` of the rows. `block` counts parts and groups of X columns.
struct Patch {
    i64 part, c, from, until;
};

template <int X>
__device__ __forceinline__ Patch patch_of(i64 block, i64 groups, i64 R, i64 C, i64 chunk) {
    const i64 part = block / groups, c = (block - part * groups) * X + (threadIdx.x & (X - 1));
    const i64 first = part * chunk, end = first + chunk < R ? first + chunk : R;
    return Patch{part, c, first + threadIdx.x / X, c < C ? end : first};
}

// --------------------------------------------------------------------------------------------- batch: statistics

template <typename A>
__device__ __forceinline__ void put_moments(Moments<A> state, i64 c, A *mean, A *variance) {
    mean[c] = state.mean;
    variance[c] = state.squares / state.count;
}

// Statistics of each column, or those of its parts where `partial` is given.
template <typename T, int X>
__global__ void column_moments(const T *x,                     // (R, C)
                               Moments<wide_t<T>> *partial,    // (S, C), or null where S is 1
                               wide_t<T> *mean,                // (C)
                               wide_t<T> *variance,            // (C)
                               i64 R, i64 C, i64 S, i64 chunk) {
    typedef wide_t<T> A;
    const int Y = 256 / X;
    const i64 groups = (C + X - 1) / X;
    for (i64 block = blockIdx.x; block < S * groups; block += gridDim.x) {
        const Patch at = patch_of<X>(block, groups, R, C, chunk);
        // Differences to the first value lose no digits to a large mean.
        const A shift = at.from < at.until ? wide(x[at.from * C + at.c]) : A(0);
        A sum = 0, squares = 0;
        const T *place = x + at.from * C + at.c;
#pragma unroll 4
        for (i64 r = at.from; r < at.until; r += Y, place += Y * C) {
            const A d = wide(*place) - shift;
            sum += d;
            squares += d * d;
        }
        const A count = at.from < at.until ? A((at.until - at.from + Y - 1) / Y) : A(0);
        const A average = count > A(0) ? sum / count : A(0);
        Moments<A> state = {count, shift + average, squares - sum * average};
        if (state.squares < A(0)) state.squares = A(0);  // rounding; NaN stays
        state = column_merge<X>(state, Pooled());
        if (threadIdx.x < X && at.c < C) {
            if (partial)
                partial[at.part * C + at.c] = state;
            else
                put_moments(state, at.c, mean, variance);
        }
    }
}

template <typename A, int X>
__global__ void merge_moments(const Moments<A> *partial,  // (S, C)
                              A *mean,                    // (C)
                              A *variance,                // (C)
                              i64 S, i64 C) {
    const i64 groups = (C + X - 1) / X;
    for (i64 block = blockIdx.x; block < groups; block += gridDim.x) {
        const Patch at = patch_of<X>(block, groups, S, C, S);
        Moments<A> state = {A(0), A(0), A(0)};
        for (i64 s = at.from; s < at.until; s += 256 / X) state = Pooled()(state, partial[s * C + at.c]);
        state = column_merge<X>(state, Pooled());
        if (threadIdx.x < X && at.c < C) put_moments(state, at.c, mean, variance);
    }
}

// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, in packs of V columns.
template <typename T, int V, int X>
__global__ void batch_normalize(const T *x,                // (R, C)
                                const wide_t<T> *gamma,    // (C)
                                const wide_t<T> *beta,     // (C)
                                const wide_t<T> *mean,     // (C)
                                const wide_t<T> *variance, // (C)
                                T *y,                      // (R, C), may be x
                                i64 R, i64 C, i64 S, i64 chunk, double epsilon) {
    typedef wide_t<T> A;
    typedef Vector<T, V> Packed;
    const int Y = 256 / X;
    const i64 packs = C / V, groups = (packs + X - 1) / X;
    for (i64 block = blockIdx.x; block < S * groups; block += gridDim.x) {
        const Patch at = patch_of<X>(block, groups, R, packs, chunk);
        A middle[V], factor[V], shift[V];
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const i64 c = at.c < packs ? at.c * V + v : 0;
            middle[v] = mean[c];
            factor[v] = gamma[c] * inverse_root(variance[c] + (A)epsilon);
            shift[v] = beta[c];
        }
#pragma unroll 2
        for (i64 r = at.from; r < at.until; r += Y) {
            Packed pack = reinterpret_cast<const Packed *>(x)[r * packs + at.c];
#pragma unroll
            for (int v = 0; v < V; ++v)
                pack.at[v] = narrow<T>((wide(pack.at[v]) - middle[v]) * factor[v] + shift[v]);
            reinterpret_cast<Packed *>(y)[r * packs + at.c] = pack;
        }
    }
}

// ------------------------------------------------------------------------------------------- sums of gradients

// The inverse deviation that normalizes: by column it is made of the variance, by row it is given.
template <typename A, int ByRow> __device__ __forceinline__ A inverse_deviation(A spread, double epsilon) {
    return ByRow ? spread : inverse_root(spread + (A)epsilon);
}

// Gradients of gamma and beta, or those of parts of the rows where `partial` is given. ByRow: the statistics are those
// of rows, `spread` is the inverse deviation; else they are those of columns, `spread` is the variance.
template <typename T, int X, int ByRow>
__global__ void column_products(const T *ct,                     // (R, C)
                                const T *x,                      // (R, C)
                                const wide_t<T> *mean,           // (R) or (C)
                                const wide_t<T> *spread,         // (R) or (C)
                                Products<wide_t<T>> *partial,    // (S, C), or null where S is 1
                                wide_t<T> *d_gamma,              // (C)
                                wide_t<T> *d_beta,               // (C)
                                i64 R, i64 C, i64 S, i64 chunk, double epsilon) {
    typedef wide_t<T> A;
    const int Y = 256 / X;
    const i64 groups = (C + X - 1) / X;
    for (i64 block = blockIdx.x; block < S * groups; block += gridDim.x) {
        const Patch at = patch_of<X>(block, groups, R, C, chunk);
        const bool fixed = !ByRow && at.c < C;
        const A middle = fixed ? mean[at.c] : A(0);
        const A scale = fixed ? inverse_deviation<A, 0>(spread[at.c], epsilon) : A(1);
        Products<A> state = {A(0), A(0)};
        i64 place = at.from * C + at.c;
#pragma unroll 4
        for (i64 r = at.from; r < at.until; r += Y, place += Y * C) {
            const A g = wide(ct[place]);
            const A h = ByRow ? (wide(x[place]) - mean[r]) * spread[r] : (wide(x[place]) - middle) * scale;
            state.gamma += g * h;
            state.beta += g;
        }
        state = column_merge<X>(state, Together());
        if (threadIdx.x < X && at.c < C) {
            if (partial) {
                partial[at.part * C + at.c] = state;
            } else {
                d_gamma[at.c] = state.gamma;
                d_beta[at.c] = state.beta;
            }
        }
    }
}

template <typename A, int X>
__global__ void merge_products(const Products<A> *partial,  // (S, C)
                               A *d_gamma,                  // (C)
                               A *d_beta,                   // (C)
                               i64 S, i64 C) {
    const i64 groups = (C + X - 1) / X;
    for (i64 block = blockIdx.x; block < groups; block += gridDim.x) {
        const Patch at = patch_of<X>(block, groups, S, C, S);
        Products<A> state = {A(0), A(0)};
        for (i64 s = at.from; s < at.until; s += 256 / X) state = Together()(state, partial[s * C + at.c]);
        state = column_merge<X>(state, Together());
        if (threadIdx.x < X && at.c < C) {
            d_gamma[at.c] = state.gamma;
            d_beta[at.c] = state.beta;
        }
    }
}

// dx = gamma / deviation * (ct - mean(ct) - h * mean(ct * h)), h being the normalized input, in packs of V columns.
template <typename T, int V, int X>
__global__ void batch_normalize_dx(const T *ct,                // (R, C)
                                   const T *x,                 // (R, C)
                                   const wide_t<T> *gamma,     // (C)
                                   const wide_t<T> *mean,      // (C)
                                   const wide_t<T> *variance,  // (C)
                                   const wide_t<T> *d_gamma,   // (C)
                                   const wide_t<T> *d_beta,    // (C)
                                   T *dx,                      // (R, C), may be ct
                                   i64 R, i64 C, i64 S, i64 chunk, double epsilon) {
    typedef wide_t<T> A;
    typedef Vector<T, V> Packed;
    const int Y = 256 / X;
    const i64 packs = C / V, groups = (packs + X - 1) / X;
    for (i64 block = blockIdx.x; block < S * groups; block += gridDim.x) {
        const Patch at = patch_of<X>(block, groups, R, packs, chunk);
        A middle[V], scale[V], factor[V], constant[V], slope[V];
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const i64 c = at.c < packs ? at.c * V + v : 0;
            middle[v] = mean[c];
            scale[v] = inverse_root(variance[c] + (A)epsilon);
            factor[v] = gamma[c] * scale[v];
            constant[v] = d_beta[c] / (A)R;
            slope[v] = d_gamma[c] / (A)R;
        }
#pragma unroll 2
        for (i64 r = at.from; r < at.until; r += Y) {
            const i64 place = r * packs + at.c;
            Packed g = reinterpret_cast<const Packed *>(ct)[place];
            const Packed input = reinterpret_cast<const Packed *>(x)[place];
#pragma unroll
            for (int v = 0; v < V; ++v) {
                const A h = (wide(input.at[v]) - middle[v]) * scale[v];
                g.at[v] = narrow<T>(factor[v] * (wide(g.at[v]) - constant[v] - h * slope[v]));
            }
            reinterpret_cast<Packed *>(dx)[place] = g;
        }
    }
}

// ------------------------------------------------------------------------------------------------------- layer

template <typename T, typename Team>
__global__ void layer_normalize(const T *x,              // (rows, columns)
                                const wide_t<T> *gamma,  // (columns)
                                const wide_t<T> *beta,   // (columns)
                                T *y,                    // (rows, columns), may be x
                                wide_t<T> *mean,         // (rows)
                                wide_t<T> *rstd,         // (rows)
                                i64 rows, i64 columns, double epsilon) {
    typedef wide_t<T> A;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const T *from = x + row * columns;
        A sum = 0, squares = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) sum += wide(from[j]);
        const A middle = Team::combine(sum, A(0), Plus()) / (A)columns;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            const A d = wide(from[j]) - middle;
            squares += d * d;
        }
        const A scale = inverse_root(Team::combine(squares, A(0), Plus()) / (A)columns + (A)epsilon);
        for (i64 j = Team::rank(); j < count; j += Team::size())
            y[row * columns + j] = narrow<T>((wide(from[j]) - middle) * scale * gamma[j] + beta[j]);
        if (Team::rank() == 0 && row < rows) {
            mean[row] = middle;
            rstd[row] = scale;
        }
    }
}

// dx = rstd * (u - mean(u) - h * mean(u * h)), u being ct * gamma and h the normalized input.
template <typename T, typename Team>
__global__ void layer_normalize_dx(const T *ct,             // (rows, columns)
                                   const T *x,              // (rows, columns)
                                   const wide_t<T> *gamma,  // (columns)
                                   const wide_t<T> *mean,   // (rows)
                                   const wide_t<T> *rstd,   // (rows)
                                   T *dx,                   // (rows, columns), may be ct
                                   i64 rows, i64 columns) {
    typedef wide_t<T> A;
    GPUTRAIN_TEAM_ROWS(rows, columns, row, count) {
        const i64 first = row * columns;
        const A middle = count ? mean[row] : A(0), scale = count ? rstd[row] : A(0);
        A sum = 0, product = 0;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            const A u = wide(ct[first + j]) * gamma[j];
            sum += u;
            product += u * ((wide(x[first + j]) - middle) * scale);
        }
        const A constant = Team::combine(sum, A(0), Plus()) / (A)columns;
        const A slope = Team::combine(product, A(0), Plus()) / (A)columns;
        for (i64 j = Team::rank(); j < count; j += Team::size()) {
            const A u = wide(ct[first + j]) * gamma[j], h = (wide(x[first + j]) - middle) * scale;
            dx[first + j] = narrow<T>(scale * (u - constant - h * slope));
        }
    }
}
