"""Matrix products on the device: cuBLAS for floats, a kernel for integers and booleans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.backend.base import Thunk
from gputrain.backend.cupy import CupyDevice, linalg
from gputrain.ops.base import Sample
from gputrain.ops.products import MatMul
from tests.backend.cupy.running import FLOATS, check, placed, run, samples
from tests.selection import quick

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
LEADS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((3,), (3,)),
    ((2, 1), (3,)),
    ((2, 3), (1, 1)),
]


@pytest.mark.parametrize("sample", samples(linalg))
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


@pytest.mark.parametrize("dtype", quick(("bool", "uint8", "int64"), INTEGERS))
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("lead_a, lead_b", LEADS)
@pytest.mark.parametrize("m, k, n", [(17, 35, 33), (1, 1, 1), (3, 0, 2), (0, 2, 3), (16, 16, 48)])
def test_integers_wrap_around_as_in_numpy(
    gpu: CupyDevice,
    dtype: str,
    ta: bool,
    tb: bool,
    lead_a: tuple[int, ...],
    lead_b: tuple[int, ...],
    m: int,
    k: int,
    n: int,
) -> None:
    rng = np.random.default_rng(0)
    a_shape, b_shape = (*lead_a, *((k, m) if ta else (m, k))), (*lead_b, *((n, k) if tb else (k, n)))
    if dtype == "bool":
        a, b = (rng.random(shape) < 0.2 for shape in (a_shape, b_shape))
    else:
        limits = np.iinfo(dtype)
        a, b = (rng.integers(limits.min, limits.max, s, dtype, endpoint=True) for s in (a_shape, b_shape))
    expected = (a.swapaxes(-1, -2) if ta else a) @ (b.swapaxes(-1, -2) if tb else b)
    np.testing.assert_array_equal(run(gpu, MatMul(ta, tb), [a, b])[0], expected)


def test_more_tiles_than_blocks(gpu: CupyDevice) -> None:
    a, b = np.arange(300 * 2).reshape(300, 2), np.arange(2 * 290).reshape(2, 290)
    np.testing.assert_array_equal(run(gpu, MatMul(), [a, b])[0], a @ b)


# ---------------------------------------------------------------------------------------- orders of addition


def product(gpu: CupyDevice, skipped: int, rows: int = 40) -> tuple[Any, Thunk]:
    """(out, thunk) of the product of random matrices that begin so many elements behind an aligned start."""
    rng = np.random.default_rng(1)
    a, b = (placed(gpu, rng.standard_normal(s).astype("float32"), skipped) for s in ((40, 301), (301, 23)))
    out = placed(gpu, np.zeros((rows, 23), "float32"), skipped)
    return out, gpu.blas.matmul(a[:rows], b, out)


def test_the_same_buffers_give_the_same_bits(gpu: CupyDevice) -> None:
    """Run as it is, once more, recorded and replayed."""
    out, thunk = product(gpu, skipped=1)
    program = gpu.program([thunk, gpu.copy(gpu.empty(out.shape, "float32"), out)])
    found = []
    for _ in range(4):
        with gpu.running():
            out.data.memset_async(0xFF, out.nbytes, gpu.stream)
            program()
        found.append(gpu.download(out).tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("skipped", range(1, 9))
def test_other_alignments_and_other_numbers_of_rows_agree_by_norm(gpu: CupyDevice, skipped: int) -> None:
    """cuBLAS may take another kernel for each, which adds in another order."""
    results = []
    for place, rows in ((0, 40), (skipped, 40), (skipped, 40 - skipped)):
        out, thunk = product(gpu, place, rows)
        with gpu.running():
            thunk()
        results.append(gpu.download(out).astype("float64"))
    for other in results[1:]:
        aligned = results[0][: len(other)]
        assert np.linalg.norm(other - aligned) <= 1e-5 * np.linalg.norm(aligned)
