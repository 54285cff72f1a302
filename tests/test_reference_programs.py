"""The reference tutorial's two programs, as they stand, with gputrain for `keras`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain
from gputrain.datasets import fashion_mnist
from tests.on_device import emulated

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = ROOT.parent / "shared" / "reference_text.txt"
DATA = ROOT.parent / "shared" / "data"


def programs() -> list[str]:
    """The tutorial's code blocks: the lines of its short program, then its image classifier."""
    if not TUTORIAL.exists():
        pytest.skip("the reference tutorial is not here (../shared/reference_text.txt)")
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 7
    return ["\n".join(blocks[:6]), blocks[6]]


def run(program: str, monkeypatch: pytest.MonkeyPatch, **names: Any) -> dict[str, Any]:
    """Run a program whose `keras` is gputrain; what it defined."""
    for name, module in list(sys.modules.items()):
        if name == "gputrain" or name.startswith("gputrain."):
            monkeypatch.setitem(sys.modules, name.replace("gputrain", "keras", 1), module)
    scope = dict(names)
    exec(compile(program, "reference_program.py", "exec"), scope)  # noqa: S102
    return scope


def write_idx(path: Path, array: np.ndarray) -> None:
    """An IDX file of bytes: magic (0, 0, 8, rank), sizes, elements."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def few_images(folder: Path, train: int, test: int) -> None:
    """The first images of the real Fashion-MNIST, as the files of a data set of MNIST's form."""
    if not DATA.exists():
        pytest.skip("the real images are not here (../shared/data)")
    (x, y), (u, v) = fashion_mnist.load_data()
    folder.mkdir(parents=True)
    write_idx(folder / "train-images-idx3-ubyte", x[:train])
    write_idx(folder / "train-labels-idx1-ubyte", y[:train])
    write_idx(folder / "t10k-images-idx3-ubyte", u[:test])
    write_idx(folder / "t10k-labels-idx1-ubyte", v[:test])


@pytest.mark.slow
def test_the_image_classifier_runs_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = programs()[1]
    gputrain.config.set_seed(1)
    monkeypatch.setenv("GPUTRAIN_DATA", str(DATA))
    # Fewer where a step is run by the emulator, some thirty times slower than on the CPU device.
    train, test, least = (1000, 300, 0.7) if emulated() else (6000, 1000, 0.83)
    few_images(tmp_path / "mnist", train, test)
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path))
    scope = run(program, monkeypatch)
    printed = re.search(r"Accuracy: (\d+\.\d\d)", capsys.readouterr().out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(100 * scope["accuracy"], abs=0.01)
    # 6,000 of the 60,000 training images; Keras on TensorFlow reaches 0.85 to 0.87 with them.
    assert scope["accuracy"] > least
    assert scope["model"].count_params() == 693_962


@pytest.mark.parametrize("targets", ["one-hot rows", "class indices"])
def test_the_short_program_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch, targets: str) -> None:
    gputrain.config.set_seed(1)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 64, 320)
    centers = rng.normal(size=(64, 100))
    x = centers[labels] + 0.3 * rng.normal(size=(320, 100))
    y = gputrain.utils.to_categorical(labels, 64) if targets == "one-hot rows" else labels
    data = {"x_train": x[:256], "y_train": y[:256], "x_test": x[256:], "y_test": y[256:]}
    scope = run(programs()[0], monkeypatch, **data)
    history = scope["model"].history.history
    assert history["loss"][-1] < history["loss"][0]
    assert scope["accuracy"] > 10 / 64  # far above chance
    assert np.isfinite(scope["loss"])


def test_relu_rows_are_normalised_and_clipped_and_an_all_zero_row_costs_its_logarithm() -> None:
    """Each row over its sum, clipped; a row of zeros gives -log(1e-7) and no gradient."""
    from gputrain.compiler import gradients, interpret
    from gputrain.ir import Spec, Trace, Value

    rows = np.array([[2.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    target = np.eye(3)
    output, y = Value(Spec((3, 3), "float64")), Value(Spec((3, 3), "float64"))
    trace = Trace()
    with trace.active():
        loss = gputrain.ops.categorical_crossentropy(y, output)
        (slope,) = gradients(gputrain.ops.sum(loss), [output])
    assert slope is not None
    losses, gradient = interpret(trace.graph([output, y], [loss, slope]), [rows, target])
    # Row 2 puts everything on class 1 while class 2 is right: clipped to 1e-7.
    np.testing.assert_allclose(losses, [-np.log(0.5), -np.log(1e-7), -np.log(1e-7)], rtol=1e-12)
    np.testing.assert_allclose(gradient[0], [-0.25, 0.25, 0.25], rtol=1e-12)
    np.testing.assert_array_equal(gradient[1:], 0.0)
