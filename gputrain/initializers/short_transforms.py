"""Kernels that compute short Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import explain
from gputrain.initializers.base import Initializer, registry
from gputrain.utils.dtypes import as_dtype, as_shape
from gputrain.utils.signatures import on_or_off


@registry.add("STFTInitializer", "stft")
class STFT(Initializer):
    """The kernel of a convolution that gives one part of a short Fourier transform: window times cos or sin.

    Args:
        side: "real" for cos(-2 pi t k / F), "imag" for its sine.
        window: a name, as "hann" or "hamming", its values, or None.
        scaling: what the window is divided by: "density" for the root of the sum of its squares, "spectrum"
            for the sum of its absolute values, None for nothing.
        periodic: whether the window would go on with its first value; otherwise its ends are equal.

    Raises:
        ValueError: another side, scaling or window.

    Example:
        >>> STFT("real", window=None)((4, 1, 3))[:, 0, 1].round(3).tolist()
        [1.0, 0.0, -1.0, -0.0]
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        self.side, self.window, self.scaling = side, window, scaling
        self.periodic = on_or_off(periodic, "STFT: periodic")
        for name, value, allowed in (
            ("side", side, ("real", "imag")),
            ("scaling", scaling, ("density", "spectrum", None)),
        ):
            if value not in allowed:
                rule = f"STFT: {name} is one of {', '.join(map(repr, allowed))}."
                raise ValueError(explain(rule, received=repr(value)))
        if isinstance(window, str):
            _window(window, 1, True)
        elif window is not None and np.asarray(window).dtype.kind not in "iuf":
            rule = "STFT: window is a name, the values, or None."
            raise ValueError(explain(rule, received=repr(window)))

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return the kernel of shape (T, 1, F / 2 + 1): T elements of a window, frequencies 0 to F / 2.

        Raises:
            ValueError: `shape` is not of three dimensions.
        """
        dims = as_shape(shape, "STFT")
        if len(dims) != 3:
            raise ValueError(
                explain("STFT: a kernel has 3 dimensions.", expected="(T, 1, F // 2 + 1)", received=dims)
            )
        length, _, frequencies = dims
        whole = max(1, 2 * (frequencies - 1))
        angles = (-2 * np.pi / whole) * (np.outer(np.arange(length), np.arange(frequencies)) % whole)
        kernel = np.cos(angles) if self.side == "real" else np.sin(angles)
        if self.window is not None:
            values = _window(self.window, length, self.periodic)
            kernel = kernel * (values / self._scale(values))[:, None]
        return np.broadcast_to(kernel[:, None], dims).astype(as_dtype(dtype, "STFT"))

    def _scale(self, window: NDArray[Any]) -> float:
        if self.scaling is None:
            return 1.0
        return float(np.sqrt(np.square(window).sum()) if self.scaling == "density" else np.abs(window).sum())

    def get_config(self) -> dict[str, Any]:
        """Return {"side", "window", "periodic", "scaling"}."""
        named = self.window is None or isinstance(self.window, str)
        window = self.window if named else np.asarray(self.window).tolist()
        return {"side": self.side, "window": window, "periodic": self.periodic, "scaling": self.scaling}


def _window(window: Any, length: int, periodic: bool) -> Any:
    """The values of a window, (length,)."""
    from gputrain.ops.derived_spectra import window_values

    return window_values(window, length, periodic, "STFT")
