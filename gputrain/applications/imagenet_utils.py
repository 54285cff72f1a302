"""Preparing images as published weights expect them, and naming the classes of ImageNet."""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import config, ops
from gputrain.data.arrays import on_host
from gputrain.data.io.cache import cache_folder
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.files import open_regular
from gputrain.errors import ShapeError, explain
from gputrain.names import public

__all__ = ["decode_predictions", "preprocess_input"]

# Of the pixels of ImageNet's training images: in 0..1, red, green, blue; and the mean in 0..255, blue first,
# as networks were trained with Caffe.
MEAN = [0.485, 0.456, 0.406]
STDDEV = [0.229, 0.224, 0.225]
CAFFE_MEAN = [103.939, 116.779, 123.68]

CLASSES = 1000
INDEX_FILE = "imagenet_class_index.json"
INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"  # of the file that Keras downloads
_MAX_INDEX_BYTES = 1 << 20


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Prepare images as the weights of an architecture expect them.

    Unlike Keras's, the function leaves `x` as it is.

    Args:
        x: pixels 0..255, red, green, blue: (H, W, 3) or (N, H, W, 3), or the channels first; an array, or a
            symbolic value of a model.
        data_format: "channels_last" or "channels_first"; default the configured one.
        mode: "caffe": blue, green, red, ImageNet's mean taken off; "tf": scaled to -1..1; "torch": scaled to
            0..1 and normalized by ImageNet's mean and standard deviation.

    Returns:
        an array or value of the same shape; floats keep their dtype, whole numbers become
        `config.floatx()`.

    Raises:
        ValueError: an unknown mode or data_format.
        ShapeError: not 3 channels, where they are not all treated alike.

    Example:
        >>> preprocess_input(numpy.array([[[0.0, 127.5, 255.0]]]), mode="tf").tolist()
        [[[-1.0, 0.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        rule = "preprocess_input: mode must be known."
        raise ValueError(explain(rule, expected='"caffe", "tf" or "torch"', received=repr(mode)))
    given = config.image_data_format() if data_format is None else data_format
    if given not in ("channels_last", "channels_first"):
        rule = "preprocess_input: data_format must be known."
        expected = '"channels_last" or "channels_first"'
        raise ValueError(explain(rule, expected=expected, received=repr(data_format)))
    x = _floats(x)
    if mode == "tf":
        return x / 127.5 - 1.0
    axis = x.ndim - (1 if given == "channels_last" else 3)
    if x.ndim not in (3, 4) or x.shape[axis] != 3:
        rule = f"preprocess_input: images must have 3 channels, {given.replace('_', ' ')}."
        raise ShapeError(explain(rule, received=f"shape {tuple(x.shape)}"))
    shape = [3 if i == axis else 1 for i in range(x.ndim)]

    def aligned(numbers: list[float]) -> Any:
        return np.array(numbers, x.dtype).reshape(shape)

    if mode == "torch":
        return (x / 255.0 - aligned(MEAN)) / aligned(STDDEV)
    flipped = np.flip(x, axis) if isinstance(x, np.ndarray) else ops.flip(x, axis)
    return flipped - aligned(CAFFE_MEAN)


def _floats(x: Any) -> Any:
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    if isinstance(x, np.ndarray):
        return x if x.dtype.kind == "f" else x.astype(config.floatx())
    return x if "float" in str(x.dtype) else ops.cast(x, config.floatx())


def unchanged(module: str) -> Callable[..., Any]:
    """A `preprocess_input` of models that prepare images themselves.

    Args:
        module: the module in which it stands.
    """

    def preprocess_input(x: Any, data_format: str | None = None) -> Any:
        """Return `x`: these models prepare pixels 0..255 themselves."""
        return x

    preprocess_input.__module__, preprocess_input.__qualname__ = module, "preprocess_input"
    return preprocess_input


def decode_predictions(preds: Any, top: int = 5, class_index: str | PathLike[str] | None = None) -> Any:
    """Name the likeliest classes of ImageNet.

    The names are not shipped. They are read from a JSON file, `{"0": ["n01440764", "tench"], ...}`, such as
    Keras keeps in its cache.

    Args:
        preds: probabilities or scores (N, 1000).
        top: how many classes to name.
        class_index: path of the file; default `models/imagenet_class_index.json` in the cache of
            `utils.get_file`.

    Returns:
        a list for each sample: tuples (WordNet id, name, score), the highest score first.

    Raises:
        ShapeError: not (N, 1000).
        FileNotFoundError: no such file; the message says where it belongs.
        CorruptFileError: the file is not such an index.

    Example:
        >>> decode_predictions(model.predict(images), top=1)  # doctest: +SKIP
        [[('n02123045', 'tabby', 0.61)]]
    """
    scores = np.asarray(on_host(preds))
    if scores.ndim != 2 or scores.shape[1] != CLASSES:
        rule = "decode_predictions: predictions must be those of ImageNet's classes."
        raise ShapeError(explain(rule, expected=f"(N, {CLASSES})", received=scores.shape))
    index = _read_index(Path(class_index) if class_index else cache_folder() / "models" / INDEX_FILE)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [[(*index[i], row[i]) for i in order] for row, order in zip(scores, best, strict=True)]


def _read_index(path: Path) -> list[tuple[str, str]]:
    """WordNet id and name of each class."""
    if not path.exists():
        raise FileNotFoundError(
            explain(
                "decode_predictions: the names of ImageNet's classes are not shipped.",
                expected=f"the file {path}",
                received="no such file",
                fix="Put Keras's imagenet_class_index.json there, pass class_index= with its path, or fetch "
                f'it: keras.utils.get_file("{INDEX_FILE}", origin=URL, cache_subdir="models", '
                f'file_hash="{INDEX_MD5}").',
            )
        )
    with open_regular(path) as stream:
        text = stream.read(_MAX_INDEX_BYTES + 1)
    rule = "an index of classes gives a WordNet id and a name for each number"
    expected = (
        f'{{"0": ["n01440764", "tench"], ... "{CLASSES - 1}": [...]}} in at most {_MAX_INDEX_BYTES} bytes'
    )
    try:
        if len(text) > _MAX_INDEX_BYTES:
            raise ValueError("more bytes")
        entries = json.loads(text)
        index = [entries[str(number)] for number in range(CLASSES)]
        if not all(isinstance(entry, list) and [*map(type, entry)] == [str, str] for entry in index):
            raise ValueError("other entries")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise CorruptFileError(path, rule, expected, f"{type(error).__name__}: {error}") from error
    return [(identifier, name) for identifier, name in index]


__getattr__, __dir__ = public("function", __name__, __all__)
