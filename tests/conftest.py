"""What all tests share: the device they run on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# The matrices of tests are small; a second thread of BLAS or PyTorch only waits, above all where others work.
# Set before NumPy is first imported; a value from outside wins.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is started in the background, as by nohup, ignores Ctrl-C; tests of it want it as it is elsewhere.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest

from gputrain import config as settings

HERE = Path(__file__).resolve().parent

# Tests of what happens on the host alone, which the run on the CPU device shows once and for all.
WITHOUT_DEVICE = (
    "datasets/",  # files, downloads, archives
    "initializers/",  # initial weights are drawn on the host and uploaded
    "callbacks/test_callbacks.py",
    "callbacks/test_container.py",
    "callbacks/test_learning_rate.py",
    "parity/test_signatures.py",
    "random/",  # the generator itself and the host's draws
    "app/recipes/test_comparing.py",
    "app/recipes/test_data.py",
    "app/recipes/test_origins.py",
    "app/recipes/test_overrides.py",
    "app/recipes/test_reading.py",
    "app/recipes/test_run_folder.py",
    "app/recipes/test_run_log.py",
    "app/recipes/test_toml_writer.py",
    "app/reporting/",  # figures, pictures, the page
    "data/io/",
    "data/tabular/",
    "utils/",
    "test_import.py",
    "test_public_names.py",
)

BACKENDS = ("numpy", "cupy", "emulated")
MOST_PROCESSES = 4  # each collects all tests first, which takes a core some 10 s


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=BACKENDS,
        default="numpy",
        help="the device the suite runs on: the CPU, a GPU, or the GPU device on the emulator",
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share out whole folders. A few files begin sooner in one process, and a GPU is not shared."""
    if config.getoption("--backend") == "cupy" or not any(Path(arg).is_dir() for arg in config.args):
        return 0
    return min(os.cpu_count() or 1, MOST_PROCESSES)


def pytest_configure(config: pytest.Config) -> None:
    """Make the chosen device the one that everything runs on, unless a test sets another."""
    config.addinivalue_line("markers", "cpu_only(reason): only the CPU device has what the test looks at")
    config.addinivalue_line("markers", "gpu_only(reason): only a GPU device has what the test looks at")
    name = config.getoption("--backend")
    if name == "cupy":
        _require_gpu()
    os.environ["GPUTRAIN_BACKEND"] = name
    if name == "emulated":
        from gputrain import backend
        from gputrain.backend.cupy import CupyDevice
        from tests.cuda_emulator import default

        world = default()
        backend.register_device(name, lambda number: CupyDevice(world.cupy, world.blas, number, name))


def _require_gpu() -> None:
    """One message instead of thousands of failures."""
    from gputrain import backend
    from gputrain.errors import DeviceError

    try:
        backend.current_device("cupy")
    except DeviceError as error:
        raise pytest.UsageError(f"--backend cupy: {error}") from None


def _needs_no_device(item: pytest.Item) -> bool:
    return item.path.relative_to(HERE).as_posix().startswith(WITHOUT_DEVICE)


@pytest.fixture(autouse=True)
def _no_device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prove of the rooms that are left out on a GPU that they ask for no device."""
    if _needs_no_device(request.node):

        def refuse() -> str:
            raise AssertionError("a test that needs a device; see WITHOUT_DEVICE in tests/conftest.py")

        monkeypatch.setattr(settings, "backend", refuse)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs no device where that is a GPU, and skip what the chosen device does not have."""
    if config.getoption("--backend") != "numpy":
        left_out = [item for item in items if _needs_no_device(item)]
        items[:] = [item for item in items if not _needs_no_device(item)]
        config.hook.pytest_deselected(items=left_out)
    other = "gpu_only" if config.getoption("--backend") == "numpy" else "cpu_only"
    for item in items:
        mark = item.get_closest_marker(other)
        if mark is not None:
            item.add_marker(pytest.mark.skip(reason=f"{other.replace('_', ' ')}: {mark.args[0]}"))
