"""Arguments that several constructors or functions share, declared once and shown by `inspect.signature`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any, NamedTuple

import numpy as np

from gputrain.errors import explain
from gputrain.names import argument_instead, nearest, unknown_arguments
from gputrain.utils.dtypes import as_number

Init = Callable[..., Any]
_BY_PLACE = Parameter.POSITIONAL_OR_KEYWORD


class KerasOnly(NamedTuple):
    """An argument of Keras that is taken with the values that ask for nothing, and refused with all others.

    Attributes:
        taken: those values; the first is the default.
        reason: why no other is.
        fix: what to do instead.
    """

    taken: tuple[Any, ...]
    reason: str
    fix: str


_NO_RAGGED = KerasOnly((None, False), "there are no ragged tensors", "Pad to one length, and mask.")
_NO_SPARSE = KerasOnly((None, False), "there are no sparse tensors", "Give dense arrays.")
_NO_LOW_RANK = KerasOnly((None,), "training in fewer numbers (LoRA) is not offered", "Leave it out.")
_NO_FEWER_BITS = KerasOnly((None,), "weights are not stored in fewer bits", "Leave it out.")
_NO_RENORM = "batch renormalization is not offered"
_NO_AVERAGES = "moving averages of weights are not kept"
_WITHOUT = "Leave it out."

KERAS_ONLY: dict[str, KerasOnly] = {
    "ragged": _NO_RAGGED,
    "sparse": _NO_SPARSE,
    "tensor": KerasOnly((None,), "an input stands for data, it holds none", "Call the model on the tensor."),
    "input_tensor": KerasOnly(
        (None,), "an input stands for data, it holds none", "Call the model on the tensor."
    ),
    "lora_rank": _NO_LOW_RANK,
    "lora_alpha": _NO_LOW_RANK,
    "quantization_config": _NO_FEWER_BITS,
    "gptq_unpacked_column_size": _NO_FEWER_BITS,
    "renorm": KerasOnly((False,), _NO_RENORM, "Take a larger batch, or LayerNormalization."),
    "renorm_clipping": KerasOnly((None,), _NO_RENORM, _WITHOUT),
    "renorm_momentum": KerasOnly((0.99,), _NO_RENORM, _WITHOUT),
    "rms_scaling": KerasOnly(
        (False,), "a layer that subtracts no mean is another one", "Write it as a layer of your own."
    ),
    "synchronized": KerasOnly((False, True), "one process sees the whole batch", _WITHOUT),
    "overwrite_with_gradient": KerasOnly(
        (False,), "no weight is set to its gradient", "Assign to the weight in train_step."
    ),
    "layout": KerasOnly((None,), "a variable lies on one device", _WITHOUT),
    "use_ema": KerasOnly((False, None), _NO_AVERAGES, "Average the weights in a callback."),
    "ema_momentum": KerasOnly((0.99,), _NO_AVERAGES, _WITHOUT),
    "ema_overwrite_frequency": KerasOnly((None,), _NO_AVERAGES, _WITHOUT),
    "loss_scale_factor": KerasOnly(
        (None,), "losses are not scaled: without mixed precision it is not needed", "Train in float32."
    ),
    "gradient_accumulation_steps": KerasOnly(
        (None,), "each batch is one step of the optimizer", "Take larger batches."
    ),
    "flash_attention": KerasOnly(
        (None, True, False), "scores of attention are stored only where they are asked for", _WITHOUT
    ),
    "implementation": KerasOnly((2, 1, 0), "there is one way to compute a step", _WITHOUT),
    "from_sorted_ids": KerasOnly((False,), "sorted ids instead of scores are not offered", "Give scores."),
}


def only_taken(argument: str, value: Any, where: str) -> None:
    """Refuse an argument of `KERAS_ONLY` with a value that cannot be honoured.

    Args:
        argument: its name.
        value: what was given.
        where: of whom, as "Dense".

    Raises:
        ValueError: the value is none of those that are taken.
    """
    known = KERAS_ONLY[argument]
    if not any(value is one or (type(value) is type(one) and value == one) for one in known.taken):
        raise ValueError(
            explain(
                f"{where}: {argument} must be {known.taken[0]!r}: {known.reason}.",
                received=repr(value),
                fix=known.fix,
            )
        )


def on_or_off(value: Any, where: str, also: Sequence[Any] = ()) -> bool:
    """A bool: "no" does not count as yes.

    Args:
        value: what was given.
        where: of whom, and the argument, as "Dense: use_bias".
        also: further values that are taken.

    Raises:
        ValueError: anything else.
    """
    taken = isinstance(value, bool | np.bool_) or any(value is one for one in also)
    if not taken:
        raise ValueError(explain(f"{where} must be True or False.", received=repr(value)))
    return bool(value)


def _numbers(value: Any, where: str) -> None:
    if np.asarray(value).dtype.kind not in "iuf":
        raise ValueError(explain(f"{where} must be a number, or numbers.", received=repr(value)))


def _whole(value: Any, where: str) -> None:
    """None, or one int or several."""
    several = value if isinstance(value, list | tuple) else [value]
    if value is not None and not all(isinstance(n, int | np.integer) and n is not True for n in several):
        raise ValueError(explain(f"{where} must be an int.", received=repr(value)))


def _flag(value: Any, where: str) -> None:
    on_or_off(value, where, also=(0, 1))


# What a setting of a loss, a metric, a schedule ... must be, by its name.
_SETTINGS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("alpha", "beta", "gamma", "delta", "label_smoothing"), _numbers),
    **dict.fromkeys(("initial_learning_rate", "end_learning_rate", "decay_rate"), as_number),
    **dict.fromkeys(("power", "m_mul", "max_value"), as_number),
    **dict.fromkeys(("from_logits", "apply_class_balancing", "multi_label", "staircase", "cycle"), _flag),
    **dict.fromkeys(("axis", "ignore_class", "class_id", "input_axes", "output_axes"), _whole),
}


def check_settings(where: str, settings: Mapping[str, Any]) -> None:
    """Refuse settings of a loss, a metric, a schedule ... of another kind than their names say.

    Raises:
        ValueError: with the name of the setting.
    """
    for name in settings.keys() & _SETTINGS.keys():
        _SETTINGS[name](settings[name], f"{where}: {name}")


def parameters_of(function: Callable[..., Any], skip: int = 0, **defaults: Any) -> list[Parameter]:
    """Parameters of a function without the first `skip` of them and without **kwargs.

    Args:
        function: whose.
        skip: how many to leave out.
        defaults: defaults that replace its own, by name.

    Example:
        >>> [str(p) for p in parameters_of(sorted, 1, reverse=True)]
        ['*', 'key=None', 'reverse=True']
    """
    found = list(inspect.signature(function).parameters.values())[skip:]
    named = [parameter for parameter in found if parameter.kind is not Parameter.VAR_KEYWORD]
    return [p.replace(default=defaults[p.name]) if p.name in defaults else p for p in named]


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function names an argument; that **kwargs would take it does not count.

    Example:
        >>> takes(sorted, "reverse"), takes(dict, "reverse")
        (True, False)
    """
    try:
        return name in inspect.signature(function).parameters
    except ValueError:  # of some built-in functions Python knows no signature
        return False


def called_with(parameters: Iterable[Parameter], function: Callable[..., Any]) -> Any:
    """`function(**arguments)` as one that is called, and shown, with `parameters`.

    Args:
        parameters: what it takes, each by place or by name, in this order.
        function: takes all of them, by name; the first one, when that is `self`, by place.

    Returns:
        a function whose errors about its arguments name it, and its class.
    """
    signature = Signature(list(parameters))
    first = next(iter(signature.parameters), "")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            who = f"{type(args[0]).__name__}." if first == "self" and args else ""
            raise TypeError(f"{who}{function.__name__}() {_misfit(signature, args, kwargs, error)}") from None
        bound.apply_defaults()
        given = bound.arguments
        return function(given.pop("self"), **given) if first == "self" else function(**given)

    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _misfit(signature: Signature, args: Sequence[Any], kwargs: dict[str, Any], error: TypeError) -> str:
    """What is wrong with arguments: an unknown name, too many, one given twice, all that are missing."""
    named = [p for p in signature.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    by_place = [p for p in named if p.kind is _BY_PLACE]
    unknown = [name for name in kwargs if name not in signature.parameters]
    if unknown and len(named) == len(signature.parameters):
        words = unknown_arguments(unknown, [p.name for p in named if p.name != "self"])
        return f"got an unexpected keyword argument {unknown[0]!r}. {words}"
    if len(args) > len(by_place):
        least, most = sum(p.default is p.empty for p in by_place), len(by_place)
        taken = f"from {least} to {most}" if least < most else str(most)
        return f"takes {taken} positional arguments but {len(args)} were given"
    twice = [p.name for p in by_place[: len(args)] if p.name in kwargs]
    if twice:
        return f"got multiple values for argument {twice[0]!r}"
    missing = [p.name for p in named[len(args) :] if p.default is p.empty and p.name not in kwargs]
    rule = f"missing required arguments: {', '.join(map(repr, missing))}" if len(missing) > 1 else str(error)
    for name in unknown:  # one of them, as older versions of Keras call it, or misspelt
        close = nearest(name, missing)
        instead = argument_instead(name, missing) or (f"Did you mean {close!r}?" if close else None)
        if instead is not None:
            return f"{rule}. Received {name}. {instead}"
    return rule


def shares(source: Callable[..., Any], **defaults: Any) -> Callable[[Init], Init]:
    """Let **kwargs of a constructor stand for what `source` takes beyond the arguments that it names itself.

    Args:
        source: the constructor of a base.
        defaults: defaults that replace those of `source`.

    Example:
        >>> class Adam(Optimizer):
        ...     @shares(Optimizer.__init__, name="adam")
        ...     def __init__(self, learning_rate=0.001, beta_1=0.9, **shared): ...
        >>> list(inspect.signature(Adam).parameters)[:4]
        ['learning_rate', 'beta_1', 'weight_decay', 'clipnorm']
    """

    def decorate(init: Init) -> Init:
        own = parameters_of(init)
        names = {parameter.name for parameter in own}
        rest = [p for p in parameters_of(source, **defaults) if p.name not in names]
        return called_with([*own, *rest], init)

    return decorate


def with_line(doc: str | None, line: str) -> str:
    """A docstring with `line` at the end of its section Args, which is made before Example if it has none."""
    text = inspect.cleandoc(doc or "")
    before, found, rest = text.partition("\nArgs:\n")
    if found:
        entries, gap, after = rest.partition("\n\n")
        return f"{before}{found}{entries}\n    {line}{gap}{after}"
    before, found, after = text.partition("\n\nExample:")
    return f"{before}\n\nArgs:\n    {line}{found}{after}"


def init_of(
    cls: type, base: Any, function: Callable[..., Any], name: str = "", order: Sequence[str] = ()
) -> Any:
    """The constructor of a class that stands for a function of (y_true, y_pred, **settings).

    Args:
        cls: the class.
        base: its base, constructed by `base.__init__(self, function, name=..., **shared, **settings)`.
        function: whose settings are the constructor's arguments, kept as attributes too.
        name: default of the argument `name`; default the function's name.
        order: names of the arguments it takes, in order; default the settings, then the base's.
    """
    shared = {p.name: p for p in parameters_of(base.__init__, 2, name=name or function.__name__)}
    known = {p.name: p for p in parameters_of(function, 2)} | shared
    taken = {key: known[key] for key in order or known}

    def __init__(self: Any, **given: Any) -> None:
        settings = {key: given[key] for key in taken if key not in shared}
        check_settings(cls.__name__, settings)
        base.__init__(self, function, **{key: given[key] for key in shared}, **settings)
        vars(self).update(settings)

    __init__.__module__, __init__.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    return called_with([Parameter("self", _BY_PLACE), *taken.values()], __init__)


class ArgumentsAsConfig:
    """Mixed into a class whose constructor keeps each argument as the attribute of its name."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {p.name: getattr(self, p.name) for p in parameters_of(type(self).__init__, 1)}
