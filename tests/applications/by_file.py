"""Architectures go by files from Keras to gputrain and back: `python -m tests.applications.by_file`.

Runs where Keras is. Each package writes a `.weights.h5` and a `.keras` file, which the other loads, the first
through `weights=`; predictions are compared.

(nothing)  the smallest of one family, chosen by the date
--all      of every family
TITLE ...  those builders, such as ResNet50
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from tests.applications.described import SMALLEST, images, weights_by_rule

CLOSE = 1e-5  # as a part of the norm


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("titles", metavar="TITLE", nargs="*")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", GPUTRAIN_BACKEND="numpy")
    import keras

    import gputrain

    of_today = list(SMALLEST)[date.today().toordinal() % len(SMALLEST)]
    wrong = 0
    for title in options.titles or (SMALLEST if options.all else [of_today]):
        for source, target in ((keras, gputrain), (gputrain, keras)):
            keras.utils.clear_session()
            with tempfile.TemporaryDirectory() as folder:
                for what, share in exchanged(title, source, target, Path(folder)):
                    good = share <= CLOSE
                    wrong += not good
                    told = f"{title}, {source.__name__} to {target.__name__}, {what}: {share:.2g}"
                    print(told + ("" if good else "  DIFFERS"), flush=True)
    print(f"{wrong} differ")
    sys.exit(bool(wrong))


def exchanged(title: str, source: Any, target: Any, folder: Path) -> Iterator[tuple[str, float]]:
    """How far predictions of the other package are off, by the kind of file."""
    model = _built(title, source)
    gain = SMALLEST[title][2]
    model.set_weights(weights_by_rule([tuple(weight.shape) for weight in model.weights], gain))
    expected = _predicted(title, source, model)
    weights, whole = folder / "model.weights.h5", folder / "model.keras"
    model.save_weights(weights)
    model.save(whole)
    yield "weights", _share(expected, _predicted(title, target, _built(title, target, weights)))
    yield "whole", _share(expected, _predicted(title, target, target.models.load_model(whole)))


def _built(title: str, package: Any, weights: Path | None = None) -> Any:
    size = SMALLEST[title][1]
    return getattr(package.applications, title)(
        weights=weights and str(weights),
        classes=10,
        classifier_activation=None,
        input_shape=(size, size, 3),
    )


def _predicted(title: str, package: Any, model: Any) -> np.ndarray:
    module, size, _ = SMALLEST[title]
    for layer in model.layers:
        if package.__name__ == "keras" and hasattr(layer, "adapt_mean"):
            layer.finalize_state()  # statistics that were set count from here on
    prepared = getattr(package.applications, module).preprocess_input(images(size))
    return np.asarray(model.predict(prepared, verbose=0))


def _share(expected: np.ndarray, found: np.ndarray) -> float:
    return float(np.linalg.norm(expected - found) / np.linalg.norm(expected))


if __name__ == "__main__":
    main()
