"""The readers of files that may come from a stranger: good files of each, and how to damage and read them."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import gputrain as keras
from gputrain import layers, ops
from gputrain.app.recipes.recipe import load
from gputrain.data.io import archives
from gputrain.data.io.idx import read_idx
from gputrain.data.io.image_decoding import MAX_PIXELS, read_image
from gputrain.data.io.npy import open_npy, read_npy
from gputrain.data.tabular.csv_files import read_csv
from gputrain.saving import checkpoint
from gputrain.saving.files import hdf5, npz, safetensors
from gputrain.utils.resources import configs_dir
from tests.saving import fuzz_mutations as mutations
from tests.saving.fuzz_mutations import Draw


@dataclass(frozen=True)
class Parser:
    """A reader.

    Attributes:
        suffix: of its files.
        seeds: makes good files.
        damage: changes one of them.
        read: reads a file, or raises the documented error.
        memory: bytes that this may take; the files are small.
    """

    suffix: str
    seeds: Callable[[], list[bytes]]
    damage: Callable[[Draw, bytes], bytes]
    read: Callable[[Path], object]
    memory: int = 192 << 20


# ---------------------------------------------------------------------------------------------- whole models


def _dense() -> Any:
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, "relu", kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(2)),
            layers.BatchNormalization(),
            layers.Dropout(0.5, seed=3),
            layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(seed=1)),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    metrics = ["accuracy", keras.metrics.AUC()]
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=metrics)
    model.train_on_batch(np.ones((2, 5), "float32"), np.eye(2, dtype="float32"))
    return model


def _text() -> Any:
    x = keras.Input((4,), dtype="int32", name="words")
    y = layers.Embedding(9, 6, mask_zero=True)(x)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
    y = layers.MultiHeadAttention(2, 3)(y, y)
    y = layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)], return_sequences=True)(y)
    y = layers.TimeDistributed(layers.Dense(2))(y)
    return keras.Model(x, layers.GlobalAveragePooling1D()(y))


def _lookups() -> Any:
    x = keras.Input((3,), dtype="int64")
    known = layers.IntegerLookup(vocabulary=[1, 2, 5], output_mode="multi_hot")(x)
    parts = [layers.Discretization([0.0, 2.0])(x), layers.CategoryEncoding(6)(x)]
    parts = [ops.cast(part, "float32") for part in (known, *parts)]
    y = layers.Concatenate()(parts)
    return keras.Model(x, layers.Normalization(mean=1.0, variance=2.0)(y))


def _words() -> Any:
    """Layers for data, one after the other: they are made, and never called."""
    text = layers.TextVectorization(vocabulary=["a", "b"], ngrams=2)
    made = [layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=2), text, layers.Hashing(4)]
    return keras.Sequential([*made, layers.HashedCrossing(5), layers.MelSpectrogram(), layers.AugMix()])


def _images() -> Any:
    x = keras.Input((8, 8, 3))
    y = layers.RandomFlip(seed=1)(layers.Rescaling(1 / 255)(x))
    y = layers.RandomRotation(0.1)(layers.Resizing(8, 8)(y))
    y = layers.SeparableConv2D(3, 3, padding="same", activation="relu")(y)
    y = layers.GroupNormalization(3)(layers.Conv2D(3, 3, dilation_rate=2)(y))
    y = layers.MaxPooling2D()(layers.ZeroPadding2D(1)(y))
    y = ops.transpose(layers.Conv2DTranspose(2, 2)(y), (0, 2, 1, 3)) + 1.0
    return keras.Model(x, layers.Dense(2)(layers.Reshape((-1,))(layers.Flatten()(y))))


def _nested() -> Any:
    inner = keras.Sequential(
        [keras.Input((4, 3)), layers.Dense(3), layers.LayerNormalization()], name="inner"
    )
    x = keras.Input(batch_shape=(2, 4, 3))
    y = layers.GRU(3, stateful=True, return_sequences=True)(x)
    y = layers.Add()([inner(y), inner(ops.relu(y))])
    return keras.Model({"a": x}, [layers.Softmax()(y), ops.sum(y, axis=1, keepdims=True)])


def _models() -> list[bytes]:
    """Models with weights as safetensors, for the process that reads HDF5 is slow to start; one with HDF5."""
    with mock.patch.object(hdf5, "is_there", return_value=False):
        made = [_saved(model()) for model in (_dense, _text, _lookups, _words, _images, _nested)]
    return [*made, _saved(_dense())]


def _saved(model: Any) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        model.save(path)
        return path.read_bytes()


def _damaged_part(draw: Draw, name: str, content: bytes) -> bytes:
    if name.endswith(".json"):
        return mutations.changed_json(draw, content)
    return (
        _damaged_safetensors(draw, content) if name.endswith(".safetensors") else _damaged_hdf5(draw, content)
    )


# ---------------------------------------------------------------------------------------------- named arrays


def _arrays() -> dict[str, np.ndarray]:
    return {
        "layers/dense/vars/0": np.arange(12, dtype="float32").reshape(3, 4),
        "layers/dense/vars/1": np.zeros(4, "float16"),
        "optimizer/vars/0": np.array(3, "int64"),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3)),
    }


def _written(module: Any) -> bytes:
    stream = io.BytesIO()
    module.write_into(stream, _arrays())
    return stream.getvalue()


def _damaged_safetensors(draw: Draw, content: bytes) -> bytes:
    if mutations.one_in(draw, 4):
        return mutations.raw(draw, content)
    length = int.from_bytes(content[:8], "little")
    header = mutations.changed_json(draw, content[8 : 8 + length])
    said = len(header) if not mutations.one_in(draw, 9) else draw(mutations.integers)
    return (said % 2**64).to_bytes(8, "little") + header + content[8 + length :]


def _hdf5_files() -> list[bytes]:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w", libver="latest") as file:
        for name, array in _arrays().items():
            packed = {"chunks": True, "compression": "gzip", "shuffle": True} if array.size > 4 else {}
            file.create_dataset(name, data=array, **packed)
        file["layers"].attrs["names"] = ["a", "b"]
        file["text"] = "words"
        file["layers"].attrs["scale"] = np.ones((2, 2))
    return [_written(hdf5), stream.getvalue()]


_HDF5_MARKS = (
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"OHDR",
    b"FRHP",
    b"BTHD",
    b"FADB",
    b"GCOL",
    b"\x89HDF",
    b"\x01\x00\x0c\x00",
)


def _damaged_hdf5(draw: Draw, content: bytes) -> bytes:
    return mutations.raw(draw, content, _HDF5_MARKS)


def _read_hdf5(path: Path) -> None:
    with hdf5.opened(path, attributes=True) as file:
        for _ in file.arrays(list(file.specs)):
            pass


def _damaged_npy_member(draw: Draw, name: str, content: bytes) -> bytes:
    return _damaged_npy(draw, content)


def _damaged_npy(draw: Draw, content: bytes) -> bytes:
    """The header is text of Python: other values stand in it."""
    if mutations.one_in(draw, 3):
        return mutations.raw(draw, content)
    length = int.from_bytes(content[8:10], "little")
    words = {"'": '"', "(": "[", ")": "]", "False": "false", ",]": "]", ", }": "}", "[]": "[]"}
    text = content[10 : 10 + length].decode()
    for old, new in words.items():
        text = text.replace(old, new)
    changed = repr(mutations.data(draw, json.loads(text.strip())))
    if not mutations.one_in(draw, 5):
        changed = changed.replace("[", "(").replace("]", ",)").replace("(,)", "()")
    header = changed.encode("utf-8", "surrogatepass") + b"\n"
    return content[:8] + (len(header) % 65536).to_bytes(2, "little") + header + content[10 + length :]


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _checkpoints() -> list[bytes]:
    import tempfile

    tree = {
        "weights": list(_arrays().values()),
        "step": 3,
        "logs": {"loss": float("nan")},
        "at": (1, 2.5),
        "by": {1: "a"},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.npz"
        checkpoint.write(path, checkpoint.Checkpoint(tree, {"config": {"a": [1, 2]}, "data": "x"}))
        return [path.read_bytes()]


def _damaged_checkpoint_member(draw: Draw, name: str, content: bytes) -> bytes:
    if name != "checkpoint.npy":
        return _damaged_npy(draw, content)
    text = mutations.changed_json(draw, np.load(io.BytesIO(content)).tobytes())
    return _npy(np.frombuffer(text, np.uint8))


# --------------------------------------------------------------------------------------------- data and texts


def _idx() -> list[bytes]:
    body = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (3, 2, 2)) + bytes(range(12))
    return [body, gzip.compress(body), b"\0\0\x0d\x01\0\0\0\x02" + np.ones(2, ">f4").tobytes()]


def _damaged_idx(draw: Draw, content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b") and not mutations.one_in(draw, 3):
        return gzip.compress(mutations.raw(draw, gzip.decompress(content), (b"\0\0",)))
    return mutations.raw(draw, content, (b"\0\0",))


def _image_files() -> list[bytes]:
    from PIL import Image

    pixels = (np.arange(12 * 9 * 3) % 256).astype("uint8").reshape(12, 9, 3)
    files = []
    for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        for mode in ("RGB", "P", "L"):
            stream = io.BytesIO()
            image = Image.fromarray(pixels).convert(
                "RGB" if form in ("JPEG", "WEBP") and mode == "P" else mode
            )
            image.save(stream, form)
            files.append(stream.getvalue())
    return files


_IMAGE_MARKS = (
    *(
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"tRNS",
        b"eXIf",
        b"\xff\xc0",
        b"\xff\xc4",
        b"\xff\xdb",
        b"\xff\xda",
        b"GIF8",
        b"BM",
    ),
    *(
        b"II*\0",
        b"\x00\x01\x03\x00",
        b"\x01\x01\x03\x00",
        b"\x11\x01\x04\x00",
        b"VP8 ",
        b"RIFF",
        b"\x21\xf9",
        b"\x2c\0",
    ),
)


def _recipes() -> list[bytes]:
    return [path.read_bytes() for path in sorted(configs_dir().glob("*.toml"))]


_TOML = (b"=", b"[", b".", b'"', b"\n")


def _damaged_toml(draw: Draw, content: bytes) -> bytes:
    """The recipe with other values and keys, as TOML; sometimes its bytes."""
    import tomllib

    from gputrain.app.recipes.toml_writer import dumps

    if mutations.one_in(draw, 3):
        return mutations.raw(draw, content, _TOML)
    tree = mutations.data(draw, tomllib.loads(content.decode()))
    try:
        return dumps(tree).encode()
    except (TypeError, ValueError, AttributeError, RecursionError):
        return mutations.raw(draw, content, _TOML)


def _tables() -> list[bytes]:
    return [
        b"a,b,c\n1,2,x\n3,,y\n",
        b'name;"a ""b"""\r\n"x\ny";2\r\n',
        "\ufeffü\tb\n1\t2\n".encode(),
    ]


def _archives() -> list[bytes]:
    made = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as archive:
            for name, body in {"a.txt": b"one", "b/c.bin": bytes(600), "x" * 120: b"long"}.items():
                info = tarfile.TarInfo(name)
                info.size = len(body)
                archive.addfile(info, io.BytesIO(body))
        made.append(stream.getvalue())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"one")
        archive.writestr("b/c.bin", bytes(600))
    return [*made, stream.getvalue()]


def _damaged_archive(draw: Draw, content: bytes) -> bytes:
    """Of a tar file also its fields, with the check sum that belongs to them."""
    if content.startswith(b"PK"):
        return mutations.zipped(draw, content, lambda draw, _, body: mutations.raw(draw, body))
    if content.startswith(b"\x1f\x8b") and not mutations.one_in(draw, 4):
        return gzip.compress(_damaged_archive(draw, gzip.decompress(content)))
    if content[257:262] != b"ustar" or mutations.one_in(draw, 4):
        return mutations.raw(draw, content)
    changed = bytearray(content)
    starts = [i - 257 for i in range(257, len(content), 512) if content[i : i + 5] == b"ustar"]
    start = draw(mutations.one_of(starts))
    field = draw(
        mutations.one_of([(0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (345, 155)])
    )
    text = draw(mutations.texts)[: field[1]]
    changed[start + field[0] : start + sum(field)] = text.ljust(field[1], b"\0")
    changed[start + 148 : start + 156] = b" " * 8
    changed[start + 148 : start + 156] = b"%06o\0 " % sum(changed[start : start + 512])
    return bytes(changed)


def _extract(path: Path) -> None:
    kind = archives.format_of(path)
    folder = path.with_name("unpacked")
    try:
        if kind is not None:
            archives.extract(path, folder, kind)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_npy(path: Path) -> None:
    for read in (read_npy, open_npy):
        read(path)


PARSERS = {
    "model": Parser(
        ".keras", _models, partial(mutations.zipped, change=_damaged_part), keras.models.load_model
    ),
    "h5": Parser(".h5", _hdf5_files, _damaged_hdf5, _read_hdf5),
    "safetensors": Parser(
        ".safetensors", lambda: [_written(safetensors)], _damaged_safetensors, safetensors.read
    ),
    "npz": Parser(
        ".npz", lambda: [_written(npz)], partial(mutations.zipped, change=_damaged_npy_member), npz.read
    ),
    "npy": Parser(".npy", lambda: [_npy(array) for array in _arrays().values()], _damaged_npy, _read_npy),
    "checkpoint": Parser(
        ".npz", _checkpoints, partial(mutations.zipped, change=_damaged_checkpoint_member), checkpoint.read
    ),
    "idx": Parser(".idx", _idx, _damaged_idx, read_idx),
    "image": Parser(
        ".img",
        _image_files,
        partial(mutations.raw, marks=_IMAGE_MARKS),
        read_image,
        (192 << 20) + 4 * MAX_PIXELS,  # a few bytes may stand for as many pixels as there may be
    ),
    "toml": Parser(".toml", _recipes, _damaged_toml, load),
    "csv": Parser(".csv", _tables, partial(mutations.raw, marks=(b",", b'"', b"\n")), read_csv),
    "archive": Parser(".tar", _archives, _damaged_archive, _extract),
}
