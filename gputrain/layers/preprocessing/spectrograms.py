"""Sounds as pictures of their frequencies over time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain import config, initializers, ops
from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Shape, is_float
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.layers.preprocessing.data_layer import DataLayer
from gputrain.ops.derived_math import log10
from gputrain.ops.derived_spectra import stft, window_values
from gputrain.ops.window import pads

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


def _or_none(value: Any, where: str) -> int | None:
    return None if value is None else arguments.positive_int(value, where)


def _window(value: Any, where: str) -> Any:
    """Check a window's name, its values, or None."""
    if isinstance(value, str):
        window_values(value, 1, True, where)
    elif value is not None and np.asarray(value).dtype.kind not in "iuf":
        raise ValueError(explain(f"{where} is a name, the values, or None.", received=repr(value)))
    return value


def _plain_window(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else np.asarray(value).tolist()


def _scaling(value: Any, where: str) -> str | None:
    return None if value is None else arguments.one_of(value, ("density", "spectrum"), where)


@registry.add()
class STFTSpectrogram(Layer):
    """The short Fourier transforms of signals, by kernels that can be trained.

    The kernels are windows times cosines and sines, from `initializers.STFT`; set `trainable=False` to keep
    them.

    Args:
        mode: "log": the logarithm of the magnitudes. "magnitude". "psd": their squares, doubled but for the
            first and the last. "real", "imag": one part. "stft": both, one behind the other. "angle".
        frame_length: elements of a frame.
        frame_step: elements from the beginning of one frame to that of the next; default half a frame.
        fft_length: how many frequencies there would be, of which the first half is given; default the next
            power of 2.
        window: a name, as "hann" or "hamming", its values, or None.
        periodic: whether the window would go on with its first value; otherwise its ends are equal.
        scaling: "density", "spectrum" or None: what the window is divided by.
        padding: "valid", or "same" for frames that reach beyond both ends.
        expand_dims: whether channels keep an axis of their own, as an image has it.
        data_format: "channels_last" for (N, T, C), "channels_first" for (N, C, T).

    Shapes:
        (N, T, C) to (N, frames, C * frequencies), or (N, frames, frequencies, C) with `expand_dims`; with
        "channels_first" (N, C, T) to (N, C * frequencies, frames) or (N, C, frames, frequencies). There are
        fft_length // 2 + 1 frequencies, twice as many in mode "stft".

    Raises:
        ValueError: an argument that is not as above, a step longer than a frame, a transform that is shorter.
        ShapeError: signals that have no channels, or are shorter than a frame.

    Example:
        >>> STFTSpectrogram(mode="magnitude", frame_length=16, frame_step=8)(numpy.ones((2, 64, 1))).shape
        (2, 7, 9)
    """

    mode: str = declared.argument(lambda value, where: arguments.one_of(value, _MODES, where), "log")
    frame_length: int = declared.argument(arguments.positive_int, 256)
    frame_step: int | None = declared.argument(_or_none, None)
    fft_length: int | None = declared.argument(_or_none, None)
    window: Any = declared.argument(_window, "hann", plain=_plain_window)
    periodic: bool = declared.flag(False)
    scaling: str | None = declared.argument(_scaling, "density")
    padding: str = declared.argument(arguments.padding, "valid")
    expand_dims: bool = declared.flag(False)
    data_format: str = declared.argument(arguments.data_format, None)

    def check_arguments(self) -> None:
        """Check frames, steps and transforms against each other."""
        if self.frame_step is not None and self.frame_step > self.frame_length:
            rule = "STFTSpectrogram: frame_step is at most frame_length."
            raise ValueError(explain(rule, received=f"frame_step={self.frame_step}, {self._said}"))
        if self.fft_length is not None and self.fft_length < self.frame_length:
            rule = "STFTSpectrogram: fft_length is at least frame_length."
            raise ValueError(explain(rule, received=f"fft_length={self.fft_length}, {self._said}"))
        self._step = self.frame_step or max(1, self.frame_length // 2)
        size = self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))
        self._frequencies = size // 2 + 1

    @property
    def _said(self) -> str:
        return f"frame_length={self.frame_length}"

    def build(self, input_shape: Shape) -> None:
        """Make the kernels (frame_length, 1, frequencies)."""
        if len(input_shape) != 3:
            axes = "(N, T, C)" if self.data_format == "channels_last" else "(N, C, T)"
            rule = f"{self.name}: it takes signals with channels."
            raise ShapeError(
                explain(rule, expected=axes, received=input_shape, fix="Add an axis: x[..., None].")
            )
        shape = (self.frame_length, 1, self._frequencies)
        for side in ("real", "imag"):
            if self.mode not in ({"real", "imag"} - {side}):
                start = initializers.STFT(side, self.window, self.scaling, self.periodic)
                setattr(self, f"{side}_kernel", self.add_weight(shape, start, name=f"{side}_kernel"))

    def call(self, inputs: Any) -> Any:
        """The spectrograms of signals."""
        if not is_float(str(inputs.dtype)):
            rule = f"{self.name}: signals are floats."
            raise DTypeError(
                explain(rule, received=inputs.dtype, fix='x.astype("float32") makes floats of others.')
            )
        x = ops.swapaxes(inputs, 1, 2) if self.data_format == "channels_last" else inputs
        return self._arranged(self._of_mode(self._frames(x)))

    def _frames(self, x: Any) -> Any:
        """(N, C, T) to (N, C, frames, frame_length)."""
        if self.padding == "same":
            size = arguments.known_size(tuple(x.shape), 2, f'{self.name}: padding="same"')
            x = ops.pad(x, [(0, 0), (0, 0), pads(size, self.frame_length, self._step, 1, "same")])
        return ops.extract_sequences(x, self.frame_length, self._step)

    def _of_mode(self, frames: Any) -> Any:
        """Frames to (N, C, frames, frequencies), as the mode says."""

        def part(side: str) -> Any:
            return ops.matmul(frames, ops.cast(getattr(self, f"{side}_kernel"), str(frames.dtype))[:, 0])

        if self.mode in ("real", "imag"):
            return part(self.mode)
        real, imaginary = part("real"), part("imag")
        if self.mode == "stft":
            return ops.concatenate([real, imaginary], -1)
        if self.mode == "angle":
            return ops.arctan2(imaginary, real)
        power = ops.add(ops.square(real), ops.square(imaginary))
        if self.mode == "psd":
            twice = np.ones(self._frequencies)
            twice[1:-1] = 2.0
            return ops.multiply(power, twice.astype(str(power.dtype)))
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        return magnitude if self.mode == "magnitude" else ops.log(ops.maximum(magnitude, config.epsilon()))

    def _arranged(self, x: Any) -> Any:
        """(N, C, frames, frequencies) as data_format and expand_dims say."""
        last = self.data_format == "channels_last"
        if self.expand_dims:
            return ops.transpose(x, (0, 2, 3, 1)) if last else x
        channels, frequencies = x.shape[1], x.shape[3]
        size = None if channels is None else channels * frequencies
        if last:
            return ops.reshape(ops.swapaxes(x, 1, 2), (*_sizes(x, 0, 2), -1 if size is None else size))
        return ops.reshape(
            ops.swapaxes(x, 2, 3), (*_sizes(x, 0), -1 if size is None else size, *_sizes(x, 2))
        )


def _sizes(x: Any, *axes: int) -> tuple[int | None, ...]:
    return tuple(x.shape[axis] for axis in axes)


@registry.add()
class MelSpectrogram(DataLayer):
    """The energy of sounds in bands that are as wide as they are heard, in decibels, over time.

    Args:
        fft_length: elements that are transformed together.
        sequence_stride: elements from the beginning of one sequence to that of the next.
        sequence_length: elements of a sequence, in the middle of what is transformed; default `fft_length`.
        window: a name, as "hann" or "hamming", its values, or None.
        sampling_rate: elements of a second.
        num_mel_bins: how many bands there are.
        min_freq, max_freq: where the lowest band begins and the highest one ends, in hertz; default of the
            latter half the sampling rate.
        power_to_db: whether energies are given in decibels.
        top_db: how far below the largest of all the smallest is at most, in decibels.
        mag_exp: the power of the magnitudes: 1 for amplitude, 2 for energy.
        min_power: what smaller energies count as.
        ref_power: the energy of 0 decibels.

    Shapes:
        (T,) or (N, T) to (..., num_mel_bins, frames).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: signals of half of `fft_length`, or shorter.

    Source:
        S. Stevens, J. Volkmann, E. Newman, "A Scale for the Measurement of the Psychological Magnitude
        Pitch", 1937; the bands are those of HTK.

    Example:
        >>> tone = numpy.sin(numpy.arange(16000) * (2 * numpy.pi * 440 / 16000)).astype("float32")
        >>> MelSpectrogram(num_mel_bins=64)(tone[None]).shape
        (1, 64, 32)
    """

    fft_length: int = declared.argument(arguments.positive_int, 2048)
    sequence_stride: int = declared.argument(arguments.positive_int, 512)
    sequence_length: Any = declared.argument(_or_none, None)
    window: Any = declared.argument(_window, "hann", plain=_plain_window)
    sampling_rate: float = declared.argument(arguments.number, 16000)
    num_mel_bins: int = declared.argument(arguments.positive_int, 128)
    min_freq: float = declared.argument(arguments.number, 20.0)
    max_freq: Any = declared.argument(
        lambda value, where: None if value is None else arguments.number(value, where), None
    )
    power_to_db: bool = declared.flag(True)
    top_db: float = declared.argument(arguments.number, 80.0)
    mag_exp: float = declared.argument(arguments.number, 2.0)
    min_power: float = declared.argument(arguments.number, 1e-10)
    ref_power: float = declared.argument(arguments.number, 1.0)

    def check_arguments(self) -> None:
        """Fill in lengths and frequencies that were left out."""
        self.sequence_length = self.sequence_length or self.fft_length
        self.max_freq = self.max_freq or int(self.sampling_rate / 2)
        if self.fft_length < self.sequence_length:
            rule = "MelSpectrogram: fft_length is at least sequence_length."
            received = f"fft_length={self.fft_length}, sequence_length={self.sequence_length}"
            raise ValueError(explain(rule, received=received))
        if not 0 <= self.min_freq < self.max_freq:
            rule = "MelSpectrogram: the bands go from min_freq up to max_freq."
            raise ValueError(explain(rule, received=f"min_freq={self.min_freq}, max_freq={self.max_freq}"))

    def call(self, inputs: Any) -> Any:
        """The spectrograms of sounds."""
        x = ops.cast(inputs, "float32" if self.compute_dtype == "float16" else self.compute_dtype)
        if len(x.shape) not in (1, 2):
            rule = f"{self.name}: it takes sounds without channels."
            raise ShapeError(explain(rule, expected="(T,) or (N, T)", received=tuple(x.shape)))
        real, imaginary = stft(
            x, self.sequence_length, self.sequence_stride, self.fft_length, self.window, center=True
        )
        magnitudes = ops.sqrt(ops.add(ops.square(real), ops.square(imaginary)))
        bands = self.linear_to_mel_weight_matrix(
            self.num_mel_bins,
            self.fft_length // 2 + 1,
            self.sampling_rate,
            self.min_freq,
            self.max_freq,
            str(x.dtype),
        )
        energies = ops.matmul(ops.power(magnitudes, self.mag_exp), bands)
        found = self._decibels(energies) if self.power_to_db else energies
        return ops.cast(ops.swapaxes(found, -1, -2), self.compute_dtype)

    def _decibels(self, energies: Any) -> Any:
        """Energies as ten times their logarithm, `top_db` below the largest of all at least."""
        zero = 10.0 * math.log10(max(abs(self.ref_power), self.min_power))
        found = ops.subtract(ops.multiply(log10(ops.maximum(energies, self.min_power)), 10.0), zero)
        return ops.maximum(found, ops.subtract(ops.max(found), self.top_db))

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> np.ndarray:
        """Return how much each frequency counts in each band: triangles on the mel scale, of height 1.

        Args:
            num_mel_bins: how many bands there are.
            num_spectrogram_bins: how many frequencies, from 0 to half of `sampling_rate`.
            sampling_rate: elements of a second.
            lower_edge_hertz, upper_edge_hertz: where the first band begins and the last one ends.
            dtype: of the result.

        Returns:
            (num_spectrogram_bins, num_mel_bins).

        Source:
            D. O'Shaughnessy, "Speech Communication: Human and Machine", 1987: mel(f) = 2595 log10(1 + f /
            700), with the factor 1127 before the natural logarithm, as in HTK.
        """
        frequencies = np.linspace(0.0, sampling_rate / 2, num_spectrogram_bins)[:, None]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        mels = _mel(frequencies)
        weights = np.maximum(0.0, np.minimum((mels - low) / (middle - low), (high - mels) / (high - middle)))
        weights[0] = 0.0  # what is constant is not heard
        return weights.astype(dtype)


def _mel(hertz: Any) -> Any:
    """Frequencies on the mel scale."""
    return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)
