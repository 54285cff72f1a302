// Functions of one element, as NumPy has them, for the kernels that are generated (backend/cupy/elementwise.py).
// Each is written for float and double apart, so that no float is computed in double by way of an overload.

#define GPUTRAIN_FUNCTION(name, single, precise)                                                        \
    __device__ __forceinline__ float name(float x) { return single(x); }                                \
    __device__ __forceinline__ double name(double x) { return precise(x); }

GPUTRAIN_FUNCTION(exp_of, expf, exp)
GPUTRAIN_FUNCTION(expm1_of, expm1f, expm1)
GPUTRAIN_FUNCTION(log_of, logf, log)
GPUTRAIN_FUNCTION(log1p_of, log1pf, log1p)
GPUTRAIN_FUNCTION(sqrt_of, sqrtf, sqrt)
GPUTRAIN_FUNCTION(sin_of, sinf, sin)
GPUTRAIN_FUNCTION(cos_of, cosf, cos)
GPUTRAIN_FUNCTION(tanh_of, tanhf, tanh)
GPUTRAIN_FUNCTION(floor_of, floorf, floor)
GPUTRAIN_FUNCTION(ceil_of, ceilf, ceil)
GPUTRAIN_FUNCTION(rint_of, rintf, rint)
GPUTRAIN_FUNCTION(erf_of, erff, erf)
GPUTRAIN_FUNCTION(erfc_part, erfcf, erfc)

// As on the CPU, these two are computed in double.
template <typename T> __device__ __forceinline__ T erfc_of(T x) { return (T)erfc((double)x); }
template <typename T> __device__ __forceinline__ T erfinv_of(T x) { return (T)erfinv((double)x); }

template <typename T> __device__ __forceinline__ bool is_finite(T x) { return x - x == (T)0; }

// x < 0, also for types that have no such numbers, where the compiler warns of the plain comparison.
template <typename T> __device__ __forceinline__ bool below_zero(T x) { return x < (T)1 && x != (T)0; }
__device__ __forceinline__ bool below_zero(float x) { return x < 0.0f; }
__device__ __forceinline__ bool below_zero(double x) { return x < 0.0; }

template <typename T> __device__ __forceinline__ T abs_of(T x) { return below_zero(x) ? (T)-x : (x == (T)0 ? (T)0 : x); }
template <typename T> __device__ __forceinline__ T sign_of(T x) {
    return x > (T)0 ? (T)1 : (below_zero(x) ? (T)-1 : (x == (T)0 ? (T)0 : x));  // NaN stays NaN
}
template <typename T> __device__ __forceinline__ T larger(T x, T y) { return x != x ? x : (y != y ? y : (x > y ? x : y)); }
template <typename T> __device__ __forceinline__ T smaller(T x, T y) { return x != x ? x : (y != y ? y : (x < y ? x : y)); }

template <typename T> __device__ __forceinline__ T sigmoid_of(T x) { return (T)1 / ((T)1 + exp_of(-x)); }
template <typename T> __device__ __forceinline__ T softplus_of(T x) {
    return log1p_of(exp_of(-abs_of(x))) + larger(x, (T)0);
}
template <typename T> __device__ __forceinline__ T elu_of(T x, T alpha) {
    return expm1_of(smaller(x, (T)0)) * alpha + larger(x, (T)0);
}

// Gelu: x times the share of the normal distribution below x, or an approximation of the share; and its slope. Beyond
// 30 the approximation is 0 or 1 in any type, and the cube of a large number would be infinite.
template <typename T> __device__ __forceinline__ T share_below(T x) {
    return (T)0.5 * erfc_part(x * (T)-0.70710678118654752);
}
template <typename T> __device__ __forceinline__ T near_zero(T x) { return smaller(larger(x, (T)-30), (T)30); }
template <typename T> __device__ __forceinline__ T share_by_tanh(T x) {
    const T near = near_zero(x);
    const T inner = (T)0.79788456080286536 * (near + (T)0.044715 * near * near * near);
    return (T)0.5 + (T)0.5 * tanh_of(inner);
}
template <typename T> __device__ __forceinline__ T gelu_of(T x) { return x * share_below(x); }
template <typename T> __device__ __forceinline__ T gelu_by_tanh_of(T x) { return x * share_by_tanh(x); }
template <typename T> __device__ __forceinline__ T gelu_slope(T x) {
    return share_below(x) + x * ((T)0.39894228040143268 * exp_of((T)-0.5 * x * x));
}
template <typename T> __device__ __forceinline__ T gelu_by_tanh_slope(T x) {
    const T near = near_zero(x), share = share_by_tanh(x);
    return share + near * share * ((T)1 - share) * (T)1.5957691216057308 * ((T)1 + (T)0.134145 * near * near);
}

// -(target log(p) + (1 - target) log(1 - p)), p limited to low..high
template <typename T> __device__ __forceinline__ T binary_crossentropy(T target, T output, T low, T high) {
    const T p = smaller(larger(output, low), high);
    const T rest = log_of((T)1 - p);
    return (rest - log_of(p)) * target - rest;
}
template <typename T> __device__ __forceinline__ T sigmoid_crossentropy(T target, T z) {
    return log1p_of(exp_of(-abs_of(z))) - z * target + larger(z, (T)0);
}

// ------------------------------------------------------------------------------- division with the divisor's sign

__device__ __forceinline__ float fmod_of(float x, float y) { return fmodf(x, y); }
__device__ __forceinline__ double fmod_of(double x, double y) { return fmod(x, y); }
__device__ __forceinline__ float power(float x, float y) { return powf(x, y); }
__device__ __forceinline__ double power(double x, double y) { return pow(x, y); }

template <typename T> __device__ __forceinline__ T float_modulo(T x, T y) {
    const T rest = fmod_of(x, y);
    if (rest == (T)0) return y < (T)0 ? -(T)0 : (T)0;
    return (rest < (T)0) != (y < (T)0) ? rest + y : rest;
}
__device__ __forceinline__ float modulo(float x, float y) { return float_modulo(x, y); }
__device__ __forceinline__ double modulo(double x, double y) { return float_modulo(x, y); }

template <typename T> __device__ __forceinline__ T float_floor_divide(T x, T y) {
    if (y == (T)0) return x / y;
    const T quotient = (x - modulo(x, y)) / y;  // a whole number but for rounding
    const T whole = floor_of(quotient);
    return quotient - whole > (T)0.5 ? whole + (T)1 : whole;
}
__device__ __forceinline__ float floor_divide(float x, float y) { return float_floor_divide(x, y); }
__device__ __forceinline__ double floor_divide(double x, double y) { return float_floor_divide(x, y); }

template <typename T> __device__ __forceinline__ T modulo(T x, T y) {  // integers; 0 where y is 0, as in NumPy
    if (y == (T)0 || y == (T)-1) return (T)0;
    const T rest = x % y;
    return rest != (T)0 && below_zero(rest) != below_zero(y) ? (T)(rest + y) : rest;
}
template <typename T> __device__ __forceinline__ T floor_divide(T x, T y) {
    if (y == (T)0) return (T)0;
    if ((T)-1 < (T)0 && y == (T)-1) return (T)(0 - x);
    const T quotient = x / y;
    return (x % y != (T)0) && (below_zero(x) != below_zero(y)) ? (T)(quotient - 1) : quotient;
}
template <typename T> __device__ __forceinline__ T power(T x, T y) {  // integers, y >= 0
    T result = (T)1;
    for (; y > (T)0; y = (T)(y / 2)) {
        if (y % 2 != (T)0) result = (T)(result * x);
        x = (T)(x * x);
    }
    return result;
}
