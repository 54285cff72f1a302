// The part of the emulator that is built once: launches, fibers, barriers, shared memory, float16.
#include "emulator.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

extern "C" {
uint3 emulator_thread_index, emulator_block_index;
dim3 emulator_block_size, emulator_grid_size;
unsigned long long emulator_block_serial = 1;
}

namespace {

constexpr unsigned MAX_THREADS = 1024;
constexpr size_t MAX_SHARED = 48 * 1024;  // what a block gets on every card without asking for more
#ifdef __SANITIZE_ADDRESS__
constexpr size_t STACK = 256 * 1024;
#else
constexpr size_t STACK = 64 * 1024;
#endif

constexpr size_t GUARD = 4096;  // below a stack, so that an overflow is an error

enum State { READY, AT_BLOCK_BARRIER, AT_WARP, DONE };
enum { SYNCWARP = 8, VOTE = 16 };  // beside the four shuffles 0..3

struct Context {
#ifdef __x86_64__
    void* sp;
#else
    ucontext_t context;
#endif
    void* fake_stack;  // the sanitizer's own
    const void* bottom;
    size_t size;
};

struct Fiber {
    Context context;
    char* stack;
    State state;
    uint3 index;
    int line, operation;  // where it waits, and for what
    unsigned mask;
    unsigned long long value, result;
    int source;  // the lane that a shuffle reads, -1 for none
};

struct Launch {
    void (*invoke)(void**);
    void** arguments;
    unsigned threads;
    int order;
    bool fibers, by_warps;
};

Fiber fibers[MAX_THREADS];
Context scheduler;
Launch launch;
Fiber* current;  // null outside fibers
unsigned thread_order[MAX_THREADS], rank_of[MAX_THREADS];  // who comes first, and the inverse
unsigned scan;  // no thread before this place in the order is ready
unsigned waiting_at_block;
bool failed;
char message[2048];
jmp_buf escape;
volatile sig_atomic_t running;
emulator::Site* sites;
size_t shared_bytes;
unsigned long long random_state;

unsigned long long random_word() {  // splitmix64 (Steele, Lea, Flood 2014)
    unsigned long long z = (random_state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void shuffle(unsigned* order, unsigned count) {
    for (unsigned i = count; i > 1; i--) {
        unsigned j = (unsigned)(random_word() % i), kept = order[i - 1];
        order[i - 1] = order[j], order[j] = kept;
    }
}

void arrange(unsigned* order, unsigned count) {
    for (unsigned i = 0; i < count; i++) order[i] = launch.order == 1 ? count - 1 - i : i;
    if (launch.order == 2) shuffle(order, count);
}

// Shuffled: whole warps with an odd seed, so that one runs far ahead of another, all threads with an even one.
void arrange_threads() {
    unsigned n = launch.threads, warps = (n + 31) / 32, warp_order[MAX_THREADS / 32];
    arrange(thread_order, n);
    if (launch.order == 2 && launch.by_warps) {
        arrange(warp_order, warps);
        for (unsigned w = 0, filled = 0; w < warps; w++) {
            unsigned first = warp_order[w] * 32, lanes = n - first < 32 ? n - first : 32;
            for (unsigned i = 0; i < lanes; i++) thread_order[filled + i] = first + i;
            shuffle(thread_order + filled, lanes);
            filled += lanes;
        }
    }
    for (unsigned i = 0; i < n; i++) rank_of[thread_order[i]] = i;
    scan = 0;
}

// ---------------------------------------------------------------------------------------------- switching contexts

#ifdef __x86_64__
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, .-emulator_switch
)");
#endif

// `leaving` tells the sanitizer that the context switched from will never run again.
inline void switch_context(Context& from, Context& to, bool leaving) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(leaving ? nullptr : &from.fake_stack, to.bottom, to.size);
#endif
#ifdef __x86_64__
    emulator_switch(&from.sp, to.sp);
#else
    swapcontext(&from.context, &to.context);
#endif
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
    (void)leaving;
}

void yield_to_scheduler(bool leaving = false) {
    Fiber* self = current;
    switch_context(self->context, scheduler, leaving);
}

void fiber_main() {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, &scheduler.bottom, &scheduler.size);
#endif
    launch.invoke(launch.arguments);
    current->state = DONE;
    yield_to_scheduler(true);
    abort();
}

void start_fiber(Fiber& fiber) {
    if (!fiber.stack) {
        const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void* stack = mmap(nullptr, STACK + GUARD, PROT_READ | PROT_WRITE, kind, -1, 0);
        if (stack == MAP_FAILED || mprotect(stack, GUARD, PROT_NONE)) abort();
        fiber.stack = static_cast<char*>(stack) + GUARD;
    }
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(fiber.stack, STACK);  // what an abandoned fiber left
#endif
    fiber.context.bottom = fiber.stack, fiber.context.size = STACK, fiber.context.fake_stack = nullptr;
#ifdef __x86_64__
    // Staggered, because stacks at equal distances would share the few cache lines of their common last bits.
    size_t shift = (size_t)(&fiber - fibers) % 64 * 128;
    void** top = reinterpret_cast<void**>(fiber.stack + STACK - shift);
    *--top = nullptr;  // where fiber_main would return to; also keeps the stack aligned as after a call
    *--top = reinterpret_cast<void*>(fiber_main);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    fiber.context.sp = top;
#else
    getcontext(&fiber.context.context);
    fiber.context.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.context.uc_stack.ss_size = STACK;
    fiber.context.context.uc_link = nullptr;
    makecontext(&fiber.context.context, fiber_main, 0);
#endif
    fiber.state = READY;
}

[[noreturn]] void fail() {
    failed = true;
    if (current) {
        current->state = DONE;
        yield_to_scheduler(true);
    }
    longjmp(escape, 1);
}

// --------------------------------------------------------------------------------------------------- faults

size_t add(size_t at, const char* format, ...) __attribute__((format(printf, 2, 3)));
size_t add(size_t at, const char* format, ...) {
    if (at >= sizeof message - 1) return at;
    va_list list;
    va_start(list, format);
    int n = vsnprintf(message + at, sizeof message - at, format, list);
    va_end(list);
    return at + (n > 0 ? (size_t)n : 0);
}

const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE};
struct sigaction before[3];

// Turns a fault within a kernel into an error of the launch. A sanitizer reports it better, so there is none then.
void on_fault(int number, siginfo_t* info, void* context) {
    if (running) {
        const uint3& t = emulator_thread_index;
        size_t at = add(0, "thread (%u, %u, %u) ", t.x, t.y, t.z);
        unsigned long long address = (unsigned long long)info->si_addr;
        if (number == SIGFPE) add(at, "divides an integer by zero");
        else add(at, "accesses address 0x%llx, where there is no memory", address);
        longjmp(escape, 1);
    }
    for (int i = 0; i < 3; i++) {
        if (FAULTS[i] != number) continue;
        if (before[i].sa_flags & SA_SIGINFO) before[i].sa_sigaction(number, info, context);
        else if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) before[i].sa_handler(number);
        else sigaction(number, &before[i], nullptr);  // the fault comes again, and does what it does by default
    }
}

void catch_faults() {
#ifndef __SANITIZE_ADDRESS__
    static bool done = false;
    if (done) return;
    done = true;
    stack_t old = {};
    if (sigaltstack(nullptr, &old) == 0 && (old.ss_flags & SS_DISABLE)) {
        stack_t own = {};
        own.ss_sp = malloc(64 * 1024), own.ss_size = 64 * 1024;
        sigaltstack(&own, nullptr);
    }
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int i = 0; i < 3; i++) sigaction(FAULTS[i], &action, &before[i]);
#endif
}

// -------------------------------------------------------------------------------------------------- describing

bool alike(const Fiber& a, const Fiber& b) {
    return a.state == b.state && (a.state == DONE || (a.line == b.line && a.mask == b.mask));
}

size_t describe_state(size_t at, const Fiber& fiber) {
    const char* names[] = {"__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync"};
    if (fiber.state == DONE) return add(at, "returned");
    if (fiber.state == AT_BLOCK_BARRIER) return add(at, "at __syncthreads in line %d", fiber.line);
    const char* name = fiber.operation < 4 ? names[fiber.operation] : fiber.operation < VOTE ? "__syncwarp" : "a vote";
    return add(at, "at %s of mask 0x%08x in line %d", name, fiber.mask, fiber.line);
}

void describe_stuck() {
    size_t at = add(0, "divergent barrier");
    unsigned groups = 0;
    for (unsigned begin = 0, end; begin < launch.threads && groups < 8; begin = end, groups++) {
        for (end = begin + 1; end < launch.threads && alike(fibers[begin], fibers[end]);) end++;
        at = end == begin + 1 ? add(at, "%s thread %u ", groups ? ";" : ":", begin)
                              : add(at, "%s threads %u-%u ", groups ? ";" : ":", begin, end - 1);
        at = describe_state(at, fibers[begin]);
        if (end < launch.threads && groups == 7) add(at, "; ...");
    }
}

// -------------------------------------------------------------------------------------------------- barriers

void require_fiber(const char* what, int line) {
    if (current) return;
    snprintf(message, sizeof message, "%s in line %d was reached by a kernel that runs without fibers", what, line);
    fail();
}

void release_block() {
    int reached = 0;
    for (unsigned i = 0; i < launch.threads; i++) {
        if (fibers[i].line != fibers[0].line || fibers[i].operation != fibers[0].operation) return;
        reached += fibers[i].value != 0;
    }
    int operation = fibers[0].operation, n = (int)launch.threads;
    int result = operation == 1 ? reached : operation == 2 ? reached == n : reached != 0;
    for (unsigned i = 0; i < launch.threads; i++) fibers[i].state = READY, fibers[i].result = (unsigned)result;
    waiting_at_block = 0, scan = 0;
    if (launch.order == 2) arrange_threads();
}

unsigned lanes_of(unsigned warp) {
    unsigned left = launch.threads - warp * 32;
    return left >= 32 ? 0xffffffffu : (1u << left) - 1u;
}

// Lets the lanes of a warp operation go on once all of them have arrived at the same one.
void release_warp(const Fiber& last) {
    unsigned warp = (unsigned)(&last - fibers) / 32, lanes = last.mask & lanes_of(warp), votes = 0;
    Fiber* lane = fibers + warp * 32;
    for (unsigned i = 0; i < 32; i++) {
        if (!(lanes >> i & 1)) continue;
        const Fiber& f = lane[i];
        if (f.state != AT_WARP || f.line != last.line || f.operation != last.operation || f.mask != last.mask) return;
        votes |= (unsigned)(f.value != 0) << i;
    }
    for (unsigned i = 0; i < 32; i++) {
        if (!(lanes >> i & 1)) continue;
        Fiber& f = lane[i];
        int vote = f.operation - VOTE;
        if (vote >= 0) f.result = vote == 0 ? votes : vote == 1 ? votes != 0 : votes == lanes;
        // A lane that takes no part has no defined value: all bits set is NaN in every float type.
        else f.result = f.source >= 0 && (lanes >> f.source & 1) ? lane[f.source].value : ~0ull;
        f.state = READY;
        unsigned rank = rank_of[warp * 32 + i];
        if (rank < scan) scan = rank;
    }
}

unsigned long long wait_in_warp(int operation, unsigned mask, unsigned long long value, int source, int line) {
    require_fiber("a warp operation", line);
    Fiber& self = *current;
    unsigned lane = (unsigned)(&self - fibers) & 31;
    if (!(mask >> lane & 1)) {
        snprintf(message, sizeof message, "lane %u calls a warp operation in line %d whose mask 0x%08x leaves it out",
                 lane, line, mask);
        fail();
    }
    self.operation = operation, self.mask = mask, self.value = value, self.source = source, self.line = line;
    self.state = AT_WARP;
    release_warp(self);
    yield_to_scheduler();
    return self.result;
}

int source_lane(int operation, int lane, int argument, int width) {
    int first = lane & ~(width - 1), last = first + width - 1;
    int source = lane;
    if (operation == 0) source = first + (argument & (width - 1));
    if (operation == 1) source = lane - argument < first ? lane : lane - argument;
    if (operation == 2) source = lane + argument > last ? lane : lane + argument;
    if (operation == 3) source = (lane ^ argument) > last ? lane : lane ^ argument;
    return source >= 0 && source < 32 ? source : lane;
}

// ---------------------------------------------------------------------------------------------------- blocks

void free_shared() {
    for (emulator::Site* site = sites; site; site = site->next) free(site->memory), site->serial = 0;
    sites = nullptr, shared_bytes = 0;
}

uint3 thread_index(unsigned i) {
    unsigned x = emulator_block_size.x, y = emulator_block_size.y;
    return {i % x, i / x % y, i / x / y};
}

void run_plain_block() {
    for (unsigned i = 0; i < launch.threads; i++) {
        emulator_thread_index = thread_index(thread_order[i]);
        launch.invoke(launch.arguments);
    }
}

void run_fiber_block() {
    for (unsigned i = 0; i < launch.threads; i++) start_fiber(fibers[i]), fibers[i].index = thread_index(i);
    waiting_at_block = 0;
    unsigned left = launch.threads;
    // Always the first in the order that is ready. So a warp that need not wait for others runs far ahead of them,
    // and what it overwrites too early shows.
    while (left) {
        while (scan < launch.threads && fibers[thread_order[scan]].state != READY) scan++;
        if (scan == launch.threads) {
            describe_stuck();
            longjmp(escape, 1);
        }
        Fiber& fiber = fibers[thread_order[scan]];
        current = &fiber, emulator_thread_index = fiber.index;
        switch_context(scheduler, fiber.context, false);
        current = nullptr;
        if (failed) longjmp(escape, 1);
        left -= fiber.state == DONE;
        if (waiting_at_block == launch.threads) release_block();
    }
}

void run_blocks(unsigned long long count) {
    unsigned* order = launch.order == 2 ? static_cast<unsigned*>(malloc(count * sizeof(unsigned))) : nullptr;
    if (order) arrange(order, (unsigned)count);
    for (unsigned long long i = 0; i < count; i++) {
        unsigned long long block = order ? order[i] : launch.order == 1 ? count - 1 - i : i;
        unsigned x = emulator_grid_size.x, y = emulator_grid_size.y;
        emulator_block_index = {(unsigned)(block % x), (unsigned)(block / x % y), (unsigned)(block / x / y)};
        emulator_block_serial++;
        arrange_threads();
        launch.fibers ? run_fiber_block() : run_plain_block();
        free_shared();
    }
    free(order);
}

}  // namespace

// ------------------------------------------------------------------------------------------ what kernels call

extern "C" {

void emulator_new_shared(emulator::Site* site, size_t bytes) {
    shared_bytes += bytes;
    if (shared_bytes > MAX_SHARED) {
        snprintf(message, sizeof message, "%zu bytes of shared memory, more than the %zu that a block has",
                 shared_bytes, MAX_SHARED);
        fail();
    }
    site->memory = malloc(bytes);
    memset(site->memory, 0xff, bytes);
    site->serial = emulator_block_serial, site->next = sites, sites = site;
}

int emulator_block_barrier(int operation, int value, int line) {
    require_fiber("__syncthreads", line);
    current->state = AT_BLOCK_BARRIER, current->line = line, current->operation = operation;
    current->mask = 0, current->value = (unsigned)value;
    waiting_at_block++;
    Fiber* self = current;
    yield_to_scheduler();
    return (int)self->result;
}

unsigned long long emulator_shuffle(
    int operation, unsigned mask, unsigned long long value, int argument, int width, int line) {
    require_fiber("a shuffle", line);
    int lane = (int)((current - fibers) & 31);
    if (width != 1 && width != 2 && width != 4 && width != 8 && width != 16 && width != 32) {
        add(0, "shuffle in line %d of width %d, which is no power of two up to 32", line, width);
        fail();
    }
    return wait_in_warp(operation, mask, value, source_lane(operation, lane, argument, width), line);
}

void emulator_warp_barrier(unsigned mask, int line) { wait_in_warp(SYNCWARP, mask, 0, -1, line); }

unsigned emulator_warp_vote(int operation, unsigned mask, int value, int line) {
    return (unsigned)wait_in_warp(VOTE + operation, mask, (unsigned)value, -1, line);
}

unsigned emulator_active_mask() {
    require_fiber("__activemask", 0);
    return 1u << ((unsigned)(current - fibers) & 31);  // threads take turns: nobody else is active
}

void emulator_fail(const char* text) {
    snprintf(message, sizeof message, "%s", text);
    fail();
}

// ------------------------------------------------------------------------------------------ what the host calls

struct Control {
    unsigned grid[3], block[3];
    int fibers, order;
    unsigned long long seed;
};

// Runs a launch. `slots` are the arguments by value, each at a multiple of 16 bytes. Returns null, or what went wrong.
const char* emulator_launch(const emulator::Entry* entry, const char* slots, const Control* control) {
    enum { MOST = 4096 };  // bytes of arguments; CUDA's own limit
    alignas(16) static char storage[MOST + 16 * 256];
    static void* arguments[256];
    size_t used = 0;
    if (entry->count > 256) return "more than 256 parameters";
    for (int i = 0; i < entry->count; i++) {
        arguments[i] = storage + used;
        used += ((size_t)entry->sizes[i] + 15) / 16 * 16;
        if (used > sizeof storage) return "more than 4096 bytes of arguments";
    }
    memcpy(storage, slots, used);
    emulator_grid_size = dim3(control->grid[0], control->grid[1], control->grid[2]);
    emulator_block_size = dim3(control->block[0], control->block[1], control->block[2]);
    launch = {entry->invoke, arguments, control->block[0] * control->block[1] * control->block[2], control->order,
              control->fibers != 0, (control->seed & 1) != 0};
    random_state = control->seed, failed = false, current = nullptr, message[0] = 0;
    unsigned long long blocks = (unsigned long long)control->grid[0] * control->grid[1] * control->grid[2];
    if (launch.threads > MAX_THREADS) return "more than 1024 threads in a block";
    if (blocks > (1ull << 28)) return "more blocks than the emulator can run in reasonable time";
    catch_faults();
    if (setjmp(escape) == 0) {
        running = 1;
        run_blocks(blocks);
        running = 0;
        return nullptr;
    }
    running = 0;
    current = nullptr;
    free_shared();
    static char text[sizeof message + 128];
    snprintf(text, sizeof text, "block (%u, %u, %u): %s", emulator_block_index.x, emulator_block_index.y,
             emulator_block_index.z, message);
    return text;
}

// ---------------------------------------------------------------------------------------------------- numbers

float emulator_half_to_float(unsigned short bits) {
    unsigned sign = (unsigned)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
    if (exponent) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
    float small = (float)fraction * 5.9604644775390625e-08f;  // 2^-24
    return sign ? -small : small;
}

// Rounds to nearest, ties to even.
unsigned short emulator_double_to_half(double value) {
    unsigned short sign = value < 0 || (value == 0 && 1 / value < 0) ? 0x8000 : 0;
    if (value != value) return 0x7fff;
    double size = fabs(value);
    if (size >= 65520.0) return sign | 0x7c00;
    if (size < 6.103515625e-05) return sign | (unsigned short)rint(size * 16777216.0);  // 2^-14 and 2^24
    int exponent;
    double fraction = frexp(size, &exponent);  // in [0.5, 1)
    unsigned rounded = (unsigned)rint(fraction * 2048.0);  // 1024 .. 2048; the carry goes into the exponent
    return (unsigned short)(sign | (((unsigned)(exponent + 13) << 10) + rounded));
}

unsigned short emulator_float_to_half(float value) { return emulator_double_to_half(value); }

// A first guess (Giles 2010), then two Newton steps against erf.
double emulator_erfinv(double x) {
    if (!(fabs(x) < 1.0)) return x == 1.0 ? INFINITY : x == -1.0 ? -INFINITY : NAN;
    if (x == 0.0) return x;
    double w = -log((1.0 - x) * (1.0 + x)), a = 0.147, b = 2.0 / (3.14159265358979323846 * a) - 0.5 * w;
    double y = copysign(sqrt(sqrt(b * b + w / a) - b), x);
    for (int i = 0; i < 3; i++) {
        double tail = (1.0 - fabs(x)) - erfc(fabs(y));  // as exact near 1 as near 0
        double error = fabs(x) < 0.5 ? erf(y) - x : x > 0 ? tail : -tail;
        double step = error * 0.88622692545275801365 * exp(y * y);  // sqrt(pi) / 2
        y -= step / (1.0 + y * step);
    }
    return y;
}

}  // extern "C"
