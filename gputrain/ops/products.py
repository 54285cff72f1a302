"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Shape, Spec, Value, broadcast
from gputrain.ops.base import Operation, Sample, apply, harmonize, spec_of
from gputrain.ops.elementwise import multiply
from gputrain.ops.movement import reshape

__all__ = ["MatMul", "dot", "matmul"]


class MatMul(Operation):
    """Product of the last two axes, either operand transposed first; leading axes broadcast."""

    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, a: Spec, b: Spec) -> Spec:
        if a.dtype != b.dtype:
            raise DTypeError(explain("MatMul needs inputs of one dtype.", received=f"{a} and {b}"))
        if a.ndim < 2 or b.ndim < 2:
            raise ShapeError(
                explain("MatMul needs at least 2 dimensions each.", received=f"{a.shape} and {b.shape}")
            )
        m, k = _last_two(a.shape, self.transpose_a)
        k2, n = _last_two(b.shape, self.transpose_b)
        if k != k2 and k is not None and k2 is not None:
            raise ShapeError(
                explain(
                    "MatMul: the inner sizes must agree.",
                    expected=f"(..., m, {k}) @ (..., {k}, n)",
                    received=f"{a.shape} @ {b.shape}"
                    + (
                        f" with transpose_a={self.transpose_a}, transpose_b={self.transpose_b}"
                        if self != MatMul()
                        else ""
                    ),
                    fix="Check the number of features that the previous layer gives.",
                )
            )
        lead = broadcast(Spec(a.shape[:-2]), Spec(b.shape[:-2]), "MatMul")
        return Spec((*lead, m, n), a.dtype)

    def vjp(self, ct: Value, out: Value, a: Value, b: Value) -> Sequence[Value]:
        ta, tb = self.transpose_a, self.transpose_b
        da = apply(MatMul(tb, True), b, ct) if ta else apply(MatMul(False, not tb), ct, b)
        db = apply(MatMul(True, ta), ct, a) if tb else apply(MatMul(not ta, False), a, ct)
        return da, db

    def compute(self, xp: Any, out: Any, a: Any, b: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        if out.size and not a.size:
            out[...] = 0
            return
        left = a.swapaxes(-1, -2) if self.transpose_a else a
        right = b.swapaxes(-1, -2) if self.transpose_b else b
        xp.matmul(left, right, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ta: bool, tb: bool) -> Any:
            def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
                left = np.swapaxes(a, -1, -2) if ta else a
                right = np.swapaxes(b, -1, -2) if tb else b
                return (left[..., :, :, None] * right[..., None, :, :]).sum(-2)

            return run

        cases: list[Sample] = []
        for ta in (False, True):
            for tb in (False, True):
                for lead_a, lead_b, (m, k, n) in [
                    ((), (), (3, 5, 4)),
                    ((2,), (2,), (1, 3, 2)),
                    ((2, 1), (3,), (2, 2, 2)),
                    ((), (), (0, 3, 2)),
                    ((), (), (3, 0, 2)),
                    ((), (), (1, 1, 1)),
                ]:
                    a = (*lead_a, k, m) if ta else (*lead_a, m, k)
                    b = (*lead_b, n, k) if tb else (*lead_b, k, n)
                    cases.append(Sample(cls(ta, tb), (Spec(a), Spec(b)), reference(ta, tb), label=f"{a}@{b}"))
        cases.append(Sample(cls(), (Spec((700, 90)), Spec((90, 110))), reference(False, False)))
        return cases


def _last_two(shape: Shape, transposed: bool) -> Any:
    return (shape[-1], shape[-2]) if transposed else (shape[-2], shape[-1])


def matmul(x1: Any, x2: Any) -> Any:
    """Matrix product of the last two axes, leading axes broadcast; 1-D operands as in NumPy.

    Args:
        x1: (..., m, k).
        x2: (..., k, n).

    Returns:
        (..., m, n).

    Raises:
        ShapeError: the inner sizes differ.

    Example:
        >>> matmul(np.ones((2, 3)), np.ones((3, 4))).shape
        (2, 4)
    """
    a, b = harmonize(x1, x2)
    sa, sb = spec_of(a), spec_of(b)
    if sa.ndim == 1 and sb.ndim >= 1:
        out = matmul(reshape(a, (1, *sa.shape)), b)
        shape = spec_of(out).shape
        return reshape(out, shape[1:] if sb.ndim == 1 else (*shape[:-2], shape[-1]))
    if sb.ndim == 1 and sa.ndim > 1:
        out = matmul(a, reshape(b, (*sb.shape, 1)))
        return reshape(out, spec_of(out).shape[:-1])
    if sa.ndim > 2 and sb.ndim == 2 and sa.static:
        # One product of tall matrices instead of many small ones; its gradient is one product too.
        rows = reshape(a, (sa.size // max(sa.dims[-1], 1), sa.dims[-1]))
        product = apply(MatMul(), rows, b)
        return reshape(product, (*sa.dims[:-1], spec_of(product).shape[-1]))
    return apply(MatMul(), a, b)


def dot(x1: Any, x2: Any) -> Any:
    """Dot product: `matmul` for up to 2 dimensions, a plain product where one operand is a scalar."""
    a, b = harmonize(x1, x2)
    if spec_of(a).ndim == 0 or spec_of(b).ndim == 0:
        return multiply(a, b)
    if spec_of(b).ndim > 2:
        raise ShapeError(explain("dot takes a second operand of at most 2 dimensions.", received=spec_of(b)))
    return matmul(a, b)
