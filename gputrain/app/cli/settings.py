"""The settings of a recipe that the command line changes."""

from __future__ import annotations

import argparse
from typing import Any

from gputrain.app.recipes import parse_setting

_PATHS = {
    "epochs": "training.epochs",
    "seed": "seed",
    "backend": "backend",
    "builder-file": "model.builder_file",
}


def settings_of(args: argparse.Namespace) -> list[tuple[str, Any, str]]:
    """Return (key path, value, the option that gave it) for all options that change the recipe."""
    given = getattr(args, "settings", [])
    settings: list[tuple[str, Any, str]] = [(*parse_setting(text), "--set") for text in given]
    for option, path in _PATHS.items():
        value = getattr(args, option.replace("-", "_"), None)
        if value is not None:
            settings.append((path, value, f"--{option}"))
    return settings
