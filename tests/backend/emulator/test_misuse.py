"""Faults that were planted: each must be found. These need the emulator, a real card would stay silent."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.emulator.kernels import BLOCK_SUM, COMMON, SCALE, kernel
from tests.cuda_emulator import DESCENDING, EmulatorError, Order, OrderError, build, sanitized

REVERSE = """
extern "C" __global__ void reverse(float* y, const float* x) {
    GPUTRAIN_SHARED(float, kept, 64);
    kept[threadIdx.x] = x[threadIdx.x];
    BARRIER
    y[threadIdx.x] = kept[63 - threadIdx.x];
}
"""


def test_a_missing_barrier_shows_as_a_difference_between_orders(emulated):
    cp = emulated.cupy
    x, y = cp.arange(64, dtype=np.float32), cp.empty(64, np.float32)
    good = cp.RawKernel(REVERSE.replace("BARRIER", "__syncthreads();"), "reverse")
    bad = cp.RawKernel(REVERSE.replace("BARRIER", ""), "reverse")
    with emulated.orders.check_all():
        good((1,), (64,), (y, x))
        with pytest.raises(
            OrderError, match=r"reverse: the result depends on the order .* buffer \d of 256 bytes"
        ):
            bad((1,), (64,), (y, x))


def test_a_missing_barrier_in_a_tree_of_sums_shows(emulated):
    cp = emulated.cupy
    text = BLOCK_SUM.replace(
        "part[threadIdx.x + half];\n        __syncthreads();", "part[threadIdx.x + half];"
    )
    assert text != BLOCK_SUM
    x, y = cp.arange(256, dtype=np.float32), cp.empty(1, np.float32)
    with emulated.orders.check_all():
        kernel(cp, BLOCK_SUM, "block_sum<float>")((1,), (256,), (y, x, np.int64(256)))
        with pytest.raises(OrderError, match="block_sum<float>"):
            kernel(cp, text, "block_sum<float>")((1,), (256,), (y, x, np.int64(256)))


def test_a_second_use_of_shared_memory_without_a_barrier_before_it_shows(emulated):
    cp = emulated.cupy
    once = "__syncthreads();  // a call before this one may still be reading"
    assert once in COMMON
    text = (
        COMMON.replace(once, "")
        + """
    extern "C" __global__ void twice(float* y, const float* x) {
        float a = block_reduce(x[threadIdx.x], 0.0f, Plus());
        float b = block_reduce(2 * x[threadIdx.x], 0.0f, Plus());
        y[threadIdx.x] = a + b;
    }
    """
    )
    x, y = cp.arange(128, dtype=np.float32), cp.empty(128, np.float32)
    with emulated.orders.check_all(), pytest.raises(OrderError, match="twice"):
        cp.RawKernel(text, "twice")((1,), (128,), (y, x))


def test_two_blocks_that_write_one_place_show(emulated):
    cp = emulated.cupy
    race = cp.RawKernel('extern "C" __global__ void race(int* y) { y[0] = blockIdx.x; }', "race")
    with emulated.orders.check_all(), pytest.raises(OrderError, match="race"):
        race((3,), (1,), (cp.zeros(1, np.int32),))


def test_orders_reach_memory_through_a_table_of_pointers(emulated):
    cp = emulated.cupy
    text = 'extern "C" __global__ void table(float** t) { t[0][0] = 1; t[1][0] = blockIdx.x; }'
    targets = [cp.zeros(3, np.float32) for _ in range(2)]
    table = cp.asarray(np.array([t.data.ptr for t in targets], np.uint64))
    with emulated.orders.check_all(), pytest.raises(OrderError, match="table"):
        cp.RawKernel(text, "table")((3,), (1,), (table,))


def test_checking_orders_keeps_results_and_counters_of_read_and_write_arguments(emulated):
    cp = emulated.cupy
    text = 'extern "C" __global__ void more(float* y) { y[threadIdx.x] += 1; }'
    y = cp.zeros(8, np.float32)
    with emulated.orders.check_all():
        cp.RawKernel(text, "more")((1,), (8,), (y,))
    np.testing.assert_array_equal(y.get(), np.ones(8))
    assert emulated.statistics.launches == 1


@pytest.mark.parametrize(("order", "expected"), [(Order(), [0, 1, 2, 3]), (DESCENDING, [3, 2, 1, 0])])
def test_threads_run_in_the_order_that_is_asked_for(emulated, order, expected):
    cp = emulated.cupy
    turn = "y[atomicAdd(n, 1)] = threadIdx.x + 2 * blockIdx.x;"
    text = f'extern "C" __global__ void turn(int* y, int* n) {{ {turn} }}'
    y, n = cp.zeros(4, np.int32), cp.zeros(1, np.int32)
    with emulated.orders.use(order):
        cp.RawKernel(text, "turn")((2,), (2,), (y, n))
    assert y.get().tolist() == expected


def test_an_element_that_is_not_written_is_nan(emulated):
    cp = emulated.cupy
    x, y = cp.zeros(10, np.float32), cp.empty(10, np.float32)
    kernel(cp, SCALE, "scale<float>")((1,), (4,), (y, x, np.float32(1), np.int64(9)))
    assert np.isnan(y.get()).tolist() == [False] * 9 + [True]


def test_shared_memory_is_nan_in_each_new_block(emulated):
    cp = emulated.cupy
    text = """
    template <typename T> __global__ void left(T* y) {
        GPUTRAIN_SHARED(T, kept, 1);
        y[blockIdx.x] = kept[0];
        kept[0] = 1;
    }
    """
    y = cp.zeros(3)
    kernel(cp, text, "left<double>")((3,), (1,), (y,))
    assert np.isnan(y.get()).all()


def test_too_much_shared_memory_is_an_error(emulated):
    text = 'extern "C" __global__ void f(float* y) { GPUTRAIN_SHARED(float, kept, 12289); y[0] = kept[0]; }'
    with pytest.raises(EmulatorError, match="49156 bytes of shared memory, more than the 49152"):
        emulated.cupy.RawKernel(text, "f")((1,), (1,), (emulated.cupy.zeros(1, np.float32),))


def test_shared_memory_by_any_other_way_does_not_compile(emulated):
    text = 'extern "C" __global__ void f(float* y) { __shared__ float kept[4]; y[0] = kept[0]; }'
    with pytest.raises(emulated.cupy.cuda.compiler.CompileException, match="GPUTRAIN_SHARED"):
        emulated.cupy.RawKernel(text, "f").compile()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            (2.0, np.int64(4)),
            r"parameter 2 is a floating-point number of 4 bytes; a Python float .* of 8 bytes",
        ),
        ((np.float32(2), np.int32(4)), r"parameter 3 is an integer of 8 bytes; int32 int32 of 4 bytes"),
        ((np.float32(2), 4.0), r"parameter 3 is an integer of 8 bytes; a Python float"),
        ((np.int32(2), np.int64(4)), r"parameter 2 is a floating-point number of 4 bytes; int32"),
        ((np.float32(2),), r"scale<float> has 4 parameters; 3 arguments were passed"),
    ],
)
def test_an_argument_of_another_size_or_kind_is_refused(emulated, args, message):
    x = emulated.cupy.zeros(4, np.float32)
    with pytest.raises(EmulatorError, match=message):
        kernel(emulated.cupy, SCALE, "scale<float>")((1,), (4,), (x, x, *args))


def test_an_array_in_place_of_a_number_is_refused(emulated):
    x = emulated.cupy.zeros(4, np.float32)
    with pytest.raises(
        EmulatorError, match="parameter 3 is an integer of 8 bytes; ndarray float32 of 8 bytes"
    ):
        kernel(emulated.cupy, SCALE, "scale<float>")((1,), (4,), (x, x, np.float32(1), x))


DIVERGENT = {
    "return": (
        "if (threadIdx.x >= 30) return; __syncthreads();",
        r"threads 0-29 at __syncthreads.*; threads 30-39 re",
    ),
    "branch": (
        "if (threadIdx.x < 8) { __syncthreads(); }\n else { __syncthreads(); }",
        r"threads 0-7 at __syncthreads in line 2; threads 8-39 at __syncthreads in line 3",
    ),
    "lane": (
        "if (threadIdx.x < 31) y[0] = __shfl_down_sync(0xffffffffu, 1.0f, 1);",
        r"threads 0-30 at __shfl_down_sync of mask 0xffffffff in line 2; threads 31-39 returned",
    ),
    "masks": (
        "y[0] = __shfl_xor_sync((threadIdx.x & 31) < 16 ? 0xffffffffu : 0xffff0000u, 1.0f, 1);",
        r"divergent barrier: threads 0-15 at __shfl_xor_sync of mask 0xffffffff",
    ),
    "not in mask": (
        "__syncwarp(1u);",
        r"lane 1 calls a warp operation in line 2 whose mask 0x00000001 leaves it out",
    ),
}


@pytest.mark.parametrize("case", DIVERGENT)
def test_divergent_barriers_are_errors_and_no_hangs(emulated, case):
    body, message = DIVERGENT[case]
    cp = emulated.cupy
    f = cp.RawKernel(f'extern "C" __global__ void f(float* y) {{\n{body}\n}}', "f")
    y = cp.zeros(4, np.float32)
    with pytest.raises(EmulatorError, match=r"f, block \(1, 0, 0\)|f, block \(0, 0, 0\)") as raised:
        f((2,), (40,), (y,))
    assert raised.match(message)
    scaled = kernel(cp, SCALE, "scale<float>")  # and the next launch is as if nothing had been
    x = cp.arange(4, dtype=np.float32)
    scaled((1,), (4,), (y, x, np.float32(2), np.int64(4)))
    assert y.get().tolist() == [0, 2, 4, 6]


def test_a_launch_bigger_than_the_emulator_can_run_is_an_error(emulated):
    f = kernel(emulated.cupy, SCALE, "scale<float>")
    x = emulated.cupy.zeros(1, np.float32)
    with pytest.raises(EmulatorError, match="more blocks than the emulator can run"):
        f((2**30,), (1,), (x, x, np.float32(1), np.int64(1)))


@pytest.mark.parametrize("barrier", ["", "__syncthreads();"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "if (threadIdx.x == 3) y[0] = *(float*)8;",
            r"thread \(3, 0, 0\) accesses address 0x8, where there is no memory",
        ),
        ("y[0] = 5 / n;", r"thread \(0, 0, 0\) divides an integer by zero"),
    ],
)
@pytest.mark.skipif(build.sanitized(), reason="the sanitizers report faults in their own way")
def test_faults_are_errors_and_no_crashes(emulated, body, message, barrier):
    f = emulated.cupy.RawKernel(f'extern "C" __global__ void f(float* y, int n) {{ {body} {barrier} }}', "f")
    y = emulated.cupy.zeros(4, np.float32)
    for _ in range(2):
        with pytest.raises(EmulatorError, match=message):
            f((1,), (8,), (y, np.int32(0)))


@pytest.mark.skipif(build.sanitized(), reason="the sanitizers report faults in their own way")
def test_an_overflow_of_the_stack_is_an_error(emulated):
    text = """
    __device__ int deeper(int n) {
        volatile int kept[256];
        kept[n & 255] = n;
        return n ? deeper(n - 1) + kept[n & 255] : 0;
    }
    extern "C" __global__ void f(float* y, int n) { __syncthreads(); y[0] = deeper(n); }
    """
    y = emulated.cupy.zeros(4, np.float32)
    f = emulated.cupy.RawKernel(text, "f")
    f((1,), (8,), (y, np.int32(10)))
    with pytest.raises(EmulatorError, match="where there is no memory"):
        f((1,), (8,), (y, np.int32(1000000)))


# -------------------------------------------------------------------------------------------- with sanitizers

PLANTED = """
import sys
import numpy as np
from tests.cuda_emulator import make

cp = make().cupy
text = '''
extern "C" __global__ void outside(float* y, int n) { y[threadIdx.x + n] = 1; }
extern "C" __global__ void shared(float* y, int n) {
    GPUTRAIN_SHARED(float, kept, 8);
    kept[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = *(&kept[0] + threadIdx.x + n);
}
extern "C" __global__ void overflow(float* y, int n) { y[0] = (float)(n + 2147483647); }
extern "C" __global__ void misaligned(float* y, int n) { y[0] = reinterpret_cast<float4*>(y + n)->x; }
extern "C" __global__ void freed(float* y, int n) { y[0] = 1; }
'''
kernel, n = sys.argv[1], int(sys.argv[2])
y = cp.zeros(8, np.float32)
f = cp.RawModule(code=text).get_function(kernel)
if kernel == "freed" and n:
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        f((1,), (1,), (y, np.int32(n)))
        graph = stream.end_capture()
    del y
    graph.launch()
else:
    f((1,), (8 if kernel in ("outside", "shared") else 1,), (y, np.int32(n)))
print("ran to its end")
"""


@pytest.mark.skipif(sanitized.runtime() is None, reason="the compiler has no address sanitizer")
@pytest.mark.parametrize(
    ("name", "fault", "report"),
    [
        ("outside", 1, "heap-buffer-overflow"),
        pytest.param("shared", 1, "heap-buffer-overflow", marks=pytest.mark.slow),
        pytest.param("overflow", 1, "signed integer overflow", marks=pytest.mark.slow),
        pytest.param("misaligned", 1, "misaligned address", marks=pytest.mark.slow),
        pytest.param("freed", 1, "heap-use-after-free", marks=pytest.mark.slow),
    ],
)
def test_sanitizers_find_what_nobody_else_sees(name, fault, report):
    good = sanitized.run(["-c", PLANTED, name, "0"], capture=True)
    assert "ran to its end" in good.stdout, good.stderr
    bad = sanitized.run(["-c", PLANTED, name, str(fault)], capture=True)
    assert report in bad.stderr
    assert "ran to its end" not in bad.stdout
    assert bad.returncode not in (0, None)
