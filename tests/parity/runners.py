"""What is computed for each kind of case, written once for both packages.

A side (`keras_side.py`, `gputrain_side.py`) has the package and what differs between the two: gradients, and
how to get an array out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tests.parity.programs import PROGRAMS
from tests.parity.table import Case, Of, flat, packed_as


@dataclass
class Result:
    """Arrays by name, which are compared within tolerances, and facts, which are compared exactly."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Side(Protocol):
    """One of the two packages."""

    package: Any

    def array(self, value: Any) -> np.ndarray:
        """An array, variable or number of the package as a NumPy array."""

    def differentiate(
        self,
        call: Callable[..., Any],
        arrays: Sequence[Any],
        variables: Sequence[Any],
        upstream: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[list[np.ndarray], list[np.ndarray | None], list[np.ndarray]]:
        """Outputs of `call(*arrays)` and the gradients of sum(upstream * output) over its outputs.

        Args:
            call: takes what `arrays` has, also lists.
            upstream: gives numbers for the i-th output of a shape.

        Returns:
            outputs, a gradient for each array (None for whole numbers) and for each variable.
        """


def run(case: Case, side: Side) -> Result:
    """What a package gives for a case."""
    result = Result()
    RUNNERS[case.kind](case, side, result)
    return result


def made(package: Any, value: Any) -> Any:
    """The value with every `Of` in it made from the package."""
    if isinstance(value, Of):
        return member(package, value.path)(**made(package, dict(value.arguments)))
    if isinstance(value, dict):
        return {key: made(package, each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(made(package, each) for each in value)
    return value


def member(package: Any, path: str) -> Any:
    """The member of the package at a dotted path."""
    for name in path.split("."):
        package = getattr(package, name)
    return package


def _subject(case: Case, side: Side, **more: Any) -> Any:
    """The object that a case is about."""
    return member(side.package, case.path)(**made(side.package, dict(case.arguments)), **more)


def _differentiate(
    case: Case, side: Side, result: Result, call: Callable[..., Any], arrays: list[Any], variables: Any = ()
) -> None:
    """Record outputs and gradients of a call."""
    outputs, inputs, weights = side.differentiate(
        call, arrays, list(variables), lambda i, shape: case.numbers(f"upstream {i}", shape, -1, 1)
    )
    for i, output in enumerate(outputs):
        result.arrays[f"output {i}"] = output
    for i, gradient in enumerate(inputs):
        if gradient is not None:
            result.arrays[f"gradient of input {i}"] = gradient
    for i, gradient in enumerate(weights):
        result.arrays[f"gradient of weight {i}"] = gradient


def plain_config(value: Any) -> Any:
    """A config as JSON has it, without what names a package: modules, registered names, policies."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "DTypePolicy":
            return value["config"]["name"]
        kept = ("class_name", "config") if "class_name" in value else value
        return {key: plain_config(value[key]) for key in kept}
    if isinstance(value, (list, tuple)):
        return [plain_config(each) for each in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _record_config(subject: Any, result: Result) -> Any:
    """Record the config, and whether what it makes has the same one; returns what it makes."""
    config = subject.get_config()
    result.facts["config"] = plain_config(config)
    other = type(subject).from_config(subject.get_config())  # Keras changes what it is given
    result.facts["same config again"] = plain_config(other.get_config()) == plain_config(config)
    return other


# ----------------------------------------------------------------------------------------------------- layers


def run_layer(case: Case, side: Side, result: Result) -> None:
    """Config, shapes with an unknown batch, outputs, gradients, weights after five steps of SGD.

    Settings:
        training: what `training` the layer is called with.
        named: names of the last arguments, which are passed by them.
        call: further arguments; lists stand for arrays, tuples for lists.
    """
    arrays, layer = case.arrays(), _subject(case, side, name="subject")
    symbols = _symbols(side, arrays)
    output = _called(case, layer, symbols)
    result.facts["output"] = [[list(v.shape), str(v.dtype)] for v in flat(output)]
    result.facts["weights"] = [
        [w.name, list(w.shape), str(w.dtype), bool(w.trainable)] for w in layer.weights
    ]
    _set_weights(case, layer)
    training = case.settings.get("training")
    told = {} if training is None else {"training": training}
    _differentiate(
        case, side, result, lambda *xs: _called(case, layer, xs, **told), arrays, layer.trainable_variables
    )
    other = _record_config(layer, result)
    _called(case, other, symbols)
    _set_weights(case, other)
    again = side.differentiate(
        lambda *xs: _called(case, other, xs, **told), arrays, [], lambda i, shape: np.ones(shape)
    )[0]
    result.facts["same outputs again"] = all(
        np.array_equal(result.arrays[f"output {i}"], array) for i, array in enumerate(again)
    )
    if layer.trainable_variables:
        _set_weights(case, layer)
        _five_steps(case, side, result, layer, symbols, output, arrays)


def _called(case: Case, layer: Any, inputs: Sequence[Any], **told: Any) -> Any:
    """The layer on inputs, the last of which may have names."""
    named = case.settings.get("named", ())
    first = len(inputs) - len(named)
    told = {**{name: _unpacked(value) for name, value in case.settings.get("call", {}).items()}, **told}
    return layer(*inputs[:first], **dict(zip(named, inputs[first:], strict=True)), **told)


def _unpacked(value: Any) -> Any:
    """A further argument of a call."""
    if isinstance(value, tuple):
        return [_unpacked(one) for one in value]
    return np.array(value) if isinstance(value, list) else value


def _symbols(side: Side, arrays: list[Any]) -> list[Any]:
    leaves = [side.package.Input(a.shape[1:], dtype=a.dtype.name) for a in flat(arrays)]
    return packed_as(arrays, iter(leaves))


def _set_weights(case: Case, layer: Any, most: float = 1.0) -> None:
    """Drawn weights: matrices and kernels of both signs, `most` at most; scales and the like near 1."""
    drawn = []
    for i, weight in enumerate(layer.weights):
        low, high = (-most, most) if len(weight.shape) > 1 else (0.5, 1.5)
        drawn.append(case.numbers(f"weight {i}", weight.shape, low, high))
    layer.set_weights(drawn)


def _five_steps(
    case: Case, side: Side, result: Result, layer: Any, symbols: list[Any], output: Any, arrays: list[Any]
) -> None:
    model = side.package.Model(list(flat(symbols)), next(flat(output)))
    model.compile(side.package.optimizers.SGD(0.02, momentum=0.9), "mse")
    shape = result.arrays["output 0"].shape
    target, leaves = case.numbers("target", shape, -1, 1), list(flat(arrays))
    for _ in range(5):
        model.train_on_batch(leaves if len(leaves) > 1 else leaves[0], target)
    for i, weight in enumerate(layer.weights):
        result.arrays[f"weight {i} after 5 steps"] = side.array(weight)


def run_drawn_layer(case: Case, side: Side, result: Result) -> None:
    """The distribution of what a layer changes in training."""
    layer, arrays = _subject(case, side, seed=7), case.arrays()
    output = side.array(layer(*arrays, training=True))
    _record_config(layer, result)
    result.facts["config"].pop("name")
    result.facts["shape"] = list(output.shape)
    _distribution(output - arrays[0], result)


def run_transformation(case: Case, side: Side, result: Result) -> None:
    """Config, and what a layer makes of images by a transformation that is given; its gradient.

    Settings:
        transformation: what `transform_images` takes: lists of numbers or truth values by name, or a tuple.
    """
    layer = _subject(case, side, name="subject")
    _record_config(layer, result)
    given = case.settings["transformation"]
    if isinstance(given, dict):
        tensor = side.package.ops.convert_to_tensor
        given = {name: tensor(_as_array(values)) for name, values in given.items()}
    _differentiate(case, side, result, lambda *xs: layer.transform_images(*xs, given), case.arrays())


def _as_array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array.astype("float32") if array.dtype.kind == "f" else array


def _distribution(values: np.ndarray, result: Result) -> None:
    """Means one deviation up and down, so that a small mean is measured by the deviation; quantiles."""
    mean, deviation = values.mean(0), values.std(0)
    result.arrays["distribution: means and deviations"] = np.stack([mean + deviation, mean - deviation])
    result.arrays["distribution: quantiles"] = np.quantile(values, [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])


# ------------------------------------------------------------------------------ functions, and objects called


def run_function(case: Case, side: Side, result: Result) -> None:
    """Outputs and gradients of a function.

    Settings:
        before: arguments that stand before the arrays.
    """
    function, arguments = member(side.package, case.path), made(side.package, dict(case.arguments))
    before = case.settings.get("before", ())
    _differentiate(case, side, result, lambda *xs: function(*before, *xs, **arguments), case.arrays())


def run_plain_function(case: Case, side: Side, result: Result) -> None:
    """Outputs of a function that takes no arrays of a graph."""
    function, arguments = member(side.package, case.path), made(side.package, dict(case.arguments))
    for i, output in enumerate(flat(function(*case.arrays(), **arguments))):
        result.arrays[f"output {i}"] = side.array(output)


def run_object(case: Case, side: Side, result: Result) -> None:
    """Config, outputs and gradients of an object that is called on arrays: a regularizer, a constraint."""
    subject = _subject(case, side)
    _record_config(subject, result)
    _differentiate(case, side, result, subject, case.arrays())


def run_lookup(case: Case, side: Side, result: Result) -> None:
    """What `get` of a room finds for a name, and how `serialize` writes it down where that is a name, too."""
    room = member(side.package, case.path)
    found = room.get(case.settings["identifier"])
    result.facts["found"] = getattr(found, "__name__", type(found).__name__)
    if isinstance(room.serialize(found), str):
        result.facts["serialized"] = room.serialize(found)


def run_schedule(case: Case, side: Side, result: Result) -> None:
    """Config, and the learning rate at many steps."""
    schedule = _subject(case, side)
    _record_config(schedule, result)
    steps = [0, 1, 9, 10, 11, 25, 30, 31, 70, 99, 100, 150, 1000]
    result.arrays["rates"] = np.array([float(schedule(step)) for step in steps], "float32")


def run_initializer(case: Case, side: Side, result: Result) -> None:
    """Config and first values: the values themselves, or their distribution where they are drawn.

    Settings:
        shape: of the array.
        drawn: whether the values are random.
        orthogonal: whether to record the product with itself, too.
    """
    subject = _subject(case, side)
    _record_config(subject, result)
    values = side.array(subject(case.settings["shape"]))
    result.facts["values"] = [list(values.shape), str(values.dtype)]
    if not case.settings.get("drawn"):
        result.arrays["output 0"] = values
        return
    _distribution(values.reshape(-1, 1), result)
    if case.settings.get("orthogonal"):
        rows = values.reshape(-1, values.shape[-1])
        result.arrays["output: product"] = np.eye(rows.shape[1]) + rows.T @ rows


# -------------------------------------------------------------------------------------------- losses, metrics

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None)


def run_loss(case: Case, side: Side, result: Result) -> None:
    """Config; for each reduction the loss and its gradient in the predictions.

    Inputs: targets, predictions, weights if any.
    """
    _record_config(_subject(case, side), result)
    y_true, y_pred, *weights = case.arrays()
    for reduction in REDUCTIONS:
        loss, found = _subject(case, side, reduction=reduction), Result()
        _differentiate(case, side, found, lambda p, loss=loss: loss(y_true, p, *weights), [y_pred])
        result.arrays.update({f"{name}, {reduction}": array for name, array in found.arrays.items()})


def run_metric(case: Case, side: Side, result: Result) -> None:
    """Config; the result after each batch and after a reset. Inputs: what `update_state` takes."""
    metric, arrays = _subject(case, side), case.arrays()
    _record_config(metric, result)
    for start in range(0, len(arrays[0]), 20):
        metric.update_state(*(array[start : start + 20] for array in arrays))
        result.arrays[f"output after {start}"] = side.array(metric.result())
    metric.reset_state()
    result.arrays["output after a reset"] = side.array(metric.result())


# -------------------------------------------------------------------------------------------------- training


def run_optimizer(case: Case, side: Side, result: Result) -> None:
    """Config, and the weights of a small network after each of some steps."""
    package, optimizer = side.package, _subject(case, side)
    _record_config(optimizer, result)
    layers = package.layers
    model = package.Sequential([package.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(3)])
    _set_weights(case, model)
    model.compile(optimizer, "mse")
    x, y = case.numbers("x", (8, 4), -2, 2), case.numbers("y", (8, 3), -2, 2)
    for step in range(1, 51):
        model.train_on_batch(x, y)
        if step in (1, 2, 10, 50):
            _weights(side, result, model, f"after {step} steps")


def _weights(side: Side, result: Result, model: Any, when: str) -> None:
    for i, weight in enumerate(model.weights):
        result.arrays[f"weight {i} {when}"] = side.array(weight)


def run_model(case: Case, side: Side, result: Result) -> None:
    """A model built, trained, evaluated and asked; inputs: data, then targets; lists where there are several.

    Settings:
        build: makes the model from the package.
        compile, fit: arguments.
    """
    package, (x, y) = side.package, case.arrays()
    model = case.settings["build"](package)
    _set_weights(case, model, 0.3)  # small, so that no probability is so near 0 that Keras cuts it off
    trainable = {id(w) for w in model.trainable_weights}
    result.facts["weights"] = [[list(w.shape), id(w) in trainable] for w in model.weights]
    result.facts["parameters"] = model.count_params()
    model.compile(**made(package, dict(case.settings["compile"])))
    history = model.fit(x, y, shuffle=False, verbose=0, **made(package, dict(case.settings["fit"]))).history
    result.facts["history"] = sorted(history)
    for name, values in history.items():
        result.arrays[f"output: history of {name}"] = np.array([float(v) for v in values], "float32")
    for name, value in model.evaluate(x, y, verbose=0, return_dict=True).items():
        result.arrays[f"output: evaluate {name}"] = np.array(float(value), "float32")
    for i, prediction in enumerate(flat(model.predict(x, verbose=0))):
        result.arrays[f"output: predict {i}"] = side.array(prediction)
    _weights(side, result, model, "after fit")


# ------------------------------------------------------------------------------------------------- programs


def run_program(case: Case, side: Side, result: Result) -> None:
    """What a program returns: words, whole numbers and None compare exactly, all else within tolerances.

    Dictionaries, lists and tuples are taken apart, so that both kinds may stand in them.
    """
    for name, value in PROGRAMS[case.path](side.package).items():
        _keep(result, side, name, value)


def _keep(result: Result, side: Side, name: str, value: Any) -> None:
    if value is None or isinstance(value, (bool, int, str)):
        result.facts[name] = value
    elif isinstance(value, dict):
        result.facts[name] = list(value)
        for key, each in value.items():
            _keep(result, side, f"{name}.{key}", each)
    elif isinstance(value, (list, tuple)):
        result.facts[name] = f"{len(value)} values"
        for i, each in enumerate(value):
            _keep(result, side, f"{name}.{i}", each)
    else:
        array = np.asarray(value) if isinstance(value, float) else side.array(value)
        real = np.issubdtype(array.dtype, np.floating)
        result.arrays[f"output: {name}"] = array.astype("float32") if real else array


RUNNERS: dict[str, Callable[[Case, Side, Result], None]] = {
    "layer": run_layer,
    "drawn layer": run_drawn_layer,
    "transformation": run_transformation,
    "function": run_function,
    "plain function": run_plain_function,
    "object": run_object,
    "lookup": run_lookup,
    "schedule": run_schedule,
    "initializer": run_initializer,
    "loss": run_loss,
    "metric": run_metric,
    "optimizer": run_optimizer,
    "model": run_model,
    "program": run_program,
}
