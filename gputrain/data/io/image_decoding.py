"""One image file, from a stranger, to pixels: six formats, bounded sizes, one documented error."""

from __future__ import annotations

import operator
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.data.io.files import open_regular
from gputrain.data.io.sniff import describe, kind_of
from gputrain.errors import explain

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
MAX_PIXELS = 1 << 26
MAX_FILE_BYTES = 1 << 29

_WIDE_GREY = {"I;16", "I;16B", "I;16L", "I;16N"}
_GREY = {"1", "L", "LA"} | _WIDE_GREY
_COLOUR = {"CMYK", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"}
_EXIF_ORIENTATION = 0x0112
_QUARTER_TURNED = (5, 6, 7, 8)

# What Pillow is known to raise on damaged files. The file is open by then, so OSError means bad content.
_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


class Form(NamedTuple):
    """What a file's header says about an image, after its orientation."""

    height: int
    width: int
    channels: int


def read_image(path: FilePath, size: Size | None = None, channels: int | None = None) -> Pixels:
    """Read one image file: PNG, JPEG, BMP, GIF, WebP or TIFF, of these the first frame or page.

    The EXIF orientation is applied. Transparent pixels are laid over white. 16-bit grey v becomes v / 257,
    rounded; colours of 16 bits lose their low byte. Colour becomes grey by ITU-R 601-2 luma.

    Args:
        path: the file, told by its content and not by its name.
        size: (height, width) to resize to, bilinear with antialiasing; None keeps the file's own.
        channels: 1 (grey), 3 (RGB), or None for what the file has.

    Returns:
        uint8, shape (height, width, channels). While a file is decoded, up to 4 bytes a pixel are taken
        beside the result.

    Raises:
        CorruptFileError: the file is no image of these formats, is damaged, or exceeds 2**26 pixels or
            2**29 bytes.
        ImportError: Pillow is not installed.
        OSError: the file cannot be opened.
        ValueError: `size` or `channels` are none of these.

    >>> read_image("cat.jpg", size=(160, 160)).shape  # doctest: +SKIP
    (160, 160, 3)
    """
    check_size(size)
    check_channels(channels)
    with _opened(path) as image:
        image.load()
        upright = _upright(image, _eight_bits(image))
        upright = upright.convert({None: upright.mode, 1: "L", 3: "RGB"}[channels])
        if size is not None:
            from PIL.Image import Resampling

            upright = upright.resize((size[1], size[0]), Resampling.BILINEAR)
        pixels = np.array(upright, np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)


@contextmanager
def _opened(path: FilePath) -> Iterator[Image]:
    """Open an image file and read its header; damage found then or later is the documented error."""
    pillow = _pillow()
    with open_regular(path) as whole:
        size = os.fstat(whole.fileno()).st_size
        _check_file_bytes(path, size)
        file: Any = _ToItsEnd(whole, size)
        try:
            # Other warnings are about what stands beside the pixels. They decide, by being whole or not.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", pillow.DecompressionBombWarning)
                with pillow.open(file, formats=FORMATS) as image:
                    if image.width * image.height > MAX_PIXELS:
                        raise _too_large(path, f"{image.width}x{image.height}")
                    _check_mode(path, image)
                    yield image
        except CorruptFileError:
            raise
        except (pillow.DecompressionBombWarning, pillow.DecompressionBombError) as error:
            pixels = re.search(r"\d+ pixels", str(error))
            raise _too_large(path, pixels[0] if pixels else str(error)) from error
        except _DAMAGE as error:
            raise _no_image(path, error) from error


class _ToItsEnd:
    """A file that is asked for no more bytes than it has: Python makes room for all that are asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, count: int = -1) -> bytes:
        """The next bytes, fewer at the end."""
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if count < 0 else min(count, left))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _pillow() -> Any:
    """Import Pillow, or say how to install it."""
    try:
        from PIL import Image
    except ImportError as error:
        rule = "Reading image files needs Pillow."
        raise ImportError(explain(rule, fix='Install it: pip install "gputrain[images]"')) from error
    return Image


def _check_file_bytes(path: FilePath, size: int) -> None:
    if size > MAX_FILE_BYTES:
        rule = "the size of an image file is limited"
        expected = f"at most {MAX_FILE_BYTES} bytes"
        raise CorruptFileError(path, rule, expected, f"{size} bytes", "Make a smaller file of it.")


def _too_large(path: FilePath, received: str) -> CorruptFileError:
    rule = "the size of an image is limited"
    expected = f"at most {MAX_PIXELS} pixels"
    return CorruptFileError(path, rule, expected, received, "Make a smaller image of it.")


def _check_mode(path: FilePath, image: Image) -> None:
    if image.mode not in _GREY | _COLOUR:
        rule = "pixels are grey or colours of 8 bits, or grey of 16 bits"
        expected = "black and white, grey, palette, RGB, CMYK or YCbCr"
        received = f"pixels of mode {image.mode!r}"
        raise CorruptFileError(path, rule, expected, received, "Convert it to 8 bits.")


def _no_image(path: FilePath, error: Exception) -> CorruptFileError:
    from PIL import UnidentifiedImageError

    kind = kind_of(path)
    if kind.upper() not in FORMATS:
        rule = "the file must hold an image"
        return CorruptFileError(path, rule, "PNG, JPEG, BMP, GIF, WebP or TIFF", describe(kind))
    received = "a header that cannot be read"
    if not isinstance(error, UnidentifiedImageError):
        received = f"{type(error).__name__}: {error}"
    return CorruptFileError(path, f"{describe(kind)} must be whole", "pixels to decode", received)


def form_of(path: FilePath) -> Form:
    """Read the header of an image file."""
    with _opened(path) as image:
        width, height = image.size
        # Pillow's size of a TIFF image is that after turning.
        if image.format != "TIFF" and _orientation(image) in _QUARTER_TURNED:
            width, height = height, width
        return Form(height, width, 1 if _is_grey(image) else 3)


def _is_grey(image: Image) -> bool:
    """Return whether the pixels can only be grey: by their mode, or because the whole palette is."""
    if image.mode != "P":
        return image.mode in _GREY
    palette = np.array(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _eight_bits(image: Image) -> Image:
    """Return the image as grey or RGB of 8 bits, transparent pixels over white."""
    from PIL import Image

    if image.mode in _WIDE_GREY:
        wide = np.array(image, np.uint32)
        narrow = ((wide + 128) // 257).astype(np.uint8)
        narrow[wide == image.info.get("transparency", -1)] = 255
        return Image.fromarray(narrow)
    mode = "L" if _is_grey(image) else "RGB"
    if not image.has_transparency_data:
        return image.convert(mode)
    above = image.convert("RGBA")
    white = Image.new("RGBA", above.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, above).convert(mode)


def _upright(image: Image, pixels: Image) -> Image:
    """Turn `pixels` as the EXIF data of `image` ask for."""
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(_orientation(image))
    return pixels if turn is None else pixels.transpose(turn)


def _orientation(image: Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, when the data are damaged."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def check_size(size: Size | None) -> None:
    """Refuse a size that is not two positive numbers."""
    if size is None:
        return
    try:
        height, width = map(operator.index, size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        rule = "size is the (height, width) of an image."
        expected = f"two integers >= 1, at most {MAX_PIXELS} pixels"
        raise ValueError(explain(rule, expected=expected, received=repr(size)))


def check_channels(channels: int | None) -> None:
    """Refuse anything but one or three channels."""
    if channels not in (None, 1, 3):
        rule = "channels counts the colours."
        raise ValueError(explain(rule, expected="1, 3 or None", received=repr(channels)))
