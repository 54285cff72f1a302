"""Operation: everything about one operation in one class; and `apply`, the one way to use it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np

from gputrain import config
from gputrain.errors import DTypeError, explain
from gputrain.ir import Node, Spec, Stored, Value, current_trace, dtype_name, interpreter, is_float, promote
from gputrain.utils import tree

REGISTRY: dict[str, type[Operation]] = {}


@dataclass(frozen=True)
class Sample:
    """One case from which the generic tests of an operation are made.

    Attributes:
        op: the operation with its parameters.
        inputs: specs of the inputs, or arrays where only certain values make sense.
        low, high: range of the random inputs; ranges away from kinks keep gradient checks honest.
        differentiable: indices of the inputs whose gradient is checked; None means every float input.
        reference: `f(*float64 arrays) -> array or tuple`, independent of gputrain.
        label: what distinguishes this case.
        dtype: the only float dtype the case is for (operations that own a body graph); None means any.
    """

    op: Operation
    inputs: tuple[Any, ...]
    reference: Callable[..., Any] | None = None
    low: float = -2.0
    high: float = 2.0
    differentiable: tuple[int, ...] | None = None
    label: str = ""
    dtype: str | None = None


_REQUIRED = object()


@dataclass_transform(frozen_default=True)
class Operation:
    """Base of all operations. The annotated fields of a subclass are its parameters, as in a dataclass.

    Operations of one class with equal parameters are equal, and computed once on the same inputs. A subclass
    with `eq=False`, or with an `__init__` of its own, equals nothing but itself. (Not real dataclasses: to
    make a hundred of those takes longer than the import of everything else.)

    Attributes:
        n_outputs: how many values it makes.
        view: the output is the first input's memory under another shape; nothing is computed.
        overwrites: pairs (output, input): the output may use the input's memory when that input dies here
            and has the same bytes.
        broadcasts: it computes elementwise, on inputs that may be broadcast.
        sums: each element of its output is a sum or mean of elements of its input, or one of them.
        guarded: it takes a flag and leaves states alone where the flag does not hold.
        on_host: why it needs the host while it runs, for people; None where it does not.
        cuda: a user's CUDA kernel, set by `register_op`; a subclass does not inherit it.
        bodies: the body graphs that it owns; `vjp` gets a function `pull_back` where there are any.
    """

    view: ClassVar[bool] = False
    guarded: ClassVar[bool] = False
    broadcasts: ClassVar[bool] = False
    sums: ClassVar[bool] = False
    on_host: ClassVar[str | None] = None
    cuda: ClassVar[Any] = None
    _fields: ClassVar[dict[str, Any]] = {}  # name to default
    _by_value: ClassVar[bool] = True

    def __init_subclass__(cls, *, eq: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {
            name: cls.__dict__.get(name, _REQUIRED)
            for name, annotation in inspect.get_annotations(cls).items()
            if "ClassVar" not in str(annotation)
        }
        cls._fields = {**cls._fields, **own}
        cls._by_value = eq and cls.__init__ is Operation.__init__
        if not cls.__name__.startswith("_"):
            _check_name(cls)
            REGISTRY[cls.__name__] = cls

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name, fields = type(self).__name__, self._fields
        if len(args) > len(fields):
            raise TypeError(f"{name} takes {', '.join(fields) or 'no parameters'}; {len(args)} were given.")
        given = dict(zip(fields, args, strict=False))
        for key, value in kwargs.items():
            if key not in fields or key in given:
                raise TypeError(f"{name}: {key!r} is unknown or given twice. It takes {', '.join(fields)}.")
            given[key] = value
        missing = [key for key, default in fields.items() if default is _REQUIRED and key not in given]
        if missing:
            raise TypeError(f"{name} needs {', '.join(missing)}.")
        self.__dict__.update({key: given.get(key, default) for key, default in fields.items()})

    def replace(self, **changes: Any) -> Self:
        """The same operation with some parameters changed."""
        return type(self)(**{**{key: getattr(self, key) for key in self._fields}, **changes})

    def __eq__(self, other: object) -> bool:
        if not self._by_value or type(self) is not type(other):
            return self is other
        return all(getattr(self, key) == getattr(other, key) for key in self._fields)

    def __hash__(self) -> int:
        if not self._by_value:
            return id(self)
        return hash((type(self), *(getattr(self, key) for key in self._fields)))

    @property
    def n_outputs(self) -> int:
        """How many values it makes."""
        return 1

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        """Pairs (output, input): the output may lie on the input when that dies here."""
        return ()

    @property
    def bodies(self) -> tuple[Any, ...]:
        """The body graphs that it owns, which run inside it."""
        return ()

    # mypy takes any signature for an override of (*args: Any, **kwargs: Any).

    def infer(self, *args: Any, **kwargs: Any) -> Spec | tuple[Spec, ...]:
        """Shape and dtype of the output(s) from the inputs' specs.

        The only place where shape and dtype errors are raised.
        """
        raise NotImplementedError(f"{type(self).__name__}.infer")

    def vjp(self, *args: Any, **kwargs: Any) -> Sequence[Value | None]:
        """Gradient for each input, written in other operations; the arguments are (ct, out, *inputs).

        `ct` and `out` are the cotangent and the output, or tuples of them where there are several outputs;
        the cotangent of an output that nobody differentiates is None.

        A gradient may have the broadcast shape of the output; autodiff sums it to the input's.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def compute(self, *args: Any, **kwargs: Any) -> None:
        """The reference, called as (xp, out, *inputs, scratch=workspaces).

        Writes the result into `out` (a tuple where there are several) with functions of `xp`, NumPy or CuPy.
        """
        raise NotImplementedError(f"{type(self).__name__}.compute")

    def scratch(self, *args: Any, **kwargs: Any) -> tuple[Spec, ...]:
        """Workspaces that `compute` needs for inputs of these specs, passed to it as `scratch`."""
        return ()

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        """Cases for the generic tests; an operation without any fails the suite."""
        return ()

    def moved(self, known: dict[Value, Value]) -> Self:
        """The same operation in a copy of its graph; `known` says what stands there for each value."""
        return self

    def output_specs(self, *specs: Spec) -> tuple[Spec, ...]:
        """`infer`, always as a tuple."""
        inferred = self.infer(*specs)
        return inferred if isinstance(inferred, tuple) else (inferred,)

    def __str__(self) -> str:
        params = ", ".join(f"{key}={getattr(self, key)!r}" for key in self._fields)
        return f"{type(self).__name__}({params})" if params else type(self).__name__

    def __repr__(self) -> str:
        return str(self)


def _check_name(cls: type[Operation]) -> None:
    """Refuse a user's operation with the name of one of gputrain's; their own they may define again."""
    known = REGISTRY.get(cls.__name__)
    if (
        known is None
        or not known.__module__.startswith("gputrain.")
        or cls.__module__.startswith("gputrain.")
    ):
        return
    raise ValueError(
        explain(
            f"{cls.__module__}.{cls.__name__}: devices choose kernels by an operation's name, and there is "
            f"{known.__module__}.{known.__name__}.",
            fix="Give the class another name.",
        )
    )


class Constant(Operation):
    """An array known when the graph is built. It is uploaded once; nothing is computed."""

    data: bytes
    shape: tuple[int, ...]
    dtype: str

    def infer(self) -> Spec:
        return Spec(self.shape, self.dtype)

    def vjp(self, ct: Value, out: Value) -> tuple[()]:
        return ()

    def __str__(self) -> str:
        return f"Constant(shape={self.shape}, dtype={self.dtype!r})"

    def array(self) -> np.ndarray:
        """The contents."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        out[...] = xp.asarray(self.array())

    @classmethod
    def of(cls, array: np.ndarray) -> Constant:
        return cls(np.ascontiguousarray(array).tobytes(), array.shape, dtype_name(array.dtype))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        ramp = np.arange(6, dtype=np.float32).reshape(2, 3)
        return [
            Sample(cls.of(ramp), (), lambda: ramp),
            Sample(cls.of(np.zeros((0, 2))), (), lambda: np.zeros((0, 2))),
        ]


def constant(array: Any) -> Value:
    """A Value holding `array` in the graph being built."""
    now = interpreter.current()
    op = Constant.of(np.asarray(now.host(array)))
    return Node(op, (), op.output_specs(), now.path).outputs[0]


def convert(x: Any, dtype: str | None = None) -> Any:
    """`x` as an operand: a Value, or an array of the current device. Python numbers need a `dtype`.

    Lists of floats become `config.floatx()`, as in Keras; arrays keep their dtype unless one is asked for.
    Values and variables in a list are stacked.

    Raises:
        DTypeError: words, dicts, sets or None.
    """
    now = interpreter.current()
    if isinstance(x, list | tuple) and any(isinstance(leaf, Value | Stored) for leaf in tree.flatten(x)):
        x = Value.operators["stack"]([convert(item, dtype) for item in x])
    if isinstance(x, Stored):
        x = now.read(x)
    if isinstance(x, Value):
        return cast(x, dtype) if dtype is not None and x.dtype != dtype else x
    if x is None or isinstance(x, str | dict | set):
        received = f"{x!r} of type {type(x).__name__}"
        raise DTypeError(explain("Operations take tensors and numbers.", received=received))
    return now.operand(x, dtype if dtype is not None else usual_dtype(x))


def usual_dtype(x: Any) -> str | None:
    """The dtype of numbers that have none of their own, as in Keras; None for arrays.

    NumPy's float64 scalar is a Python float.
    """
    if hasattr(x, "dtype") and not isinstance(x, float):
        return None
    try:
        kind = np.asarray(x).dtype.kind
    except ValueError as error:
        rule = "Operations take tensors, numbers, and lists of them that are equally long."
        raise DTypeError(explain(rule, received=str(error))) from error
    return config.floatx() if kind == "f" else ("int32" if kind == "i" else None)


def as_value(x: Any, dtype: str | None = None) -> Value:
    """What stands for a tensor (a variable, an array, a number) as a Value of the graph being built."""
    x = convert(x, dtype)
    return x if isinstance(x, Value) else constant(x)


def is_symbolic(x: Any) -> bool:
    """True where an operation on `x` will be recorded instead of computed at once."""
    return isinstance(x, Value) or (isinstance(x, Stored) and current_trace() is not None)


def cast(x: Any, dtype: str) -> Any:
    """`x` in another dtype. Float to integer truncates toward zero."""
    x = convert(x)
    return x if spec_of(x).dtype == dtype else apply(Cast(dtype_name(dtype)), x)


def spec_of(x: Any) -> Spec:
    """Spec of a value, a variable or an array."""
    return x.spec if isinstance(x, Value | Stored) else Spec(tuple(x.shape), dtype_name(x.dtype))


def is_number(x: Any) -> bool:
    """True for Python and NumPy scalars, which take the dtype of what they meet."""
    return isinstance(x, bool | int | float | np.bool_ | np.number) and not isinstance(x, np.ndarray)


def harmonize(*xs: Any) -> list[Any]:
    """Operands in one common dtype; Python numbers take that of the others.

    A float among whole numbers makes it `config.floatx()`, a whole number among booleans int32.
    """
    arrays = [None if is_number(x) else convert(x) for x in xs]
    known = [spec_of(a).dtype for a in arrays if a is not None]
    if not known:
        known = ["bool"]
    dtype = known[0]
    for other in known[1:]:
        dtype = promote(dtype, other)
    if not is_float(dtype) and any(isinstance(x, float | np.floating) for x in xs):
        dtype = config.floatx()
    if dtype == "bool" and any(is_number(x) and not isinstance(x, bool | np.bool_) for x in xs):
        dtype = "int32"
    return [convert(x if a is None else a, dtype) for x, a in zip(xs, arrays, strict=True)]


def require_float(spec: Spec, what: str) -> None:
    """Refuse integer and boolean inputs where only floats make sense."""
    if not is_float(spec.dtype):
        raise DTypeError(
            explain(
                f"{what} needs floating-point input.",
                received=spec,
                fix='Convert with ops.cast(x, "float32").',
            )
        )


def apply(op: Operation, *inputs: Any) -> Any:
    """Use an operation: recorded when an input is a Value, computed at once when all are arrays.

    Args:
        op: an operation with its parameters, as `Snake(0.5)`.
        inputs: arrays and values, as many as its `infer` takes.
    """
    if isinstance(op, type):
        rule = "ops.apply takes an operation, not its class."
        fix = f"Pass {op.__name__}(...) with its parameters."
        raise TypeError(explain(rule, received=op.__name__, fix=fix))
    return interpreter.current().apply(op, inputs)


def record_again(node: Node, known: dict[Value, Value]) -> None:
    """Record the operation of `node` again, on what stands for its inputs; `known` learns of its outputs."""
    op, inputs = node.op.moved(known), tuple(known.get(v, v) for v in node.inputs)
    made = Node(op, inputs, op.output_specs(*(v.spec for v in inputs)), interpreter.current().path)
    known.update(zip(node.outputs, made.outputs, strict=True))


def evaluate(op: Operation, xp: Any, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """The plain reference of an operation on arrays of `xp`, into fresh memory; a view shares its input."""
    specs = [spec_of(x) for x in inputs]
    made = op.output_specs(*specs)
    if op.view:
        return (inputs[0].reshape(made[0].dims),)
    outs = tuple(xp.empty(s.dims, s.dtype) for s in made)
    scratch = tuple(xp.empty(s.dims, s.dtype) for s in op.scratch(*specs))
    op.compute(xp, outs[0] if op.n_outputs == 1 else outs, *inputs, scratch=scratch)
    return outs


class Cast(Operation):
    """Conversion to another dtype."""

    sums = True
    dtype: str

    def infer(self, x: Spec) -> Spec:
        return x.with_dtype(self.dtype)

    def vjp(self, ct: Value, out: Value, x: Value) -> Sequence[Value | None]:
        return (cast(ct, x.dtype) if is_float(x.dtype) else None,)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.copyto(out, x, casting="unsafe")

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls("float32"), (Spec((3, 5), "float64"),), lambda x: x),
            Sample(cls("int32"), (Spec((7,), "float32"),), lambda x: np.trunc(x)),
            Sample(cls("float32"), (Spec((0, 3), "int32"),), lambda x: x),
        ]
