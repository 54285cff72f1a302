// One step of the recurrent cells, forward and back, on what cuBLAS has made of states and kernel.
//
// A thread has one unit of one sequence. States lie in place: the product of a step has read them before its kernel
// writes them, and the kernel of a step back leaves what the next product is added to. Gates are kept as tanh: a
// sigmoid gate s as tanh(x / 2), s = (tanh(x / 2) + 1) / 2. A step that the mask leaves out hands on the states, gives
// the output of the step before it, and has no gradient: selections, so that whatever stands there stays there.
//
// N sequences, T steps, U units; `t` is this step, `previous` the one before it (-1: none).

__device__ __forceinline__ float hyperbolic(float x) { return tanhf(x); }
__device__ __forceinline__ double hyperbolic(double x) { return ::tanh(x); }

// The sigmoid that is kept as tanh of half its argument, and the slope of both in what is kept.
template <typename A> __device__ __forceinline__ A opened(A gate) { return A(0.5) * gate + A(0.5); }
template <typename A> __device__ __forceinline__ A half_slope(A gate) { return A(0.25) * (A(1) - gate * gate); }

// Where the unit of a thread lies.
struct Unit {
    i64 n, u, units, row;
    __device__ __forceinline__ Unit(i64 i, i64 units, i64 steps, i64 t)
        : n(i / units), u(i % units), units(units), row((i / units) * steps + t) {}
    __device__ __forceinline__ i64 by_row() const { return row * units + u; }  // in (N, T, U)
    // Of gate k of `gates`, in (N, T, gates * U) and in (N, gates * U).
    __device__ __forceinline__ i64 gate_by_row(int gates, int k) const { return (row * gates + k) * units + u; }
    __device__ __forceinline__ i64 gate(int gates, int k) const { return (n * gates + k) * units + u; }
};

// The output of a step that counts, or the one before it again.
template <typename T>
__device__ __forceinline__ void give(T *outputs, const Unit &at, bool counts, T value, i64 t, i64 previous) {
    if (!counts) value = previous < 0 ? narrow<T>(wide_t<T>(0)) : outputs[at.by_row() + (previous - t) * at.units];
    outputs[at.by_row()] = value;
}

// What reaches the state after a step: what the later steps gave to it, and what the outputs have that repeat it. With a
// mask the latter waits in `waiting` for the step that made the output.
template <typename T>
__device__ __forceinline__ wide_t<T> reached(const T *ct, const T *state, T *waiting, const Unit &at, i64 i, bool counts) {
    wide_t<T> by_output = ct ? wide(ct[at.by_row()]) : wide_t<T>(0);
    if (waiting) {
        by_output += wide(waiting[i]);
        waiting[i] = narrow<T>(counts ? wide_t<T>(0) : by_output);
    }
    return wide(state[i]) + by_output;
}

// --------------------------------------------------------------------------------------------------------- LSTM

template <typename T>
__global__ void lstm_step(const T *product,    // (N, 4 * U), state times kernel
                          const T *projected,  // (N, T, 4 * U)
                          const bool *mask,    // (N, T), or null
                          T *h, T *c,          // (N, U), in place
                          T *outputs,          // (N, T, U)
                          T *gates,            // (N, 4 * U) of this step, or null: nothing is kept
                          T *before,           // (N, T, U), h before each step
                          T *cells,            // (N, U) of this step, c before it
                          i64 batch, i64 steps, i64 units, i64 t, i64 previous) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        A kept[4];
        for (int k = 0; k < 4; k++) {
            const A x = wide(product[at.gate(4, k)]) + wide(projected[at.gate_by_row(4, k)]);
            kept[k] = hyperbolic(k == 2 ? x : A(0.5) * x);
            if (gates) gates[at.gate(4, k)] = narrow<T>(kept[k]);
        }
        if (gates) {
            before[at.by_row()] = h[i];
            cells[i] = c[i];
        }
        const A cell = opened(kept[1]) * wide(c[i]) + opened(kept[0]) * kept[2];
        const T state = narrow<T>(opened(kept[3]) * hyperbolic(cell));
        if (counts) {
            c[i] = narrow<T>(cell);
            h[i] = state;
        }
        give(outputs, at, counts, state, t, previous);
    }
}

template <typename T>
__global__ void lstm_back(const T *ct,       // (N, T, U), of the outputs, or null
                          const T *gates,    // (N, 4 * U) of this step
                          const T *cells,    // (N, U) of this step
                          const bool *mask,  // (N, T), or null
                          T *waiting,        // (N, U), with a mask
                          T *dh, T *dc,      // (N, U), in place; the product of d_projected and kernel is added to dh
                          T *d_projected,    // (N, T, 4 * U)
                          i64 batch, i64 steps, i64 units, i64 t) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        const A d_state = reached(ct, dh, waiting, at, i, counts);
        A kept[4], d[4];
        for (int k = 0; k < 4; k++) kept[k] = wide(gates[at.gate(4, k)]);
        const A cell = wide(cells[i]), in = opened(kept[0]), forget = opened(kept[1]), out = opened(kept[3]);
        const A bent = hyperbolic(forget * cell + in * kept[2]);
        const A d_cell = wide(dc[i]) + d_state * out * (A(1) - bent * bent);
        d[0] = d_cell * kept[2] * half_slope(kept[0]);
        d[1] = d_cell * cell * half_slope(kept[1]);
        d[2] = d_cell * in * (A(1) - kept[2] * kept[2]);
        d[3] = d_state * bent * half_slope(kept[3]);
        for (int k = 0; k < 4; k++) d_projected[at.gate_by_row(4, k)] = narrow<T>(counts ? d[k] : A(0));
        if (counts) {
            dc[i] = narrow<T>(d_cell * forget);
            dh[i] = narrow<T>(A(0));
        }
    }
}

// ---------------------------------------------------------------------------------------------------------- GRU

// With `inner`, the reset gate multiplies what the product has for the candidate: all of a step.
template <typename T>
__global__ void gru_step(const T *product,    // (N, 3 * U), state times kernel
                         const T *bias,       // (3 * U)
                         const T *projected,  // (N, T, 3 * U)
                         const bool *mask,    // (N, T), or null
                         T *h,                // (N, U), in place
                         T *outputs,          // (N, T, U)
                         T *gates,            // (N, 3 * U) of this step, or null: nothing is kept
                         T *before,           // (N, T, U), h before each step
                         T *inner,            // (N, U) of this step, what the reset gate multiplies
                         i64 batch, i64 steps, i64 units, i64 t, i64 previous) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        A met[3], kept[3];
        for (int k = 0; k < 3; k++) met[k] = wide(product[at.gate(3, k)]) + wide(bias[k * units + at.u]);
        for (int k = 0; k < 2; k++) kept[k] = hyperbolic(A(0.5) * (wide(projected[at.gate_by_row(3, k)]) + met[k]));
        kept[2] = hyperbolic(wide(projected[at.gate_by_row(3, 2)]) + opened(kept[1]) * met[2]);
        const A old = wide(h[i]);
        if (gates) {
            for (int k = 0; k < 3; k++) gates[at.gate(3, k)] = narrow<T>(kept[k]);
            before[at.by_row()] = h[i];
            inner[i] = narrow<T>(met[2]);
        }
        const T state = narrow<T>(kept[2] + opened(kept[0]) * (old - kept[2]));
        if (counts) h[i] = state;
        give(outputs, at, counts, state, t, previous);
    }
}

// Where the reset gate multiplies before the product, a step has two parts with a product between them.
template <typename T>
__global__ void gru_reset(const T *product,    // (N, 2 * U), state times kernel
                          const T *projected,  // (N, T, 3 * U)
                          const T *h,          // (N, U)
                          T *gates,            // (N, 3 * U): the first two
                          T *met,              // (N, U): reset gate times state
                          i64 batch, i64 steps, i64 units, i64 t) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        A kept[2];
        for (int k = 0; k < 2; k++) {
            kept[k] = hyperbolic(A(0.5) * (wide(projected[at.gate_by_row(3, k)]) + wide(product[at.gate(2, k)])));
            gates[at.gate(3, k)] = narrow<T>(kept[k]);
        }
        met[i] = narrow<T>(opened(kept[1]) * wide(h[i]));
    }
}

template <typename T>
__global__ void gru_candidate(const T *product,    // (N, U), reset state times kernel
                              const T *projected,  // (N, T, 3 * U)
                              const bool *mask,    // (N, T), or null
                              T *h,                // (N, U), in place
                              T *outputs,          // (N, T, U)
                              T *gates,            // (N, 3 * U): the last is written
                              T *before,           // (N, T, U), h before each step, or null
                              i64 batch, i64 steps, i64 units, i64 t, i64 previous) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        const A candidate = hyperbolic(wide(projected[at.gate_by_row(3, 2)]) + wide(product[i]));
        gates[at.gate(3, 2)] = narrow<T>(candidate);
        if (before) before[at.by_row()] = h[i];
        const T state = narrow<T>(candidate + opened(wide(gates[at.gate(3, 0)])) * (wide(h[i]) - candidate));
        if (counts) h[i] = state;
        give(outputs, at, counts, state, t, previous);
    }
}

// Back through the last part of a step: what the update gate and the candidate get, and what h hands on itself.
template <typename T>
__global__ void gru_back(const T *ct,       // (N, T, U), of the outputs, or null
                         const T *gates,    // (N, 3 * U) of this step
                         const T *before,   // (N, T, U), h before each step
                         const T *inner,    // (N, U) of this step, or null: gru_reset_back follows
                         const bool *mask,  // (N, T), or null
                         T *waiting,        // (N, U), with a mask
                         T *dh,             // (N, U), in place; products with the kernel are added to it
                         T *d_projected,    // (N, T, 3 * U)
                         T *d_product,      // (N, 3 * U), the gradient of the product; with `inner`
                         T *met,            // (N, T, U), its part for the candidate; with `inner`
                         i64 batch, i64 steps, i64 units, i64 t) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        const A d_state = reached(ct, dh, waiting, at, i, counts);
        const A z = wide(gates[at.gate(3, 0)]), r = wide(gates[at.gate(3, 1)]), g = wide(gates[at.gate(3, 2)]);
        A d[3], d_inner = 0;
        d[0] = d_state * (wide(before[at.by_row()]) - g) * half_slope(z);
        d[1] = 0;
        d[2] = d_state * (A(1) - opened(z)) * (A(1) - g * g);
        if (inner) {
            d[1] = d[2] * wide(inner[i]) * half_slope(r);
            d_inner = counts ? d[2] * opened(r) : A(0);
        }
        for (int k = 0; k < 3; k++) d_projected[at.gate_by_row(3, k)] = narrow<T>(counts ? d[k] : A(0));
        if (inner) {
            for (int k = 0; k < 3; k++)
                d_product[at.gate(3, k)] = narrow<T>(k == 2 ? d_inner : counts ? d[k] : A(0));
            met[at.by_row()] = narrow<T>(d_inner);
        }
        if (counts) dh[i] = narrow<T>(d_state * opened(z));
    }
}

// Back through the first part, where the reset gate multiplies before the product.
template <typename T>
__global__ void gru_reset_back(const T *d_met,    // (N, U), the gradient of reset gate times state
                               const T *gates,    // (N, 3 * U) of this step
                               const T *before,   // (N, T, U), h before each step
                               const bool *mask,  // (N, T), or null
                               T *dh,             // (N, U), in place
                               T *d_projected,    // (N, T, 3 * U): that of the reset gate is written
                               T *met,            // (N, T, U), reset gate times state
                               i64 batch, i64 steps, i64 units, i64 t) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        const A kept = wide(gates[at.gate(3, 1)]), state = wide(before[at.by_row()]), d = wide(d_met[i]);
        d_projected[at.gate_by_row(3, 1)] = narrow<T>(counts ? d * state * half_slope(kept) : A(0));
        met[at.by_row()] = narrow<T>(counts ? opened(kept) * state : A(0));
        if (counts) dh[i] = narrow<T>(wide(dh[i]) + d * opened(kept));
    }
}

// ------------------------------------------------------------------------------------------------------- simple

template <typename T>
__global__ void simple_step(const T *product,    // (N, U), state times kernel
                            const T *projected,  // (N, T, U)
                            const bool *mask,    // (N, T), or null
                            T *h,                // (N, U), in place
                            T *outputs,          // (N, T, U)
                            T *gates,            // (N, U) of this step, or null: nothing is kept
                            T *before,           // (N, T, U), h before each step
                            i64 batch, i64 steps, i64 units, i64 t, i64 previous) {
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        const T state = narrow<T>(hyperbolic(wide(product[i]) + wide(projected[at.by_row()])));
        if (gates) {
            gates[i] = state;
            before[at.by_row()] = h[i];
        }
        if (counts) h[i] = state;
        give(outputs, at, counts, state, t, previous);
    }
}

template <typename T>
__global__ void simple_back(const T *ct,       // (N, T, U), of the outputs, or null
                            const T *gates,    // (N, U) of this step
                            const bool *mask,  // (N, T), or null
                            T *waiting,        // (N, U), with a mask
                            T *dh,             // (N, U), in place; the product with the kernel is added to it
                            T *d_projected,    // (N, T, U)
                            i64 batch, i64 steps, i64 units, i64 t) {
    typedef wide_t<T> A;
    GPUTRAIN_GRID_STRIDE(i, batch * units) {
        const Unit at(i, units, steps, t);
        const bool counts = !mask || mask[at.row];
        const A d_state = reached(ct, dh, waiting, at, i, counts), gate = wide(gates[i]);
        d_projected[at.by_row()] = narrow<T>(counts ? d_state * (A(1) - gate * gate) : A(0));
        if (counts) dh[i] = narrow<T>(A(0));
    }
}
