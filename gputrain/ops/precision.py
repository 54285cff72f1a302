"""What float16 is computed in: results too large or too coarse for it are formed in float32 first."""

from __future__ import annotations

from typing import Any

from gputrain.ir import Spec


def wide_dtype(dtype: Any) -> str:
    """Dtype of sums and statistics, and of the weights that go with them: float32 for float16."""
    return "float32" if dtype == "float16" else str(dtype)


def wide_scratch(out: Spec) -> tuple[Spec, ...]:
    """A workspace for the float32 result that becomes a float16 one; none for other dtypes."""
    return (out.with_dtype("float32"),) if out.dtype == "float16" else ()


def narrow(xp: Any, total: Any, out: Any) -> None:
    """The result from where it was computed into `out`, unless that is the place."""
    if total is not out:
        xp.copyto(out, total, casting="unsafe")
