"""Attention kernels: samples, float16, and heads that are wider than a square."""

from __future__ import annotations

import pytest

from gputrain.backend.cupy import CupyDevice, attending
from gputrain.ops.base import Sample
from tests.backend.cupy.running import check, samples
from tests.selection import quick


@pytest.mark.parametrize("sample", samples(attending))
@pytest.mark.parametrize("dtype", quick(("float32",), ("float32", "float64")))
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)
