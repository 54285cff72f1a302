// Matrix products of integers and booleans, which cuBLAS does not have. Integers wrap around as in NumPy; a product
// of booleans asks whether any pair is true in both.

#define TILE 16

// Sums in unsigned arithmetic of the width it needs: that wraps around, where signed arithmetic has no defined result.
template <typename T, int bytes = sizeof(T)> struct Total {
    typedef unsigned int type;
    static __device__ __forceinline__ type add(type total, T a, T b) { return total + (type)a * (type)b; }
};
template <typename T> struct Total<T, 8> {
    typedef u64 type;
    static __device__ __forceinline__ type add(type total, T a, T b) { return total + (type)a * (type)b; }
};
template <> struct Total<bool, sizeof(bool)> {
    typedef bool type;
    static __device__ __forceinline__ bool add(bool total, bool a, bool b) { return total || (a && b); }
};

// One element of a stored row-major matrix (rows, columns), 0 outside.
template <typename T>
__device__ __forceinline__ T element(const T* matrix, i64 row, i64 column, i64 rows, i64 columns) {
    return row < rows && column < columns ? matrix[row * columns + column] : T(0);
}

// out (batch, m, n) = a (batch, m, k) @ b (batch, k, n), either stored transposed; strides of 0 repeat a matrix.
// A block makes a tile of 16 x 16 elements, so blockDim.x is 256.
template <typename T>
__global__ void matmul_tiled(
    const T* a, const T* b, T* out, i64 m, i64 n, i64 k, i64 batch, i64 stride_a, i64 stride_b, i64 stride_out,
    i64 start_a, i64 start_b, i64 start_out, i64 transpose_a, i64 transpose_b
) {
    GPUTRAIN_SHARED(T, tile_a, TILE * (TILE + 1));
    GPUTRAIN_SHARED(T, tile_b, TILE * (TILE + 1));
    const int y = threadIdx.x / TILE, x = threadIdx.x % TILE, pitch = TILE + 1;
    const i64 tiles_m = (m + TILE - 1) / TILE, tiles_n = (n + TILE - 1) / TILE;
    for (i64 tile = blockIdx.x; tile < batch * tiles_m * tiles_n; tile += gridDim.x) {
        const i64 matrix = tile / (tiles_m * tiles_n);
        const i64 top = tile / tiles_n % tiles_m * TILE, left = tile % tiles_n * TILE;
        const T* left_matrix = a + start_a + matrix * stride_a;
        const T* right_matrix = b + start_b + matrix * stride_b;
        typename Total<T>::type total = 0;
        for (i64 inner = 0; inner < k; inner += TILE) {
            // Neighbouring threads read neighbouring elements, whichever way the operand is stored.
            if (transpose_a) tile_a[x * pitch + y] = element(left_matrix, inner + y, top + x, k, m);
            else tile_a[y * pitch + x] = element(left_matrix, top + y, inner + x, m, k);
            if (transpose_b) tile_b[x * pitch + y] = element(right_matrix, left + y, inner + x, n, k);
            else tile_b[y * pitch + x] = element(right_matrix, inner + y, left + x, k, n);
            __syncthreads();
            for (int i = 0; i < TILE; ++i)
                total = Total<T>::add(total, tile_a[y * pitch + i], tile_b[i * pitch + x]);
            __syncthreads();
        }
        if (top + y < m && left + x < n)
            out[start_out + matrix * stride_out + (top + y) * n + left + x] = (T)total;
    }
}
