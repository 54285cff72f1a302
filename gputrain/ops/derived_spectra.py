"""Fourier transforms, written in products with small matrices.

A transform of n = a * b numbers is one of a and one of b (Cooley and Tukey 1965), down to lengths whose
matrix is small. A large prime length goes through a convolution (Bluestein 1970). So transforms are traced,
differentiated and run on every device as all products are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import is_float
from gputrain.ir.spec import Dim
from gputrain.ops.base import apply, cast, convert, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.elementwise import add, multiply, subtract
from gputrain.ops.indexing import pad
from gputrain.ops.movement import reshape, swapaxes
from gputrain.ops.pointwise import as_float
from gputrain.ops.products import matmul
from gputrain.ops.sequences import OverlapAdd, extract_sequences, positive_size

__all__ = ["fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft"]

DIRECT = 64  # lengths up to this are one product
PRIME = 512  # and prime lengths up to this
Complex = tuple[Any, Any]  # real and imaginary parts

# ------------------------------------------------------------------------------------------------- transforms


@lru_cache(maxsize=64)
def _circle(rows: int, columns: int, n: int, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of sign * 2 pi * j * k / n, for j below `rows` and k below `columns`, in float64."""
    turns = np.outer(np.arange(rows), np.arange(columns)) % n
    angles = (sign * 2 * np.pi / n) * turns
    return _exact(np.cos(angles)), _exact(np.sin(angles))


def _exact(values: np.ndarray) -> np.ndarray:
    """Cosines or sines of which those of quarters of a turn are 0."""
    return np.where(np.abs(values) < 1e-15, 0.0, values)


def _product(x: Complex, factor: Sequence[np.ndarray], times: Any) -> Complex:
    """`times` of complex numbers and a constant; no imaginary part (None) is one of 0."""
    (a, b), (c, d) = x, (convert(part.astype(str(x[0].dtype))) for part in factor)
    if b is None:
        return times(a, c), times(a, d)
    return subtract(times(a, c), times(b, d)), add(times(a, d), times(b, c))


def _transformed(x: Complex, sign: int) -> Complex:
    """The sums over the last axis of x[j] * exp(sign * 2 pi i j k / n), for k below n."""
    n = _known(x[0], -1)
    first = next((m for m in range(math.isqrt(n), 1, -1) if n % m == 0), 1)
    if n <= DIRECT or (first == 1 and n <= PRIME):
        return _product(x, _circle(n, n, n, sign), matmul)
    if first == 1:
        return _by_convolution(x, n, sign)
    second = n // first
    lead = x[0].shape[:-1]
    rows = _transformed(_each(x, lambda part: swapaxes(_folded(part, lead, first, second), -1, -2)), sign)
    turned = _product(rows, _circle(second, first, n, sign), multiply)
    columns = _transformed(_each(turned, lambda part: swapaxes(part, -1, -2)), sign)
    return _each(columns, lambda part: _folded(swapaxes(part, -1, -2), lead, n))


def _by_convolution(x: Complex, n: int, sign: int) -> Complex:
    """The transform as a convolution with a chirp, by transforms of a length that is a power of 2."""
    angles = (sign * np.pi / n) * (np.arange(n) ** 2 % (2 * n))
    chirp, length = np.exp(1j * angles), 2 ** (2 * n - 1).bit_length()
    kernel = np.zeros(length, np.complex128)
    kernel[:n] = chirp.conj()
    kernel[length - n + 1 :] = chirp[:0:-1].conj()
    spectrum = np.fft.fft(kernel) / length
    turned = _product(x, (chirp.real, chirp.imag), multiply)
    padded = _each(turned, lambda part: _of_length(part, length))
    mixed = _product(_transformed(padded, -1), (spectrum.real, spectrum.imag), multiply)
    found = _each(_transformed(mixed, 1), lambda part: part[..., :n])
    return _product(found, (chirp.real, chirp.imag), multiply)


def _each(x: Complex, change: Any) -> Complex:
    return change(x[0]), None if x[1] is None else change(x[1])


def _folded(x: Any, lead: Sequence[Dim], *sizes: int) -> Any:
    """x with other axes in place of the last ones; at most one size in front is unknown."""
    return reshape(x, (*(-1 if size is None else size for size in lead), *sizes))


def _known(x: Any, axis: int) -> int:
    """The size of an axis that is transformed.

    Raises:
        ShapeError: it is unknown, or there is no such axis.
    """
    spec = spec_of(x)
    size = spec.shape[axis] if spec.ndim >= -axis else None
    if not size:
        rule = "A Fourier transform needs a known size, at least 1, of the axes that it goes over."
        fix = "Give the input layer this size instead of None." if spec.ndim >= -axis else None
        raise ShapeError(explain(rule, received=f"shape {spec.shape}", fix=fix))
    return size


def _wide(x: Any) -> Any:
    """x as it is computed with: float16 in float32."""
    return cast(x, "float32") if str(x.dtype) == "float16" else x


def _as_before(x: Complex, given: Any) -> Complex:
    return _each(x, lambda part: cast(part, str(given.dtype)))


def _complex(x: Any, what: str) -> Complex:
    """Real and imaginary parts.

    Raises:
        ValueError: not two, or of other shapes.
        DTypeError: not floats.
    """
    if not isinstance(x, tuple | list) or len(x) != 2:
        rule = f"ops.{what} takes a tuple of two tensors, real and imaginary parts."
        raise ValueError(explain(rule, received=type(x).__name__))
    real, imaginary = convert(x[0]), convert(x[1])
    if tuple(real.shape) != tuple(imaginary.shape):
        rule = f"ops.{what}: real and imaginary parts have one shape."
        raise ShapeError(explain(rule, received=f"{tuple(real.shape)} and {tuple(imaginary.shape)}"))
    if not (is_float(str(real.dtype)) and str(real.dtype) == str(imaginary.dtype)):
        rule = f"ops.{what}: real and imaginary parts are floats of one dtype."
        raise DTypeError(explain(rule, received=f"{real.dtype} and {imaginary.dtype}"))
    return real, imaginary


def _over_last(x: Complex, sign: int, axes: int, scaled: bool = False) -> Complex:
    """The transform over the last axis or the last two."""
    sizes = [_known(x[0], -1 - i) for i in range(axes)]
    found = _transformed(_each(x, _wide), sign)
    if axes == 2:
        turned = _transformed(_each(found, lambda part: swapaxes(part, -1, -2)), sign)
        found = _each(turned, lambda part: swapaxes(part, -1, -2))
    if scaled:
        found = _each(found, lambda part: multiply(part, 1.0 / math.prod(sizes)))
    return _as_before(found, x[0])


def fft(x: Any) -> Complex:
    """The Fourier transform over the last axis.

    Args:
        x: real and imaginary parts, (..., n) each.

    Returns:
        real and imaginary parts of the n sums of x[j] * exp(-2 pi i j k / n).

    Source:
        J. Cooley, J. Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series", 1965;
        L. Bluestein, "A Linear Filtering Approach to the Computation of Discrete Fourier Transform", 1970.

    Example:
        >>> real, imaginary = fft(([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]))
        >>> imaginary.round(3).tolist()
        [0.0, -1.0, 0.0, 1.0]
    """
    return _over_last(_complex(x, "fft"), -1, 1)


def fft2(x: Any) -> Complex:
    """The Fourier transform over the last two axes, of real and imaginary parts (..., m, n) each."""
    return _over_last(_complex(x, "fft2"), -1, 2)


def ifft2(x: Any) -> Complex:
    """What `fft2` undoes: the sums with exp(2 pi i ...), divided by m * n."""
    return _over_last(_complex(x, "ifft2"), 1, 2, scaled=True)


def rfft(x: Any, fft_length: int | None = None) -> Complex:
    """The Fourier transform of real numbers over the last axis; of its symmetric halves the first.

    Args:
        x: (..., n).
        fft_length: as many elements are transformed, further ones left out, missing ones 0; default n.

    Returns:
        real and imaginary parts, (..., fft_length // 2 + 1) each.

    Example:
        >>> [part.tolist() for part in rfft([1.0, 2.0, 3.0, 4.0])]
        [[10.0, -2.0, -2.0], [0.0, 2.0, 0.0]]
    """
    given = as_float(x)
    n = _known(given, -1) if fft_length is None else positive_size(fft_length, "rfft: fft_length")
    half, wide = n // 2 + 1, _of_length(_wide(given), n)
    if n <= DIRECT:
        return _as_before(_product((wide, None), _circle(n, half, n, -1), matmul), given)
    return _as_before(_each(_transformed((wide, None), -1), lambda part: part[..., :half]), given)


def irfft(x: Any, fft_length: int | None = None) -> Any:
    """What `rfft` undoes: real numbers from the first half of their transform.

    Args:
        x: real and imaginary parts, (..., m) each.
        fft_length: how many numbers there are; default 2 * (m - 1).

    Returns:
        (..., fft_length).
    """
    parts = _complex(x, "irfft")
    n = (
        2 * (_known(parts[0], -1) - 1)
        if fft_length is None
        else positive_size(fft_length, "irfft: fft_length")
    )
    half = n // 2 + 1
    weights = np.full(half, 2.0 / n)  # but the first and the last of an even number stand for two
    weights[0] = 1.0 / n
    if n % 2 == 0:
        weights[-1] = 1.0 / n
    real, imaginary = (_of_length(_wide(part), half) for part in parts)
    real, imaginary = (multiply(part, weights.astype(str(part.dtype))) for part in (real, imaginary))
    found, _ = _transformed((_of_length(real, n), _of_length(imaginary, n)), 1)
    return cast(found, str(parts[0].dtype))


def _of_length(x: Any, length: int) -> Any:
    """x with a last axis of this size: cut, or filled up with 0."""
    size = _known(x, -1)
    if size >= length:
        return x if size == length else x[..., :length]
    return pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, length - size)])


# ---------------------------------------------------------------------------------------------------- windows

# Of windows that are sums of cosines: their factors.
_COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


def window_values(window: Any, length: int, periodic: bool, where: str) -> np.ndarray:
    """The values of a window, float64 (length,).

    Args:
        window: a name, an array, or None for ones.
        length: how many.
        periodic: whether the value behind the last one would be the first; otherwise first and last are
            equal.
        where: of what, for errors.

    Raises:
        ValueError: an unknown name.
        ShapeError: an array of another length.
    """
    if window is None:
        return np.ones(length)
    if isinstance(window, str):
        if window not in _COSINES:
            raise ValueError(
                explain(
                    f"{where}: unknown window.",
                    expected=", ".join(sorted(_COSINES)),
                    received=repr(window),
                    fix="Give the values of others as an array, as from scipy.signal.get_window.",
                )
            )
        turns = 2 * np.pi * np.arange(length) / max(1, length if periodic else length - 1)
        signs = (-1.0) ** np.arange(len(_COSINES[window]))
        values = sum(
            s * c * np.cos(i * turns) for i, (s, c) in enumerate(zip(signs, _COSINES[window], strict=True))
        )
        return values if length > 1 else np.ones(length)
    values = np.asarray(window, np.float64)
    if values.shape != (length,):
        raise ShapeError(
            explain(
                f"{where}: a window has a value for each element.", expected=(length,), received=values.shape
            )
        )
    return values


def _window(window: Any, length: int, fft_length: int, what: str) -> np.ndarray:
    """A window of `length` in the middle of zeros, or ones, (fft_length,)."""
    if fft_length < length:
        rule = f"ops.{what}: fft_length is at least sequence_length."
        raise ValueError(explain(rule, received=f"fft_length={fft_length}, sequence_length={length}"))
    if window is None:
        return np.ones(fft_length)
    before = (fft_length - length) // 2
    values = window_values(window, length, True, f"ops.{what}")
    return np.pad(values, (before, fft_length - length - before))


def stft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> Complex:
    """The Fourier transforms of short sequences of a signal, as they follow each other.

    Args:
        x: (..., T), floats.
        sequence_length: elements of a sequence.
        sequence_stride: elements from the beginning of one to that of the next.
        fft_length: elements that are transformed, at least `sequence_length`; the window lies in their
            middle.
        window: what sequences are multiplied with: "hann", "hamming" and others by name, (sequence_length,)
            values, or None.
        center: whether the signal is mirrored at both ends, so that the middle of the first sequence is the
            first element.

    Returns:
        real and imaginary parts, (..., N, fft_length // 2 + 1) each.

    Example:
        >>> real, imaginary = stft(numpy.ones(32, "float32"), 8, 4, 8)
        >>> real.shape
        (9, 5)
    """
    length, stride, size = _sizes(sequence_length, sequence_stride, fft_length, "stft")
    values = _window(window, length, size, "stft")
    x = convert(x)
    if not is_float(str(x.dtype)):
        raise DTypeError(explain("ops.stft takes floats.", received=x.dtype, fix='ops.cast(x, "float32").'))
    if center:
        half, known = size // 2, x.shape[-1] is not None
        border = [(0, 0)] * (len(x.shape) - 1) + [(half, half)]
        x = pad(x, border, mode="reflect" if known else "constant")  # of unknown sizes only the shape matters
    frames = extract_sequences(x, size, stride)
    return rfft(frames if window is None else multiply(frames, values.astype(str(x.dtype))))


def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """What `stft` undoes: a signal from its short transforms.

    Args:
        x: real and imaginary parts, (..., N, fft_length // 2 + 1) each; N is known.
        sequence_length, sequence_stride, fft_length, window, center: as for `stft`.
        length: elements of the signal, at most; default all that there are.

    Returns:
        (..., T). Without a window it is larger by fft_length / sequence_stride, as in Keras on JAX.

    Source:
        D. Griffin, J. Lim, "Signal Estimation from Modified Short-Time Fourier Transform", 1984.

    Example:
        >>> x = numpy.arange(32, dtype="float32")
        >>> numpy.abs(istft(stft(x, 8, 4, 8), 8, 4, 8) - x).max() < 1e-4
        True
    """
    sequence, stride, size = _sizes(sequence_length, sequence_stride, fft_length, "istft")
    values = _window(window, sequence, size, "istft")
    real, imaginary = _complex(x, "istft")
    count, dtype = _known(real, -2), str(real.dtype)
    total = (count - 1) * stride + size
    frames = irfft((real, imaginary), size)
    signal = apply(OverlapAdd(stride, total), multiply(frames, values.astype(dtype)))
    weights = np.zeros(total)
    for i in range(count):
        weights[i * stride : i * stride + size] += values**2
    weights = np.where(weights > 1e-10, weights, 1.0)
    factor = 1 / weights if window is not None else size / stride / weights
    start = size // 2 if center else 0
    stop = total - (size // 2 if center else 0) if length is None else start + length
    return multiply(signal, factor.astype(dtype))[..., start:stop]


def _sizes(length: int, stride: int, size: int, what: str) -> tuple[int, int, int]:
    named = {"sequence_length": length, "sequence_stride": stride, "fft_length": size}
    first, second, third = (positive_size(value, f"ops.{what}: {name}") for name, value in named.items())
    return first, second, third


keep_calls(globals(), __all__)
