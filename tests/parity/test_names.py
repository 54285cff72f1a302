"""Every public name of Keras is there, as the same kind of thing, or is said to be not there."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
import sys
from types import ModuleType
from typing import Any

import pytest

import gputrain
from gputrain.keras_names import NOT_THERE, instead_of
from tests.docs.pages import DOCS
from tests.parity.names import committed, kind

pytestmark = pytest.mark.cpu_only("names are the same on every device")

PAGE = (DOCS / "keras.md").read_text(encoding="utf-8").partition("## Not there")[2]
ABSENT = [
    f"keras.{room}.{name}".replace("..", ".")
    for group in NOT_THERE
    for room, names in group.names.items()
    for name in names.split()
]


def _examples() -> dict[str, Any]:
    """An object of each class whose attributes are looked at, by the path of the class."""
    model = gputrain.Sequential([gputrain.Input((3,)), gputrain.layers.Dense(2)])
    model.compile("sgd", "mse")
    return {
        "keras.Model": model,
        "keras.Sequential": model,
        "keras.layers.Layer": gputrain.layers.Layer(),
        "keras.losses.Loss": gputrain.losses.MeanSquaredError(),
        "keras.metrics.Metric": gputrain.metrics.Mean(),
        "keras.optimizers.Optimizer": model.optimizer,
        "keras.callbacks.Callback": gputrain.callbacks.Callback(),
        "keras.initializers.Initializer": gputrain.initializers.Zeros(),
        "keras.regularizers.Regularizer": gputrain.regularizers.L2(),
        "keras.constraints.Constraint": gputrain.constraints.NonNeg(),
        "keras.optimizers.schedules.LearningRateSchedule": gputrain.optimizers.schedules.CosineDecay(1.0, 2),
    }


EXAMPLES = _examples()


def there(path: str) -> tuple[bool, str]:
    """Whether a name is there, and its kind."""
    found: Any = gputrain
    for name in path.split(".")[1:]:
        if inspect.isclass(found):
            return _attribute(found, path)
        try:
            found = getattr(found, name)
        except (AttributeError, ImportError):
            return False, ""
    return True, kind(found)


def _attribute(cls: type, path: str) -> tuple[bool, str]:
    """The same of an attribute of a class, which its objects may have alone."""
    owner, _, name = path.rpartition(".")
    known = hasattr(cls, name) or name in vars(EXAMPLES[owner]) or hasattr(EXAMPLES[owner], name)
    return known, kind(inspect.getattr_static(cls, name, None))


def parents(path: str) -> list[str]:
    """The name, those that it is in, and the same of the classes that a class is made of."""
    for cls, base in (("Sequential", "Model"), ("Model", "layers.Layer")):
        if path.startswith(f"keras.{cls}."):
            return [path, *parents(path.replace(cls, base, 1))]
    parts = path.split(".")
    grouped = parts[1] == "ops" and len(parts) == 4  # Keras has its operations a second time, by group
    found = [".".join(parts[:count]) for count in range(len(parts), 1, -1)]
    return [*found, f"keras.ops.{parts[3]}"] if grouped else found


def test_every_name_of_keras_is_there_or_said_not_to_be() -> None:
    wrong = []
    for path, expected in committed().items():
        known, found = there(path)
        listed = any(parent in ABSENT for parent in parents(path))
        if known and found != expected and expected != "property":
            wrong.append(f"{path} is a {found}, in Keras a {expected}")
        elif not known and not listed:
            wrong.append(f"{path} is not there, and keras_names.py does not say so")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_said_not_to_be_there_is_not(path: str) -> None:
    assert not there(path)[0], f"{path} is there: take it out of keras_names.py"
    assert instead_of(path)


@pytest.mark.parametrize("path", [name for name in ABSENT if committed()[name] == "module"])
def test_a_module_that_is_not_there_is_told_of_where_it_is_imported(path: str) -> None:
    name = path.replace("keras", "gputrain", 1)
    for statement in (f"import {name}", f"import {name}.more", f"from {name} import more"):
        with pytest.raises(ModuleNotFoundError) as caught:
            exec(statement)  # noqa: S102
        assert str(caught.value) == f"gputrain has no module {path}. {instead_of(path)}"
        assert caught.value.name == name


def test_asking_for_a_module_that_is_not_there_is_no_import_of_it() -> None:
    """Tools that look through a package ask so; only an import is an error."""
    spec = importlib.util.find_spec("gputrain.callbacks.tensorboard")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.raises(ModuleNotFoundError, match=r"no module keras\.callbacks\.tensorboard"):
        spec.loader.exec_module(module)
    assert importlib.util.find_spec("gputrain.nothing_that_keras_has") is None
    assert "gputrain.callbacks.tensorboard" not in sys.modules


def test_what_is_said_not_to_be_there_is_a_name_of_keras() -> None:
    assert len(set(ABSENT)) == len(ABSENT)
    strange = [path for path in ABSENT if path not in committed()]
    assert not strange


def test_the_page_says_the_same() -> None:
    told = re.findall(r"`(keras\.[\w.]+)`", PAGE.partition("\n## ")[0])
    assert [name for name in ABSENT if name not in told] == []


# ------------------------------------------------------------------------- modules of a room and its names


def _everything() -> list[ModuleType]:
    """All modules of the package, imported."""
    for module in pkgutil.walk_packages(gputrain.__path__, "gputrain."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    names = [name for name in sys.modules if name.partition(".")[0] == "gputrain"]
    return [sys.modules[name] for name in sorted(names)]


ROOMS = [module for module in _everything() if hasattr(module, "__path__")]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_no_module_hides_a_public_name(room: ModuleType) -> None:
    inside = [module.name for module in pkgutil.iter_modules(room.__path__)]
    path = room.__name__.replace("gputrain", "keras", 1)
    for name in inside:
        expected = committed().get(f"{path}.{name}", "module")
        assert expected == "module", f"{path}.{name} is a {expected} in Keras, {room.__name__}.{name} a file"
        if name in getattr(room, "__all__", ()):
            assert inspect.ismodule(getattr(room, name)), f"{room.__name__}.{name} has the name of a file"


OF_KERAS = [name for name, what in committed().items() if what == "module" and there(name)[0]]
SETS = [name for name in OF_KERAS if name.startswith("keras.datasets.")]  # modules with one function


@pytest.mark.parametrize("path", ["keras", *sorted({*OF_KERAS} - {*SETS})])
def test_a_room_shows_its_public_names_alone(path: str) -> None:
    room = importlib.import_module(path.replace("keras", "gputrain", 1))
    shown = dir(room)
    assert len(shown) > 0
    assert all(not name.startswith("_") for name in shown)
    modules = [name for name in shown if inspect.ismodule(getattr(room, name))]
    own = ("recipes", "reporting", "scripts", "tabular")  # rooms that Keras has no name for
    data = ("breast_cancer", "diabetes", "digits", "wine", "idx", "images", "npy", "npz", "sniff")
    strange = [name for name in modules if f"{path}.{name}" not in committed()]
    assert set(strange) <= {"keras": set(own), "keras.datasets": set(data)}.get(path, set())


def test_names_of_the_page_stay_there() -> None:
    """What scripts take from the package itself, with `import gputrain as keras`."""
    keras = gputrain
    assert keras.ops.shape(keras.ops.ones((2, 3))) == (2, 3)
    assert keras.ops.nn.relu is keras.ops.relu
    assert keras.ops.numpy.hstack is keras.ops.hstack
    assert keras.preprocessing.sequence.pad_sequences is keras.utils.pad_sequences
    assert keras.backend.epsilon() == keras.config.epsilon() == 1e-7
    assert keras.backend.floatx() == "float32"
    assert keras.Metric is keras.metrics.Metric
    assert isinstance(keras.Input((3,)), keras.KerasTensor)
    with keras.device("cpu:0"):
        assert keras.version().startswith("3.")
