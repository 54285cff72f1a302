"""Batches gathered on the device."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice
from gputrain.backend.cupy.batch import gather_rows
from gputrain.ir import Spec
from tests.backend.cupy.running import placed, poisoned

SAMPLES = 101
ROWS = [
    ((), "int64"),
    ((7,), "uint8"),
    ((28, 28), "float32"),
    ((3,), "float64"),
    ((5, 0), "int32"),
    ((1500, 3), "bool"),
]


def source(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(len(shape))
    return rng.integers(0, 2 if dtype == "bool" else 100, (SAMPLES, *shape)).astype(dtype)


@pytest.mark.parametrize("skipped", [0, 1])
def test_batches_follow_the_order(gpu: CupyDevice, skipped: int) -> None:
    """Arrays of many row lengths in one launch; the cursor moves with every launch."""
    hosts = [source(shape, dtype) for shape, dtype in ROWS]
    order = np.random.default_rng(1).permutation(SAMPLES)
    sources = [placed(gpu, h, skipped) for h in hosts]
    outs = [poisoned(gpu, Spec((23, *shape), dtype), skipped=skipped) for shape, dtype in ROWS]
    cursor = placed(gpu, np.array(3))
    thunk = gather_rows(gpu, sources, placed(gpu, order), cursor, outs, 23)
    for start in (3, 26, 49):
        with gpu.running():
            thunk()
        for out, host in zip(outs, hosts, strict=True):
            assert gpu.download(out).tobytes() == host[order[start : start + 23]].tobytes()
        assert gpu.download(cursor) == start + 23


def test_images_become_floats(gpu: CupyDevice) -> None:
    """Converted arrays beside copied ones, each with its own scale."""
    images, labels, more = source((33, 65, 3), "uint8"), source((), "uint8"), source((2,), "float64")
    outs = [
        poisoned(gpu, Spec((9, 33, 65, 3), "float32")),
        poisoned(gpu, Spec((9,), "int32")),
        poisoned(gpu, Spec((9, 2), "float16")),
        poisoned(gpu, Spec((9,), "uint8")),
    ]
    hosts = [images, labels, more, labels]
    order = np.arange(SAMPLES)[::-1].copy()
    scales = [(1 / 255, -0.5), (1, 0), (0.5, 1), (7, 7)]
    cursor = placed(gpu, np.array(90))
    thunk = gather_rows(gpu, [placed(gpu, h) for h in hosts], placed(gpu, order), cursor, outs, 4, scales)
    with gpu.running():
        thunk()
    rows = order[90:99]
    np.testing.assert_allclose(gpu.download(outs[0]), images[rows].astype(np.float32) / 255 - 0.5, atol=1e-6)
    np.testing.assert_array_equal(gpu.download(outs[1]), labels[rows])
    np.testing.assert_array_equal(gpu.download(outs[2]), more[rows].astype(np.float16) / 2 + 1)
    np.testing.assert_array_equal(gpu.download(outs[3]), labels[rows])
    assert gpu.download(cursor) == 94


def test_behind_the_end_nothing_is_read(gpu: CupyDevice) -> None:
    """The last sample of the order comes again; without rows the cursor alone moves."""
    host = source((3,), "float32")
    order, cursor = np.arange(SAMPLES), placed(gpu, np.array(SAMPLES - 2))
    out = poisoned(gpu, Spec((5, 3), "float32"))
    empty = poisoned(gpu, Spec((0, 3), "float32"))
    for target in (out, empty):
        thunk = gather_rows(gpu, [placed(gpu, host)], placed(gpu, order), cursor, [target], 1)
        with gpu.running():
            thunk()
    np.testing.assert_array_equal(gpu.download(out), host[[-2, -1, -1, -1, -1]])
    assert gpu.download(cursor) == SAMPLES
