"""Categories, text and sound."""

from __future__ import annotations

from tests.parity.cases_functions import initializer, op
from tests.parity.cases_layers import layer
from tests.parity.table import Case, Input, given, real, whole

INDICES = whole(4, 3, below=5)
ONE_EACH = whole(4, 1, below=5)
BORDERS = [-1.0, 0.0, 0.5, 1.25]
SOUND, TWO = real(2, 60, 1), real(2, 50, 2)  # signals with channels
QUIET = real(2, 60, 1, low=-0.1, high=0.1)  # where squares are trained
FIRST = real(2, 2, 50)
FRAMES = {"frame_length": 16, "frame_step": 6}
MELS = {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 8, "sampling_rate": 1000}


def parts(*shape: int) -> list[Input]:
    """Real and imaginary parts."""
    return [real(*shape), real(*shape)]


CASES: list[Case] = [
    # ------------------------------------------------------------------------------------------ categories
    layer("CategoryEncoding", INDICES, num_tokens=5),
    layer("CategoryEncoding", INDICES, num_tokens=8, output_mode="multi_hot"),
    layer("CategoryEncoding", INDICES, num_tokens=5, output_mode="one_hot"),
    layer("CategoryEncoding", INDICES, num_tokens=5, output_mode="count"),
    layer("CategoryEncoding", INDICES, num_tokens=3, output_mode="count"),
    layer("CategoryEncoding", INDICES, num_tokens=5, output_mode="binary"),
    layer("CategoryEncoding", ONE_EACH, num_tokens=5, output_mode="one_hot"),
    layer("CategoryEncoding", ONE_EACH, num_tokens=5, output_mode="count"),
    layer("CategoryEncoding", whole(2, 3, 4, below=5), num_tokens=5, output_mode="one_hot"),
    layer("CategoryEncoding", whole(4, 3, below=5, dtype="int64"), num_tokens=5, dtype="float16"),
    layer("CategoryEncoding", whole(4, 3, below=5, dtype="uint8"), num_tokens=6, dtype="int32"),
    layer("CategoryEncoding", given([[0, 2, 1], [1, 1, 0]]), num_tokens=3),
    # ---------------------------------------------------------------------------------------------- numbers
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, output_mode="one_hot"),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, output_mode="multi_hot"),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, output_mode="count"),
    layer("Discretization", real(3, 1), bin_boundaries=BORDERS, output_mode="one_hot"),
    layer("Discretization", real(2, 3, 4), bin_boundaries=[0.0]),
    layer("Discretization", real(2, 3, 4), bin_boundaries=BORDERS, output_mode="one_hot"),
    layer("Discretization", given([[-1.0, 0.0, 0.5], [1.25, -1.5, 2.0]]), bin_boundaries=BORDERS),
    layer("Discretization", whole(3, 4, below=9), bin_boundaries=[1, 4, 6]),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, epsilon=0.1, dtype="float16"),
    # ------------------------------------------------------------------------------------------- transforms
    *(op("fft", parts(2, n)) for n in (1, 2, 5, 12, 64, 97, 128, 210, 1021)),
    *(op("fft2", parts(*shape)) for shape in ((3, 5), (2, 8, 6), (2, 72, 90))),
    *(op("ifft2", parts(*shape)) for shape in ((4, 3), (2, 1, 7), (2, 72, 90))),
    *(op("rfft", real(2, 3, n)) for n in (1, 6, 7, 66, 200)),
    *(op("rfft", real(3, 10), fft_length=n) for n in (4, 7, 16, 90)),
    *(op("irfft", parts(2, n)) for n in (2, 4, 9, 101)),
    *(op("irfft", parts(3, 6), fft_length=n) for n in (5, 7, 9, 16, 100)),
    *(
        op("extract_sequences", real(*shape), sequence_length=n, sequence_stride=step)
        for shape, n, step in (
            ((9,), 3, 2),
            ((2, 12), 4, 4),
            ((2, 3, 11), 2, 5),
            ((2, 8), 8, 1),
            ((3, 40), 3, 1),
        )
    ),
    op("stft", real(2, 40), sequence_length=8, sequence_stride=3, fft_length=8),
    op("stft", real(2, 40), sequence_length=7, sequence_stride=4, fft_length=12, window="hamming"),
    op("stft", real(2, 3, 40), sequence_length=8, sequence_stride=4, fft_length=16, center=False),
    op("stft", real(40), sequence_length=6, sequence_stride=2, fft_length=9, window=None),
    op("stft", real(2, 300), sequence_length=100, sequence_stride=50, fft_length=128),
    op("istft", parts(2, 9, 5), sequence_length=8, sequence_stride=2, fft_length=8),
    op("istft", parts(2, 9, 5), sequence_length=8, sequence_stride=2, fft_length=8, center=False),
    op(
        "istft",
        parts(2, 9, 5),
        sequence_length=6,
        sequence_stride=3,
        fft_length=9,
        window="hamming",
        length=20,
    ),
    op("istft", parts(3, 2, 9, 5), sequence_length=8, sequence_stride=4, fft_length=8, window=None),
    op("istft", parts(2, 6, 65), sequence_length=100, sequence_stride=50, fft_length=128),
    *(
        op("arctan2", a, b)
        for a, b in ((real(3, 4), real(3, 4)), (real(3, 4), real(4)), (real(5), given(0.0)))
    ),
    *(
        initializer("STFT", 16, 1, 9, drawn=False, side=side, **more)
        for side in ("real", "imag")
        for more in (
            {},
            {"window": "hamming", "scaling": "spectrum", "periodic": True},
            {"window": None},
            {"window": "blackman", "scaling": None},
        )
    ),
    initializer("STFTInitializer", 10, 1, 17, drawn=False, window="flattop"),
    # ---------------------------------------------------------------------------------------------- sound
    *(
        layer("STFTSpectrogram", SOUND, mode=mode, **FRAMES)
        for mode in ("log", "magnitude", "real", "imag", "angle", "stft")
    ),
    *(
        layer("STFTSpectrogram", TWO, mode="magnitude", expand_dims=expands, padding=padding, **FRAMES)
        for expands in (False, True)
        for padding in ("valid", "same")
    ),
    *(
        layer(
            "STFTSpectrogram", FIRST, mode="stft", expand_dims=expands, data_format="channels_first", **FRAMES
        )
        for expands in (False, True)
    ),
    layer(
        "STFTSpectrogram", QUIET, mode="psd", frame_length=20, fft_length=64, window="hamming", periodic=True
    ),
    layer("STFTSpectrogram", QUIET, mode="psd", frame_length=20, scaling="spectrum", window="blackman"),
    layer("STFTSpectrogram", SOUND, mode="real", frame_length=8, scaling=None, window=None, trainable=False),
    layer("STFTSpectrogram", QUIET, mode="psd", **FRAMES),
    layer("MelSpectrogram", real(2, 200), **MELS),
    layer("MelSpectrogram", real(2, 200), mag_exp=1.0, power_to_db=False, **MELS),
    layer("MelSpectrogram", real(2, 200), top_db=10.0, ref_power=2.0, min_power=1e-3, **MELS),
    layer("MelSpectrogram", real(2, 200), sequence_length=48, window="hamming", **MELS),
    layer("MelSpectrogram", real(2, 200), min_freq=100.0, max_freq=400.0, **MELS),
    layer("MelSpectrogram", real(1, 3000)),
]
