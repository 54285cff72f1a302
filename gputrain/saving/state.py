"""One tree that names all state of a training: nested dicts of arrays and plain data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from gputrain import config
from gputrain.errors import explain
from gputrain.layers.base.places import kept_states, seed_generators
from gputrain.runtime import Variable
from gputrain.utils import states
from gputrain.utils.states import Stateful, give, take

_PARTS = ("weights", "optimizers", "training", "metrics", "callbacks", "random")
_RANDOM = ("seed", "draws", "generators")


class Resumable(Stateful, Protocol):
    """A callback: it takes the model; where `resumes` is set, the next fit starts from its state."""

    resumes: bool

    def set_model(self, model: Any) -> None:
        """Take the model."""


class Trained(Stateful, Protocol):
    """A model with its training; its own state is that of its weights."""

    def undivided(self) -> AbstractContextManager[None]:
        """A block that Ctrl-C does not cut."""

    def named_variables(self) -> dict[str, Variable]:
        """The weights by their places."""

    def named_optimizers(self) -> dict[str, Any]:
        """The optimizers by the attributes that hold them."""

    def training_state(self) -> dict[str, Any]:
        """Counters, and how far fit has got."""

    def set_training_state(self, state: Mapping[str, Any]) -> None:
        """Set what `training_state` gave."""

    def metrics_state(self) -> dict[str, Any]:
        """The state of each metric by its name."""

    def set_metrics_state(self, state: Mapping[str, Any]) -> None:
        """Set what `metrics_state` gave."""


def state_tree(
    model: Trained, callbacks: Iterable[Resumable] | None = None, source: Stateful | None = None
) -> dict[str, Any]:
    """All state of a training, so that it can be resumed elsewhere, bit for bit.

    Within fit, call it at the end of a batch or of an epoch, in the last of the callbacks.

    Args:
        model: a compiled model.
        callbacks: those of the training; `self.companions` within a callback. Those of the user take part
            by their own `state()` and `set_state()`.
        source: where the batches come from; default that of the fit in progress.

    Returns:
        {"weights": {place: array}, "optimizers": {name: {"iterations", "learning_rate", "slots": {place of
        the weight: {slot: array}}}}, "training": {"step", ..., "epoch", "batch", "source": {"pass",
        "batch"}}, "metrics": {name: {variable: array}}, "callbacks": {class: {...}}, "random": {...}}, and
        "states": {place: array} where layers keep states from batch to batch. Arrays are NumPy copies.

    Example:
        >>> tree = state_tree(model, [stop])
        >>> tree["weights"]["0/kernel"].shape
        (784, 10)
    """
    names = {variable: name for name, variable in model.named_variables().items()}
    training = model.training_state()
    if source is not None:
        training["source"] = take(source)
    kept = states.of_variables(kept_states(model))
    return {
        "weights": take(model),
        "optimizers": {name: item.state(names) for name, item in model.named_optimizers().items()},
        "training": training,
        "metrics": model.metrics_state(),
        "callbacks": {
            name: _copied(state) for name, item in _named(callbacks).items() if (state := take(item))
        },
        "random": {
            "seed": config.seed(),
            "draws": config.draws(),
            "generators": {name: seeds.state for name, seeds in seed_generators(model).items()},
        },
        **({"states": kept} if kept else {}),
    }


def set_state_tree(
    model: Trained,
    tree: Mapping[str, Any],
    callbacks: Iterable[Resumable] | None = None,
    source: Stateful | None = None,
) -> None:
    """Set all state of a training to what `state_tree` gave, in a model built and compiled in the same way.

    The next `fit` resumes after the batch at which the tree was taken: give it the same data and `epochs`.
    Sets the seed of the process too.

    Args:
        model: the model; its weights exist.
        tree: what `state_tree` gave.
        callbacks: the callbacks that fit will get, of the classes and in the order of those in the tree.
        source: where the batches come from, if they do not come from fit's arguments.

    Raises:
        ValueError: something is missing in the tree, or is not in the model.
        ShapeError: an array has another shape than in the model.

    Example:
        >>> set_state_tree(model, tree, [stop])
        >>> model.fit(x, y, epochs=10, callbacks=[stop])
    """
    kept = kept_states(model)
    states.check_names("the state tree", (*_PARTS, "states") if kept else _PARTS, tree)
    listeners, saved = _named(callbacks), tree["callbacks"]
    optimizers, generators = model.named_optimizers(), seed_generators(model)
    states.check_names("random", _RANDOM, tree["random"])
    states.check_names("random, generators", generators, tree["random"]["generators"])
    states.check_names("optimizers", optimizers, tree["optimizers"])
    stateful = [name for name, callback in listeners.items() if name in saved or take(callback)]
    _require_callbacks(stateful, saved)
    with model.undivided():
        give(model, tree["weights"])
        states.assign("states", kept, tree.get("states", {}))
        variables = model.named_variables()
        for name, optimizer in optimizers.items():
            optimizer.set_state(tree["optimizers"][name], variables)
        _set_random(tree["random"], generators)
        model.set_metrics_state(tree["metrics"])
        model.set_training_state(tree["training"])
        if source is not None:
            give(source, tree["training"]["source"])
        for name in stateful:
            listeners[name].set_model(model)
            give(listeners[name], saved[name])
            listeners[name].resumes = True


def _named(callbacks: Iterable[Resumable] | None) -> dict[str, Resumable]:
    """Callbacks by the names of their classes, numbered where there are several of one."""
    items = list(callbacks or ())
    return dict(zip(states.unique(type(item).__name__ for item in items), items, strict=True))


def _require_callbacks(here: Collection[str], saved: Collection[str]) -> None:
    """Refuse callbacks with a state that are not those of the tree."""
    missing = [f"{name} is missing" for name in saved if name not in here]
    new = [f"{name} is new" for name in here if name not in saved]
    if missing or new:
        rule = "callbacks: a training resumes with those that it was begun with."
        received = "; ".join([*missing, *new])
        fix = "Give fit the same callbacks."
        raise ValueError(explain(rule, expected=", ".join(saved) or "none", received=received, fix=fix))


def _copied(value: Any) -> Any:
    """What a user's `state()` gave, with arrays and containers that nobody else changes."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_copied(item) for item in value)
    return value


def _set_random(random: Mapping[str, Any], generators: Mapping[str, Any]) -> None:
    if random["seed"] != config.seed():
        config.set_seed(int(random["seed"]))
    config.set_draws(int(random["draws"]))
    for name, seeds in generators.items():
        seeds.set_state(random["generators"][name])
