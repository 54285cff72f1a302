"""Where the files are that gputrain ships beside its code: CUDA sources and recipes.

In a checkout and an editable install they are the folders `kernels/` and `configs/` beside the package; in a
wheel they are carried inside it, as `_kernels` and `_configs`.
"""

from __future__ import annotations

from pathlib import Path

from gputrain.errors import explain

_PACKAGE = Path(__file__).resolve().parents[1]


def kernels_dir() -> Path:
    """Return the folder of the CUDA sources.

    Raises:
        FileNotFoundError: the installation is incomplete.

    Example:
        >>> (kernels_dir() / "common.cuh").is_file()
        True
    """
    return _folder("kernels", _PACKAGE)


def configs_dir() -> Path:
    """Return the folder of the shipped recipes.

    Raises:
        FileNotFoundError: the installation is incomplete.

    Example:
        >>> (configs_dir() / "digits_cnn.toml").is_file()
        True
    """
    return _folder("configs", _PACKAGE)


def _folder(name: str, package: Path) -> Path:
    places = (package / f"_{name}", package.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(
        explain(
            f"gputrain needs the folder of its {name}.",
            expected=" or ".join(map(str, places)),
            received="neither is there",
            fix="The installation is incomplete: install gputrain again.",
        )
    )
