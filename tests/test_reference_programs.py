"""The reference tutorial's two programs, saved as they stand, under `gputrain run`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain
from gputrain.app.cli import main
from gputrain.datasets import fashion_mnist
from tests.on_device import child_environment, emulated

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


def save(folder: Path, program: str, **arrays: np.ndarray) -> tuple[str, str]:
    """A program as a file, as it stands, and the arrays that it takes for given as another."""
    script, data = folder / "program.py", folder / "data.npz"
    script.write_text(program, encoding="utf-8")
    np.savez(data, **arrays)
    return str(script), str(data)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """The models that a program evaluates, each with the result."""
    seen: list[tuple[Any, Any]] = []
    evaluate = gputrain.Sequential.evaluate

    def watched(model: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append((model, evaluate(model, *args, **kwargs)))
        return seen[-1][1]

    monkeypatch.setattr(gputrain.Sequential, "evaluate", watched)
    return seen


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


def clusters(targets: str) -> dict[str, np.ndarray]:
    """64 classes around random centers, as the short program takes them: 100 features, 64 outputs."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 64, 320)
    x = rng.normal(size=(64, 100))[labels] + 0.3 * rng.normal(size=(320, 100))
    y = gputrain.utils.to_categorical(labels, 64) if targets == "one-hot rows" else labels
    return {"x_train": x[:256], "y_train": y[:256], "x_test": x[256:], "y_test": y[256:]}


@pytest.mark.slow
def test_the_image_classifier_runs_as_it_stands(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    evaluated: list[tuple[Any, Any]],
) -> None:
    script, _ = save(tmp_path, programs()[1])
    gputrain.config.set_seed(1)
    monkeypatch.setenv("GPUTRAIN_DATA", str(DATA))
    # Fewer where a step is run by the emulator, some thirty times slower than on the CPU device.
    train, test, least = (1000, 300, 0.7) if emulated() else (6000, 1000, 0.83)
    few_images(tmp_path / "mnist", train, test)
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path))
    assert main(["run", script]) == 0
    out, err = capsys.readouterr()
    printed = re.search(r"^Accuracy: (\d+\.\d\d)$", out, re.MULTILINE)
    assert printed is not None
    assert "gputrain does not have" not in err
    ((model, (_, accuracy)),) = evaluated
    assert float(printed[1]) == pytest.approx(100 * accuracy, abs=0.01)
    # 6,000 of the 60,000 training images; Keras on TensorFlow reaches 0.85 to 0.87 with them.
    assert accuracy > least
    assert model.count_params() == 693_962


@pytest.mark.parametrize("targets", ["one-hot rows", "class indices"])
def test_the_short_program_runs_as_it_stands(
    tmp_path: Path, targets: str, evaluated: list[tuple[Any, Any]]
) -> None:
    script, data = save(tmp_path, programs()[0], **clusters(targets))
    gputrain.config.set_seed(1)
    assert main(["run", "--arrays", data, script]) == 0
    ((model, (loss, accuracy)),) = evaluated
    history = model.history.history
    assert history["loss"][-1] < history["loss"][0]
    assert accuracy > 10 / 64  # far above chance
    assert np.isfinite(loss)


def test_the_short_program_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    script, data = save(tmp_path, programs()[0], **clusters("one-hot rows"))
    done = subprocess.run(
        [sys.executable, "-m", "gputrain", "run", "--arrays", data, script],
        capture_output=True,
        text=True,
        check=False,
        env={**child_environment(), "PYTHONPATH": str(Path(gputrain.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert "Epoch 10/10" in done.stdout


def test_the_short_program_lacks_its_data_without_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, _ = save(tmp_path, programs()[0])
    assert main(["run", script]) == 1
    err = capsys.readouterr().err
    assert "NameError: name 'x_train' is not defined" in err
    assert f"gputrain run --arrays FILE.npz {script}" in err


def test_relu_rows_are_normalised_and_clipped_and_an_all_zero_row_costs_its_logarithm() -> None:
    """Each row over its sum, clipped; a row of zeros gives -log(1e-7) and no gradient."""
    from gputrain.compiler import gradients
    from gputrain.ir import Spec, Trace, Value
    from gputrain.runtime import interpret

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
