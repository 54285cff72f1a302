"""Python's operators on values and variables: each records the operation of the same meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class Arithmetic:
    """Base of Value and Variable: `x + 1`, `x @ w`, `x > 0`, `x[:, 0]`.

    Attributes:
        operators: functions by name, filled by gputrain.ops and gputrain.initializers, so that nothing here
            imports them.
    """

    __slots__ = ()
    operators: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __add__(self, other: Any) -> Any:
        return self.operators["add"](self, other)

    def __radd__(self, other: Any) -> Any:
        return self.operators["add"](other, self)

    def __sub__(self, other: Any) -> Any:
        return self.operators["subtract"](self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.operators["subtract"](other, self)

    def __mul__(self, other: Any) -> Any:
        return self.operators["multiply"](self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.operators["multiply"](other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.operators["true_divide"](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.operators["true_divide"](other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self.operators["floor_divide"](self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self.operators["floor_divide"](other, self)

    def __mod__(self, other: Any) -> Any:
        return self.operators["mod"](self, other)

    def __rmod__(self, other: Any) -> Any:
        return self.operators["mod"](other, self)

    def __pow__(self, other: Any) -> Any:
        return self.operators["power"](self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.operators["power"](other, self)

    def __matmul__(self, other: Any) -> Any:
        return self.operators["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self.operators["matmul"](other, self)

    def __and__(self, other: Any) -> Any:
        return self.operators["logical_and"](self, other)

    def __rand__(self, other: Any) -> Any:
        return self.operators["logical_and"](other, self)

    def __or__(self, other: Any) -> Any:
        return self.operators["logical_or"](self, other)

    def __ror__(self, other: Any) -> Any:
        return self.operators["logical_or"](other, self)

    def __lt__(self, other: Any) -> Any:
        return self.operators["less"](self, other)

    def __le__(self, other: Any) -> Any:
        return self.operators["less_equal"](self, other)

    def __gt__(self, other: Any) -> Any:
        return self.operators["greater"](self, other)

    def __ge__(self, other: Any) -> Any:
        return self.operators["greater_equal"](self, other)

    def __neg__(self) -> Any:
        return self.operators["negative"](self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.operators["abs"](self)

    def __round__(self, decimals: int = 0) -> Any:
        return self.operators["round"](self, decimals)

    def __invert__(self) -> Any:
        return self.operators["logical_not"](self)

    def __getitem__(self, key: Any) -> Any:
        return self.operators["getitem"](self, key)
