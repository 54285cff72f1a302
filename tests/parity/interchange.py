"""Models go from Keras to gputrain and back, by files: `python -m tests.parity.interchange`, where Keras is.

Each layer and model of the parity table that Keras itself can save and load goes both ways; what it predicts
on the other side, and its weights after five more steps of training, are compared. Nothing is recorded.

(nothing)  a sixtieth of the layers, chosen by the date as in `record`, and all models
--all      all of them
WORD ...   those whose name has one of the words
"""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Container, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity import allowed, interchanged
from tests.parity.cases import BACKENDS, GROUPS
from tests.parity.record import WHICH, require_pinned
from tests.parity.runners import made, member
from tests.parity.table import PARTS, Case, flat, packed_as, uniform

CLOSE = 1e-5  # as a part of the norm
AFTER_STEPS = 2e-5  # weights, after steps in which sums are taken in other orders
Make = Callable[[Any], Any]
Difference = tuple[str, float]


class Subject:
    """What goes from one side to the other.

    Args:
        name: of it.
        make: makes the model from a package.
        inputs: what it is called on; a list where there are several.
        compile: makes the arguments of `compile` from a package.
        targets: what it is trained on; None for what is not trained.
        other: outputs that are meant to differ (`allowed.py`).
    """

    def __init__(
        self,
        name: str,
        make: Make,
        inputs: Any,
        compile: Make | None = None,
        targets: Any = None,
        other: Container[str] = (),
    ) -> None:
        self.name, self.make, self.inputs = name, make, inputs
        self.compile, self.targets, self.other = compile, targets, other


def subjects(words: list[str], part: str) -> Iterator[Subject]:
    """Those that were asked for."""
    for group, cases in GROUPS.items():
        for case in cases if BACKENDS[group] == "jax" else ():
            chosen = any(word in case.id for word in words) if words else part in ("all", str(case.part))
            if case.kind in ("layer", "drawn layer") and chosen:
                yield _of_layer(case)
            elif case.kind in ("optimizer", "model") and (chosen or not words):
                yield _of_optimizer(case) if case.kind == "optimizer" else _of_model(case)
    for name, (make, inputs, targets) in interchanged.MODELS.items():
        if not words or any(word in name for word in words):
            yield Subject(name, make, inputs(), _momentum, targets() if targets else None)


def _momentum(package: Any) -> dict[str, Any]:
    return {"optimizer": package.optimizers.SGD(0.02, momentum=0.9), "loss": "mse"}


def _of_layer(case: Case) -> Subject:
    """A model of one layer."""
    arrays = case.arrays()

    def make(package: Any) -> Any:
        more = {"seed": 7} if case.kind == "drawn layer" else {}
        layer = member(package, case.path)(**made(package, dict(case.arguments)), **more)
        leaves = [package.Input(a.shape[1:], a.shape[0], dtype=a.dtype.name) for a in flat(arrays)]
        symbols = packed_as(arrays, iter(leaves))
        named = case.settings.get("named", ())
        first = len(symbols) - len(named)
        call = {name: _array(value) for name, value in case.settings.get("call", {}).items()}
        outputs = layer(*symbols[:first], **dict(zip(named, symbols[first:], strict=True)), **call)
        return package.Model(leaves, list(flat(outputs)))

    return Subject(case.id, make, list(flat(arrays)), other=allowed.arrays(case))


def _array(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_array(one) for one in value]
    return np.array(value) if isinstance(value, list) else value


def _of_optimizer(case: Case) -> Subject:
    """A small network that the optimizer trains."""

    def make(package: Any) -> Any:
        layers = package.layers
        return package.Sequential([package.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(3)])

    def compile(package: Any) -> dict[str, Any]:
        optimizer = member(package, case.path)(**made(package, dict(case.arguments)))
        return {"optimizer": optimizer, "loss": "mse"}

    x, y = case.numbers("x", (8, 4), -2, 2), case.numbers("y", (8, 3), -2, 2)
    return Subject(case.id, make, x, compile, y)


def _of_model(case: Case) -> Subject:
    """A model of the table, trained with its own settings."""
    x, y = case.arrays()
    compile = lambda package: made(package, dict(case.settings["compile"]))  # noqa: E731
    return Subject(case.id, case.settings["build"], x, compile, y)


# ------------------------------------------------------------------------------------------ from side to side


def exchanged(subject: Subject, source: Any, target: Any, folder: Path) -> list[Difference] | None:
    """Differences of what a model of one package does and what it does in the other, loaded from its file.

    Returns:
        None where the first package cannot save it, or not load what it saved.
    """
    path = folder / "model.keras"
    subject.make(target)  # which registers classes of its own
    try:
        model = subject.make(source)
        _begin(subject, source, model)
        model.save(path)
        source.models.load_model(path)
    except Exception as error:
        if source.__name__ != "keras":
            raise
        why = str(error).partition("\n")[0][:90]
        print(f"{subject.name}\n  left out, as Keras does not save it: {type(error).__name__}: {why}")
        return None
    other = target.models.load_model(path)
    found = _predictions(subject, model, other)
    if source.__name__ == "keras":
        found += _as_legacy(subject, model, source, target, folder / "model.h5")
    weights = folder / "model.weights.h5"
    model.save_weights(weights)
    third = target.models.load_model(path, compile=False)
    third.set_weights([np.zeros(w.shape, "float32") for w in third.weights])
    third.load_weights(weights)
    found += [(f"weights alone, {what}", share) for what, share in _predictions(subject, model, third)]
    if subject.targets is not None:
        found += _five_more_steps(subject, model, other)
    return found


def _as_legacy(subject: Subject, model: Any, source: Any, target: Any, path: Path) -> list[Difference]:
    """The same by a file in the format of Keras 2, where Keras reads that itself."""
    try:
        model.save(path)
        source.models.load_model(path, compile=False)  # Keras does not find the loss "mse" again
    except Exception as error:  # noqa: BLE001  (told)
        why = str(error).partition("\n")[0][:90]
        print(f"{subject.name}\n  no legacy file, as Keras does not load it: {type(error).__name__}: {why}")
        return []
    found = _predictions(subject, model, target.models.load_model(path))
    return [(f"legacy file, {what}", share) for what, share in found]


def _begin(subject: Subject, package: Any, model: Any) -> None:
    """Give weights that are no multiples of another, and train for three steps."""
    for i, weight in enumerate(model.trainable_weights):
        low, high = (-0.3, 0.3) if len(weight.shape) > 1 else (0.5, 1.5)
        drawn = uniform(f"{subject.name} weight {i}", tuple(weight.shape), low, high)
        weight.assign(drawn.astype("float32"))
    if subject.targets is not None and subject.compile is not None:
        model.compile(**subject.compile(package))
        for _ in range(3):
            model.train_on_batch(subject.inputs, subject.targets)


def _predictions(subject: Subject, model: Any, other: Any) -> list[Difference]:
    outputs = [[_host(y) for y in flat(_answer(each, subject.inputs))] for each in (model, other)]
    pairs = enumerate(zip(*outputs, strict=True))
    return [(name, _share(*pair)) for i, pair in pairs if (name := f"output {i}") not in subject.other]


def _five_more_steps(subject: Subject, model: Any, other: Any) -> list[Difference]:
    for each in (model, other):
        for _ in range(5):
            each.train_on_batch(subject.inputs, subject.targets)
    pairs = zip(model.weights, other.weights, strict=True)
    found = [(f"weight {i} after steps", _share(_host(a), _host(b))) for i, (a, b) in enumerate(pairs)]
    return [(what, share * CLOSE / AFTER_STEPS) for what, share in found]


def _answer(model: Any, inputs: Any) -> Any:
    """What a model returns, as in a prediction."""
    told = {"training": False} if "training" in inspect.signature(model.call).parameters else {}
    outputs = model(inputs, **told)
    return list(outputs.values()) if isinstance(outputs, dict) else outputs


def _host(value: Any) -> np.ndarray:
    return value.numpy() if hasattr(value, "numpy") else np.asarray(value)


def _share(one: np.ndarray, other: np.ndarray) -> float:
    """The difference as a part of the norm."""
    if one.shape != other.shape:
        return float("inf")
    one, other = one.astype("float64"), other.astype("float64")
    size = float(np.linalg.norm(one))
    return float(np.linalg.norm(one - other)) / (size or 1.0)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", metavar="WORD", nargs="*")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    require_pinned("jax")
    os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", GPUTRAIN_BACKEND="numpy")
    import keras

    import gputrain

    part = "all" if options.all else os.environ.get(WHICH) or str(date.today().toordinal() % PARTS)
    wrong = count = 0
    warnings.simplefilter("ignore")
    logging.getLogger("absl").setLevel(logging.ERROR)
    for subject in subjects(options.words, part):
        for source, target in ((keras, gputrain), (gputrain, keras)):
            keras.utils.clear_session()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found = exchanged(subject, source, target, Path(folder))
                except Exception as error:  # noqa: BLE001  (told, and counted)
                    found = [(f"{type(error).__name__}: {error}"[:400], float("inf"))]
            if found is None:
                break
            count += 1
            for what, share in found:
                if not share <= CLOSE:
                    print(
                        f"{subject.name}\n  {source.__name__} to {target.__name__}: {what}: {share:.2g}",
                        flush=True,
                    )
            wrong += any(not share <= CLOSE for _, share in found)
    print(f"{count} files went from one package to the other (part {part}): {wrong} differ")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
