"""All kernels that gputrain can ask for: every operation, every dtype, the steps of typical models.

They are found by binding operations to arrays on an emulated device whose kernels are noted and not compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gputrain import backend, config, layers, models, optimizers
from gputrain.backend.cupy import (
    CupyDevice,
    attending,
    elementwise,
    indexing,
    linalg,
    movement,
    normalization,
    opening,
    reduce,
    softmax,
)
from gputrain.backend.cupy.batch import gather_rows
from gputrain.backend.cupy.launch import CUDA_TYPES, Library
from gputrain.data import Arrays
from gputrain.errors import DTypeError
from gputrain.ir import Spec
from gputrain.ops.base import REGISTRY, Operation, Sample, spec_of
from gputrain.utils.resources import kernels_dir
from tests.cuda_emulator.cases import FLOATS, cases
from tests.cuda_emulator.world import make

INTEGERS = tuple(dtype for dtype in CUDA_TYPES if dtype not in FLOATS)
OF_THEIR_OWN = ("Fused", "OwnGradient")  # operations that hold a graph of fixed dtypes
OF_ANY_DTYPE = {name for f in (reduce, movement, linalg, indexing) for name in f.KERNELS}
# Generated kernels are so many that not every integer is taken.
SOME_INTEGERS = {name: ("bool", "uint8", "int32", "int64") for name in elementwise.KERNELS if name != "Clip"}
WALKS = ("strided_copy", "tiled_transpose", "padded")  # their second argument is the type of a position


class Wanted(NamedTuple):
    """A kernel that was asked for.

    Attributes:
        text: all of its source, as CuPy gets it.
        name: its name expression.
        options: CuPy's, without those that CuPy adds.
    """

    text: str
    name: str
    options: tuple[str, ...]

    @property
    def template(self) -> str:
        """Its name without the arguments of the template."""
        return self.name.split("<")[0]

    @property
    def arguments(self) -> list[str]:
        """The arguments of the template."""
        inner = self.name.partition("<")[2].rpartition(">")[0]
        return [argument.strip() for argument in inner.split(",")] if inner else []

    @property
    def generated(self) -> bool:
        """Whether its text was written by the elementwise kernels' generator."""
        return self.template.startswith("fused_")


class Notebook:
    """Stands for CuPy where kernels are compiled; writes down which."""

    def __init__(self) -> None:
        self.found: dict[Wanted, None] = {}

    def RawModule(self, code: str, options: Sequence[str], name_expressions: Sequence[str]) -> Notebook:
        """Note the kernels of a module."""
        self.found.update({Wanted(code, name, tuple(options)): None for name in name_expressions})
        return self

    def get_function(self, name: str) -> Any:
        """A kernel that is bound, and never launched."""
        return lambda grid, block, args: None


@cache
def catalog() -> tuple[Wanted, ...]:
    """Every kernel that the operations and the steps of typical models need."""
    standin, notebook = make(), Notebook()
    gpu = CupyDevice(standin.cupy, standin.blas, name="noted")
    gpu.kernel_library = Library(notebook, 32)
    _bind_operations(gpu)
    _bind_batches(gpu)
    _bind_models(gpu)
    params = ("float16", "float32", "i")
    probe = gpu.kernel_library.generated(opening.PROBE, "gputrain_probe", params, FLOATS[:2])
    probe.bind(gpu.empty((3,), "float16"), gpu.empty((3,), "float32"), 3, threads=3)
    return (*notebook.found, *_of_wide_positions(notebook.found))


def _of_wide_positions(found: Iterable[Wanted]) -> Iterator[Wanted]:
    """The same kernels for arrays of 2^31 elements and more, which no test allocates."""
    for wanted in found:
        if wanted.template in WALKS:
            word, _, *rest = wanted.arguments
            yield wanted._replace(name=f"{wanted.template}<{', '.join([word, CUDA_TYPES['int64'], *rest])}>")
        elif "(Index)i" in wanted.text:
            narrow, wide = "typedef unsigned int Index;", "typedef u64 Index;"
            yield wanted._replace(text=wanted.text.replace(narrow, wide))


# ------------------------------------------------------------------------------------------------- operations


def _bind_operations(gpu: CupyDevice) -> None:
    for name in gpu.kernels:
        for sample in REGISTRY[name].samples() if name in REGISTRY else ():
            for specs in _variants(name, sample):
                _bind(gpu, sample.op, specs)
    for op, specs in cases():
        _bind(gpu, op, specs)


def _bind(gpu: CupyDevice, op: Operation, specs: Sequence[Spec]) -> None:
    """Bind an operation to aligned arrays, and to others. What it refuses nobody can ask for."""
    try:
        outs = op.output_specs(*specs)
    except DTypeError:
        return
    if gpu.kernel(op, specs) is None:
        return
    for skipped in (0, 1):
        made, given, scratch = (_arrays(gpu, s, skipped) for s in (outs, specs, gpu.scratch(op, specs)))
        with suppress(OverflowError):  # a constant that the dtype does not have, as in NumPy
            gpu.prepare(op, specs, made, given, scratch)


def _arrays(gpu: CupyDevice, specs: Iterable[Spec], skipped: int) -> list[Any]:
    return [gpu.empty((s.size + skipped,), s.dtype)[skipped:].reshape(s.dims) for s in specs]


def _variants(name: str, sample: Sample) -> Iterator[list[Spec]]:
    """The specs of a sample with its numbers in every dtype."""
    given = [s if isinstance(s, Spec) else spec_of(np.asarray(s)) for s in sample.inputs]
    if name in OF_THEIR_OWN:
        yield given
        return
    for dtype in (
        (*FLOATS, *(INTEGERS if name in OF_ANY_DTYPE else ())) if sample.dtype is None else (sample.dtype,)
    ):
        yield [_in(s, dtype) for s in given]
    if name in normalization.KERNELS:  # float16 with statistics in float32
        tensors = 2 if name.endswith("Grad") else 1
        yield [_in(s, "float16" if i < tensors else "float32") for i, s in enumerate(given)]
    if name in attending.KERNELS:
        yield [_in(s, "float16" if i < len(given) - 2 else "float32") for i, s in enumerate(given)]
    if name in indexing.KERNELS or name in softmax.KERNELS:
        for dtype in INTEGERS:
            for place in range(len(given)):
                yield [s.with_dtype(dtype) if i == place else s for i, s in enumerate(given)]


def _in(spec: Spec, dtype: str) -> Spec:
    return spec.with_dtype(dtype) if spec.dtype.startswith("float") else spec


# ---------------------------------------------------------------------------------------------------- batches


def _bind_batches(gpu: CupyDevice) -> None:
    """Batches of one array as it is, in every other dtype that data become, and of several."""
    pairs = [(source, target) for source in CUDA_TYPES for target in FLOATS]
    for source, target in [*pairs, ("int64", "int32"), ("uint8", "int32"), ("bool", "int32")]:
        _gather(gpu, (source, target))
    _gather(gpu, ("uint8", "float32"), ("int64", "int32"))
    _gather(gpu, ("float64", "float32"), ("float64", "float32"), ("uint8", "uint8"))


def _gather(gpu: CupyDevice, *pairs: tuple[str, str]) -> None:
    sources = [gpu.empty((9, 3), source) for source, _ in pairs]
    outs = [gpu.empty((4, 3), target) for _, target in pairs]
    gather_rows(gpu, sources, gpu.empty((9,), "int64"), gpu.empty((), "int64"), outs, 4)


# ----------------------------------------------------------------------------------------------------- models


def _bind_models(gpu: CupyDevice) -> None:
    """The steps of a CNN in every float, and of a normalized MLP with every optimizer."""
    with _as_backend(gpu):
        for floatx in FLOATS:
            with _floatx(floatx):
                _bind_steps(gpu, _cnn(), (8, 28, 28, 1))
        for optimizer in _optimizers():
            _bind_steps(gpu, _mlp(optimizer), (12, 20))


@contextmanager
def _as_backend(gpu: CupyDevice) -> Iterator[None]:
    opener = backend._openers["emulated"]
    backend.register_device("emulated", lambda number: gpu)
    config.set_backend("emulated")
    try:
        yield
    finally:
        config.put("backend", None)
        backend.register_device("emulated", opener)


@contextmanager
def _floatx(dtype: str) -> Iterator[None]:
    before = config.floatx()
    config.set_floatx(dtype)
    try:
        yield
    finally:
        config.set_floatx(before)


def _bind_steps(gpu: CupyDevice, model: models.Model, shape: tuple[int, ...]) -> None:
    """Bind what a model does in training, evaluation and prediction."""
    data = Arrays(np.zeros(shape, "float32"), np.zeros(shape[0], "int64"))
    for kind in ("train", "test", "predict"):
        arrays = data if kind != "predict" else Arrays(data.x)
        program = model._traced_programs.get(kind, arrays, shape[0])
        program.executable.bind()


def _cnn() -> models.Model:
    return _compiled(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        "adam",
    )


def _mlp(optimizer: Any) -> models.Model:
    return _compiled(
        [
            layers.Input((20,)),
            layers.Dense(32),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Dense(10, activation="softmax"),
        ],
        optimizer,
    )


def _compiled(stack: list[Any], optimizer: Any) -> models.Model:
    model = models.Sequential(stack)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _optimizers() -> Iterator[Any]:
    for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
        yield optimizers.SGD(0.1, momentum=momentum, nesterov=nesterov, clipnorm=1.0)
    for momentum, centered in ((0.0, False), (0.9, True)):
        yield optimizers.RMSprop(0.1, momentum=momentum, centered=centered, global_clipnorm=1.0)
    for amsgrad in (False, True):
        yield optimizers.Adam(0.1, amsgrad=amsgrad, weight_decay=0.01, clipvalue=1.0)


# ---------------------------------------------------------------------------------------------- kernel files


def written() -> dict[str, str]:
    """Name and file of each `__global__` function in `kernels/`."""
    found = {}
    for path in sorted(kernels_dir().glob("*.cu*")):
        found.update(dict.fromkeys(global_names(path.read_text(encoding="utf-8")), path.name))
    return found


def global_names(text: str) -> list[str]:
    """Names of the `__global__` functions of a text."""
    return re.findall(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)", text)
