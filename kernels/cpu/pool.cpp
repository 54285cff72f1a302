// Threads that share out the tasks of one job at a time.
//
// A word of 64 bits says how many tasks the job has and how many are taken. A thread takes one by compare and
// exchange; from then on the job cannot end without it, so it may read what to run. No thread is waited for but
// those that have taken a task: on a busy machine the caller runs most of them itself.
#include "library.h"

#include <pthread.h>
#include <sched.h>

namespace {

const int MOST_THREADS = 256;
const int SPINS = 4000;  // looks for work before a thread sleeps: some 50 microseconds
const u64 MOST_TASKS = (1ull << 24) - 1;

struct Pool {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t work = PTHREAD_COND_INITIALIZER;
    pthread_cond_t over = PTHREAD_COND_INITIALIZER;
    int busy = 0;      // whether a job runs
    int wanted = 1;    // threads, the caller's among them
    int started = 1;
    u64 state = 0;     // job number (16 bits), tasks (24), taken (24)
    u64 finished = 0;  // tasks of this job
    int sleeping = 0;
    int caller_sleeps = 0;
    Body body = nullptr;
    const void* context = nullptr;
};

Pool pool;

inline void pause_a_little() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

inline u64 tasks_of(u64 state) { return (state >> 24) & MOST_TASKS; }
inline u64 taken_of(u64 state) { return state & MOST_TASKS; }
inline bool has_work(u64 state) { return taken_of(state) < tasks_of(state); }

// Takes a task and runs it; false if none is left.
bool run_one(i64 worker) {
    u64 state = __atomic_load_n(&pool.state, __ATOMIC_ACQUIRE);
    do {
        if (!has_work(state)) return false;
    } while (!__atomic_compare_exchange_n(&pool.state, &state, state + 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    const u64 tasks = tasks_of(state);
    pool.body(pool.context, (i64)taken_of(state), worker);
    const u64 finished = __atomic_add_fetch(&pool.finished, 1, __ATOMIC_SEQ_CST);
    if (finished == tasks && __atomic_load_n(&pool.caller_sleeps, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_signal(&pool.over);
        pthread_mutex_unlock(&pool.lock);
    }
    return true;
}

void wait_for_work() {
    for (int i = 0; i < SPINS; i++) {
        if (has_work(__atomic_load_n(&pool.state, __ATOMIC_ACQUIRE))) return;
        pause_a_little();
    }
    pthread_mutex_lock(&pool.lock);
    __atomic_add_fetch(&pool.sleeping, 1, __ATOMIC_SEQ_CST);
    while (!has_work(__atomic_load_n(&pool.state, __ATOMIC_SEQ_CST)))
        pthread_cond_wait(&pool.work, &pool.lock);
    __atomic_sub_fetch(&pool.sleeping, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool.lock);
}

void* thread(void* number) {
    for (;;) {
        wait_for_work();
        while (run_one((i64)(intptr_t)number)) {
        }
    }
    return nullptr;
}

void start_threads() {
    while (pool.started < pool.wanted) {
        pthread_t made;
        if (pthread_create(&made, nullptr, &thread, (void*)(intptr_t)pool.started) != 0) {
            pool.wanted = pool.started;  // fewer must do
            return;
        }
        pthread_detach(made);
        pool.started++;
    }
}

void wait_for_others(u64 tasks) {
    for (int i = 0; i < SPINS; i++) {
        if (__atomic_load_n(&pool.finished, __ATOMIC_ACQUIRE) == tasks) return;
        pause_a_little();
    }
    pthread_mutex_lock(&pool.lock);
    __atomic_store_n(&pool.caller_sleeps, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&pool.finished, __ATOMIC_SEQ_CST) != tasks)
        pthread_cond_wait(&pool.over, &pool.lock);
    __atomic_store_n(&pool.caller_sleeps, 0, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool.lock);
}

void run_job(u64 tasks, Body body, const void* context) {
    pool.body = body;
    pool.context = context;
    __atomic_store_n(&pool.finished, 0, __ATOMIC_RELAXED);
    const u64 number = (__atomic_load_n(&pool.state, __ATOMIC_RELAXED) >> 48) + 1;
    __atomic_store_n(&pool.state, number << 48 | tasks << 24, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool.sleeping, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    while (run_one(0)) {
    }
    wait_for_others(tasks);
}

// A forked process has none of the threads, and nobody in a job.
void forget_threads() {
    const int wanted = pool.wanted;
    pool = Pool();
    pool.wanted = wanted;
}

__attribute__((constructor)) void at_load() { pthread_atfork(nullptr, nullptr, &forget_threads); }

}  // namespace

// Where the pool is busy with the job of another thread of Python, the caller runs its tasks alone.
void pool_run(i64 tasks, Body body, const void* context) {
    int idle = 0;
    const bool alone = tasks <= 1 || pool.wanted <= 1 || tasks > (i64)MOST_TASKS ||
                       !__atomic_compare_exchange_n(&pool.busy, &idle, 1, false, __ATOMIC_ACQUIRE,
                                                    __ATOMIC_RELAXED);
    if (alone) {
        for (i64 i = 0; i < tasks; i++) body(context, i, 0);
        return;
    }
    start_threads();
    run_job((u64)tasks, body, context);
    __atomic_store_n(&pool.busy, 0, __ATOMIC_RELEASE);
}

extern "C" __attribute__((visibility("default"))) void gputrain_set_threads(i64 threads) {
    pool.wanted = (int)(threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads);
}
