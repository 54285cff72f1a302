"""What builders share: arguments, checks, the input, pooling in place of a top, weights from a file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from inspect import Parameter, cleandoc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gputrain import activations, config, layers
from gputrain.errors import explain
from gputrain.initializers.drawn import without_draws
from gputrain.ir import Value
from gputrain.ir.graph import schedule
from gputrain.models import Model
from gputrain.utils.signatures import called_with

Step = Callable[[Value, Any], Value]

STANDARD = "include_top weights input_tensor input_shape pooling classes classifier_activation name"
_DEFAULTS: dict[str, Any] = {
    "include_top": True,
    "weights": "imagenet",
    "input_tensor": None,
    "input_shape": None,
    "pooling": None,
    "classes": 1000,
    "classifier_activation": "softmax",
}
_MEANINGS = {
    "include_top": "whether the layers that classify are there.",
    "weights": (
        "None for random first values, or the path of a file with weights. The default, Keras's "
        '"imagenet", is an error: no weights are shipped.'
    ),
    "input_tensor": "symbolic value to go on from; default a new Input.",
    "input_shape": "shape of an image; default {default}; at least {least} pixels high and wide.",
    "pooling": 'without a top: None for feature maps (N, H, W, C), or "avg" or "max" over H and W.',
    "classes": "number of classes of the top.",
    "classifier_activation": "activation of the top; None gives logits.",
    "name": "name of the model.",
}


@dataclass(frozen=True)
class Family:
    """Architectures that differ by numbers alone.

    `features` and `top` are given a value and a namespace of all arguments of the call and of the member.

    Attributes:
        features: makes feature maps from images.
        top: makes predictions from feature maps.
        about: what the architecture is and where it was published, for docstrings.
        order: names of the arguments, in order.
        own: arguments of the family itself: the default of each.
        meanings: what those are, for docstrings.
        size: default height and width of images.
        least: smallest height and width.
        any_size: whether a top takes images of unknown size.
        pools: names of the layers that pool in place of a top, for "avg" and "max".
        bare: ends the feature maps of a model without a top.
        named: makes the name of a model that is given none.
        channels_last_only: whether the other order of axes is refused.
    """

    features: Step
    top: Step
    about: str
    order: str = STANDARD
    own: Mapping[str, Any] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    size: int = 224
    least: int = 32
    any_size: bool = False
    pools: tuple[str | None, str | None] = (None, None)
    bare: Step | None = None
    named: Callable[[Any], str] | None = None
    channels_last_only: bool = False

    def member(self, title: str, module: str, name: str | None, **numbers: Any) -> Callable[..., Model]:
        """A builder, as `ResNet50`.

        Args:
            title: its name.
            module: the module in which it stands.
            name: default name of its models.
            numbers: what the member adds to the namespace; `size` replaces the family's.
        """
        numbers = {"title": title, "size": self.size, "without_top": (None, None), **numbers}

        def build(**given: Any) -> Model:
            return _build(self, SimpleNamespace(**numbers, **given))

        build.__name__ = build.__qualname__ = title
        build.__module__ = module
        build.__doc__ = self._doc(title, numbers["size"])
        defaults = {**_DEFAULTS, **self.own, "name": name}
        kind = Parameter.POSITIONAL_OR_KEYWORD
        order = [Parameter(argument, kind, default=defaults[argument]) for argument in self.order.split()]
        return called_with(order, build)

    def _doc(self, title: str, size: int) -> str:
        words = {**_MEANINGS, **self.meanings}
        words["input_shape"] = words["input_shape"].format(default=f"({size}, {size}, 3)", least=self.least)
        arguments = "\n".join(f"    {name}: {words[name]}" for name in self.order.split())
        return (
            f"Return the model {title}.\n\n{cleandoc(self.about)}\n\nArgs:\n{arguments}\n\n"
            "Raises:\n    ValueError: an argument that is not as above.\n\n"
            f"Example:\n    >>> {title}(weights=None, classes=10).count_params() > 0\n    True"
        )


def channel_axis() -> int:
    """The axis of the channels in batches of images: -1, or 1 where they come first."""
    return -1 if config.image_data_format() == "channels_last" else 1


def dense_top(pool: str | None) -> Step:
    """A top that pools, in a layer of this name, and classifies with one Dense layer."""

    def top(x: Value, given: Any) -> Value:
        x = layers.GlobalAveragePooling2D(name=pool)(x)
        return layers.Dense(given.classes, given.classifier_activation, name="predictions")(x)

    return top


def _build(family: Family, given: Any) -> Model:
    _check(family, given)
    given.input_shape = _image_shape(family, given)
    drawn = given.weights is None
    with nullcontext() if drawn else without_draws():
        start = layers.Input(given.input_shape) if given.input_tensor is None else given.input_tensor
        x = family.features(start, given)
        if given.include_top:
            x = family.top(x, given)
        else:
            x = _pooled(x, family.pools, given.pooling)
            x = x if family.bare is None else family.bare(x, given)
        if given.name is None and family.named is not None:
            given.name = family.named(given)
        model = Model(_inputs_of(start), x, name=given.name)
    if not drawn:
        model.load_weights(given.weights)
    return model


def _pooled(x: Value, names: tuple[str | None, str | None], pooling: str | None) -> Value:
    if pooling is None:
        return x
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    return layers.GlobalMaxPooling2D(name=names[1])(x)


def _inputs_of(value: Value) -> Value | list[Value]:
    """The inputs that a value is made from: one, or a list."""
    if value.node is None:
        return value
    read = [v for node in schedule([value]) for v in node.inputs if v.node is None]
    found = list(dict.fromkeys(read))
    return found[0] if len(found) == 1 else found


# ------------------------------------------------------------------------------------------------- arguments


def _check(family: Family, given: Any) -> None:
    if family.channels_last_only and config.image_data_format() != "channels_last":
        rule = f"{given.title}: images have their channels last."
        fix = 'Call keras.config.set_image_data_format("channels_last").'
        raise ValueError(explain(rule, received=config.image_data_format(), fix=fix))
    if given.pooling not in (None, "avg", "max"):
        rule = f"{given.title}: pooling must be known."
        raise ValueError(explain(rule, expected='None, "avg" or "max"', received=repr(given.pooling)))
    if given.input_tensor is not None and not isinstance(given.input_tensor, Value):
        rule = f"{given.title}: input_tensor must be a symbolic value, as Input() and layers return."
        fix = "Call the model on the array."
        raise ValueError(explain(rule, received=type(given.input_tensor).__name__, fix=fix))
    if given.weights is not None:
        _check_weights(given)


def _check_weights(given: Any) -> None:
    how = (
        "Pass weights=None for random first values, or the path of a file with weights; "
        "keras.utils.get_file(origin=URL, file_hash=...) fetches one and returns its path."
    )
    if given.weights == "imagenet":
        rule = (
            f"{given.title}: weights trained on ImageNet are not shipped, and nothing is downloaded unasked."
        )
        raise ValueError(explain(rule, received="weights='imagenet', the default", fix=how))
    path = given.weights
    if not isinstance(path, str | os.PathLike) or not Path(path).is_file():
        rule = f"{given.title}: weights must be None or a file on this machine."
        raise ValueError(explain(rule, received=repr(path), fix=how))
    if given.include_top and activations.get(given.classifier_activation) not in (
        activations.get("softmax"),
        activations.get(None),
    ):
        rule = f"{given.title}: classifier_activation must be what the weights were trained with."
        received = repr(given.classifier_activation)
        raise ValueError(explain(rule, expected="'softmax', or None for logits", received=received))


def _image_shape(family: Family, given: Any) -> tuple[int | None, ...]:
    """The shape of an image, checked: as given, or that of input_tensor, or the default."""
    first = config.image_data_format() == "channels_first"
    shape, tensor = given.input_shape, given.input_tensor
    if shape is not None:
        shape = _three_sizes(shape, given.title)
        if tensor is not None and not _agree(shape, tensor.shape[1:]):
            rule = f"{given.title}: input_tensor must have the shape that input_shape says."
            raise ValueError(explain(rule, expected=shape, received=tuple(tensor.shape[1:])))
    elif tensor is not None:
        shape = tuple(tensor.shape[1:])
    else:
        known = given.include_top and not family.any_size
        height, width = (given.size, given.size) if known else given.without_top
        shape = (3, height, width) if first else (height, width, 3)
    channels, sizes = (shape[0], shape[1:]) if first else (shape[-1], shape[:-1])
    if any(size is not None and size < family.least for size in sizes):
        rule = f"{given.title}: images must be at least {family.least} pixels high and wide."
        raise ValueError(explain(rule, received=f"input_shape={shape}"))
    if given.include_top and None in shape and not family.any_size:
        rule = f"{given.title}: with include_top=True all sizes of an image must be known."
        raise ValueError(explain(rule, received=f"input_shape={shape}"))
    if given.input_shape is not None and channels not in (1, 3):
        warnings.warn(
            f"{given.title}: images usually have 1 or 3 channels. Received: input_shape={shape}, "
            f"{channels} channels.",
            stacklevel=5,
        )
    return shape


def _three_sizes(shape: Any, title: str) -> tuple[int | None, ...]:
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    if len(sizes) != 3 or not all(size is None or isinstance(size, int) for size in sizes):
        rule = f"{title}: input_shape must be three sizes, without the batch."
        raise ValueError(explain(rule, expected="as (224, 224, 3)", received=repr(shape)))
    return sizes


def _agree(shape: Sequence[Any], other: Sequence[Any]) -> bool:
    pairs = zip(shape, other, strict=False)
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in pairs)
