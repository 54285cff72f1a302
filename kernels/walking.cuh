// How a thread walks over an array of several axes.

#define THREAD (blockIdx.x * blockDim.x + threadIdx.x)
#define THREADS (gridDim.x * blockDim.x)

// Where a thread is in an array of D axes, moved ahead by a fixed step. Divisions happen once, when a thread starts:
// moving adds the step digit by digit, as an odometer does. Start and step are below the number of threads times a
// small constant, so 32 bits hold them; the first axis has no end.
template <int D> struct Odometer {
    int at[D], step[D], size[D];

    __device__ __forceinline__ void set(unsigned start, unsigned ahead) {
        for (int d = D - 1; d > 0; --d) {
            at[d] = start % (unsigned)size[d];
            step[d] = ahead % (unsigned)size[d];
            start /= (unsigned)size[d];
            ahead /= (unsigned)size[d];
        }
        at[0] = start;
        step[0] = ahead;
    }
    __device__ __forceinline__ void advance() {
        int carry = 0;
        for (int d = D - 1; d > 0; --d) {
            at[d] += step[d] + carry;
            carry = at[d] >= size[d];
            if (carry) at[d] -= size[d];
        }
        at[0] += step[0] + carry;
    }
    // The next element.
    __device__ __forceinline__ void next() {
        for (int d = D - 1; d > 0; --d) {
            if (++at[d] < size[d]) return;
            at[d] = 0;
        }
        ++at[0];
    }
};
