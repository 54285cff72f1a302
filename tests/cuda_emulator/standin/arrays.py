"""The array of the stand-in: host memory that plays device memory, and no array of NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.cuda_emulator.races import Use
from tests.cuda_emulator.standin.memory import BaseMemory, MemoryPointer, UnownedMemory
from tests.cuda_emulator.standin.world import Work, World

if TYPE_CHECKING:
    from tests.cuda_emulator.standin.functions import Functions
    from tests.cuda_emulator.standin.streams import Stream


def host_view(
    shape: tuple[int, ...], dtype: np.dtype[Any], pointer: MemoryPointer, strides: Any
) -> np.ndarray:
    """Device memory as an array of NumPy, which does not keep it alive."""
    if math.prod(shape) == 0 or pointer.ptr == 0:
        return np.empty(shape, dtype)
    mem = pointer.mem
    buffer: Any = mem._buffer
    return np.ndarray(shape, dtype, buffer, pointer.ptr - mem.ptr, strides)


def use_of(array: ndarray, writes: bool, table: bool = False) -> tuple[Use, ...]:
    """The memory of an array as something that work uses."""
    host, mem = array._host, array.data.mem
    start, stop = array.data.ptr, array.data.ptr + host.nbytes
    if not host.flags.forc:
        start, stop = np.lib.array_utils.byte_bounds(host)
    if start == stop:
        return ()
    if isinstance(mem, UnownedMemory):
        return mem._world.races.uses(start, stop - start, writes)
    return (Use(mem.ptr, start, stop, writes, table),)


def _strides_of(shape: tuple[int, ...], itemsize: int, order: str) -> tuple[int, ...]:
    axes = range(len(shape)) if order == "F" else reversed(range(len(shape)))
    strides, step = [0] * len(shape), itemsize
    for axis in axes:
        strides[axis] = step
        step *= max(1, shape[axis])
    return tuple(strides)


class Flags:
    """Memory layout of an array."""

    def __init__(self, host: np.ndarray, owner: bool) -> None:
        self.c_contiguous = host.flags.c_contiguous
        self.f_contiguous = host.flags.f_contiguous
        self.owndata = owner

    @property
    def fnc(self) -> bool:
        """F-contiguous and not C-contiguous."""
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        """F- or C-contiguous."""
        return self.f_contiguous or self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        return bool(getattr(self, name.lower()))

    def __repr__(self) -> str:
        names = "c_contiguous", "f_contiguous", "owndata"
        return "\n".join(f"  {name.upper()} : {self[name]}" for name in names)


class ndarray:
    """An array on the emulated device.

    Attributes:
        data: pointer to its first element.
        base: the array that it is a view of, or None.
    """

    _world: World
    _functions: Functions
    __array_priority__ = 100
    __module__ = "cupy"

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: MemoryPointer | None = None,
        strides: tuple[int, ...] | None = None,
        order: str = "C",
    ) -> None:
        sizes = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)
        if any(n < 0 for n in sizes):
            raise ValueError("Negative dimensions are not allowed")
        kind = np.dtype(dtype)
        steps = tuple(strides) if strides is not None else _strides_of(sizes, kind.itemsize, order)
        if memptr is None:
            memptr = self._world.allocator(math.prod(sizes) * kind.itemsize)
        self._adopt(host_view(sizes, kind, memptr, steps), memptr, None)

    def _adopt(self, host: np.ndarray, pointer: MemoryPointer, base: ndarray | None) -> None:
        self._host, self.data, self.base = host, pointer, base

    @classmethod
    def _view_of(cls, host: np.ndarray, source: ndarray) -> ndarray:
        """An array of the part of `source`'s memory that `host` shows."""
        made = cls.__new__(cls)
        mem: BaseMemory = source.data.mem
        offset = host.__array_interface__["data"][0] - mem.ptr if host.size else source.data.ptr - mem.ptr
        base = source if source.base is None else source.base
        made._adopt(host, type(source.data)(mem, offset), base)
        return made

    # ------------------------------------------------------------------------------------------- properties

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of axes."""
        return self._host.shape

    @shape.setter
    def shape(self, value: Any) -> None:
        view = self._host.view()
        view.shape = value
        self._host = view

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its elements."""
        return self._host.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return self._host.strides

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._host.size

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._host.nbytes

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._host.ndim

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self._host.itemsize

    @property
    def flags(self) -> Flags:
        """Memory layout."""
        return Flags(self._host, self.base is None)

    @property
    def device(self) -> Any:
        """The device that it is on."""
        return self.data.device

    @property
    def T(self) -> ndarray:
        """All axes reversed, a view."""
        return self._view_of(self._host.T, self)

    @property
    def mT(self) -> ndarray:
        """The last two axes exchanged, a view."""
        return self._view_of(self._host.mT, self)

    @property
    def real(self) -> ndarray:
        """The real part, a view."""
        return self._view_of(self._host.real, self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "stream": self._world.current_stream.ptr or 1,
            "version": 3,
            "strides": None if self.flags.c_contiguous else self.strides,
            "data": (self.data.ptr, False),
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self.data.device_id)  # 2 is kDLCUDA

    def __dlpack__(self, **options: Any) -> Any:
        raise NotImplementedError("the stand-in makes no DLPack capsules; its own from_dlpack needs none")

    # ------------------------------------------------------------------------------------------ to the host

    def get(
        self,
        stream: Stream | None = None,
        order: str = "C",
        out: np.ndarray | None = None,
        blocking: bool = True,
    ) -> np.ndarray:
        """A copy on the host."""
        host = self._host
        if out is None:
            out = np.empty(self.shape, self.dtype, order=order if order in ("C", "F") else "C")  # type: ignore[call-overload]
        elif not isinstance(out, np.ndarray):
            raise TypeError(f"Only numpy.ndarray can be obtained from cupy.ndarray, not {type(out)}")
        elif out.shape != self.shape or out.dtype != self.dtype:
            raise ValueError(
                f"Shape mismatch or dtype mismatch: {out.shape} {out.dtype}, {self.shape} {self.dtype}"
            )
        target = out
        chosen = stream if stream is not None else self._world.current_stream
        if blocking:
            self._world.may_sync("ndarray.get", chosen)
        uses = use_of(self, False) + self._world.races.uses(out.ctypes.data, out.nbytes, True)
        work = Work("device_to_host", "get", lambda: np.copyto(target, host), self.nbytes, 0, uses)
        self._world.submit(work, chosen)
        if blocking:
            self._world.races.host_waits(chosen)
        return target

    def set(self, arr: np.ndarray, stream: Stream | None = None) -> None:
        """Copy from the host. Type and shape must be the array's own."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        chosen = stream if stream is not None else self._world.current_stream
        if stream is None:
            self._world.may_sync("ndarray.set", chosen)
        host = self._host
        uses = self._world.races.uses(arr.ctypes.data, arr.nbytes, False) + use_of(self, True)
        work = Work("host_to_device", "set", lambda: np.copyto(host, arr), self.nbytes, 0, uses)
        self._world.submit(work, chosen)
        if stream is None:
            self._world.races.host_waits(chosen)

    def item(self) -> Any:
        """The only element, as a Python scalar."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        """All elements in nested lists."""
        return self.get().tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """All elements as bytes."""
        return self.get().tobytes()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[ndarray]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    # ------------------------------------------------------------------------------------ shape and elements

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        """The same memory, as another type."""
        return self._view_of(self._host.view() if dtype is None else self._host.view(dtype), self)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        """A copy in another type."""
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        result: ndarray = self._functions.call("astype", lambda a: np.array(a, dtype, copy=True), (self,), {})
        return result

    def copy(self, order: str = "C") -> ndarray:
        """A copy."""
        layout: Any = order
        result: ndarray = self._functions.call(
            "copy", lambda a: np.array(a, copy=True, order=layout), (self,), {}
        )
        return result

    def fill(self, value: Any) -> None:
        """Set all elements."""
        if isinstance(value, np.ndarray):
            raise TypeError(f"Unsupported type {type(value)}")
        self._functions.call("fill", lambda a, v: a.fill(v), (self, value), {})

    def __getitem__(self, key: Any) -> Any:
        if _waits(key):
            self._world.sync("boolean index", self._world.current_stream)
        return self._functions.call("getitem", lambda a, k: _as_array(a, k), (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(f"Unsupported type {type(value)}")
        self._functions.call("setitem", lambda a, k, v: a.__setitem__(k, v), (self, key, value), {})

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        function = getattr(self._functions, ufunc.__name__, None)
        if function is None:
            return NotImplemented
        return (function if method == "__call__" else getattr(function, method))(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        mine = getattr(self._functions, function.__name__, None)
        return NotImplemented if mine is None else mine(*args, **kwargs)


def _as_array(host: np.ndarray, key: Any) -> Any:
    """host[key] with a view instead of a scalar for a single element."""
    keys = key if isinstance(key, tuple) else (key,)
    if all(isinstance(k, int | np.integer | slice) or k is None or k is Ellipsis for k in keys):
        return host[keys if Ellipsis in keys else (*keys, Ellipsis)]
    return host[key]


def _waits(key: Any) -> bool:
    """Whether the result's shape depends on values on the device."""
    keys = key if isinstance(key, tuple) else (key,)
    return any(isinstance(k, ndarray) and k.dtype == bool for k in keys)


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"
}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _define_operators() -> None:
    def forward(name: str) -> Any:
        return lambda self, other: self._functions.get(name)(self, other)

    def reverse(name: str) -> Any:
        return lambda self, other: self._functions.get(name)(other, self)

    def in_place(name: str) -> Any:
        return lambda self, other: self._functions.get(name)(self, other, out=self)

    def unary(name: str) -> Any:
        return lambda self: self._functions.get(name)(self)

    for short, name in {**_BINARY, **_COMPARISONS}.items():
        setattr(ndarray, f"__{short}__", forward(name))
    for short, name in _BINARY.items():
        setattr(ndarray, f"__r{short}__", reverse(name))
        if short != "matmul":  # CuPy has none
            setattr(ndarray, f"__i{short}__", in_place(name))
    for short, name in _UNARY.items():
        setattr(ndarray, f"__{short}__", unary(name))


# Methods that are the module's functions of the same name on the array, with the parameters of the method.
_METHODS = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "choose",
    "clip",
    "compress",
    "conj",
    "conjugate",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "max",
    "mean",
    "min",
    "nonzero",
    "prod",
    "ptp",
    "repeat",
    "round",
    "searchsorted",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "trace",
    "var",
]
_HOST_METHODS = ["reshape", "ravel", "flatten", "transpose", "put", "sort", "partition", "byteswap"]


def _define_methods() -> None:
    def method(name: str) -> Any:
        return lambda self, *args, **kwargs: self._functions.method(name)(self, *args, **kwargs)

    def host_method(name: str) -> Any:
        def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
            return self._functions.call(
                name, lambda a, *b, **c: getattr(a, name)(*b, **c), (self, *args), kwargs
            )

        return call

    for names, make in ((_METHODS, method), (_HOST_METHODS, host_method)):
        for name in names:
            function = make(name)
            function.__name__ = name
            setattr(ndarray, name, function)
    ndarray.__hash__ = None  # type: ignore[assignment]


_define_operators()
_define_methods()
