// What Python asks of the library: its version, the instruction sets this processor has, and their kernels.
#include "library.h"

#define VISIBLE extern "C" __attribute__((visibility("default")))

namespace baseline {
extern const Entry kernels[];
}
#if defined(__x86_64__)
namespace avx2 {
extern const Entry kernels[];
}
namespace avx512 {
extern const Entry kernels[];
}
#endif

namespace {

struct Level {
    const char* name;
    const Entry* kernels;
    bool (*runs)();
};

bool always() { return true; }

#if defined(__x86_64__)
bool has_avx2() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

const Level LEVELS[] = {
#if defined(__x86_64__)
    {"avx512", avx512::kernels, has_avx512},
    {"avx2", avx2::kernels, has_avx2},
#endif
    {"baseline", baseline::kernels, always},
};

const i64 COUNT = sizeof(LEVELS) / sizeof(LEVELS[0]);

}  // namespace

VISIBLE const char* gputrain_version() { return GPUTRAIN_VERSION; }

// The name of an instruction set, best first; null after the last. `runs` is whether this processor has it.
VISIBLE const char* gputrain_level(i64 number, i64* runs) {
    if (number >= COUNT) return nullptr;
    *runs = LEVELS[number].runs();
    return LEVELS[number].name;
}

// The kernels of an instruction set; the last one has no name.
VISIBLE const Entry* gputrain_kernels(i64 level) { return LEVELS[level].kernels; }

struct Call {
    void (*run)(const void* arguments);
    const void* arguments;
};

// Kernels one after the other.
VISIBLE void gputrain_run(const Call* calls, i64 count) {
    for (i64 i = 0; i < count; i++) calls[i].run(calls[i].arguments);
}
