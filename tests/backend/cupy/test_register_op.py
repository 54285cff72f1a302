"""Operations of users with CUDA kernels of their own: alone, in a model, in a captured step, refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gputrain
from gputrain import backend, config, initializers, layers, losses, models, ops
from gputrain.backend.base import leaves
from gputrain.backend.cupy import CupyDevice, own
from gputrain.backend.cupy.launch import wrap
from gputrain.compiler import gradients
from gputrain.errors import DeviceError, DTypeError
from gputrain.ir import Spec, Value
from gputrain.ops import register
from gputrain.runtime.eager import run_once
from tests.cuda_emulator import Emulated, make, nvrtc
from tests.tolerances import assert_close

SNAKE = """
template <typename T> __global__ void snake(T* out, const T* x, double a, i64 size) {
    GPUTRAIN_GRID_STRIDE(i, size) {
        typedef wide_t<T> W;
        W v = wide(x[i]), s = sin(W(a) * v);
        out[i] = narrow<T>(v + s * s / W(a));
    }
}
"""
SNAKE_GRAD = """
template <typename T> __global__ void snake_grad(T* out, const T* ct, const T* x, double a, i64 size) {
    GPUTRAIN_GRID_STRIDE(i, size)
        out[i] = narrow<T>(wide(ct[i]) * (wide_t<T>(1) + sin(wide_t<T>(2 * a) * wide(x[i]))));
}
"""


@ops.register_op(cuda=ops.CudaKernel("snake_grad", SNAKE_GRAD), differentiable=False)
class SnakeGrad(ops.Operation):
    """Gradient of `Snake`."""

    a: float = 1.0

    def infer(self, ct: Spec, x: Spec) -> Spec:
        return x

    def compute(self, xp: Any, out: Any, ct: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.multiply(ct, 1 + xp.sin(2 * self.a * x), out=out)


@ops.register_op(cuda=ops.CudaKernel("snake", SNAKE))
class Snake(ops.Operation):
    """x + sin^2(a x) / a (Ziyin et al. 2020)."""

    a: float = 1.0

    def infer(self, x: Spec) -> Spec:
        return x

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.add(x, xp.sin(self.a * x) ** 2 / self.a, out=out)

    def vjp(self, ct: Value, out: Value, x: Value) -> list[Any]:
        return [ops.apply(SnakeGrad(self.a), ct, x)]


def snake(x: np.ndarray, a: float) -> np.ndarray:
    return x + np.sin(a * x) ** 2 / a


@pytest.fixture
def gpu() -> CupyDevice:
    """A GPU that is opened after the classes of this module were registered."""
    emulated = make()
    return CupyDevice(emulated.cupy, emulated.blas, name="emulated")


@pytest.fixture
def emulated() -> Iterator[Emulated]:
    """The GPU on which gputrain runs within a test."""
    world, before = make(), backend._openers["emulated"]
    backend.register_device("emulated", lambda number: CupyDevice(world.cupy, world.blas, number, "emulated"))
    with world.orders.check_all():
        config.set_backend("emulated")
        yield world
    config.reset()
    backend.register_device("emulated", before)


def launched(gpu: CupyDevice, op: ops.Operation, *arrays: np.ndarray) -> list[str]:
    """Names of what an operation launches."""
    specs = [Spec(a.shape, a.dtype.name) for a in arrays]
    outs = [gpu.empty(s.dims, s.dtype) for s in op.output_specs(*specs)]
    thunk = gpu.prepare(op, specs, outs, [gpu.asarray(a) for a in arrays], ())
    return [getattr(leaf, "name", "compute") for leaf in leaves(thunk)]


def computed(gpu: CupyDevice, op: ops.Operation, *arrays: Any) -> list[np.ndarray]:
    """What an operation makes on the GPU."""
    return [gpu.download(out) for out in run_once(op, [gpu.asarray(a) for a in arrays], gpu)]


# ----------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (13, 1, 29), (300, 70)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_kernel_computes(gpu: CupyDevice, dtype: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, shape).astype(dtype)
    (found,) = computed(gpu, Snake(0.5), x)
    assert_close(found, snake(x.astype("float64"), 0.5), dtype)
    kernel = {"float16": "__half", "float32": "float", "float64": "double"}[dtype]
    assert launched(gpu, Snake(0.5), x) == ([f"snake<{kernel}>"] if x.size else [])


def test_on_the_cpu_the_reference_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUTRAIN_BACKEND", "numpy")
    x = np.linspace(-2, 2, 9)
    assert_close(ops.apply(Snake(2.0), x), snake(x, 2.0), "float64")


def test_registered_after_the_gpu_was_opened(gpu: CupyDevice) -> None:
    class Late(ops.Operation):
        def infer(self, x: Spec) -> Spec:
            return x

        def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
            xp.add(x, 1, out=out)

    x = np.arange(5, dtype="int32")
    assert launched(gpu, Late(), x) != ["late"]
    text = """__global__ void late(int* out, const int* x, i64 n) {
        GPUTRAIN_GRID_STRIDE(i, n) out[i] = x[i] + 1;
    }"""
    assert ops.register_op(Late, cuda=ops.CudaKernel("late", text, ["int32"]), differentiable=False) is Late
    assert launched(gpu, Late(), x) == ["late"]
    assert computed(gpu, Late(), x)[0].tolist() == [1, 2, 3, 4, 5]


def test_without_a_kernel_cupy_s_functions_compute(gpu: CupyDevice) -> None:
    @ops.register_op
    class Doubled(ops.Operation):
        def infer(self, x: Spec) -> Spec:
            return x

        def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
            xp.multiply(x, 2, out=out)

        def vjp(self, ct: Value, out: Value, x: Value) -> list[Value]:
            return [ct * 2.0]

    assert computed(gpu, Doubled(), np.arange(3.0))[0].tolist() == [0, 2, 4]


def test_a_derived_class_does_not_inherit_the_kernel(gpu: CupyDevice) -> None:
    class Straight(Snake):
        def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
            xp.copyto(out, x)

    assert computed(gpu, Straight(), np.arange(3.0))[0].tolist() == [0, 1, 2]


def test_scalars_threads_and_several_outputs(gpu: CupyDevice) -> None:
    """One block sums a row; the kernel is told the row's length and a factor."""
    text = """
    template <typename T>
    __global__ void rows(T* total, bool* positive, const T* x, i64 rows, i64 width, double f) {
        for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
            wide_t<T> sum = 0;
            for (i64 k = threadIdx.x; k < width; k += blockDim.x) sum += wide(x[r * width + k]);
            sum = block_reduce(sum, wide_t<T>(0), Plus());
            if (threadIdx.x == 0) { total[r] = narrow<T>(sum * wide_t<T>(f)); positive[r] = sum > 0; }
        }
    }"""
    kernel = ops.CudaKernel(
        "rows",
        text,
        scalars=lambda op, x: [*x.dims, op.factor / 2],
        threads=lambda op, x: 64 * x.dims[0],
        block=64,
    )

    @ops.register_op(cuda=kernel, differentiable=False)
    class Rows(ops.Operation):
        factor: float
        name: str = "any"

        n_outputs = 2

        def infer(self, x: Spec) -> tuple[Spec, Spec]:
            return x.with_shape(x.shape[:1]), Spec(x.shape[:1], "bool")

        def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
            raise AssertionError

    x = np.random.default_rng(1).standard_normal((9, 131)).astype("float32")
    total, positive = computed(gpu, Rows(4.0), x)
    assert_close(total, 2 * x.astype("float64").sum(1), "float32")
    assert positive.tolist() == (x.sum(1) > 0).tolist()


def test_integers_and_flags_are_parameters_too(gpu: CupyDevice) -> None:
    text = """
    __global__ __launch_bounds__(256) void fill(float* out, i64 start, i64 down, double step, i64 size) {
        GPUTRAIN_GRID_STRIDE(i, size) out[i] = start + (down ? -step : step) * i;
    }"""

    @ops.register_op(cuda=ops.CudaKernel("fill", text), differentiable=False)
    class Filled(ops.Operation):
        start: int
        down: bool = False
        step: float = 1

        def infer(self) -> Spec:
            return Spec((4,))

        def compute(self, xp: Any, out: Any, *, scratch: tuple[Any, ...] = ()) -> None:
            raise AssertionError

    assert computed(gpu, Filled(3, True, 2))[0].tolist() == [3, 1, -1, -3]


@pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nvrtc_compiles_it_and_its_check(gpu: CupyDevice, dtype: str) -> None:
    x = gpu.asarray(np.ones(3, dtype))
    for kernel, op, arrays in ((SNAKE, Snake(), [x]), (SNAKE_GRAD, SnakeGrad(), [x, x])):
        asked: list[Any] = []
        library = SimpleNamespace(generated=lambda *args, asked=asked: asked.append(args))
        given = ops.CudaKernel("snake" if kernel is SNAKE else "snake_grad", kernel)
        device: Any = SimpleNamespace(kernel_library=library)
        own._function(device, op, given, dtype, [x], arrays, ["d", "i"])
        ((text, name, _, types),) = asked
        nvrtc.compile(wrap(text, types), [name], "sm_75")


# -------------------------------------------------------------------------------------------------- in models


class Activated(layers.Layer):
    """A layer of the user's."""

    def call(self, inputs: Any) -> Any:
        return ops.apply(Snake(0.7), inputs)


class Ordinary(layers.Layer):
    """The same, of operations that are there already."""

    def call(self, inputs: Any) -> Any:
        return inputs + ops.square(ops.sin(inputs * 0.7)) / 0.7


def trained(layer: layers.Layer) -> list[np.ndarray]:
    x = np.random.default_rng(0).standard_normal((64, 6)).astype("float32")
    start = initializers.RandomNormal(stddev=0.3, seed=1)
    model = models.Sequential([layers.Input((6,)), layers.Dense(4, kernel_initializer=start), layer])
    model.compile("sgd", losses.MeanSquaredError())
    history = model.fit(x, x[:, :4], epochs=3, batch_size=20, shuffle=False, verbose=0)
    return [np.array(history.history["loss"]), *model.get_weights()]


def test_a_model_trains_with_it_in_a_captured_step(emulated: Emulated) -> None:
    with emulated.statistics.record() as log:
        found = trained(Activated())
    for ours, theirs in zip(found, trained(Ordinary()), strict=True):
        assert_close(ours, theirs, "float32")
    replayed = {event.name for event in log if event.how == "replay"}
    assert {"snake<float>", "snake_grad<float>"} <= replayed


@pytest.mark.usefixtures("emulated")
def test_captured_and_uncaptured_steps_are_equal() -> None:
    captured = trained(Activated())
    config.set_cuda_graphs(False)
    for a, b in zip(captured, trained(Activated()), strict=True):
        assert a.tobytes() == b.tobytes()


def test_it_agrees_with_the_cpu(emulated: Emulated) -> None:
    on_gpu = trained(Activated())
    config.set_backend("numpy")
    for a, b in zip(on_gpu, trained(Activated()), strict=True):
        assert_close(a, b, "float32")


# -------------------------------------------------------------------------------------------- what is refused


class Plain(ops.Operation):
    """Complete, but for its kernel."""

    a: float = 1.0

    def infer(self, x: Spec) -> Spec:
        return x

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.copyto(out, x)

    def vjp(self, ct: Value, out: Value, x: Value) -> list[Value]:
        return [ct]


def with_kernel(text: str, name: str = "k", **kwargs: Any) -> type[ops.Operation]:
    made = type("Plain", (Plain,), {"__module__": __name__})
    return ops.register_op(made, cuda=ops.CudaKernel(name, text, **kwargs))


def test_a_dtype_that_the_kernel_is_not_for(gpu: CupyDevice) -> None:
    with pytest.raises(
        DTypeError,
        match=r"snake of Snake is not for this dtype\. Expected: float16, .*float64\. Received: int8\.",
    ):
        computed(gpu, Snake(), np.arange(3, dtype="int8"))


@pytest.mark.parametrize(
    "parameters",
    [
        "T* out, const T* x, i64 n",
        "T* out, const T* x, double a, int n",
        "T* out, const float* x, double a, i64 n",
    ],
    ids=["too few", "a narrow int", "another pointer"],
)
def test_other_parameters(gpu: CupyDevice, parameters: str) -> None:
    made = with_kernel(f"template <typename T> __global__ void k({parameters}) {{}}")
    with pytest.raises(DeviceError) as caught:
        computed(gpu, made(), np.arange(3.0))
    assert str(caught.value) == (
        "The CUDA kernel k of Plain takes other parameters than it is called with. Expected: double*, "
        "const double*, "
        f"double, i64. Received: {parameters}. The order is outputs, inputs, the operation's parameters, "
        f"number of "
        "elements (see CudaKernel)."
    )


def test_a_kernel_that_does_not_compile(gpu: CupyDevice) -> None:
    made = with_kernel(
        "__global__ void k(float* out, const float* x, double a, i64 n) {\n  out[0] = nonsense;\n}"
    )
    with pytest.raises(
        DeviceError, match=r"CUDA kernel k of Plain does not compile:\n  .*[\s\S]*Plain[:(]2.*nonsense"
    ):
        computed(gpu, made(), np.arange(3, dtype="float32"))


KERNEL = "__global__ void k(float* out) {}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "kernel"},
            "`name` must be that of a kernel in `source`. Expected: __global__ void kernel(...). "
            "Received: k.",
        ),
        ({"source": "void k() {}"}, "Expected: __global__ void k(...). Received: no kernel."),
        ({"dtypes": ["float32", "bfloat16"]}, "wrong `dtypes`. Expected: some of float16, float32"),
        ({"dtypes": []}, "Received: none."),
        ({"block": 100}, "wrong `block`. Expected: a multiple of 32 up to 1024. Received: 100."),
    ],
)
def test_a_wrong_kernel(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ops.CudaKernel(**{"name": "k", "source": KERNEL, **arguments})


@pytest.mark.parametrize("missing", ["infer", "compute", "vjp"])
def test_something_is_missing(missing: str) -> None:
    methods = {name: getattr(Plain, name) for name in ("infer", "compute", "vjp") if name != missing}
    made = type("Incomplete", (ops.Operation,), {"__module__": __name__, **methods})
    with pytest.raises(ValueError, match=f"register_op: Incomplete lacks `{missing}`, which "):
        ops.register_op(made)
    if missing == "vjp":
        assert ops.register_op(made, differentiable=False) is made


def test_no_class_of_operations() -> None:
    with pytest.raises(ValueError, match=r"a class of operations\. Expected: a subclass of ops\.Operation"):
        ops.register_op(Plain(), cuda=None)  # type: ignore[call-overload]


def test_a_parameter_that_no_kernel_takes() -> None:
    class Named(Plain):
        mode: str = "fast"

    with pytest.raises(
        ValueError, match=r"cannot be given `mode` of Named\. Expected: .*Received: str\. Say what to"
    ):
        ops.register_op(Named, cuda=ops.CudaKernel("k", KERNEL))


def test_the_gradient_that_is_not_there_is_an_error() -> None:
    x = Value(Spec((3,)))
    with pytest.raises(NotImplementedError, match="SnakeGrad has no gradient"):
        gradients(ops.sum(ops.apply(SnakeGrad(), x, x)), [x])


# --------------------------------------------------------------------------------------------------- the docs

DOCS = Path(__file__).resolve().parents[3] / "docs"


def run_page(name: str) -> None:
    """Run the programs of a page, one after the other as one program."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    scope: dict[str, Any] = {"__name__": name.removesuffix(".md")}
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), scope)  # noqa: S102 - the text is the project's own


@pytest.mark.skipif(not DOCS.is_dir(), reason="the docs are in the checkout only")
def test_the_page_on_own_kernels(emulated: Emulated, capsys: pytest.CaptureFixture[str]) -> None:
    with emulated.statistics.record() as log:
        run_page("own_kernel.md")
    assert {"snake<float>", "snake_grad<float>"} <= {event.name for event in log if event.kind == "launch"}
    said = re.search(r"differs by (\S+)", capsys.readouterr().out)
    assert said is not None
    assert 0 <= float(said[1]) < 1e-5


@pytest.mark.skipif(not DOCS.is_dir(), reason="the docs are in the checkout only")
def test_the_page_on_backends(
    emulated: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = CupyDevice(emulated.cupy, emulated.blas)
    monkeypatch.setitem(backend._devices, ("cupy", 0), device)
    monkeypatch.setitem(sys.modules, "cupy", emulated.cupy)
    run_page("backends.md")
    assert capsys.readouterr().out == "(3, 4)\n"


def test_the_names_are_public() -> None:
    assert gputrain.ops.register_op is register.register_op
    assert gputrain.ops.CudaKernel is register.CudaKernel
