"""JSON that Keras wrote: the models that it makes here, and what they predict, without Keras."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import GraphError
from tests.parity import references
from tests.parity.means import as_data, weigh
from tests.parity.programs import written_models

pytestmark = pytest.mark.cpu_only("models are made of the same layers on every device")

WRITTEN = references.read("programs/written_models")
NAMES = [name for name, result in WRITTEN.items() if "json" in result.facts]


@keras.saving.register_keras_serializable("shop", name="Scaled")
class Scale(layers.Layer):
    """The layer of `written_models.a_layer_of_the_users`."""

    __module__ = written_models.__name__

    def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any, offset: Any = None) -> Any:
        return inputs * self.factor if offset is None else inputs * self.factor + offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def _data(name: str) -> Any:
    """What the program predicts on: found by running it on a package that only notes it."""
    seen: list[Any] = []
    program = getattr(written_models, name.removeprefix("program: written_models.").removesuffix("()"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written_models, "_seen", lambda keras, model, x, **more: seen.append(x) or {})
        with suppress(KeyError):  # it picks from what it saw
            program(keras)
    return seen[0] if seen else None


@pytest.mark.parametrize("name", NAMES)
def test_json_of_keras_is_read(name: str) -> None:
    facts, arrays = WRITTEN[name].facts, WRITTEN[name].arrays
    model = keras.models.model_from_json(facts["json"])
    if "as data" in facts:
        assert as_data(json.loads(model.to_json())) == as_data(json.loads(facts["json"]))
    assert as_data(json.loads(model.to_json())) == as_data(
        json.loads(keras.models.model_from_json(model.to_json()).to_json())
    )
    x = _data(name)
    if x is None:
        return
    weigh(model)
    predicted = model.predict(x, verbose=0)
    flat = predicted if isinstance(predicted, list) else [predicted]
    if isinstance(predicted, dict):
        flat = [predicted[key] for key in predicted]
    recorded = [array for key, array in arrays.items() if key.startswith("output: predicted again")]
    assert len(flat) == len(recorded)
    for mine, theirs in zip(flat, recorded, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_config_names_no_module_that_is_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hostile.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("hostile", "keras.src.ops.hostile", "os"):
        for kind in ("system", "Evil", "hostile"):
            item = {"module": module, "class_name": kind, "config": {}, "registered_name": kind}
            config = {"name": "m", "layers": [{**item, "name": "l", "inbound_nodes": []}]}
            text = json.dumps({"class_name": "Functional", "config": {**config, "input_layers": []}})
            with pytest.raises(ValueError, match=f"Unknown (layer|operation) '{kind}'"):
                keras.models.model_from_json(text)


def _hostile(**changes: Any) -> str:
    x = keras.Input((2,), name="x")
    text = keras.Model(x, layers.Dense(2, name="d")(ops.relu(x)), name="m").to_json()
    plain = json.loads(text)
    plain["config"].update(changes)
    return json.dumps(plain)


def _call(*history: Any) -> dict[str, Any]:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": list(history)}}
    return {"args": [tensor], "kwargs": {}}


def _relu(*calls: Any) -> dict[str, Any]:
    relu = {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "r"}, "name": "r"}
    return {**relu, "inbound_nodes": list(calls)}


ERRORS = {
    "a circle": ({"layers": [_relu(_call("r", 0, 0))]}, "read each other in a circle"),
    "a layer that is not there": ({"layers": [_relu(_call("gone", 0, 0))]}, "Received: call 0 of 'gone'"),
    "a call that is not there": ({"layers": [_relu(_call("r", 7, 0))]}, "Received: call 7 of 'r'"),
    "an output that is not there": ({"output_layers": ["d", 0, 3]}, r"Received: \['d', 0, 3\]"),
    "calls as Keras 2 wrote them": ({"layers": [_relu([["x", 0, 0, {}]])]}, "as before Keras 3"),
    "a config of an older gputrain": ({"calls": []}, "from an older gputrain"),
}


@pytest.mark.parametrize(("changes", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        keras.models.model_from_json(_hostile(**changes))


def test_every_operation_of_keras_has_a_class_or_is_not_kept() -> None:
    """Whoever adds a module of operations ends it with `keep_calls`."""
    from gputrain.ops import calls, image

    for room in (ops, image):
        for name in room.__all__:
            function = getattr(room, name)
            if name.islower() and not isinstance(function, type) and name not in calls._NOT_KEPT:
                assert hasattr(function, "__wrapped__") or name == "swish", name


def test_a_function_that_is_traced_has_no_config() -> None:
    x = keras.Input(batch_shape=(3, 2), name="x")
    model = keras.Model(x, ops.map(lambda row: row * 2, x), name="mapped")
    assert model.predict(np.ones((3, 2)), verbose=0).tolist() == [[2, 2]] * 3
    with pytest.raises(GraphError, match=r"mapped: get_config\(\) needs a model of layers and of operations"):
        model.to_json()


def test_masks_given_by_hand_come_back() -> None:
    x = keras.Input((None,), dtype="int32", name="x")
    embedded = layers.Embedding(5, 2, mask_zero=True, name="e")(x)
    y = layers.LSTM(2, name="l")(layers.Dense(2, name="d")(embedded), mask=embedded.mask)
    model = keras.Model(x, y)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    data = np.array([[1, 2, 0], [3, 0, 0]])
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
