"""Small data in files, and recipes for it, that the tests of recipes and of the command line share."""

from __future__ import annotations

import copy
import csv
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain import config
from gputrain.app import reporting
from gputrain.app.recipes import run, toml_writer
from gputrain.app.recipes.errors import Source
from gputrain.app.recipes.recipe import Recipe, check
from gputrain.app.reporting import heading, plotting, sections
from gputrain.utils import notes

CLASSIFIER: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "loss": "sparse_categorical_crossentropy",
    "data": {},
    "model": {
        "layers": [{"type": "Flatten"}, {"type": "Dense", "units": "outputs", "activation": "softmax"}]
    },
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "training": {"epochs": 2, "batch_size": 16},
}
REGRESSION: dict[str, Any] = {
    **CLASSIFIER,
    "loss": "mse",
    "model": {"layers": [{"type": "Dense", "units": "outputs"}]},
}


def changed(base: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Return `base` with sections replaced; tables are laid over those that are there."""
    table = copy.deepcopy(base)
    for name, value in sections.items():
        if isinstance(value, dict) and isinstance(table.get(name), dict):
            table[name] = {**table[name], **value}
        else:
            table[name] = value
    return table


def recipe(base: dict[str, Any] = CLASSIFIER, **sections: Any) -> Recipe:
    """Return a checked recipe."""
    return check(changed(base, **sections), Source("a.toml"))


def write_recipe(path: Path, base: dict[str, Any] = CLASSIFIER, **sections: Any) -> Path:
    """Write a recipe's file."""
    path.write_text(toml_writer.dumps(changed(base, **sections)))
    return path


def write_csv(path: Path, columns: dict[str, Any]) -> Path:
    """Write columns of cells, None as an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return path


def flowers(rows: int = 60, seed: int = 0) -> dict[str, list[Any]]:
    """Return columns of a table: two numbers and a category tell the species, of which there are three."""
    rng = np.random.default_rng(seed)
    kind = np.arange(rows) % 3
    return {
        "length": (kind * 2 + rng.normal(0, 0.3, rows)).round(3).tolist(),
        "width": (5 - kind + rng.normal(0, 0.3, rows)).round(3).tolist(),
        "colour": [["red", "blue", "white"][k] for k in kind],
        "species": [["setosa", "virginica", "iris"][k] for k in kind],
    }


def houses(rows: int = 80, seed: int = 0) -> dict[str, list[Any]]:
    """Return columns of a table: price and rent follow area and rooms."""
    rng = np.random.default_rng(seed)
    area, rooms = rng.uniform(30, 200, rows).round(1), rng.integers(1, 7, rows)
    price = 1000 * area + 5000 * rooms + rng.normal(0, 100, rows)
    return {
        "area": area.tolist(),
        "rooms": rooms.tolist(),
        "price": price.round(2).tolist(),
        "rent": (0.01 * price).round(3).tolist(),
    }


def pictures(
    count: int = 30, size: int = 4, classes: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (count, size, size) whose bright row tells the class, and the classes, int64 (count,)."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % classes
    x = rng.integers(0, 80, (count, size, size)).astype(np.uint8)
    x[np.arange(count), y] = rng.integers(150, 255, (count, size))
    return x, y


def write_idx(path: Path, array: np.ndarray) -> Path:
    """Write bytes as an IDX file."""
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())
    return path


def write_image_folder(folder: Path, x: np.ndarray, y: np.ndarray, names: list[str]) -> Path:
    """Write each picture as a PNG in the folder of its class."""
    from PIL import Image

    for number, (pixels, label) in enumerate(zip(x, y, strict=True)):
        place = folder / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:03}.png")
    return folder


def settle_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test work in a folder of its own, as if nothing had been said or set before."""
    monkeypatch.chdir(folder)
    without_pictures(monkeypatch)
    notes.forget()
    config.reset()


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of reports: drawing them takes a second."""
    for module in (reporting, plotting, sections, heading):
        monkeypatch.setattr(module, "has_plot", lambda: False)


class Trained:
    """Runs trained once for all tests that only look at them, by the kind of their data.

    "table": classes in a CSV file. "missing": the same with empty cells, whose rows are dropped. "houses":
    two numbers in a CSV file. "arrays": pictures in an npz file, "binary" of two classes, with one output.
    "photos": pictures in a folder. The data lies beside the folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Path] = {}

    def __call__(self, kind: str) -> Path:
        """Return the folder of a run, not to be changed."""
        if kind not in self._made:
            place = self.folder / kind
            place.mkdir(exist_ok=True)
            with pytest.MonkeyPatch.context() as patch:
                without_pictures(patch)
                self._made[kind] = run(getattr(self, f"_{kind}")(place), place, verbose=0).folder
        return self._made[kind]

    def copy(self, kind: str, place: Path) -> Path:
        """Return a copy of a run's folder, to be changed."""
        return Path(shutil.copytree(self(kind), place / "copied"))

    def _table(self, place: Path) -> Recipe:
        write_csv(place / "flowers.csv", flowers(120))
        return recipe(data={"file": str(place / "flowers.csv"), "target": "species"}, training={"epochs": 20})

    def _missing(self, place: Path) -> Recipe:
        columns = flowers(120)
        columns["length"][::10] = [None] * 12
        write_csv(place / "flowers.csv", columns)
        section = {"file": str(place / "flowers.csv"), "target": "species", "table": {"missing": "drop"}}
        return recipe(data=section)

    def _houses(self, place: Path) -> Recipe:
        write_csv(place / "houses.csv", houses())
        return recipe(REGRESSION, data={"file": str(place / "houses.csv"), "target": ["price", "rent"]})

    def _arrays(self, place: Path) -> Recipe:
        x, y = pictures(90)
        np.savez(place / "arrays.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
        return recipe(data={"file": str(place / "arrays.npz")})

    def _binary(self, place: Path) -> Recipe:
        x, y = pictures(60, classes=2)
        np.savez(place / "arrays.npz", x=x, y=y)
        layers = [{"type": "Flatten"}, {"type": "Dense", "units": 1}]
        loss = {"name": "binary_crossentropy", "from_logits": True}
        return recipe(loss=loss, model={"layers": layers}, data={"file": str(place / "arrays.npz")})

    def _photos(self, place: Path) -> Recipe:
        folder = write_image_folder(place / "photos", *pictures(30), ["ant", "bee", "cow"])
        return recipe(data={"folder": str(folder)})
