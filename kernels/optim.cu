// The optimizer's step over flat gradients and slots. Work is cut into chunks by a table in the device's memory, so
// that one launch serves all variables, each in a memory of its own.
//! include vectors.cuh

enum { FOUR = 4 };  // elements that are moved together

// ------------------------------------------------------------------------------------------- copies and flags

// table  (chunks, 4): address of the target, of the source where the flag holds, of the other source, bytes
// flag   () or null, which holds
__global__ void copy_chunks(const i64* table, i64 chunks, const bool* flag) {
    const bool holds = flag == nullptr || *flag;
    for (i64 c = blockIdx.x; c < chunks; c += gridDim.x) {
        const i64* row = table + 4 * c;
        unsigned char* target = (unsigned char*)row[0];
        const unsigned char* source = (const unsigned char*)(holds ? row[1] : row[2]);
        if (source != target) copy_bytes(target, source, row[3]);
    }
}

template <typename T> __device__ __forceinline__ bool is_finite(T x) {
    const wide_t<T> value = wide(x);
    return value - value == wide_t<T>(0);
}

// table  (chunks, 2): address, elements
// flags  (first + chunks,): whether a chunk's elements are finite, from place `first` on
// out    (): whether all of `flags` hold, found by the block that ends last; null where other launches follow
// ticket (): 0
template <typename T>
__global__ void finite_chunks(const i64* table, i64 chunks, i64 first, bool* flags, bool* out, unsigned int* ticket) {
    typedef Vector<T, FOUR> V;
    for (i64 c = blockIdx.x; c < chunks; c += gridDim.x) {
        const T* x = (const T*)table[2 * c];
        const i64 count = table[2 * c + 1];
        const i64 vectors = aligned_for<V>(x) ? count / FOUR : 0;
        int finite = 1;
        for (i64 i = threadIdx.x; i < vectors; i += blockDim.x) {
            const V values = load_as<V>(x + FOUR * i);
            for (int k = 0; k < FOUR; ++k) finite &= (int)is_finite(values.at[k]);
        }
        for (i64 i = FOUR * vectors + threadIdx.x; i < count; i += blockDim.x) finite &= (int)is_finite(x[i]);
        finite = block_reduce(finite, 1, Smaller());
        if (threadIdx.x == 0) flags[first + c] = finite != 0;
    }
    if (out == nullptr || !last_block(ticket)) return;
    int all = 1;
    for (i64 i = threadIdx.x; i < first + chunks; i += blockDim.x) all &= (int)((const volatile bool*)flags)[i];
    all = block_reduce(all, 1, Smaller());
    if (threadIdx.x == 0) *out = all != 0;
}

// out  (). What holds no float is finite.
__global__ void always_finite(bool* out) { *out = true; }

// --------------------------------------------------------------------------------------------------- clipping

// flat      (n,)
// table     (chunks, 3): first element, elements, segment
// partial   (chunks,): sums of squares
template <typename T, typename W>
__global__ void square_sums(const T* flat, const i64* table, i64 chunks, W* partial) {
    typedef Vector<T, FOUR> V;
    for (i64 c = blockIdx.x; c < chunks; c += gridDim.x) {
        const T* x = flat + table[3 * c];
        const i64 count = table[3 * c + 1];
        const i64 vectors = aligned_for<V>(x) ? count / FOUR : 0;
        W sum = 0;
        for (i64 i = threadIdx.x; i < vectors; i += blockDim.x) {
            const V values = load_as<V>(x + FOUR * i);
            for (int k = 0; k < FOUR; ++k) sum += wide(values.at[k]) * wide(values.at[k]);
        }
        for (i64 i = FOUR * vectors + threadIdx.x; i < count; i += blockDim.x) sum += wide(x[i]) * wide(x[i]);
        sum = block_reduce(sum, W(0), Plus());
        if (threadIdx.x == 0) partial[c] = sum;
    }
}

// partial  (chunks,)
// starts   (groups + 1,): first chunk of each group
// out      (segments,): limit / max(norm, limit); a group is a segment, or the only group is all of them
template <typename T, typename W>
__global__ void clip_factors(
    const W* partial, const i64* starts, i64 groups, i64 segments, double limit, T* out) {
    const W most = (W)limit;
    for (i64 g = blockIdx.x; g < groups; g += gridDim.x) {
        W sum = 0;
        for (i64 i = starts[g] + threadIdx.x; i < starts[g + 1]; i += blockDim.x) sum += partial[i];
        sum = block_reduce(sum, W(0), Plus());
        const T factor = narrow<T>(most / Larger()((W)sqrt(sum), most));
        if (groups == segments) {
            if (threadIdx.x == 0) out[g] = factor;
        } else {
            for (i64 i = threadIdx.x; i < segments; i += blockDim.x) out[i] = factor;
        }
    }
}

// flat, out  (n,); factors  (segments,); table as in square_sums; out may be flat
template <typename T>
__global__ void scale_segments(const T* flat, const T* factors, T* out, const i64* table, i64 chunks) {
    typedef Vector<T, FOUR> V;
    for (i64 c = blockIdx.x; c < chunks; c += gridDim.x) {
        const i64 start = table[3 * c], count = table[3 * c + 1];
        const wide_t<T> factor = wide(factors[table[3 * c + 2]]);
        const bool together = aligned_for<V>(flat + start) && aligned_for<V>(out + start);
        const i64 vectors = together ? count / FOUR : 0;
        for (i64 i = threadIdx.x; i < vectors; i += blockDim.x) {
            V values = load_as<V>(flat + start + FOUR * i);
            for (int k = 0; k < FOUR; ++k) values.at[k] = narrow<T>(wide(values.at[k]) * factor);
            store_as(out + start + FOUR * i, values);
        }
        for (i64 i = start + FOUR * vectors + threadIdx.x; i < start + count; i += blockDim.x)
            out[i] = narrow<T>(wide(flat[i]) * factor);
    }
}

// --------------------------------------------------------------------------------------------------- updates

// Old and new slots  (n,) each; new may be old.
template <typename T> struct Slots {
    const T* from[3];
    T* to[3];
};

// Rows of the table of chunks.
enum { WEIGHTS, NEW_WEIGHTS, OFFSET, COUNT, PADDING, DECAYS, COLUMNS };

// N neighbouring elements of a chunk: w, w_to  in the variable, g, slots  in the flat vectors at `place`.
template <typename T, int N, typename Rule>
__device__ __forceinline__ void update_some(
    const T* w, T* w_to, const T* g, const Slots<T>& slots, i64 place, const Rule& rule, bool holds, bool decays) {
    typedef Vector<T, N> V;
    V weights = load_as<V>(w), state[Rule::SLOTS + 1];
    for (int s = 0; s < Rule::SLOTS; ++s) state[s] = load_as<V>(slots.from[s] + place);
    if (holds) {
        const V gradient = load_as<V>(g);
        for (int k = 0; k < N; ++k) {
            wide_t<T> weight = wide(weights.at[k]), values[Rule::SLOTS + 1];
            for (int s = 0; s < Rule::SLOTS; ++s) values[s] = wide(state[s].at[k]);
            if (decays) weight *= rule.kept;
            rule(weight, wide(gradient.at[k]), values);
            weights.at[k] = narrow<T>(weight);
            for (int s = 0; s < Rule::SLOTS; ++s) state[s].at[k] = narrow<T>(values[s]);
        }
    }
    store_as(w_to, weights);
    for (int s = 0; s < Rule::SLOTS; ++s) store_as(slots.to[s] + place, state[s]);
}

// table     (chunks, COLUMNS)
// gradient  (n,)
template <typename T, typename Rule>
__device__ void update_chunks(
    const i64* table, i64 chunks, bool holds, const T* gradient, const Slots<T>& slots, const Rule& rule) {
    typedef Vector<T, FOUR> V;
    for (i64 c = blockIdx.x; c < chunks; c += gridDim.x) {
        const i64* row = table + COLUMNS * c;
        const T* w = (const T*)row[WEIGHTS];
        T* w_to = (T*)row[NEW_WEIGHTS];
        const i64 offset = row[OFFSET], count = row[COUNT];
        const bool decays = row[DECAYS] != 0;
        bool together = aligned_for<V>(w) && aligned_for<V>(w_to) && aligned_for<V>(gradient + offset);
        for (int s = 0; s < Rule::SLOTS; ++s)
            together = together && aligned_for<V>(slots.from[s] + offset) && aligned_for<V>(slots.to[s] + offset);
        const i64 vectors = together ? count / FOUR : 0;
        for (i64 i = threadIdx.x * FOUR; i < vectors * FOUR; i += blockDim.x * FOUR)
            update_some<T, FOUR>(w + i, w_to + i, gradient + offset + i, slots, offset + i, rule, holds, decays);
        for (i64 i = vectors * FOUR + threadIdx.x; i < count; i += blockDim.x)
            update_some<T, 1>(w + i, w_to + i, gradient + offset + i, slots, offset + i, rule, holds, decays);
        // What follows a variable in the flat vectors goes along where new slots lie elsewhere.
        for (i64 i = offset + count + threadIdx.x; i < offset + count + row[PADDING]; i += blockDim.x)
            for (int s = 0; s < Rule::SLOTS; ++s) slots.to[s][i] = slots.from[s][i];
    }
}

enum { PLAIN, HEAVY_BALL, NESTEROV };  // momentum of SGD

template <typename W, int MOMENTUM> struct Sgd {
    enum { SLOTS = MOMENTUM == PLAIN ? 0 : 1 };
    W rate, kept, momentum;

    __device__ __forceinline__ void operator()(W& w, W g, W* slots) const {
        const W step = g * rate;
        if (MOMENTUM == PLAIN) {
            w = w - step;
            return;
        }
        W& v = slots[0];
        v = v * momentum - step;
        w = MOMENTUM == NESTEROV ? w - step + v * momentum : w + v;
    }
};

// Hinton, 2012. Slots: mean square, momentum if there is one, mean if centered.
template <typename W, int MOMENTUM, int CENTERED> struct Rmsprop {
    enum { SLOTS = 1 + MOMENTUM + CENTERED };
    W rate, kept, rho, other_rho, momentum, epsilon;

    __device__ __forceinline__ void operator()(W& w, W g, W* slots) const {
        slots[0] = slots[0] * rho + g * g * other_rho;
        W square = slots[0];
        if (CENTERED) {
            W& mean = slots[SLOTS - 1];
            mean = mean * rho + g * other_rho;
            square = square - mean * mean;
        }
        W step = g * rate / sqrt(square + epsilon);
        if (MOMENTUM) {
            slots[1] = slots[1] * momentum + step;
            step = slots[1];
        }
        w = w - step;
    }
};

// Kingma and Ba, 2015; `rate` is corrected for the bias of the moments. Slots: first and second moment, and the largest
// second moment with AMSGRAD.
template <typename W, int AMSGRAD> struct Adam {
    enum { SLOTS = 2 + AMSGRAD };
    W rate, kept, other_beta_1, other_beta_2, epsilon;

    __device__ __forceinline__ void operator()(W& w, W g, W* slots) const {
        slots[0] = slots[0] + (g - slots[0]) * other_beta_1;
        slots[1] = slots[1] + (g * g - slots[1]) * other_beta_2;
        if (AMSGRAD) slots[2] = Larger()(slots[2], slots[1]);
        w = w - slots[0] / (sqrt(slots[SLOTS - 1]) + epsilon) * rate;
    }
};

// In all three: table, chunks as above; flag, rate, step (from 1)  (); gradient and slots  (n,), null where there are
// fewer; in_place: every target is its source, so that nothing is left to do where the flag does not hold.
//
// Scalars are computed in double and then rounded to what the elements are computed in, as on the host.

template <typename T, typename R, int MOMENTUM>
__global__ void sgd(
    const i64* table, i64 chunks, i64 in_place, const bool* flag, const R* rate, const i64* step,
    const T* gradient, const T* from0, T* to0, const T* from1, T* to1, const T* from2, T* to2, double weight_decay,
    double momentum) {
    typedef wide_t<T> W;
    const bool holds = *flag;
    if (!holds && in_place) return;
    const double now = (double)wide(*rate);
    const Slots<T> slots = {{from0, from1, from2}, {to0, to1, to2}};
    const Sgd<W, MOMENTUM> rule = {(W)now, (W)(1.0 - now * weight_decay), (W)momentum};
    update_chunks(table, chunks, holds, gradient, slots, rule);
}

template <typename T, typename R, int MOMENTUM, int CENTERED>
__global__ void rmsprop(
    const i64* table, i64 chunks, i64 in_place, const bool* flag, const R* rate, const i64* step,
    const T* gradient, const T* from0, T* to0, const T* from1, T* to1, const T* from2, T* to2, double weight_decay,
    double rho, double momentum, double epsilon) {
    typedef wide_t<T> W;
    const bool holds = *flag;
    if (!holds && in_place) return;
    const double now = (double)wide(*rate);
    const Slots<T> slots = {{from0, from1, from2}, {to0, to1, to2}};
    const Rmsprop<W, MOMENTUM, CENTERED> rule = {
        (W)now, (W)(1.0 - now * weight_decay), (W)rho, (W)(1.0 - rho), (W)momentum, (W)epsilon};
    update_chunks(table, chunks, holds, gradient, slots, rule);
}

template <typename T, typename R, int AMSGRAD>
__global__ void adam(
    const i64* table, i64 chunks, i64 in_place, const bool* flag, const R* rate, const i64* step,
    const T* gradient, const T* from0, T* to0, const T* from1, T* to1, const T* from2, T* to2, double weight_decay,
    double beta_1, double beta_2, double epsilon) {
    typedef wide_t<T> W;
    GPUTRAIN_SHARED(double, corrected, 1);
    const bool holds = *flag;
    if (!holds && in_place) return;
    const double now = (double)wide(*rate);
    if (threadIdx.x == 0) {  // once for the block: powers in double are slow
        const double number = (double)*step;
        corrected[0] = now * sqrt(1.0 - pow(beta_2, number)) / (1.0 - pow(beta_1, number));
    }
    __syncthreads();
    const Slots<T> slots = {{from0, from1, from2}, {to0, to1, to2}};
    const Adam<W, AMSGRAD> rule = {
        (W)corrected[0], (W)(1.0 - now * weight_decay), (W)(1.0 - beta_1), (W)(1.0 - beta_2), (W)epsilon};
    update_chunks(table, chunks, holds, gradient, slots, rule);
}
