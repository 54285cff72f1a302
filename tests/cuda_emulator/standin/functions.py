"""The module's functions: NumPy's of the same name, on device memory, with CuPy's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from tests.cuda_emulator.races import Use
from tests.cuda_emulator.standin.arrays import ndarray, use_of
from tests.cuda_emulator.standin.memory import MemoryPointer
from tests.cuda_emulator.standin.world import Work, World

SCALARS = (bool, int, float, complex, np.generic)
# Through cuBLAS there, which CuPy refuses while a stream is being captured.
CUBLAS = {"matmul", "dot", "tensordot", "inner", "vdot", "einsum"}
# The shape of the result depends on values, so the host waits for them.
WAITS = {"nonzero", "argwhere", "flatnonzero", "unique", "compress", "extract", "bincount", "histogram"}
IN_PLACE = {
    "fill",
    "setitem",
    "scatter_add",
    "copyto",
    "putmask",
    "place",
    "fill_diagonal",
    "put",
    "partition",
    "sort",
}
SCATTERING = {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"}
UFUNC_OPTIONS = {"out", "casting", "dtype"}


def read_names() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Kind and parameters of each name that CuPy's module offers."""
    lines = Path(__file__).with_name("names.txt").read_text(encoding="ascii").splitlines()
    split = [line.split() for line in lines if not line.startswith("#")]
    return {name: (kind, tuple(parameters)) for name, kind, *parameters in split}


class Functions:
    """Looks functions up by name, and runs them on the device."""

    def __init__(self, world: World, array: type[ndarray]) -> None:
        self._world, self._array = world, array
        self._names = read_names()
        self._found: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.get(name)

    def get(self, name: str) -> Any:
        """The module's attribute of this name."""
        if name not in self._found:
            self._found[name] = self._make(name)
        return self._found[name]

    def method(self, name: str) -> Callable[..., Any]:
        """The function behind an array's method."""
        function = getattr(np, name)
        return lambda *args, **kwargs: self.call(name, function, args, kwargs)

    def names(self) -> list[str]:
        """All names that can be looked up."""
        return sorted(n for n in {*self._names, *self._special} if hasattr(np, n) or n in self._special)

    def _make(self, name: str) -> Any:
        if name in self._special:
            return self._special[name]
        if name not in self._names or not hasattr(np, name):
            raise AttributeError(f"module 'cupy' has no attribute '{name}'")
        kind, parameters = self._names[name]
        if kind == "numpy":
            return getattr(np, name)
        if kind == "ufunc":
            return Ufunc(self, name)
        return self._function(name, parameters)

    def _function(self, name: str, parameters: tuple[str, ...]) -> Callable[..., Any]:
        function = _NUMPY.get(name) or getattr(np, name)
        positional = None if any(p.startswith("*") for p in parameters) else len(parameters)

        def call(*args: Any, **kwargs: Any) -> Any:
            check_keywords(name, parameters, kwargs)
            if positional is not None and len(args) > positional:
                raise TypeError(
                    f"{name}() takes {positional} positional arguments but {len(args)} were given"
                )
            if name == "where" and len(args) == 1:
                self._world.sync(name, self._world.current_stream)
            return self.call(name, function, args, kwargs)

        call.__name__ = name
        return call

    # ------------------------------------------------------------------------------------------------ running

    def call(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run a function of NumPy on device memory.

        With `out=`, or where the function changes an argument, it is recorded when the stream is capturing.
        Otherwise the result is either a view of an argument, or gets memory of its own.
        """
        capturing = self._world.current_stream.capture is not None
        if capturing and name in CUBLAS:
            raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
        if name in WAITS:
            self._world.sync(name, self._world.current_stream)
        sources: list[ndarray] = []
        host_args, host_kwargs = self._to_host(args, sources), self._to_host(kwargs, sources)

        def run() -> Any:
            with np.errstate(all="ignore"):
                return function(*host_args, **host_kwargs)

        out = kwargs.get("out")
        if out is not None or name in IN_PLACE:
            require_device_out(out)
            changed = sources[:1] if out is None else out if isinstance(out, tuple) else (out,)
            self._world.submit(Work("function", name, run, uses=self._uses(sources, changed)))
            return out[0] if isinstance(out, tuple) and len(out) == 1 else out
        return self._to_device(name, run(), run if capturing else None, sources)

    def _to_host(self, value: Any, sources: list[ndarray]) -> Any:
        if isinstance(value, ndarray):
            sources.append(value)
            return value._host
        if isinstance(value, np.ndarray):
            raise TypeError(f"Unsupported type {type(value)}")
        if isinstance(value, tuple | list):
            return type(value)(self._to_host(v, sources) for v in value)
        if isinstance(value, dict):
            return {k: self._to_host(v, sources) for k, v in value.items()}
        return value

    def _to_device(
        self, name: str, result: Any, again: Callable[[], Any] | None, sources: list[ndarray]
    ) -> Any:
        """A result on the device. `again` computes it anew, where it is recorded and has no values yet."""
        if isinstance(result, tuple | list):
            parts = []
            for i, part in enumerate(result):
                later = None if again is None else (lambda i=i: again()[i])
                parts.append(self._to_device(name, part, later, sources))
            return type(result)(parts) if type(result) in (tuple, list) else tuple(parts)
        if isinstance(result, np.ndarray):
            for source in sources:
                if result is source._host:
                    return source
                if result.size and np.may_share_memory(result, source._host):
                    return self._array._view_of(result, source)
        if not isinstance(result, np.ndarray | np.generic) and not (isinstance(result, bool) and sources):
            return result
        return self._store(name, np.asarray(result), again, sources)

    def _uses(self, read: Iterable[ndarray], written: Iterable[ndarray | None]) -> tuple[Use, ...]:
        """Memory that a function uses; what has nothing to write launches nothing."""
        if not self._world.races.enabled:
            return ()
        writes = [use for array in written if array is not None for use in use_of(array, True)]
        return (*writes, *(use for array in read for use in use_of(array, False))) if writes else ()

    def _store(
        self, name: str, result: np.ndarray, again: Callable[[], Any] | None, sources: list[ndarray]
    ) -> ndarray:
        fortran = result.flags.f_contiguous and not result.flags.c_contiguous
        made = self._array(result.shape, result.dtype, order="F" if fortran else "C")
        host = made._host
        work = Work(
            "function",
            name,
            lambda: np.copyto(host, result if again is None else again()),
            uses=self._uses(sources, [made]),
        )
        self._world.submit(work)
        return made

    # --------------------------------------------------------------------------------- functions of their own

    @cached_property
    def _special(self) -> dict[str, Any]:
        own = (
            self.array, self.asarray, self.ascontiguousarray, self.asnumpy, self.empty, self.empty_like,
            self.from_dlpack, self.may_share_memory, self.get_array_module, self.size, self.copyto,
        )  # fmt: skip
        return {f.__name__: f for f in own}

    def array(
        self, obj: Any, dtype: Any = None, copy: bool | None = True, order: str = "K", subok: bool = False,
        ndmin: int = 0, *, blocking: bool = False,
    ) -> ndarray:  # fmt: skip
        """A new device array."""
        if isinstance(obj, ndarray):
            return self.call("array", lambda a: np.array(a, dtype, copy=copy, ndmin=ndmin), (obj,), {})
        if hasattr(obj, "__cuda_array_interface__"):
            self._wait_for(obj.__cuda_array_interface__)
            return self.array(self._foreign(obj), dtype, copy, order, subok, ndmin)
        if isinstance(obj, list | tuple) and _holds_arrays(obj):
            return self.call("array", lambda a: np.array(a, dtype, ndmin=ndmin), (obj,), {})
        return self._upload(np.array(obj, dtype, ndmin=ndmin), blocking)

    def asarray(
        self,
        a: Any,
        dtype: Any = None,
        order: str | None = None,
        *,
        copy: bool | None = None,
        blocking: bool = False,
    ) -> ndarray:
        """A device array, the same one where nothing must change."""
        if isinstance(a, ndarray) and not copy and (dtype is None or a.dtype == np.dtype(dtype)):
            return a
        return self.array(a, dtype, copy=copy, blocking=blocking)

    def ascontiguousarray(self, a: Any, dtype: Any = None) -> ndarray:
        """A device array in C order, the same one where nothing must change."""
        device = self.asarray(a, dtype)
        return device if device.flags.c_contiguous else device.copy()

    def asnumpy(
        self, a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
    ) -> Any:
        """A copy on the host."""
        if isinstance(a, ndarray):
            return a.get(stream=stream, order=order, out=out, blocking=blocking)
        host = np.asarray(a)
        if out is not None:
            out[...] = host
        return host if out is None else out

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
        """A new device array, with whatever was in its memory."""
        return self._array(shape, dtype, order=order)

    def empty_like(
        self, prototype: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
    ) -> ndarray:
        """A new device array of the same shape and type."""
        return self._array(
            prototype.shape if shape is None else shape, prototype.dtype if dtype is None else dtype
        )

    def copyto(self, dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
        """Copy values into an array."""
        if not isinstance(dst, ndarray):
            raise TypeError("dst must be cupy.ndarray")
        source = src.item() if isinstance(src, np.ndarray) and src.ndim == 0 else src
        if not isinstance(source, ndarray | bool | int | float | complex | np.generic):
            raise TypeError(f"Unsupported type {type(src)}")
        where, rule = True if where is None else where, cast(Any, casting)
        self.call("copyto", lambda d, s, w: np.copyto(d, s, casting=rule, where=w), (dst, source, where), {})

    def from_dlpack(self, array: Any, *, device: Any = None, copy: bool | None = None) -> ndarray:
        """An array of the same memory as a device array of any library."""
        if not hasattr(array, "__dlpack_device__") or array.__dlpack_device__()[0] != 2:
            raise BufferError("only arrays on a CUDA device can be taken over")
        shared = (
            self._array._view_of(array._host.view(), array)
            if isinstance(array, ndarray)
            else self._foreign(array)
        )
        shared.base = None
        return shared

    def may_share_memory(self, a: Any, b: Any, max_work: Any = None) -> bool:
        """Whether two arrays may overlap, by their bounds."""
        if not (isinstance(a, ndarray) and isinstance(b, ndarray)) or not (a.size and b.size):
            return False
        return bool(np.may_share_memory(a._host, b._host))

    def get_array_module(self, *args: Any) -> Any:
        """The module for arguments: this one when one of them is on the device, else NumPy."""
        return self._world.classes["module"] if any(isinstance(a, ndarray) for a in args) else np

    def size(self, a: Any, axis: int | None = None) -> int:
        """Number of elements."""
        return int(a.size if axis is None else a.shape[axis])

    def _upload(self, host: np.ndarray, blocking: bool) -> ndarray:
        if host.dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {host.dtype}")
        self._world.may_sync("asarray", self._world.current_stream)  # CuPy waits where it has no buffer left
        made = self._array(host.shape, host.dtype)
        target = made._host
        work = Work(
            "host_to_device",
            "asarray",
            lambda: np.copyto(target, host),
            host.nbytes,
            uses=self._uses([], [made]),
        )
        self._world.submit(work)
        if blocking:
            self._world.races.host_waits(self._world.current_stream)
        return made

    def _wait_for(self, described: dict[str, Any]) -> None:
        """Wait for the stream that another library's array names."""
        if described.get("mask") is not None:
            raise ValueError("CuPy currently does not support masked arrays.")
        stream = described.get("stream")
        if described["version"] < 3 or stream is None:
            return
        if stream == 0:
            raise ValueError("stream ptr 0 is disallowed by CUDA Array Interface v3")
        self._world.sync("asarray", self._world.stream_at(stream))

    def _foreign(self, obj: Any) -> ndarray:
        """Another library's array, in place."""
        described = obj.__cuda_array_interface__
        dtype, address = np.dtype(described["typestr"]), described["data"][0]
        block = self._world.heap.find(address) or (address, int(np.prod(described["shape"])) * dtype.itemsize)
        memory = self._world.classes["UnownedMemory"](*block, obj)
        pointer: MemoryPointer = self._world.classes["MemoryPointer"](memory, address - block[0])
        return self._array(described["shape"], dtype, pointer, described.get("strides"))


class Ufunc:
    """An elementwise function.

    Attributes:
        name: as NumPy calls it.
        nin, nout: numbers of inputs and outputs.
    """

    def __init__(self, functions: Functions, name: str) -> None:
        self._functions, self._numpy = functions, getattr(np, name)
        self.__name__ = self.name = name
        self.nin, self.nout = self._numpy.nin, self._numpy.nout
        self.nargs = self.nin + self.nout

    def __repr__(self) -> str:
        return f"<ufunc 'cupy_{self.name}'>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        unknown = set(kwargs) - UFUNC_OPTIONS
        if unknown:
            raise TypeError(f"Wrong arguments {dict.fromkeys(unknown)}")
        if len(args) == self.nargs and self.nout == 1:
            *args, kwargs["out"] = args  # type: ignore[assignment]
        for value in args:
            if not isinstance(value, ndarray | bool | int | float | complex | np.generic):
                raise TypeError(f"Unsupported type {type(value)}")
        return self._functions.call(self.name, self._numpy, tuple(args), kwargs)

    def reduce(
        self, array: ndarray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Combine along an axis."""
        self._require("reduce", {"add", "multiply"})
        options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims}
        return self._functions.call(f"{self.name}.reduce", self._numpy.reduce, (array,), options)

    def accumulate(self, array: ndarray, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Combine along an axis, with all that come before."""
        self._require("accumulate", {"add", "multiply"})
        options = {"axis": axis, "dtype": dtype, "out": out}
        return self._functions.call(f"{self.name}.accumulate", self._numpy.accumulate, (array,), options)

    def reduceat(
        self, array: ndarray, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        """Combine pieces of an axis."""
        self._require("reduceat", {"add"})
        options = {"axis": axis, "dtype": dtype, "out": out}
        return self._functions.call(f"{self.name}.reduceat", self._numpy.reduceat, (array, indices), options)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Change elements in place; an index may occur more than once."""
        self._require("at", SCATTERING)
        more = () if b is None else (b,)
        self._functions.call("scatter_add", self._numpy.at, (a, indices, *more), {})

    def _require(self, method: str, names: set[str]) -> None:
        """Refuse what CuPy offers for a few functions alone."""
        if self.name not in names:
            raise NotImplementedError(f"`cupy_{self.name}.{method}` is not supported yet")

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        """All pairs."""
        return self._functions.call(f"{self.name}.outer", self._numpy.outer, (A, B), kwargs)


def check_keywords(name: str, parameters: tuple[str, ...], kwargs: dict[str, Any]) -> None:
    """Refuse a keyword that CuPy's function does not have, though NumPy's may."""
    if any(p.startswith("**") for p in parameters):
        return
    for keyword in kwargs:
        if keyword not in parameters:
            raise TypeError(f"{name}() got an unexpected keyword argument '{keyword}'")


def require_device_out(out: Any) -> None:
    """Refuse outputs that are not on the device."""
    for target in out if isinstance(out, tuple) else (out,):
        if target is not None and not isinstance(target, ndarray):
            raise TypeError("Output arguments type must be cupy.ndarray")


def _holds_arrays(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_arrays(v) for v in value)
    return isinstance(value, ndarray)


def _clip(a: Any, a_min: Any, a_max: Any, out: Any = None) -> Any:
    return np.clip(a, a_min, a_max, out=out)


# Where CuPy's parameters are not NumPy's.
_NUMPY: dict[str, Callable[..., Any]] = {
    "clip": _clip,
    "reshape": lambda a, newshape, order="C", copy=None: np.reshape(a, newshape, order=order),
    "astype": lambda x, dtype, copy=True, device=None: np.asarray(x).astype(dtype, copy=copy),
}
