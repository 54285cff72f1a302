// Copies between layouts, borders and fills. Elements are words of 1, 2, 4, 8 or 16 bytes, and what they mean does not
// matter.
//! include vectors.cuh

enum { MOST_DIMS = 8 };

// For the parameters of a layout: up to eight numbers, of which the first D count.
#define EIGHT(p) i64 p##0, i64 p##1, i64 p##2, i64 p##3, i64 p##4, i64 p##5, i64 p##6, i64 p##7
#define LISTED(p) {p##0, p##1, p##2, p##3, p##4, p##5, p##6, p##7}

// A word of which each aligned part holds the pattern's bytes, which repeat after at most 8.
template <typename W> struct Filled {
    static __device__ __forceinline__ W from(u64 pattern) { return (W)pattern; }
};
template <> struct Filled<Word16> {
    static __device__ __forceinline__ Word16 from(u64 pattern) {
        Word16 word;
        word.low = word.high = pattern;
        return word;
    }
};

// out  (count,) words
template <typename W> __global__ void fill(unsigned char* out, u64 pattern, i64 count) {
    const W word = Filled<W>::from(pattern);
    GPUTRAIN_GRID_STRIDE(i, count) ((W*)out)[i] = word;
}

// source, target: words at place  start + sum over d of index d * stride d, for indices below n
// I: an integer that holds `count`
template <typename W, typename I, int D>
__global__ void strided_copy(
    const unsigned char* source, unsigned char* target, i64 source_start, i64 target_start, i64 count, EIGHT(n),
    EIGHT(s), EIGHT(t)) {
    const i64 sizes[MOST_DIMS] = LISTED(n), from[MOST_DIMS] = LISTED(s), to[MOST_DIMS] = LISTED(t);
    GPUTRAIN_GRID_STRIDE(i, count) {
        I rest = (I)i;
        i64 source_at = source_start, target_at = target_start;
#pragma unroll
        for (int d = D - 1; d > 0; --d) {
            const I quotient = rest / (I)sizes[d];
            const i64 index = (i64)(rest - quotient * (I)sizes[d]);
            source_at += index * from[d];
            target_at += index * to[d];
            rest = quotient;
        }
        ((W*)target)[target_at + (i64)rest * to[0]] = ((const W*)source)[source_at + (i64)rest * from[0]];
    }
}

// As strided_copy, where the source is contiguous along dimension `rows` and the target along the last, `columns`: both
// are read and written in whole lines, by way of a tile in shared memory. n, s, t are those of the other D dimensions.
//
// column_stride: of the source, along columns; row_stride: of the target, along rows.
template <typename W, typename I, int D>
__global__ void tiled_transpose(
    const unsigned char* source, unsigned char* target, i64 source_start, i64 target_start, i64 count, i64 rows,
    i64 columns, i64 column_stride, i64 row_stride, EIGHT(n), EIGHT(s), EIGHT(t)) {
    enum { SIDE = 32, LINES = 8, PITCH = SIDE + 1 };  // a line more, so that columns fall into different banks
    GPUTRAIN_SHARED(W, tile, SIDE * PITCH);
    const i64 sizes[MOST_DIMS] = LISTED(n), from[MOST_DIMS] = LISTED(s), to[MOST_DIMS] = LISTED(t);
    const int lane = threadIdx.x % SIDE, line = threadIdx.x / SIDE;
    const I across = (I)((columns + SIDE - 1) / SIDE), down = (I)((rows + SIDE - 1) / SIDE);
    for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
        const I above = (I)k / across;
        const i64 column = (i64)((I)k - above * across) * SIDE;
        I rest = above / down;
        const i64 row = (i64)(above - rest * down) * SIDE;
        i64 source_at = source_start, target_at = target_start;
#pragma unroll
        for (int d = D - 1; d >= 0; --d) {
            const I quotient = rest / (I)sizes[d];
            const i64 index = (i64)(rest - quotient * (I)sizes[d]);
            source_at += index * from[d];
            target_at += index * to[d];
            rest = quotient;
        }
        __syncthreads();  // the tile before may still be read
        for (int j = line; j < SIDE; j += LINES)
            if (column + j < columns && row + lane < rows)
                tile[j * PITCH + lane] = ((const W*)source)[source_at + (column + j) * column_stride + row + lane];
        __syncthreads();
        for (int j = line; j < SIDE; j += LINES)
            if (row + j < rows && column + lane < columns)
                ((W*)target)[target_at + (row + j) * row_stride + column + lane] = tile[lane * PITCH + j];
    }
}

// target  (n0, n1, ...) words, count in all: the source  (s0, s1, ...) at place (b0, b1, ...), the pattern around it
template <typename W, typename I, int D>
__global__ void padded(
    const unsigned char* source, unsigned char* target, u64 pattern, i64 count, EIGHT(n), EIGHT(b), EIGHT(s)) {
    const i64 sizes[MOST_DIMS] = LISTED(n), before[MOST_DIMS] = LISTED(b), inner[MOST_DIMS] = LISTED(s);
    const W border = Filled<W>::from(pattern);
    GPUTRAIN_GRID_STRIDE(i, count) {
        I rest = (I)i;
        i64 source_at = 0, stride = 1;
        bool inside = true;
#pragma unroll
        for (int d = D - 1; d >= 0; --d) {
            const I quotient = d > 0 ? rest / (I)sizes[d] : 0;
            const i64 index = (i64)(rest - quotient * (I)sizes[d]) - before[d];
            inside = inside && index >= 0 && index < inner[d];
            source_at += index * stride;
            stride *= inner[d];
            rest = quotient;
        }
        ((W*)target)[i] = inside ? ((const W*)source)[source_at] : border;
    }
}
