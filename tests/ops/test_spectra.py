"""Fourier transforms against NumPy and PyTorch: lengths of all kinds, gradients, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import gradients, layers, ops
from gputrain.errors import DTypeError, ShapeError
from gputrain.initializers import STFT
from gputrain.ops.derived_spectra import window_values
from tests.on_device import host, put

RNG = np.random.default_rng(3)
# One product, several, a large prime alone and as a factor.
LENGTHS = (1, 2, 3, 63, 64, 66, 127, 210, 521, 1042)
BOUND = {"float16": 2e-3, "float32": 1e-6, "float64": 1e-13}


def off(found: Any, expected: Any) -> float:
    """How far a result is off, as a part of the norm."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def joined(parts: Any) -> np.ndarray:
    real, imaginary = (host(part).astype("float64") for part in parts)
    return real + 1j * imaginary


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transforms_against_numpy(n: int, dtype: str) -> None:
    x = (RNG.normal(size=(3, n)) + 1j * RNG.normal(size=(3, n))).astype("complex128")
    real, imaginary = put([x.real.astype(dtype), x.imag.astype(dtype)])
    assert off(joined(ops.fft((real, imaginary))), np.fft.fft(x)) < BOUND[dtype]
    half = ops.rfft(real)
    assert str(half[0].dtype) == dtype
    assert off(joined(half), np.fft.rfft(x.real)) < BOUND[dtype]
    assert off(host(ops.irfft(half, n)), x.real) < BOUND[dtype]


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (72, 65), (2, 7, 66)])
def test_transforms_of_two_axes(shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape) + 1j * RNG.normal(size=shape)
    parts = tuple(put([x.real, x.imag]))
    assert off(joined(ops.fft2(parts)), np.fft.fft2(x)) < 1e-13
    assert off(joined(ops.ifft2(parts)), np.fft.ifft2(x)) < 1e-13


def test_half_precision_is_computed_in_single() -> None:
    x = RNG.normal(size=(2, 300)).astype("float16")
    found = ops.rfft(*put([x]))
    assert str(found[0].dtype) == "float16"
    assert off(joined(found), np.fft.rfft(x.astype("float64"))) < BOUND["float16"]


@pytest.mark.parametrize("n", [6, 80, 523])
@pytest.mark.parametrize("transform", ["fft", "rfft", "irfft", "stft", "istft"])
def test_gradients_against_torch(transform: str, n: int) -> None:
    torch = pytest.importorskip("torch")
    x, up = RNG.normal(size=(2, n)), RNG.normal(size=(2, n // 2 + 1))
    window = np.hanning(7)[:6]

    def ours(a: Any) -> Any:
        if transform == "fft":
            return ops.fft((a, ops.square(a)))[1][:, : n // 2 + 1]
        if transform == "rfft":
            return ops.multiply(*ops.rfft(a))
        if transform == "irfft":
            return ops.irfft((a, ops.square(a)), n)[:, : n // 2 + 1]
        if transform == "stft":
            return ops.sum(ops.multiply(*ops.stft(a, 6, 2, 6, window, center=False)), -1)
        parts = ops.stft(a, 6, 2, 6, window)
        return ops.istft((ops.square(parts[0]), parts[1]), 6, 2, 6, None, window)[:, : n // 2 + 1]

    def theirs(a: Any) -> Any:
        if transform == "fft":
            return torch.fft.fft(torch.complex(a, a**2)).imag[:, : n // 2 + 1]
        if transform == "rfft":
            found = torch.fft.rfft(a)
            return found.real * found.imag
        if transform == "irfft":
            return torch.fft.irfft(torch.complex(a, a**2), n)[:, : n // 2 + 1]
        told = {"n_fft": 6, "hop_length": 2, "win_length": 6, "window": torch.tensor(window)}
        if transform == "stft":
            found = torch.stft(a, center=False, return_complex=True, **told)
            return (found.real * found.imag).sum(1)
        found = torch.stft(a, return_complex=True, pad_mode="reflect", **told)
        return torch.istft(torch.complex(found.real**2, found.imag), **told)[:, : n // 2 + 1]

    a = torch.tensor(x, requires_grad=True)
    expected = theirs(a)
    weights = up[:, : expected.shape[1]]
    (expected * torch.tensor(weights)).sum().backward()

    class Slope(layers.Layer):
        def call(self, value: Any) -> Any:
            made = ours(value)
            return made, gradients(ops.sum(made * ops.constant(weights[:, : made.shape[1]])), [value])[0]

    made, slope = Slope(dtype="float64")(put([x])[0])
    assert off(host(made), expected.detach().numpy()) < 1e-12
    assert off(host(slope), a.grad.numpy()) < 1e-12


def test_a_signal_comes_back() -> None:
    """With frames that overlap, whatever the window; cut to a length, too."""
    x = RNG.normal(size=(2, 3, 90)).astype("float32")
    for window in ("hann", "hamming", np.linspace(0.5, 1.0, 10)):
        parts = ops.stft(*put([x]), 10, 3, 12, window)
        found = host(ops.istft(parts, 10, 3, 12, 90, window))
        assert np.abs(found[..., :84] - x[..., :84]).max() < 1e-5, window


def test_windows_by_name() -> None:
    signal = pytest.importorskip("scipy.signal")
    for name in ("boxcar", "hann", "hamming", "blackman", "nuttall", "blackmanharris", "flattop"):
        for length in (1, 2, 7, 16):
            for periodic in (False, True):
                expected = signal.get_window(name, length, periodic)
                found = window_values(name, length, periodic, "test")
                assert np.allclose(found, expected, atol=1e-15), (name, length, periodic)


def test_kernels_are_transforms() -> None:
    frame = RNG.normal(size=16)
    real, imaginary = (STFT(side, window=None)((16, 1, 9), "float64")[:, 0] for side in ("real", "imag"))
    assert off(frame @ real + 1j * (frame @ imaginary), np.fft.rfft(frame)) < 1e-13


# ----------------------------------------------------------------------------------------------------- models


@pytest.mark.parametrize("shape", [(200,), (None,), (None, None)])
def test_spectrograms_of_unknown_sizes(shape: tuple[int | None, ...]) -> None:
    """Sounds of several lengths through one model, as each by itself."""
    batched = len(shape) == 2
    inputs = keras.Input(batch_shape=shape) if batched else keras.Input(shape)
    layer = layers.MelSpectrogram(64, 16, num_mel_bins=8, sampling_rate=1000)
    outputs = layer(inputs)
    assert outputs.shape == (None, 8, None if shape[-1] is None else 13)
    model = keras.Model(inputs, outputs)
    for size in (200,) if shape[-1] else (200, 90):
        x = RNG.normal(size=(2, size)).astype("float32")
        assert np.allclose(model.predict(x, verbose=0), host(layer(*put([x]))), atol=1e-4)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("expands", [False, True])
@pytest.mark.parametrize("form", ["channels_last", "channels_first"])
def test_shapes_of_spectrograms_with_an_unknown_batch(padding: str, expands: bool, form: str) -> None:
    x = RNG.normal(size=(3, 50, 2) if form == "channels_last" else (3, 2, 50)).astype("float32")
    layer = layers.STFTSpectrogram(
        frame_length=16, frame_step=6, padding=padding, expand_dims=expands, data_format=form
    )
    outputs = layer(keras.Input(x.shape[1:]))
    assert (3, *outputs.shape[1:]) == host(layer(*put([x]))).shape
    assert outputs.shape[0] is None


def test_a_sound_by_itself_is_one_of_a_batch() -> None:
    x = RNG.normal(size=(1, 300)).astype("float32")
    layer = layers.MelSpectrogram(64, 16, num_mel_bins=8, sampling_rate=1000)
    assert np.allclose(host(layer(*put([x[0]]))), host(layer(*put([x])))[0], atol=1e-5)
    assert host(layer(x[0].tolist())).shape == (8, 19)


def test_a_tone_stands_in_its_band() -> None:
    """440 Hz is loudest in the band whose middle is nearest on the mel scale."""
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000).astype("float32")
    found = host(layers.MelSpectrogram(512, 128, sampling_rate=8000, num_mel_bins=40)(*put([tone])))
    mel = lambda hertz: 1127 * np.log1p(hertz / 700)  # noqa: E731
    middles = np.linspace(mel(20.0), mel(4000.0), 42)[1:-1]
    assert abs(int(found.mean(1).argmax()) - int(np.abs(middles - mel(440.0)).argmin())) <= 1


def test_tones_are_learned() -> None:
    """Low and high tones in noise, told apart by a model that begins with a spectrogram it may train."""
    keras.utils.set_random_seed(1)
    y = RNG.integers(0, 2, 64)
    time = np.arange(128) / 128
    pitch = np.where(y, 23.0, 9.0)[:, None] + RNG.uniform(-1, 1, (64, 1))
    x = np.sin(2 * np.pi * pitch * time + RNG.uniform(0, 6, (64, 1))) + 0.5 * RNG.normal(size=(64, 128))
    model = keras.Sequential(
        [
            keras.Input((128, 1)),
            layers.STFTSpectrogram(mode="magnitude", frame_length=32, frame_step=16),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    before = model.layers[0].real_kernel.numpy()
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x[..., None].astype("float32"), y, epochs=12, verbose=0).history
    assert history["accuracy"][-1] > 0.95
    assert np.abs(model.layers[0].real_kernel.numpy() - before).max() > 1e-3


# ----------------------------------------------------------------------------------------------------- errors

X = np.ones((2, 8), "float32")
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: ops.fft(X), ValueError, r"ops\.fft takes a tuple of two tensors, real and imaginary parts"),
    (lambda: ops.fft((X, X[:1])), ShapeError, r"one shape\. Received: \(2, 8\) and \(1, 8\)"),
    (
        lambda: ops.fft2((X.astype("int32"), X)),
        DTypeError,
        r"floats of one dtype\. Received: int32 and float32",
    ),
    (lambda: ops.fft2((X[0], X[0])), ShapeError, r"known size, at least 1.*Received: shape \(8,\)"),
    (lambda: ops.rfft(X, 0), ValueError, r"rfft: fft_length must be a positive int.*Received: 0"),
    (
        lambda: ops.rfft(keras.Input((None,))),
        ShapeError,
        r"known size.*Received: shape \(None, None\)\. Give the input layer this size",
    ),
    (
        lambda: ops.extract_sequences(X, 9, 1),
        ShapeError,
        r"shorter than the sequences.*Expected: at least 9 elem",
    ),
    (lambda: ops.stft(X, 8, 4, 4), ValueError, r"ops\.stft: fft_length is at least sequence_length"),
    (lambda: ops.stft(X, 8, 0, 8), ValueError, r"ops\.stft: sequence_stride must be a positive int"),
    (lambda: ops.stft(X.astype("int32"), 4, 2, 4), DTypeError, r"ops\.stft takes floats\. Received: int32"),
    (lambda: ops.stft(X, 4, 2, 4, window="hannn"), ValueError, r"unknown window\. Expected: blackman.*scipy"),
    (
        lambda: ops.stft(X, 4, 2, 4, window=np.ones(3)),
        ShapeError,
        r"a value for each element\. Expected: \(4,\)",
    ),
    (lambda: STFT("both"), ValueError, r"STFT: side is one of 'real', 'imag'\. Received: 'both'"),
    (lambda: STFT(scaling="none"), ValueError, r"STFT: scaling is one of"),
    (lambda: STFT()((4, 4)), ValueError, r"STFT: a kernel has 3 dimensions"),
    (lambda: layers.STFTSpectrogram("power"), ValueError, r"mode must be one of log, magnitude"),
    (
        lambda: layers.STFTSpectrogram(frame_length=8, frame_step=9),
        ValueError,
        r"frame_step is at most frame_l",
    ),
    (
        lambda: layers.STFTSpectrogram(frame_length=8, fft_length=4),
        ValueError,
        r"fft_length is at least frame_l",
    ),
    (
        lambda: layers.STFTSpectrogram()(X),
        ShapeError,
        r"signals with channels\. Expected: \(N, T, C\)",
    ),
    (lambda: layers.STFTSpectrogram()(X[..., None].astype("int32")), DTypeError, r"signals are floats"),
    (lambda: layers.STFTSpectrogram()(X[..., None]), ShapeError, r"shorter than the sequences"),
    (
        lambda: layers.MelSpectrogram(sequence_length=4096),
        ValueError,
        r"fft_length is at least sequence_length",
    ),
    (
        lambda: layers.MelSpectrogram(min_freq=900, max_freq=800),
        ValueError,
        r"go from min_freq up to max_freq",
    ),
    (
        lambda: layers.MelSpectrogram(8, 2)(X[..., None]),
        ShapeError,
        r"without channels\. Expected: \(T,\) or",
    ),
    (lambda: layers.MelSpectrogram(8, 2)(["a"]), ValueError, r"takes numbers"),
]


@pytest.mark.parametrize("call, kind, text", REFUSED)
def test_what_is_refused(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        call()
