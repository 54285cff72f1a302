"""How far results may be from their references: the one table, by dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

# dtype: (relative, absolute as a part of the largest magnitude of the reference, at least 1)
TABLE = {
    "float16": (2e-3, 2e-3),
    "float32": (1e-5, 2e-6),
    "float64": (1e-12, 1e-13),
}

# Central differences in float64 along one direction, against the analytic gradient.
GRADIENT = 1e-6


def assert_close(actual: Any, reference: Any, dtype: str, message: str = "") -> None:
    """Shapes equal, and values within the tolerance of `dtype`; other dtypes than floats exactly equal."""
    actual, reference = np.asarray(actual), np.asarray(reference)
    assert actual.shape == reference.shape, f"{message} shape {actual.shape}, reference {reference.shape}"
    if dtype not in TABLE:
        np.testing.assert_array_equal(actual, reference, err_msg=message)
        return
    relative, absolute = TABLE[dtype]
    finite = np.abs(reference[np.isfinite(reference)])
    scale = max(1.0, float(finite.max(initial=0.0)))
    np.testing.assert_allclose(
        np.float64(actual), np.float64(reference), rtol=relative, atol=absolute * scale, err_msg=message
    )
