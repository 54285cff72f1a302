"""What a training is of: its model, settings and data, to be compared before it resumes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np

from gputrain.data import Arrays, fingerprint
from gputrain.data.sources import Source
from gputrain.errors import explain
from gputrain.names import snake_case
from gputrain.utils.custom_objects import serialize_keras_object
from gputrain.utils.plain import as_json, by_path

_COMPILED = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")
_SHOWN = 5  # differences that an error tells
_ABSENT = "nothing"
_DEPTH = 5  # of losses and metrics within each other


class Identity:
    """What a call of fit trains, and on what.

    Args:
        model: which is trained; its weights exist.
        source: batches to train on.
        validation: batches to validate on, if any.
        **settings: arguments of fit that a result depends on.
    """

    def __init__(self, model: Any, source: Source, validation: Source | None, **settings: Any) -> None:
        self._model, self._source, self._validation, self._settings = model, source, validation, settings

    @cached_property
    def about(self) -> dict[str, Any]:
        """Config and fingerprints as JSON has them. Asked for before the first step: it reads all data."""
        settings = {**self._settings, "steps": self._source.steps}
        return {
            "model": _plain(self._model_config()),
            "weights": {place: f"{v.dtype} {v.shape}" for place, v in self._model.named_variables().items()},
            "compile": {name: _plain(_serialized(value)) for name, value in self._compiled().items()},
            "fit": _plain({**settings, "batch_size": getattr(self._source, "batch_size", None)}),
            "data": self._source.fingerprint(),
            "validation": {} if self._validation is None else self._validation.fingerprint(),
        }

    def require(self, about: Mapping[str, Any], where: str) -> None:
        """Refuse to resume another training.

        Args:
            about: of the training that is to resume.
            where: the file it was read from.

        Raises:
            ValueError: it is another one, with what differs.
        """
        before, now = by_path(about), by_path(self.about)
        names = [n for n in dict.fromkeys([*before, *now]) if before.get(n, _ABSENT) != now.get(n, _ABSENT)]
        if not names:
            return
        told = [f"{n}: {before.get(n, _ABSENT)} there, {now.get(n, _ABSENT)} here" for n in names[:_SHOWN]]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise ValueError(
            explain(
                f"{where} is of another training, so this one cannot resume there.",
                received="; ".join(told) + more,
                fix="Build, compile and fit as there, or begin anew without that file.",
            )
        )

    def _model_config(self) -> Any:
        """The config without the model's own name; of a model that has none, the name of its class."""
        try:
            return {key: value for key, value in self._model.get_config().items() if key != "name"}
        except (NotImplementedError, TypeError, AttributeError):
            return type(self._model).__name__

    def _compiled(self) -> dict[str, Any]:
        model = self._model
        losses, metrics = model._compile_loss, model._compile_metrics
        config = _config(model.optimizer)
        rate = getattr(model.optimizer, "given_rate", None)
        if isinstance(config, dict) and isinstance(rate, int | float):
            config["config"]["learning_rate"] = float(rate)  # the rate of now is a part of the state
        values = (
            config,
            model.loss,
            None if losses is None else losses.loss_weights,
            None if metrics is None else metrics.given,
            None if metrics is None else metrics.weighted,
        )
        return {**dict(zip(_COMPILED, values, strict=True)), "steps_per_execution": model.steps_per_execution}


def _config(value: Any) -> Any:
    """The config of a value; of one without, the name of its class."""
    try:
        return serialize_keras_object(value)
    except (TypeError, NotImplementedError, ValueError, AttributeError):
        return type(value).__name__


def _serialized(value: Any, depth: int = _DEPTH) -> Any:
    """The config of a value, with what a class or function of the user's was made with.

    Args:
        value: a loss, a metric, or a container of them.
        depth: how far to look into what those hold.
    """
    if depth == 0:
        return type(value).__name__
    if isinstance(value, Mapping):
        return {key: _serialized(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_serialized(item, depth - 1) for item in value]
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "biufc":
        return fingerprint.of_arrays(Arrays(value))["x"]
    held = {name: item for name, item in _made_with(value).items() if _tells(item)}
    made_with = {name: _serialized(item, depth - 1) for name, item in held.items()}
    return {"config": _config(value), "made_with": made_with} if made_with else _config(value)


def _made_with(value: Any) -> dict[str, Any]:
    """What tells apart two values of one class or function of the user's, which configs may leave out.

    Of an object it is what its constructor's arguments became, if kept by their names; of a function, what it
    captured, and its defaults.
    """
    is_function = inspect.isfunction(value)
    own = value if is_function else type(value)
    if isinstance(value, partial):
        return {"function": value.func, "arguments": value.args, **value.keywords}
    if own.__module__.partition(".")[0] in (__name__.partition(".")[0], "builtins"):
        return {}
    try:
        parameters = inspect.signature(own if is_function else own.__init__).parameters
        captured = inspect.getclosurevars(value).nonlocals if is_function else {}
    except (TypeError, ValueError):  # of compiled code, or captured before it had a value
        return {}
    if is_function:
        return {**{name: each.default for name, each in parameters.items()}, **captured}
    kept, names = getattr(value, "__dict__", {}), [name for name in parameters if name != "name"]
    return {name: kept[key] for name in names for key in (f"_{name}", name) if key in kept}


def _tells(item: Any) -> bool:
    """Whether a value is one to compare: numbers, text, what describes itself; no layers or variables."""
    plain = str | bool | int | float | np.ndarray | np.generic | Mapping | list | tuple
    is_described = hasattr(item, "get_config") and not hasattr(item, "trainable")
    return item is None or isinstance(item, plain) or inspect.isfunction(item) or is_described


def _plain(value: Any) -> Any:
    """A value as JSON has it; what is none has its class's name, as an address would differ each time."""
    import json  # for those who save a state

    return json.loads(json.dumps(without_made_names(value), default=_kind, skipkeys=True))


def _kind(value: Any) -> Any:
    return as_json(value) if hasattr(value, "tolist") else type(value).__name__


def without_made_names(config: Any) -> Any:
    """A config with the names that layers got by themselves numbered by their order in it.

    So equal models have equal configs, whatever was made before them in the process.

    Example:
        >>> without_made_names({"class_name": "Dense", "config": {"name": "dense_7"}})
        {'class_name': 'Dense', 'config': {'name': '#0'}}
    """
    made = {name: f"#{i}" for i, name in enumerate(dict.fromkeys(_made_names(config)))}
    return _renamed(config, made) if made else config


def _made_names(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        kind, inner = config.get("class_name"), config.get("config")
        if isinstance(kind, str) and isinstance(inner, Mapping):
            name = inner.get("name")
            if isinstance(name, str) and re.fullmatch(rf"{re.escape(snake_case(kind))}(_\d+)?", name):
                yield name
        for value in config.values():
            yield from _made_names(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _made_names(value)


def _renamed(config: Any, made: Mapping[str, str]) -> Any:
    if isinstance(config, Mapping):
        return {key: _renamed(value, made) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_renamed(value, made) for value in config]
    return made.get(config, config) if isinstance(config, str) else config
