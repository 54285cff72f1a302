"""The angle of a point."""

from __future__ import annotations

from gputrain.ir import Value
from gputrain.ops.elementwise import add, divide, kept, multiply, negative, square, where
from gputrain.ops.pointwise import Gradients, _Binary, binary_function

__all__ = ["Arctan2", "arctan2"]


class Arctan2(_Binary):
    """The angle of the point (x2, x1), in -pi..pi; 0 at the origin, with gradients of 0."""

    function = "arctan2"
    floating = True

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        squares = add(square(x), square(y))
        known = squares > 0.0
        divided = divide(ct, where(known, squares, 1.0))
        return tuple(kept(multiply(divided, part), known) for part in (y, negative(x)))


arctan2 = binary_function(Arctan2)
