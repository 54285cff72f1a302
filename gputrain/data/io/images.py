"""Folders of images: which files and classes are there, and their pixels as uint8 arrays.

    flowers/
      daisy/  a.jpg  b.png
      rose/   c.jpg  more/d.jpg

`scan("flowers")` finds the files and their classes, `load` reads them all, `portions` a few at a time, and
`read_image` one. The files may come from strangers: six formats are decoded, sizes are bounded before a file
is decoded, and what is wrong ends in one documented error. Decoding needs the extra `images` (Pillow).
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from gputrain.data.io.errors import FilePath
from gputrain.data.io.image_decoding import (
    Form,
    Pixels,
    Size,
    check_channels,
    check_size,
    form_of,
    read_image,
)
from gputrain.data.io.image_files import ImageFolder, files_in, scan
from gputrain.data.io.npy import check_rows
from gputrain.errors import DataError
from gputrain.utils.progress.lines import Counter

__all__ = ["ImageFolder", "files_in", "load", "portions", "read_image", "scan"]

MAX_LOAD_BYTES = 8 << 30

T = TypeVar("T")
_LISTED = 5
_SILENT_SECONDS = 1.0


def load(
    folder: ImageFolder,
    size: Size | None = None,
    channels: int | None = None,
    *,
    progress: bool = True,
    max_bytes: int = MAX_LOAD_BYTES,
) -> Pixels:
    """Read all images of a folder into one array.

    Args:
        folder: from `scan`.
        size: (height, width) to resize all to; None asks that all have one size.
        channels: 1 (grey), 3 (RGB), or None: 1 if all files are grey, else 3.
        progress: whether a load of more than a second shows a bar, where one can move, and a line at its end.
        max_bytes: int, largest array to make, in bytes.

    Returns:
        uint8, shape (n, height, width, channels), in the order of `folder.files`.

    Raises:
        DataError: without `size` the files have several sizes, or the array would exceed `max_bytes`.
        CorruptFileError, ImportError, OSError, ValueError: as `read_image`.

    >>> load(scan("flowers"), size=(160, 160)).shape  # doctest: +SKIP
    (3670, 160, 160, 3)
    """
    check_size(size)
    check_channels(channels)
    if size is None or channels is None:
        forms = list(_each(form_of, "measuring images", folder, progress))
        size = size or _common_size(folder.files, forms)
        channels = channels or max(form.channels for form in forms)
    shape = len(folder.files), *size, channels
    _check_memory(shape, max_bytes)
    images = np.empty(shape, np.uint8)
    read = partial(read_image, size=size, channels=channels)
    for index, pixels in enumerate(_each(read, "reading images", folder, progress)):
        images[index] = pixels
    return images


def portions(files: Sequence[FilePath], size: Size, channels: int, rows: int = 256) -> Iterator[Pixels]:
    """Read many image files a few at a time: what to predict on where all together are too large.

    Args:
        files: the files.
        size: (height, width) to resize all to.
        channels: 1 (grey) or 3 (RGB).
        rows: int >= 1, images per portion; the last one may be smaller.

    Yields:
        uint8, shape (at most `rows`, height, width, channels).

    Raises:
        CorruptFileError, ImportError, OSError, ValueError: as `read_image`.

    >>> for x in portions(files_in("holiday"), (160, 160), 3):  # doctest: +SKIP
    ...     model.predict(x)
    """
    remaining = iter(files)
    rows = check_rows(rows)
    while some := list(islice(remaining, rows)):
        yield np.stack([read_image(file, size, channels) for file in some])


def _common_size(files: Sequence[Path], forms: list[Form]) -> Size:
    """Return the one (height, width) that all files have."""
    counts = collections.Counter((form.height, form.width) for form in forms)
    (usual, _), *others = counts.most_common()
    if others:
        example = {(form.height, form.width): file for file, form in zip(files, forms, strict=True)}
        found = [
            f"{count} of {size[0]}x{size[1]}, as {example[size]}"
            for size, count in counts.most_common(_LISTED)
        ]
        more = f"; and {len(counts) - _LISTED} sizes more" if len(counts) > _LISTED else ""
        rule = "All images must have one size (height x width) where none is set."
        fix = f"Set data.image_size = {list(usual)}, or another size, to resize all."
        raise DataError(rule, received="; ".join(found) + more, fix=fix)
    return usual


def _check_memory(shape: tuple[int, ...], max_bytes: int) -> None:
    needed = math.prod(shape)
    if needed > max_bytes:
        count, height, width, channels = shape
        rule = f"{count} images of {height}x{width}x{channels} must fit the memory allowed."
        expected = f"at most {max_bytes / 2**30:.1f} GiB"
        fix = "Set a smaller data.image_size, or use fewer images."
        raise DataError(rule, expected=expected, received=f"{needed / 2**30:.1f} GiB", fix=fix)


def _each(read: Callable[[Path], T], title: str, folder: ImageFolder, progress: bool) -> Iterator[T]:
    """What `read` makes of each file; how many are done is shown once that has taken a while."""
    after = _SILENT_SECONDS if progress else math.inf
    with Counter(title, len(folder.files), "files", after=after) as counter:
        for file in folder.files:
            yield read(file)
            counter.advance()
