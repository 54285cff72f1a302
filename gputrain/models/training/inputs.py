"""From the arguments of fit, evaluate and predict to data that was checked, and to sources of batches."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from gputrain.data import Arrays, make_arrays
from gputrain.data.arrays import to_array
from gputrain.data.labels import class_weights, split_validation
from gputrain.data.sources import ArraySource, Reading, Source, is_iterator, make_source
from gputrain.errors import DataError, explain
from gputrain.ir import Value
from gputrain.models.training.strategy import Strategy
from gputrain.utils.notes import note


class Fed(Protocol):
    """A model as its data sees it."""

    _step_strategy: Strategy

    def known_values(self) -> tuple[list[Value], list[Value]] | None:
        """Symbolic inputs and outputs, where the model has them."""

    def names_of_inputs(self) -> list[str] | None:
        """The keys of a dict of inputs, where the model has such."""


def checked_data(model: Fed, x: Any, y: Any, w: Any, what: str, class_weight: Any = None) -> Any:
    """Checked arrays, or an iterator as it is."""
    if x is None:
        raise DataError(explain(f"{what} needs data.", received="x=None"))
    if is_iterator(x):
        if y is not None or w is not None:
            raise DataError(
                explain(
                    f"{what}: batches from an iterator bring their own targets and weights.",
                    expected="y and sample_weight left out",
                )
            )
        return x
    arrays = make_arrays(_as_model_inputs(model, x, f"{what}(x)"), y, w, what)
    return arrays if class_weight is None else _weighed(model, class_weight, arrays)


def training_data(model: Fed, x: Any, y: Any, w: Any, share: float) -> tuple[Any, Any]:
    """Data to train on and the share held out of it, if any."""
    data = checked_data(model, x, y, w, "fit")
    if share and not isinstance(data, Arrays):
        raise DataError(explain("validation_split needs arrays.", fix="Pass validation_data instead."))
    return split_validation(data, share) if share else (data, None)


def validation_data(model: Fed, data: Any) -> Any:
    """The data to evaluate on in fit, from (x, y), (x, y, sample_weight) or an iterator."""
    if is_iterator(data):
        return data
    if not isinstance(data, list | tuple) or not 1 <= len(data) <= 3:
        rule = "validation_data is (x, y) or (x, y, sample_weight)."
        raise DataError(explain(rule, received=type(data).__name__))
    x, y, w = (*data, None, None)[:3]
    return checked_data(model, x, y, w, "validation_data")


def source_of(
    model: Fed,
    data: Any,
    size: int | None,
    steps: int | None,
    what: str,
    shuffle: bool | str = False,
    class_weight: Any = None,
) -> Source:
    """Batches of what the strategy leaves to this process; only those of fit go on pass after pass.

    Without a size they are as large as so many steps through the data need, or 32 samples.
    """
    weigh = None if class_weight is None else partial(_weighed, model, class_weight)
    if isinstance(data, Arrays):
        data = model._step_strategy.share_rows(data if weigh is None else weigh(data))
        size = size or (-(-data.count // steps) if steps else None)
    source = make_source(data, size or 32, shuffle, steps, what, repeat=what == "fit")
    if isinstance(source, Reading):
        if class_weight == "balanced":
            raise DataError(
                explain(
                    'class_weight="balanced" counts the classes of all samples, which must be arrays.',
                    received=type(data).__name__,
                    fix="Pass {class: weight}.",
                )
            )
        source.weigh = weigh
    return source


def _weighed(model: Fed, class_weight: Any, arrays: Arrays) -> Arrays:
    return class_weights(arrays, class_weight, _classes(model))


def whole(data: Any) -> ArraySource:
    """All samples in one batch."""
    if not isinstance(data, Arrays):
        raise DataError(explain("A batch is given as arrays.", received=type(data).__name__))
    return ArraySource(data, data.count)


def _classes(model: Fed) -> int | None:
    """Number of classes of a model's only output, where it is known."""
    known = model.known_values()
    width = known[1][0].shape[-1] if known is not None and len(known[1]) == 1 else None
    return 2 if width == 1 else width


def _as_model_inputs(model: Fed, x: Any, name: str) -> Any:
    """A list of arrays is several inputs only if the model has them; of a dict what has an input's name."""
    known = model.known_values()
    names = model.names_of_inputs()
    if isinstance(x, dict) and names is not None and all(name in x for name in names):
        unused = [key for key in x if key not in names]
        if unused:
            note(f"{name}: no input is named {', '.join(map(repr, unused))}; these arrays are left out.")
        return {key: x[key] for key in names}
    if isinstance(x, list) and known is not None and len(known[0]) == 1:
        alone = len(x) == 1 and getattr(x[0], "ndim", 0) >= known[0][0].ndim
        return x[0] if alone else to_array(x, name)
    return x
