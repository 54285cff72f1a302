"""Pixels of image files: what Pillow writes against known numbers, and files with other intentions."""

from __future__ import annotations

import builtins
import io
import os
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io import image_decoding as _image_decoding
from gputrain.data.io import images
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.images import load, portions, read_image, scan
from gputrain.errors import DataError

Image = pytest.importorskip("PIL.Image", reason="needs the extra images")

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (6, 9), np.uint8)
RGB = RNG.integers(0, 256, (6, 9, 3), np.uint8)
LOSSLESS = {
    "png": {},
    "bmp": {},
    "tiff": {},
    "tiff, deflated": {"compression": "tiff_adobe_deflate"},
    "webp": {"lossless": True},
}


def saved(array: Any, form: str = "png", mode: str | None = None, **options: Any) -> bytes:
    image = Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def put(tmp_path: Path, data: bytes, name: str = "file.png") -> Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def oriented(value: int) -> Any:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, pixels: bytes, depth: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    """A PNG file by hand; `pixels` are rows that begin with their filter, 0."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("form", LOSSLESS)
def test_colours_come_back(form: str, tmp_path: Path) -> None:
    data = saved(RGB, form.split(",")[0], **LOSSLESS[form])
    np.testing.assert_array_equal(read_image(put(tmp_path, data, "name.that.says.nothing")), RGB)


@pytest.mark.parametrize("form", ["png", "bmp", "tiff", "gif"])  # of these GIF has a palette
def test_grey_comes_back_with_one_channel(form: str, tmp_path: Path) -> None:
    path = put(tmp_path, saved(GREY, form))
    np.testing.assert_array_equal(read_image(path), GREY[..., None])
    np.testing.assert_array_equal(read_image(path, channels=3), np.repeat(GREY[..., None], 3, axis=2))


def test_jpeg_is_near(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    path = put(tmp_path, saved(smooth, "jpeg", quality=95))
    assert np.abs(read_image(path)[..., 0].astype(int) - smooth).max() < 6


@pytest.mark.parametrize("form", ["png", "gif"])
def test_palettes_become_their_colours(form: str, tmp_path: Path) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 10, 20, 30])
    image.putdata([2, 0, 1])
    out = io.BytesIO()
    image.save(out, form)
    found = read_image(put(tmp_path, out.getvalue()))
    np.testing.assert_array_equal(found, [[[10, 20, 30], [255, 0, 0], [0, 255, 0]]])


def test_colour_becomes_grey_by_luma(tmp_path: Path) -> None:
    expected = RGB.astype(float) @ [0.299, 0.587, 0.114]
    found = read_image(put(tmp_path, saved(RGB)), channels=1)
    assert found.shape == (6, 9, 1)
    assert np.abs(found[..., 0] - expected).max() <= 0.51


def test_transparent_pixels_lie_over_white(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (6, 9, 1), np.uint8)
    alpha[0, :2, 0] = 0, 255
    expected = RGB * (alpha / 255.0) + 255.0 * (1.0 - alpha / 255.0)
    found = read_image(put(tmp_path, saved(np.concatenate([RGB, alpha], axis=2))))
    assert found.shape == RGB.shape
    assert np.abs(found - expected).max() <= 1.0
    np.testing.assert_array_equal(found[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(found[0, 1], RGB[0, 1])


def test_grey_with_alpha_stays_grey(tmp_path: Path) -> None:
    pixels = np.array([[[100, 255], [100, 0], [100, 128]]], np.uint8)
    image = Image.frombytes("LA", (3, 1), pixels.tobytes())
    out = io.BytesIO()
    image.save(out, "png")
    found = read_image(put(tmp_path, out.getvalue()))
    assert found.shape == (1, 3, 1)
    assert found[0, 0, 0] == 100
    assert found[0, 1, 0] == 255
    assert abs(int(found[0, 2, 0]) - 177) <= 1


TRANSPARENT = {
    "grey": (png(2, 1, b"\0\x07\x09", extra=chunk(b"tRNS", b"\0\x07")), [255, 9]),
    "grey of 16 bits": (png(2, 1, b"\0\x07\x07\x09\x09", 16, extra=chunk(b"tRNS", b"\x07\x07")), [255, 9]),
    "black and white": (png(2, 1, b"\0\x40", 1, extra=chunk(b"tRNS", b"\0\0")), [255, 255]),
    "palette": (
        png(2, 1, b"\0\0\1", 8, 3, chunk(b"PLTE", bytes(3) + b"\x09\x08\x07") + chunk(b"tRNS", b"\0\xff")),
        [[255] * 3, [9, 8, 7]],
    ),
    "colours": (png(2, 1, b"\0\1\2\3\4\5\6", 8, 2, chunk(b"tRNS", b"\0\1\0\2\0\3")), [[255] * 3, [4, 5, 6]]),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_a_colour_declared_transparent_is_white(name: str, tmp_path: Path) -> None:
    data, expected = TRANSPARENT[name]
    found = read_image(put(tmp_path, data))
    np.testing.assert_array_equal(found[0].squeeze(), expected)


def test_black_and_white_is_0_and_255(tmp_path: Path) -> None:
    found = read_image(put(tmp_path, saved(np.array([[True, False, True]]))))
    np.testing.assert_array_equal(found[..., 0], [[255, 0, 255]])


@pytest.mark.parametrize("form", ["png", "tiff", "tiff, big-endian"])
def test_grey_of_16_bits_is_scaled_and_not_cut(form: str, tmp_path: Path) -> None:
    wide = np.array([[0, 128, 129, 255, 256, 257, 385, 386, 32767, 32768, 65406, 65407, 65535]], np.uint16)
    if form == "tiff, big-endian":
        tags = [(256, 3, wide.size), (257, 3, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1), (277, 3, 1)]
        data = tiff([*tags, (278, 3, 1), (279, 3, wide.nbytes)], wide.astype(">u2").tobytes())
    else:
        data = saved(wide, form)
    found = read_image(put(tmp_path, data))
    np.testing.assert_array_equal(found[..., 0], np.rint(wide / 257.0))


def tiff(tags: list[tuple[int, int, int]], data: bytes) -> bytes:
    """A big-endian TIFF file with one strip; tags are (number, 3 for short or 4 for long, value)."""
    tags = sorted([*tags, (273, 4, 8 + 2 + 12 * (len(tags) + 1) + 4)])
    entries = (
        struct.pack(">HHI", tag, kind, 1)
        + (struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value))
        for tag, kind, value in tags
    )
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", len(tags)) + b"".join(entries) + bytes(4) + data


def test_colours_of_print_become_rgb(tmp_path: Path) -> None:
    cmyk = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)
    data = io.BytesIO()
    Image.frombytes("CMYK", (3, 1), cmyk.tobytes()).save(data, "tiff")
    found = read_image(put(tmp_path, data.getvalue()))
    np.testing.assert_array_equal(found, [[[255, 255, 255], [0, 255, 255], [0, 0, 0]]])


# What each EXIF orientation says of the stored rows and columns (CIPA DC-008, 4.6.4).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
    9: lambda a: a,
}


@pytest.mark.parametrize("form", ["png", "tiff", "webp"])
@pytest.mark.parametrize("value", UPRIGHT)
def test_orientation_is_applied(value: int, form: str, tmp_path: Path) -> None:
    path = put(tmp_path, saved(RGB, form, exif=oriented(value), **LOSSLESS[form]))
    expected = UPRIGHT[value](RGB)
    np.testing.assert_array_equal(read_image(path), expected)
    assert _image_decoding.form_of(path) == expected.shape


def test_orientation_of_a_jpeg_and_of_16_bits(tmp_path: Path) -> None:
    path = put(tmp_path, saved(RGB, "jpeg", exif=oriented(6)), "a.jpg")
    assert read_image(path).shape == (9, 6, 3)
    wide = GREY.astype(np.uint16) * 257
    path = put(tmp_path, saved(wide, "png", exif=oriented(6)))
    np.testing.assert_array_equal(read_image(path)[..., 0], UPRIGHT[6](GREY))


def test_damaged_exif_leaves_the_image_as_it_is(tmp_path: Path) -> None:
    data = saved(GREY, "jpeg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    assert read_image(put(tmp_path, data)).shape == (6, 9, 1)


def test_size_is_height_and_width_after_turning(tmp_path: Path) -> None:
    path = put(tmp_path, saved(RGB, "png", exif=oriented(6)))
    assert read_image(path, size=(4, 7)).shape == (4, 7, 3)
    assert read_image(path, size=np.array([4, 7])).shape == (4, 7, 3)  # type: ignore[arg-type]


def test_halving_uses_all_pixels(tmp_path: Path) -> None:
    """A triangle two pixels to each side, by plain loops; without antialiasing every other stripe is lost."""
    stripes = np.zeros((8, 8), np.uint8)
    stripes[:, ::2] = 255
    path = put(tmp_path, saved(stripes))
    expected = np.empty((4, 4))
    for out in range(4):
        centre = 2 * out + 1
        weights = {x: 1 - abs(x + 0.5 - centre) / 2 for x in range(8) if abs(x + 0.5 - centre) < 2}
        expected[:, out] = sum(stripes[0, x] * w for x, w in weights.items()) / sum(weights.values())
    found = read_image(path, size=(4, 4))[..., 0]
    assert np.abs(found - expected).max() <= 1.0
    assert found.min() > 100
    assert found.max() < 160


def test_of_moving_pictures_the_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((3, 4), value, np.uint8)) for value in (10, 200)]
    for form in ("gif", "tiff", "webp", "png"):
        out = io.BytesIO()
        options = {"lossless": True} if form == "webp" else {}
        frames[0].save(out, form, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(
            read_image(put(tmp_path, out.getvalue()), channels=1), np.full((3, 4, 1), 10)
        )


GOOD = {
    "png": saved(RGB),
    "jpeg": saved(RGB, "jpeg"),
    "bmp": saved(RGB, "bmp"),
    "gif": saved(RGB, "gif", mode="P"),
    "webp": saved(RGB, "webp"),
    "tiff": saved(RGB, "tiff"),
}
WORDS = {"png": "PNG", "jpeg": "JPEG", "bmp": "BMP", "gif": "GIF", "webp": "WebP", "tiff": "TIFF"}
GREATEST = f"at most {1 << 26} pixels"
SQUARE = struct.pack("<HH", 60000, 60000)
TILES = [(256, 4, 9), (257, 4, 9), (258, 3, 8), (259, 3, 5), (262, 3, 1), (277, 3, 1), (279, 3, 9)]
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"must hold an image\. Expected: PNG, .* or TIFF\. Received: an empty file"),
    "text": (b"a,b\n1,2\n", r"Received: a text file"),
    "web page": (b"<!doctype html><p>not found", r"Received: a web page"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\n", r"Received: a Git LFS pointer"),
    "archive": (b"PK\x03\x04" + bytes(60), r"Received: a zip archive"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(60), r"Received: a HEIC image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", r"Received: a text file"),
    "netpbm": (b"P5 1 1 255\n\0", r"must hold an image"),
    "icon": (b"\0\0\1\0\1\0\1\1\0\0\1\0\x18\0" + bytes(60), r"must hold an image"),
    **{
        f"{form} cut": (data[: len(data) * 3 // 4], f"a {WORDS[form]} image must be whole")
        for form, data in GOOD.items()
    },
    **{
        f"{form} cut early": (data[:30], f"a {WORDS[form]} image must be whole")
        for form, data in GOOD.items()
    },
    "png, damaged pixels": (GOOD["png"][:60] + b"\xff" + GOOD["png"][61:], "a PNG image must be whole"),
    "png, damaged check sum": (
        GOOD["png"][:29] + b"\0\0\0\0" + GOOD["png"][33:],
        "a header that cannot be read",
    ),
    "png with a chunk of 2**31 bytes": (
        (begun := png(9, 12, bytes(50)))[:33] + b"\x7f\xff\xff\xf0" + begun[37:],
        "a PNG image must be whole",
    ),
    "png without pixels": (png(3, 3, b""), "a PNG image must be whole"),
    "png of no width": (png(0, 3, b""), "a PNG image must be whole"),
    "png bomb": (png(60000, 60000, b""), rf"{GREATEST}\. Received: 3600000000 pixels\. Make a smaller image"),
    "png bomb below Pillow's bound": (png(9000, 9000, b""), rf"{GREATEST}\. Received: 9000x9000"),
    "png bomb at which Pillow warns": (png(10000, 9000, b""), rf"{GREATEST}\. Received: 90000000 pixels"),
    "png of 2**62 pixels": (png(2**31 - 1, 2**31 - 1, b""), GREATEST),
    "gif bomb": (
        b"GIF89a" + SQUARE + b"\x80\0\0" + bytes(6) + b"," + bytes(4) + SQUARE + b"\0\2\2D\1\0;",
        GREATEST,
    ),
    "bmp bomb": (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
        GREATEST,
    ),
    "webp bomb": (
        b"RIFF\x80\0\0\0WEBPVP8X\n\0\0\0\0\0\0\0" + b"\xfe\x3f\0" * 2 + GOOD["webp"][12:],
        "image (is limited|must be whole)",
    ),
    "tiff bomb": (tiff([*TILES[2:], (256, 4, 60000), (257, 4, 60000)], bytes(9)), GREATEST),
    "tiff with a tile that is a bomb": (
        tiff([*TILES, (322, 4, 60000), (323, 4, 60000)], bytes(9)),
        "TIFF image",
    ),
    "fractions": (
        saved(np.zeros((2, 2), np.float32), "tiff"),
        r"16 bits\. .*of mode 'F'\. Convert it to 8 bits",
    ),
    "32 bits": (saved(np.zeros((2, 2), np.int32), "tiff"), r"Received: pixels of mode 'I'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_raise_the_documented_error(name: str, tmp_path: Path) -> None:
    data, message = HOSTILE[name]
    path = put(tmp_path, data)
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_image(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.path == str(path)
    assert "<_io" not in str(caught.value)
    assert peak < 1 << 22


def test_large_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, GOOD["png"])
    monkeypatch.setattr(_image_decoding, "MAX_FILE_BYTES", len(GOOD["png"]) - 1)
    with pytest.raises(
        CorruptFileError, match=r"size of an image file is limited.*Make a smaller file of it\."
    ):
        read_image(path)


def test_random_damage_gives_pixels_or_the_documented_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    seeds = list(GOOD.values())
    for index in range(200):
        damaged = bytearray(seeds[index % len(seeds)])
        for _ in range(rng.integers(1, 4)):
            damaged[int(len(damaged) * rng.random() ** 2)] = rng.choice([0, 255, rng.integers(256)])
        path = put(tmp_path, bytes(damaged))
        try:
            found = read_image(path)
        except CorruptFileError:
            continue
        assert found.dtype == np.uint8
        assert found.shape[2] in (1, 3)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="only regular files"):
        read_image(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "absent.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    path = put(tmp_path, GOOD["png"])
    path.chmod(0)
    with pytest.raises(PermissionError):
        read_image(path)


@pytest.mark.parametrize("size", [(0, 3), (3, -1), (3,), (3, 3, 3), 5, (2.5, 3), "28", (1 << 14, 1 << 14)])
def test_size_is_two_counts(size: Any, tmp_path: Path) -> None:
    path = put(tmp_path, GOOD["png"])
    with pytest.raises(
        ValueError, match=r"size is the \(height, width\) of an image\. Expected: two integers >= 1"
    ):
        read_image(path, size=size)


@pytest.mark.parametrize("channels", [0, 2, 4, "rgb"])
def test_channels_are_one_or_three(channels: Any, tmp_path: Path) -> None:
    path = put(tmp_path, GOOD["png"])
    with pytest.raises(ValueError, match=r"channels counts the colours\. Expected: 1, 3 or None"):
        read_image(path, channels=channels)


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, GOOD["png"])
    original = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ModuleNotFoundError("No module named 'PIL'")
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r'needs Pillow\. Install it: pip install "gputrain\[images\]"'):
        read_image(path)


def folder(tmp_path: Path, **arrays: Any) -> images.ImageFolder:
    for name, array in arrays.items():
        put(tmp_path, saved(array), f"{name[0]}/{name}.png")
    return scan(tmp_path)


def test_a_folder_of_grey_images(tmp_path: Path) -> None:
    found = folder(tmp_path, b1=GREY, a1=GREY[::-1], a2=GREY // 2)
    loaded = load(found)
    assert loaded.shape == (3, 6, 9, 1)
    np.testing.assert_array_equal(loaded[..., 0], [GREY[::-1], GREY // 2, GREY])
    np.testing.assert_array_equal(found.labels, [0, 0, 1])
    assert load(found, channels=3).shape == (3, 6, 9, 3)


def test_one_image_of_colour_makes_all_colour(tmp_path: Path) -> None:
    loaded = load(folder(tmp_path, a1=GREY, b1=RGB))
    np.testing.assert_array_equal(loaded, [np.repeat(GREY[..., None], 3, axis=2), RGB])


def test_several_sizes_are_counted_and_the_fix_is_named(tmp_path: Path) -> None:
    found = folder(tmp_path, a1=GREY, a2=GREY, b1=RGB[:4, :5], b2=GREY)
    message = (
        r"one size \(height x width\) where none is set\. "
        r"Received: 3 of 6x9, as .*\.png; 1 of 4x5, as .*b1\.png\. "
        r"Set data\.image_size = \[6, 9\], or another size, to resize all\."
    )
    with pytest.raises(DataError, match=message):
        load(found)
    assert load(found, size=(5, 5)).shape == (4, 5, 5, 3)


def test_many_sizes_are_cut_short(tmp_path: Path) -> None:
    found = folder(tmp_path, b=GREY[:1], **{f"a{n}": GREY[:1, :n] for n in range(1, 8)})
    with pytest.raises(DataError, match=r"Received: 1 of 1x1, .*; and 3 sizes more\. Set"):
        load(found)


def test_turned_images_have_the_size_that_they_are_shown_in(tmp_path: Path) -> None:
    put(tmp_path, saved(RGB), "a/1.png")
    put(tmp_path, saved(RGB.swapaxes(0, 1).copy(), exif=oriented(5)), "b/1.png")
    np.testing.assert_array_equal(load(scan(tmp_path)), [RGB, RGB])


def test_too_much_for_the_memory_is_told_with_the_figure(tmp_path: Path) -> None:
    found = folder(tmp_path, a1=GREY, b1=GREY)
    message = (
        r"2 images of 8000x8000x3 must fit the memory allowed\. "
        r"Expected: at most 0\.2 GiB\. Received: 0\.4 GiB\. Set a smaller data\.image_size"
    )
    with pytest.raises(DataError, match=message):
        load(found, size=(8000, 8000), channels=3, max_bytes=1 << 28)
    assert load(found, max_bytes=2 * 6 * 9).nbytes == 2 * 6 * 9
    with pytest.raises(DataError, match="must fit the memory allowed"):
        load(found, max_bytes=2 * 6 * 9 - 1)


def test_a_damaged_file_among_many_is_named(tmp_path: Path) -> None:
    found = folder(tmp_path, a1=GREY, b1=GREY)
    path = put(tmp_path, b"no image", "b/b1.png")
    with pytest.raises(CorruptFileError, match=r"b1\.png: the file must hold an image"):
        load(found, size=(2, 2), channels=1)
    assert str(path) in str(found.files[1])


def test_portions_are_rows_of_the_whole(tmp_path: Path) -> None:
    found = folder(tmp_path, **{f"{name}{n}": GREY + np.uint8(n) for name in "ab" for n in range(5)})
    whole = load(found, size=(3, 4), channels=3)
    parts = list(portions(found.files, (3, 4), 3, rows=4))
    assert [part.shape for part in parts] == [(4, 3, 4, 3), (4, 3, 4, 3), (2, 3, 4, 3)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert list(portions([], (3, 4), 3)) == []
    with pytest.raises(ValueError, match="rows counts the samples"):
        next(portions(found.files, (3, 4), 3, rows=0))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "progress", "seconds", "shown"),
    [
        (Terminal, True, 0.0, "bar, line"),
        (Terminal, True, 60.0, ""),
        (Terminal, False, 0.0, ""),
        (io.StringIO, True, 0.0, "line"),
    ],
)
def test_a_long_load_shows_how_far_it_is(
    stream: type[io.StringIO],
    progress: bool,
    seconds: float,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = folder(tmp_path, a1=GREY, b1=GREY)
    out = stream()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(images, "_SILENT_SECONDS", seconds)
    load(found, progress=progress)
    assert ("reading images: 0/2 |" in out.getvalue()) is ("bar" in shown)
    assert ("reading images: 2/2 files in " in out.getvalue()) is ("line" in shown)
    assert bool(out.getvalue()) is bool(shown)
