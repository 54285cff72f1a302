"""For mkdocs: prepares docstrings for Griffe, which reads them.

It knows "Examples:", not "Example:", and loses an argument whose names go on in the next line.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Rewords every docstring."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Reword one docstring."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^( {4}\w+(?:, \w+)*,)\n +", r"\1 ", text, flags=re.MULTILINE)
