// The rows of one batch, gathered from data that lies on the device.
//! include vectors.cuh

// Rows of the table of arrays.
enum { SOURCE, TARGET, UNIT, UNITS, PAIR, ROWS_PER_TASK, UNITS_PER_TASK, TASKS_PER_ROW, ROWS, FIRST_TASK, COLUMNS };
enum { COPY = -1 };  // in the column PAIR: source and target have one dtype

// The part of a batch that a block works on: `rows` rows from `row` on, in each `units` units from `unit` on.
struct Task {
    i64 row, unit;
    unsigned int rows, units;
};

__device__ __forceinline__ Task task_of(const i64* array, i64 task) {
    const i64 group = task / array[TASKS_PER_ROW];
    Task found;
    found.row = group * array[ROWS_PER_TASK];
    found.unit = (task - group * array[TASKS_PER_ROW]) * array[UNITS_PER_TASK];
    found.rows = (unsigned int)min(array[ROWS_PER_TASK], array[ROWS] - found.row);
    found.units = (unsigned int)min(array[UNITS_PER_TASK], array[UNITS] - found.unit);
    return found;
}

// Where a batch's row lies in the source. Behind the end of the order comes the last row again, so that nothing outside
// is read.
__device__ __forceinline__ i64 place_of(const i64* order, i64 ordered, i64 cursor, i64 row) {
    return order[min(max(cursor + row, 0LL), ordered - 1)];
}

// Calls f(index of a unit in the source, in the target) for the units of a task, over the threads of the block.
template <typename F>
__device__ __forceinline__ void each_unit(
    const i64* array, const Task& task, const i64* order, i64 ordered, i64 cursor, F f) {
    for (unsigned int i = threadIdx.x; i < task.rows * task.units; i += blockDim.x) {
        const unsigned int r = task.rows == 1 ? 0 : i / task.units;
        const i64 unit = task.unit + (i64)(i - r * task.units), row = task.row + (i64)r;
        f(place_of(order, ordered, cursor, row) * array[UNITS] + unit, row * array[UNITS] + unit);
    }
}

template <typename W>
__device__ void copy_rows(const i64* array, const Task& task, const i64* order, i64 ordered, i64 cursor) {
    const W* source = (const W*)array[SOURCE];
    W* target = (W*)array[TARGET];
    each_unit(array, task, order, ordered, cursor, [=](i64 from, i64 to) { target[to] = source[from]; });
}

// Rows converted by the pair (S, T) of the given number: source * scale + offset, in what T is computed in.
template <typename S, typename T, typename... Others>
__device__ void convert_rows(
    int pair, const i64* array, const Task& task, const i64* order, i64 ordered, i64 cursor, double scale,
    double offset) {
    if (pair == 0) {
        typedef wide_t<T> W;
        const S* source = (const S*)array[SOURCE];
        T* target = (T*)array[TARGET];
        const W factor = (W)scale, shift = (W)offset;
        each_unit(array, task, order, ordered, cursor, [=](i64 from, i64 to) {
            target[to] = narrow<T>((W)((W)wide(source[from]) * factor + shift));
        });
    } else if constexpr (sizeof...(Others) > 0) {
        convert_rows<Others...>(pair - 1, array, task, order, ordered, cursor, scale, offset);
    }
}

__device__ __forceinline__ void copy_task(
    const i64* array, const Task& task, const i64* order, i64 ordered, i64 cursor) {
    if (array[UNIT] == 16) {
        copy_rows<Word16>(array, task, order, ordered, cursor);
    } else if (array[UNIT] == 4) {
        copy_rows<unsigned int>(array, task, order, ordered, cursor);
    } else {
        copy_rows<unsigned char>(array, task, order, ordered, cursor);
    }
}

// The cursor as it was before this launch. The last block to read it moves it on.
__device__ __forceinline__ i64 take_cursor(i64* cursor, unsigned int* ticket, i64 advance) {
    const i64 taken = *(volatile i64*)cursor;
    if (last_block(ticket) && threadIdx.x == 0) *cursor = taken + advance;
    return taken;
}

// table    (arrays, COLUMNS); the last row's tasks end at `tasks`
// scales   (arrays, 2): factor and offset of converted arrays
// order    (ordered,): rows of the sources, in the order of the epoch
// cursor   (): samples that were taken before; ticket  (1,): 0
template <typename... Pairs>
__global__ void gather_rows(
    const i64* table, const double* scales, i64 arrays, i64 tasks, const i64* order, i64 ordered, i64* cursor,
    unsigned int* ticket, i64 advance) {
    const i64 first = take_cursor(cursor, ticket, advance);
    for (i64 t = blockIdx.x; t < tasks; t += gridDim.x) {
        i64 a = arrays - 1;
        while (t < table[COLUMNS * a + FIRST_TASK]) --a;
        const i64* array = table + COLUMNS * a;
        const Task task = task_of(array, t - array[FIRST_TASK]);
        if (array[PAIR] == COPY) {
            copy_task(array, task, order, ordered, first);
        } else {
            convert_rows<Pairs...>(
                (int)array[PAIR], array, task, order, ordered, first, scales[2 * a], scales[2 * a + 1]);
        }
    }
}
