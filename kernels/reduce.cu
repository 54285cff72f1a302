// Reductions of (A, R, B) over R: sums, products, extremes and their positions.
//
// A policy says what is combined: its State, the state of nothing, of one element at position r, and of two states in
// the order of their elements. Where there are few outputs, the reduced axis is cut into S parts whose states are
// reduced in turn, as (A, S, B), by a second launch of the same kernels. Every order is fixed, so equal inputs give
// equal bits.

//! include teams.cuh
//! include vectors.cuh

// ---------------------------------------------------------------------------------------------------- policies

// What the policies of plain numbers share. The accumulator A is unsigned for sums of integers: it may wrap around.
template <typename A> struct Number {
    typedef A State;
    template <typename In> static __device__ __forceinline__ A of(In x, i64) { return (A)wide(x); }
    template <typename Out> static __device__ __forceinline__ void put(Out *out, A state, double divisor) {
        if (divisor != 1.0) state = state / (A)divisor;
        *out = narrow<Out>((wide_t<Out>)state);
    }
};

template <typename A> struct Sum : Number<A> {
    static __device__ __forceinline__ A none() { return A(0); }
    static __device__ __forceinline__ A merge(A a, A b) { return a + b; }
};

template <typename A> struct Product : Number<A> {
    static __device__ __forceinline__ A none() { return A(1); }
    static __device__ __forceinline__ A merge(A a, A b) { return a * b; }
};

template <typename A> __device__ __forceinline__ A lowest(A) {
    return A(-1) < A(0) ? A((u64)1 << (8 * sizeof(A) - 1)) : A(0);
}
template <typename A> __device__ __forceinline__ A highest(A) { return A(~lowest(A())); }
__device__ __forceinline__ float lowest(float) { return -infinity(0.0f); }
__device__ __forceinline__ double lowest(double) { return -infinity(0.0); }
__device__ __forceinline__ float highest(float) { return infinity(0.0f); }
__device__ __forceinline__ double highest(double) { return infinity(0.0); }

template <typename A> struct Largest : Number<A> {
    static __device__ __forceinline__ A none() { return lowest(A()); }
    static __device__ __forceinline__ A merge(A a, A b) { return Larger()(a, b); }
};

template <typename A> struct Smallest : Number<A> {
    static __device__ __forceinline__ A none() { return highest(A()); }
    static __device__ __forceinline__ A merge(A a, A b) { return Smaller()(a, b); }
};

// Of flags, held as 0 and 1.
template <typename A> struct Every : Smallest<A> {
    static __device__ __forceinline__ A none() { return A(1); }
};
template <typename A> struct Some : Largest<A> {
    static __device__ __forceinline__ A none() { return A(0); }
};

// An element and its position; a position below 0 is that of nothing.
template <typename A> struct Place {
    A value;
    i64 position;
};

template <typename A> __device__ __forceinline__ Place<A> shuffled(Place<A> place, int offset) {
    return Place<A>{shuffled(place.value, offset), shuffled(place.position, offset)};
}

// The first of the extreme elements; NaN is more extreme than any number. `Beats` compares two numbers.
template <typename A, typename Beats> struct Position {
    typedef Place<A> State;
    static __device__ __forceinline__ State none() { return State{A(0), -1}; }
    template <typename In> static __device__ __forceinline__ State of(In x, i64 r) {
        return State{(A)wide(x), r};
    }
    static __device__ __forceinline__ State of(State state, i64) { return state; }
    static __device__ __forceinline__ State merge(State a, State b) {
        if (a.position < 0 || b.position < 0) return a.position < 0 ? b : a;
        const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
        const bool same = a.value == b.value || (a_nan && b_nan);
        if (same) return b.position < a.position ? b : a;
        return (b_nan || (!a_nan && Beats()(b.value, a.value))) ? b : a;
    }
    static __device__ __forceinline__ void put(int *out, State state, double) { *out = (int)state.position; }
    static __device__ __forceinline__ void put(State *out, State state, double) { *out = state; }
};

struct Greater {
    template <typename A> __device__ __forceinline__ bool operator()(A a, A b) const { return a > b; }
};
struct Less {
    template <typename A> __device__ __forceinline__ bool operator()(A a, A b) const { return a < b; }
};
template <typename A> struct ArgLargest : Position<A, Greater> {};
template <typename A> struct ArgSmallest : Position<A, Less> {};

// A policy's way to combine two states, as teams take it.
template <typename P> struct Merge {
    typedef typename P::State State;
    __device__ __forceinline__ State operator()(State a, State b) const { return P::merge(a, b); }
};

// ------------------------------------------------------------------------------------------------------ kernels

// Short rows: some lanes of a warp to a row.
template <typename In, typename Out, typename P, typename Team>
__global__ void reduce_rows(const In *x,  // (A, R)
                            Out *out,     // (A)
                            i64 A, i64 R, double divisor) {
    GPUTRAIN_TEAM_ROWS(A, R, a, count) {
        const In *row = x + a * R;
        typename P::State state = P::none();
#pragma unroll 4
        for (i64 r = Team::rank(); r < count; r += Team::size()) state = P::merge(state, P::of(row[r], r));
        state = Team::combine(state, P::none(), Merge<P>());
        if (Team::rank() == 0 && a < A) P::put(out + a, state, divisor);
    }
}

// Long rows, or parts of them: a block to each part of `chunk` elements. R, chunk and the address allow vectors of V.
template <typename In, typename Out, typename P, int V>
__global__ void reduce_blocks(const In *x,  // (A, R)
                              Out *out,     // (A, S)
                              i64 A, i64 R, i64 S, i64 chunk, double divisor) {
    typedef typename P::State State;
    for (i64 part = blockIdx.x; part < A * S; part += gridDim.x) {
        const i64 a = part / S, from = (part - a * S) * chunk;
        const i64 until = from + chunk < R ? from + chunk : R;
        const In *row = x + a * R;
        State state = P::none();
#pragma unroll 4
        for (i64 r = from + (i64)threadIdx.x * V; r < until; r += (i64)blockDim.x * V) {
            const Vector<In, V> several = load_as<Vector<In, V>>(row + r);
#pragma unroll
            for (int k = 0; k < V; ++k) state = P::merge(state, P::of(several.at[k], r + k));
        }
        state = Block::combine(state, P::none(), Merge<P>());
        if (threadIdx.x == 0) P::put(out + part, state, divisor);
    }
}

// Columns: a block of X columns by 256 / X rows walks down a part of `chunk` rows, then combines its columns.
template <typename In, typename Out, typename P, int X>
__global__ void reduce_columns(const In *x,  // (A, R, B)
                               Out *out,     // (A, S, B)
                               i64 A, i64 R, i64 B, i64 S, i64 chunk, double divisor) {
    typedef typename P::State State;
    const int Y = 256 / X;
    GPUTRAIN_SHARED(State, partial, 256);
    const int column = threadIdx.x & (X - 1), y = threadIdx.x / X;
    const i64 groups = (B + X - 1) / X;  // of columns
    for (i64 block = blockIdx.x; block < A * S * groups; block += gridDim.x) {
        const i64 part = block / groups, b = (block - part * groups) * X + column;
        const i64 a = part / S, from = (part - a * S) * chunk;
        const i64 until = b >= B ? from : (from + chunk < R ? from + chunk : R);
        const In *place = x + (a * R + from + y) * B + b;
        State state = P::none();
#pragma unroll 4
        for (i64 r = from + y; r < until; r += Y, place += Y * B) state = P::merge(state, P::of(*place, r));
        if (Y > 1) {
            __syncthreads();  // the turn before this one may still be reading
            partial[threadIdx.x] = state;
            for (int half = Y / 2; half > 0; half >>= 1) {
                __syncthreads();
                if (y < half) {
                    state = P::merge(state, partial[threadIdx.x + half * X]);
                    partial[threadIdx.x] = state;
                }
            }
        }
        if (y == 0 && b < B) P::put(out + part * B + b, state, divisor);
    }
}
