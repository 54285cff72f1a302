"""Writes what tests/applications compares with: see described.py."""

from __future__ import annotations

import json
import lzma
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from tests.applications.described import FILE, SMALLEST, VARIANTS, committed, outputs, structure


@contextmanager
def without_weights() -> Iterator[None]:
    """Let Keras build models whose weights are never made: a giant costs no memory."""
    from keras.src.backend.common import global_state
    from keras.src.backend.common.stateless_scope import StatelessScope

    with StatelessScope():
        yield
        global_state.set_global_attribute("uninitialized_variables", [])


def structures(applications: Any) -> dict[str, Any]:
    """Layers and weights of all builders, and of the variants."""
    titles = [name for name in dir(applications) if name[0].isupper()]
    calls: dict[str, tuple[str, dict[str, Any]]] = {title: (title, {}) for title in titles} | VARIANTS
    found = {}
    for name, (title, arguments) in calls.items():
        keras.utils.clear_session()
        with without_weights():
            found[name] = structure(getattr(applications, title)(weights=None, **arguments))
        print(name, found[name]["count"], file=sys.stderr)
    return found


def main(titles: list[str]) -> None:
    """Record everything, or anew the outputs of a few."""
    kept = committed() if titles else {"structures": structures(keras.applications), "outputs": {}}
    for title in titles or SMALLEST:
        keras.utils.clear_session()
        kept["outputs"][title] = outputs(keras, title)
        print(title, list(kept["outputs"][title]), file=sys.stderr)
    text = json.dumps({**kept, "keras": keras.__version__})
    FILE.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(sys.argv[1:])
