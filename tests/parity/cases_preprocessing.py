"""Categories, text and sound."""

from __future__ import annotations

from tests.parity.cases_layers import layer
from tests.parity.table import Case, given, real, whole

INDICES = whole(4, 3, below=5)
ONE_EACH = whole(4, 1, below=5)
BORDERS = [-1.0, 0.0, 0.5, 1.25]

CASES: list[Case] = [
    # ------------------------------------------------------------------------------------------ categories
    layer("CategoryEncoding", INDICES, num_tokens=5),
    layer("CategoryEncoding", INDICES, num_tokens=8, output_mode="multi_hot"),
    layer("CategoryEncoding", INDICES, num_tokens=5, output_mode="one_hot"),
    layer("CategoryEncoding", INDICES, num_tokens=5, output_mode="count"),
    layer("CategoryEncoding", INDICES, num_tokens=3, output_mode="count"),
    layer("CategoryEncoding", INDICES, num_tokens=5, output_mode="binary"),
    layer("CategoryEncoding", ONE_EACH, num_tokens=5, output_mode="one_hot"),
    layer("CategoryEncoding", ONE_EACH, num_tokens=5, output_mode="count"),
    layer("CategoryEncoding", whole(2, 3, 4, below=5), num_tokens=5, output_mode="one_hot"),
    layer("CategoryEncoding", whole(4, 3, below=5, dtype="int64"), num_tokens=5, dtype="float16"),
    layer("CategoryEncoding", whole(4, 3, below=5, dtype="uint8"), num_tokens=6, dtype="int32"),
    layer("CategoryEncoding", given([[0, 2, 1], [1, 1, 0]]), num_tokens=3),
    # ---------------------------------------------------------------------------------------------- numbers
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, output_mode="one_hot"),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, output_mode="multi_hot"),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, output_mode="count"),
    layer("Discretization", real(3, 1), bin_boundaries=BORDERS, output_mode="one_hot"),
    layer("Discretization", real(2, 3, 4), bin_boundaries=[0.0]),
    layer("Discretization", real(2, 3, 4), bin_boundaries=BORDERS, output_mode="one_hot"),
    layer("Discretization", given([[-1.0, 0.0, 0.5], [1.25, -1.5, 2.0]]), bin_boundaries=BORDERS),
    layer("Discretization", whole(3, 4, below=9), bin_boundaries=[1, 4, 6]),
    layer("Discretization", real(3, 4), bin_boundaries=BORDERS, epsilon=0.1, dtype="float16"),
]
