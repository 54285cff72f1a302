"""A model trained on the emulated GPU is used where CuPy is not there. `--backend emulated` runs it whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from gputrain import callbacks
from gputrain.callbacks.backup import NEWEST
from tests.saving.trainings import X, built, settings
from tests.subprocesses import environment

ROOT = Path(__file__).resolve().parents[2]
CASE = "a schedule, arrays"
HERE = """
import json, sys
sys.modules["cupy"] = None  # an import of it fails
import numpy as np
import gputrain as keras
from tests.saving.trainings import X, built, settings

keras.config.set_backend("numpy")
folder = sys.argv[1]
loaded, _ = built("a schedule, arrays")
loaded.load_weights(f"{folder}/weights.npz")
whole = keras.models.load_model(f"{folder}/model.keras")
resumed, _ = built("a schedule, arrays")
resumed.fit(**{**settings("a schedule, arrays"), "epochs": 3}, resume=f"{folder}/checkpoint.npz")
found = [model.predict(X[:8], verbose=0).tolist() for model in (loaded, whole)]
print(json.dumps([*found, int(resumed.step_counter)]))
"""


def test_what_a_gpu_trained_is_used_without_cupy(tmp_path: Path) -> None:
    model, _ = built(CASE)
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model.fit(**{**settings(CASE), "epochs": 2}, callbacks=[backup])
    assert (tmp_path / NEWEST).exists()
    model.save_weights(tmp_path / "weights.npz")
    model.save(tmp_path / "model.keras")
    command = [sys.executable, "-c", HERE, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, cwd=ROOT)
    assert child.returncode == 0, child.stderr
    *found, steps = json.loads(child.stdout)
    expected = model.predict(X[:8], verbose=0)
    for predicted in found:
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-6)
    assert steps == 24
