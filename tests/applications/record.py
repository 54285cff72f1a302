"""Writes what tests/applications compares with: see described.py."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

from tests.applications.described import FILE, SMALLEST, VARIANTS, outputs, structure


@contextmanager
def without_weights() -> Iterator[None]:
    """Let Keras build models whose weights are never made: a giant costs no memory."""
    from keras.src.backend.common import global_state
    from keras.src.backend.common.stateless_scope import StatelessScope

    with StatelessScope():
        yield
        global_state.set_global_attribute("uninitialized_variables", [])


def main() -> None:
    import keras

    applications = keras.applications
    titles = [name for name in dir(applications) if name[0].isupper()]
    calls: dict[str, tuple[str, dict[str, Any]]] = {title: (title, {}) for title in titles} | VARIANTS
    structures = {}
    for name, (title, arguments) in calls.items():
        keras.utils.clear_session()
        with without_weights():
            structures[name] = structure(getattr(applications, title)(weights=None, **arguments))
        print(name, structures[name]["count"], file=sys.stderr)
    found = {}
    for title in SMALLEST:
        keras.utils.clear_session()
        found[title] = outputs(keras, title)
        print(title, list(found[title]), file=sys.stderr)
    text = json.dumps({"keras": keras.__version__, "structures": structures, "outputs": found})
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
