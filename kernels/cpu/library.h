// What every file of the library knows: plain types, the table of kernels, and the pool of threads.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef int64_t i64;
typedef int32_t i32;
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint8_t u8;

// A kernel takes one pointer to its arguments: slots of 8 bytes, one for each letter of its signature.
// p: a pointer; i: i64; d: double.
struct Entry {
    const char* name;
    const char* signature;
    void (*run)(const void* arguments);
};

// Tasks of one job are shared out among threads. Which thread runs which task is not fixed, so a task writes
// where no other one does; `worker` is below the number of threads, and no two tasks at one time have the same.
typedef void (*Body)(const void* context, i64 task, i64 worker);

void pool_run(i64 tasks, Body body, const void* context);

// The same for an object with operator()(task, worker) const.
template <typename F>
static inline void parallel(i64 tasks, const F& body) {
    struct Call {
        static void run(const void* context, i64 task, i64 worker) {
            (*static_cast<const F*>(context))(task, worker);
        }
    };
    pool_run(tasks, &Call::run, &body);
}
