"""Keras scripts: `gputrain run SCRIPT.py` serves `import keras` from gputrain inside a script.

`serving_keras` is the import hook, `missing_names` reads a script before it runs, `run_script` does both.
"""

from gputrain.app.scripts.running import run_script
from gputrain.app.scripts.scan import Missing, missing_names
from gputrain.app.scripts.serving import KerasModule, keras_modules, serving_keras
from gputrain.release import KERAS_VERSION

__all__ = [
    "KERAS_VERSION",
    "KerasModule",
    "Missing",
    "keras_modules",
    "missing_names",
    "run_script",
    "serving_keras",
]
