// Several elements as one memory access, and copies of bytes by a whole block.

// N elements that are loaded and stored together: up to 16 bytes in one access.
template <typename T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Vector {
    T at[N];
};

// Sixteen bytes whose meaning does not matter.
struct alignas(16) Word16 {
    u64 low, high;
};

template <typename V> __device__ __forceinline__ bool aligned_for(const void* address) {
    return (u64)address % alignof(V) == 0;
}

template <typename V> __device__ __forceinline__ V load_as(const void* address) { return *(const V*)address; }
template <typename V> __device__ __forceinline__ void store_as(void* address, const V& value) {
    *(V*)address = value;
}

// The threads of a block copy as many whole words as `bytes` holds, and the rest byte by byte.
template <typename W>
__device__ __forceinline__ void copy_words(unsigned char* target, const unsigned char* source, i64 bytes) {
    const i64 words = bytes / (i64)sizeof(W);
    for (i64 i = threadIdx.x; i < words; i += blockDim.x) ((W*)target)[i] = ((const W*)source)[i];
    for (i64 i = words * (i64)sizeof(W) + threadIdx.x; i < bytes; i += blockDim.x) target[i] = source[i];
}

// The threads of a block copy `bytes` bytes, in the widest words that both addresses allow.
__device__ __forceinline__ void copy_bytes(unsigned char* target, const unsigned char* source, i64 bytes) {
    const u64 both = (u64)target | (u64)source;
    if (both % 16 == 0) {
        copy_words<Word16>(target, source, bytes);
    } else if (both % 4 == 0) {
        copy_words<unsigned int>(target, source, bytes);
    } else if (both % 2 == 0) {
        copy_words<unsigned short>(target, source, bytes);
    } else {
        copy_words<unsigned char>(target, source, bytes);
    }
}
