"""The stand-in against the installed CuPy, by reflection: names, parameters, defaults. It needs no GPU."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from tests.cuda_emulator import make
from tests.cuda_emulator.standin import generate_names
from tests.cuda_emulator.standin.devices import device_attributes

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

EMPTY = inspect.Parameter.empty
CLASSES = [
    "ndarray", "RawModule", "RawKernel", "cuda.Stream", "cuda.Event", "cuda.Graph", "cuda.Device",
    "cuda.Memory",
    "cuda.UnownedMemory", "cuda.MemoryPointer", "cuda.MemoryPool", "cuda.PinnedMemoryPool",
    "cuda.memory.PooledMemory", "cuda.memory.BaseMemory",
]  # fmt: skip
PYTHONS_OWN = {
    "__annotations__",
    "__dict__",
    "__weakref__",
    "__firstlineno__",
    "__static_attributes__",
    "__del__",
}


def look_up(root: Any, path: str) -> Any:
    """An attribute of an attribute, by a dotted path."""
    for name in path.split("."):
        root = getattr(root, name)
    return root


def real_parameters(function: Any, name: str) -> dict[str, Any] | None:
    """Parameters and defaults (as text) of a function of CuPy, from its signature or its docstring."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return documented_parameters(function.__doc__ or "", name)
    return {p.name: EMPTY if p.default is EMPTY else repr(p.default) for p in parameters if p.name != "self"}


def documented_parameters(text: str, name: str) -> dict[str, Any] | None:
    """Those of `Class.name(int a, b=1) -> type`, which Cython writes into the first line."""
    found = re.match(rf"[\w.]*{name}\((.*?)\)(?: ->.*)?$", text.strip().partition("\n")[0])
    if found is None:
        return None
    result = {}
    for part in found[1].split(","):
        declared, equals, default = part.partition("=")
        words = declared.split()
        if words and words[-1] not in ("*", "/", "self"):
            result[words[-1].lstrip("*")] = default.strip() if equals else EMPTY
    return result


def check_parameters(mine: Any, real: Any, name: str) -> bool:
    """Compare parameters where both sides tell them; says whether they could be."""
    expected = real_parameters(real, name)
    if expected is None or "args" in expected:
        return False
    parameters = [p for p in inspect.signature(mine).parameters.values() if p.name != "self"]
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return False
    if "kwargs" not in expected:
        assert [p.name for p in parameters] == list(expected), name
    for p in parameters:
        default = expected.get(p.name, EMPTY)
        if default is EMPTY or default.endswith(("malloc", "Relaxed")):
            continue
        assert p.default is not EMPTY, f"{name}: {p.name} is optional there"
        assert repr(p.default) == default or str(p.default) == default, f"{name}: default of {p.name}"
    return True


@pytest.mark.parametrize("path", CLASSES)
def test_classes_have_nothing_that_cupy_lacks(path):
    mine, real = look_up(make().cupy, path), look_up(cupy, path)
    for name in dir(mine):
        if name.startswith("__") and name.endswith("__"):
            assert hasattr(real, name) or name in PYTHONS_OWN, name
        elif not name.startswith("_"):
            assert hasattr(real, name), f"{path}.{name}"


@pytest.mark.parametrize("path", CLASSES)
def test_methods_take_the_same_parameters(path):
    mine, real = look_up(make().cupy, path), look_up(cupy, path)
    compared = 0
    for name, member in inspect.getmembers(mine, inspect.isfunction):
        if not name.startswith("_"):
            compared += check_parameters(member, getattr(real, name), name)
    if path in ("cuda.Stream", "ndarray", "cuda.MemoryPointer", "cuda.MemoryPool", "RawModule"):
        assert compared > 1


@pytest.mark.parametrize(
    "path", ["cuda.Stream", "cuda.Event", "RawModule", "RawKernel", "cuda.Memory", "cuda.Device"]
)
def test_constructors_take_the_same_parameters(path):
    mine, real = look_up(make().cupy, path), look_up(cupy, path)
    name = path.rpartition(".")[2]
    expected = documented_parameters(real.__doc__ or "", name) or real_parameters(real.__init__, name)
    assert expected
    parameters = {p.name: p for p in inspect.signature(mine.__init__).parameters.values() if p.name != "self"}
    assert list(parameters) == list(expected)
    for key, default in expected.items():
        if default is not EMPTY:
            assert repr(parameters[key].default) == default, key


def test_attributes_of_instances_exist_in_cupy():
    """Only for classes whose attributes show on the class there."""
    emulated = make().cupy
    known = {
        "ndarray": emulated.ones(1),
        "Device": emulated.cuda.Device(),
        "MemoryPointer": emulated.cuda.alloc(8),
    }
    for name, instance in known.items():
        real = getattr(cupy, name, None) or getattr(cupy.cuda, name)
        for attribute in vars(instance):
            assert attribute.startswith("_") or hasattr(real, attribute), f"{name}.{attribute}"


def test_module_functions_are_those_of_cupy():
    lines = generate_names.TARGET.read_text(encoding="ascii").splitlines()
    assert f"CuPy {cupy.__version__}:" in lines[0], "run tests.cuda_emulator.standin.generate_names"
    assert lines[1:] == generate_names.listing()


def test_functions_of_the_standins_own_take_cupys_parameters():
    functions = make().cupy._functions
    for name, function in functions._special.items():
        check_parameters(function, getattr(cupy, name), name)


def test_every_module_name_exists_in_cupy():
    module = make().cupy
    for name in dir(module):
        assert hasattr(cupy, name), name
    for name in vars(module.cuda):
        assert hasattr(cupy.cuda, name), f"cuda.{name}"
    for submodule in ("memory", "stream", "device", "graph", "compiler"):
        real = importlib.import_module(f"cupy.cuda.{submodule}")
        for name in vars(getattr(module.cuda, submodule)):
            assert hasattr(real, name), f"cuda.{submodule}.{name}"


def test_the_runtime_is_that_of_cupy():
    mine, real = make().cupy.cuda.runtime, importlib.import_module("cupy_backends.cuda.api.runtime")
    for name in dir(mine):
        if name.startswith("_"):
            continue
        value, expected = getattr(mine, name), getattr(real, name)
        if isinstance(value, int) and not isinstance(value, bool):
            assert value == expected, name
        elif inspect.ismethod(value):
            assert check_parameters(value, expected, name), name


def test_device_attributes_have_cupys_names():
    real = importlib.import_module("cupy_backends.cuda.api.runtime")
    for name in device_attributes(make().world):
        assert hasattr(real, f"cudaDevAttr{name}"), name


def test_errors_say_what_cupys_say():
    mine, real = make().cupy.cuda, cupy.cuda
    runtime = importlib.import_module("cupy_backends.cuda.api.runtime")
    for status in (1, 2, 101, 400, 900, 901, 902, 903, 904, 905, 906, 907, 908):
        try:
            expected = str(runtime.CUDARuntimeError(status))
        except Exception as error:  # noqa: BLE001 (the driver's library may be needed for the text)
            pytest.skip(f"CuPy cannot tell its messages here: {error}")
        received = str(mine.runtime.CUDARuntimeError(status))
        assert received.partition(":")[0] == expected.partition(":")[0]
        assert received == expected
    for arguments in ((100, 5), (100, 5, 1000)):
        assert str(mine.memory.OutOfMemoryError(*arguments)) == str(real.memory.OutOfMemoryError(*arguments))
