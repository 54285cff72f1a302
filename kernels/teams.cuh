// Teams of threads that work on one row together: some lanes of a warp where rows are short, a block where they are
// long. A team meets in `combine`, whose order is fixed, so that equal inputs give equal bits.

// What the lane with the bit `offset` of its number flipped holds; structs say by an overload how they travel.
template <typename V> __device__ __forceinline__ V shuffled(V value, int offset) {
    return __shfl_xor_sync(0xffffffffu, value, offset);
}

// W lanes to a row (a power of two up to 32), 32 / W rows to a warp. The rows of a warp come and go together, so that
// all lanes meet in the shuffles.
template <int W> struct Lanes {
    static __device__ __forceinline__ i64 first() {
        return ((i64)blockIdx.x * blockDim.x + threadIdx.x) / 32 * (32 / W);
    }
    static __device__ __forceinline__ i64 step() { return (i64)gridDim.x * blockDim.x / W; }
    static __device__ __forceinline__ int offset() { return (threadIdx.x & 31) / W; }
    static __device__ __forceinline__ int rank() { return threadIdx.x & (W - 1); }
    static __device__ __forceinline__ int size() { return W; }

    template <typename V, typename Op> static __device__ __forceinline__ V combine(V value, V, Op op) {
        for (int offset = W / 2; offset > 0; offset >>= 1) {
            const V other = shuffled(value, offset);
            // The lower lane's value first, so that all lanes compute the very same expression.
            value = (threadIdx.x & offset) ? op(other, value) : op(value, other);
        }
        return value;
    }
};

// A whole block to a row; blockDim.x is a multiple of 32.
struct Block {
    static __device__ __forceinline__ i64 first() { return blockIdx.x; }
    static __device__ __forceinline__ i64 step() { return gridDim.x; }
    static __device__ __forceinline__ int offset() { return 0; }
    static __device__ __forceinline__ int rank() { return threadIdx.x; }
    static __device__ __forceinline__ int size() { return blockDim.x; }

    // `neutral` changes nothing.
    template <typename V, typename Op> static __device__ __forceinline__ V combine(V value, V neutral, Op op) {
        GPUTRAIN_SHARED(V, partial, 32);
        const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
        value = Lanes<32>::combine(value, neutral, op);
        __syncthreads();  // a call before this one may still be reading
        if (lane == 0) partial[warp] = value;
        __syncthreads();
        return Lanes<32>::combine(lane < warps ? partial[lane] : neutral, neutral, op);
    }
};

// Runs the body that follows for each row of a team; a team past the last row has a `row` there and a `count` of 0, else
// `count` is `columns`.
#define GPUTRAIN_TEAM_ROWS(rows, columns, row, count)                                     \
    for (i64 row##_base = Team::first(); row##_base < (rows); row##_base += Team::step()) \
        if (const i64 row = row##_base + Team::offset(), count = row < (rows) ? (columns) : 0; true)
