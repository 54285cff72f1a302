"""From the config of a model in a file to the model: read with limits, made of known classes only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gputrain.data.io.errors import CorruptFileError
from gputrain.errors import GraphError
from gputrain.saving.loading import Budget
from gputrain.utils.budget import FROM_FILE
from gputrain.utils.custom_objects import deserialize_keras_object
from gputrain.utils.registry import DAMAGE

MOST_TEXT = 16 << 20  # bytes of a config
MOST_VALUES = 2_000_000  # in a config: each may take some 100 bytes of memory


def excess_of(text: bytes) -> tuple[str, str] | None:
    """By what some JSON, unparsed, is too large: what there may be, and what there is."""
    if len(text) > MOST_TEXT:
        return f"at most {MOST_TEXT} bytes", f"{len(text)} bytes"
    values = sum(map(text.count, (b"[", b"{", b",")))
    return (f"at most {MOST_VALUES} values", f"about {values} values") if values > MOST_VALUES else None


def json_object(text: bytes, path: Path, name: str) -> dict[str, Any]:
    """A JSON object.

    Args:
        text: what was read of it.
        path, name: of the file and the part that it is from, for errors.

    Raises:
        CorruptFileError: it is none, or too large.
    """
    if excess := excess_of(text):
        raise CorruptFileError(path, f"{name} is of a usual size", *excess)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        received = f"{type(error).__name__}: {error}"
        raise CorruptFileError(path, f"{name} is a JSON object", "one", received) from None
    if not isinstance(found, dict):
        raise CorruptFileError(path, f"{name} is a JSON object", "one", type(found).__name__)
    return found


def built(
    config: dict[str, Any],
    path: Path,
    name: str,
    held: int,
    custom_objects: Mapping[str, Any] | None,
    safe_mode: bool,
) -> Any:
    """The model of a config, with weights that take no more memory than the file speaks for.

    Args:
        config: of the model.
        path, name: of the file and the part that it is from, for errors.
        held: bytes that the file has of weights.
        custom_objects: classes and functions of a user by the names in it.
        safe_mode: only True is taken.

    Raises:
        CorruptFileError: it describes no model, or one that the file cannot hold.
        ValueError: a name that is not known, or safe_mode=False.
    """
    before = FROM_FILE.set(Budget(path, held))
    try:
        made = deserialize_keras_object(config, custom_objects, safe_mode)
    except (MemoryError, OverflowError, RecursionError) as error:
        received = f"{type(error).__name__}: {error}"
        rule = f"the model that {name} describes fits the memory"
        raise CorruptFileError(path, rule, "one that does", received) from error
    except (*DAMAGE, GraphError) as error:
        received = f"{type(error).__name__}: {error}"
        rule, expected = f"{name} describes a model", "parts as their classes write them"
        fix = "The file is damaged, or a class of yours takes another config than when it was saved."
        raise CorruptFileError(path, rule, expected, received, fix) from error
    finally:
        FROM_FILE.reset(before)
    if not hasattr(type(made), "named_optimizers"):  # which models have, and nothing else
        raise CorruptFileError(path, f"{name} describes a model", "one", type(made).__name__)
    return made
