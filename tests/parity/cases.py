"""The whole table, in groups that are kept in a file each."""

from __future__ import annotations

from tests.parity import (
    cases_attention,
    cases_colours,
    cases_edges,
    cases_functions,
    cases_images,
    cases_layers,
    cases_losses,
    cases_operations,
    cases_preprocessing,
    cases_recurrent,
    cases_rest,
    cases_training,
    cases_windows,
    programs,
)
from tests.parity.table import Case

GROUPS: dict[str, list[Case]] = {
    "functions": cases_functions.CASES,
    "layers": cases_layers.CASES,
    "windows": cases_windows.CASES,
    "recurrent": cases_recurrent.CASES,
    "attention": cases_attention.CASES,
    "rest": cases_rest.CASES,
    "preprocessing": cases_preprocessing.CASES,
    "images": cases_images.CASES,
    "colours": cases_colours.CASES,
    "losses": cases_losses.CASES,
    "training": cases_training.CASES,
    "operations": cases_operations.CASES,
    "edges": cases_edges.EDGES,
    "edges_torch": cases_edges.AGREED_WITH_TORCH,
    **{f"programs/{module}": cases for module, cases in programs.BY_MODULE.items()},
}

# The backend that Keras computes a group on. Programs hold code that is run line by line, and Keras hands its
# state to a `train_step` on JAX alone. Its layers for text need TensorFlow, and so does adapt().
BACKENDS = {group: "torch" if group.startswith(("programs/", "edges_torch")) else "jax" for group in GROUPS}
BACKENDS |= dict.fromkeys(("programs/bins", "programs/categories", "programs/texts"), "tensorflow")
BACKENDS["programs/mixed_images"] = "jax"  # on PyTorch, Keras brightens images in place
BACKENDS["programs/summaries"] = "jax"  # on PyTorch, Keras shows a size that it tries in place of None
