"""The whole table, in groups that are kept in a file each."""

from __future__ import annotations

from tests.parity import cases_functions, cases_layers, cases_losses, cases_training
from tests.parity.table import Case

GROUPS: dict[str, list[Case]] = {
    "functions": cases_functions.CASES,
    "layers": cases_layers.CASES,
    "losses": cases_losses.CASES,
    "training": cases_training.CASES,
}
