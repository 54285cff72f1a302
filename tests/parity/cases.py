"""The whole table, in groups that are kept in a file each."""

from __future__ import annotations

from tests.parity import (
    cases_edges,
    cases_functions,
    cases_layers,
    cases_losses,
    cases_operations,
    cases_training,
    programs,
)
from tests.parity.table import Case

GROUPS: dict[str, list[Case]] = {
    "functions": cases_functions.CASES,
    "layers": cases_layers.CASES,
    "losses": cases_losses.CASES,
    "training": cases_training.CASES,
    "operations": cases_operations.CASES,
    "edges": cases_edges.EDGES,
    "edges_torch": cases_edges.AGREED_WITH_TORCH,
    **{f"programs/{module}": cases for module, cases in programs.BY_MODULE.items()},
}

# The backend that Keras computes a group on. Programs hold code that is run line by line, and Keras hands its
# state to a `train_step` on JAX alone.
BACKENDS = {group: "torch" if group.startswith(("programs/", "edges_torch")) else "jax" for group in GROUPS}
