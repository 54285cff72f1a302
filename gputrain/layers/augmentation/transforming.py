"""What layers share that change images at random: one image or several, labels and masks beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from gputrain import ops, random
from gputrain.errors import explain
from gputrain.ir import Shape, Value, current_trace
from gputrain.layers.base import arguments, declared
from gputrain.layers.base.arguments import is_number
from gputrain.layers.base.images import ImageLayer
from gputrain.random import SeedGenerator
from gputrain.utils import tree

_CHANGES = {
    "images": "transform_images",
    "labels": "transform_labels",
    "segmentation_masks": "transform_segmentation_masks",
}

# -------------------------------------------------------------------------------------- checks of arguments


def numbers(value: Any, low: float, high: float) -> tuple[float, float] | None:
    """Both entries of a pair of numbers from low to high; None for anything else."""
    if not isinstance(value, tuple | list | np.ndarray) or len(value) != 2:
        return None
    fits = all(is_number(n) and low <= n <= high for n in value)
    return (float(value[0]), float(value[1])) if fits else None


def bounds(low: float, high: float, value: Any, where: str) -> tuple[float, float]:
    """Return a pair (lower, upper) in this order, within low..high.

    Raises:
        ValueError: anything else.
    """
    pair = numbers(value, low, high)
    if pair is None or pair[0] > pair[1]:
        raise ValueError(
            explain(
                f"{where} is a pair of numbers.",
                expected=f"(lower, upper) with {low} <= lower <= upper <= {high}",
                received=repr(value),
            )
        )
    return pair


def both_ways(low: float, high: float, value: Any, where: str) -> tuple[float, float]:
    """Return a pair of numbers within low..high, the lower one first; a number f stands for (-|f|, |f|).

    Where `low` is above -|f|, it is the lower one. `partial(both_ways, -1.0, 1.0)` checks an argument.

    Raises:
        ValueError: anything else.
    """
    single = is_number(value) and low <= value <= high
    pair = (max(-abs(float(value)), low), abs(float(value))) if single else numbers(value, low, high)
    if pair is None:
        raise ValueError(
            explain(
                f"{where} is a number, or a pair of them.",
                expected=f"{low:g}..{high:g}",
                received=repr(value),
            )
        )
    return min(pair), max(pair)


shares = partial(both_ways, 0.0, 1.0)
value_range = partial(bounds, -np.inf, np.inf)

# -------------------------------------------------------------------------------------------- random numbers


_TRIES = 8  # each is accepted with a probability of more than 0.95


class Draws:
    """Random numbers for each image of a batch, float32 whatever the layer's dtype is.

    Args:
        seed: an int or SeedGenerator; None means the configured seed.
        shape: of the images, (N, H, W, C), all sizes known.

    Attributes:
        count, height, width, channels: the sizes of `shape`.
    """

    def __init__(self, seed: Any, shape: Shape) -> None:
        self.seed = seed
        self.count, self.height, self.width, self.channels = (int(size or 0) for size in shape)

    def unit(self, *sizes: int) -> Any:
        """Numbers in [0, 1), (N, *sizes)."""
        return self._drawn(ops.random_uniform, random.uniform, sizes)

    def normal(self, *sizes: int) -> Any:
        """Normal numbers of mean 0 and deviation 1, (N, *sizes)."""
        return self._drawn(ops.random_normal, random.normal, sizes)

    def between(self, low: float, high: float, *sizes: int) -> Any:
        """Numbers in [low, high), (N, *sizes); exactly `low` where both are equal."""
        return ops.add(ops.multiply(self.unit(*sizes), high - low), low)

    def below(self, most: int, *sizes: int) -> Any:
        """Whole numbers from 0 to most - 1, all equally likely, int32 (N, *sizes)."""
        return ops.cast(ops.floor(ops.multiply(self.unit(*sizes), float(most))), "int32")

    def happens(self, share: Any, *sizes: int) -> Any:
        """True with probability `share`, (N, *sizes): a number, or one for each."""
        return ops.less(self.unit(*sizes), share)

    def order(self) -> Any:
        """The numbers from 0 to N - 1 in a random order, int32 (N,)."""
        mine = self.unit()
        first = np.tri(self.count, k=-1, dtype=bool)  # of equal draws the first one is less
        before = ops.logical_or(
            ops.less(mine[None], mine[:, None]), ops.logical_and(ops.equal(mine[None], mine[:, None]), first)
        )
        return ops.sum(ops.cast(before, "int32"), 1)

    def shares(self, alpha: Any, parts: int) -> Any:
        """Numbers of at least 0 whose sum is 1, by a Dirichlet distribution, (N, parts).

        They are gamma numbers divided by their sum. Each is that of alpha + 1, the first that is accepted of
        some tries, times u**(1 / alpha) for a uniform u: in logarithms, as these may be very small.

        Args:
            alpha: of all parts alike, a number above 0 or (N, 1). One of two parts has the Beta distribution
                of (alpha, alpha).

        Source:
            G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", 2000.
        """
        d = ops.add(alpha, 1.0 - 1.0 / 3.0)
        normal, unit = self.normal(_TRIES, parts), ops.subtract(1.0, self.unit(_TRIES, parts))
        d = ops.reshape(d, (-1, 1, 1))
        root = ops.add(1.0, ops.divide(normal, ops.sqrt(ops.multiply(d, 9.0))))
        log_cube = ops.multiply(ops.log(ops.maximum(root, 1e-3)), 3.0)
        room = ops.add(ops.subtract(1.0, ops.power(root, 3.0)), log_cube)
        bound = ops.add(ops.multiply(ops.square(normal), 0.5), ops.multiply(d, room))
        accepted = ops.logical_and(ops.greater(root, 1e-3), ops.less(ops.log(unit), bound))
        chosen = ops.argmax(ops.cast(accepted, "float32"), 1, keepdims=True)
        log_cube = ops.squeeze(ops.take_along_axis(log_cube, chosen, 1), 1)
        power = ops.divide(ops.log(ops.subtract(1.0, self.unit(parts))), alpha)
        return ops.softmax(ops.add(log_cube, power))

    def _drawn(self, in_step: Callable[..., Any], at_once: Callable[..., Any], sizes: tuple[int, ...]) -> Any:
        """Drawn anew in each step where a model is traced; outside of one, the generator's next numbers."""
        draw = at_once if current_trace() is None else in_step
        return ops.convert_to_tensor(draw((self.count, *sizes), dtype="float32", seed=self.seed))


# ------------------------------------------------------------------------------------------------- the bases


class ImageChanges(ImageLayer):
    """Base of the layers that change images: one or several, alone or in a dict with labels and masks beside.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.
    """

    def build(self, input_shape: Any) -> None:
        """Nothing is made; each call looks at its own images."""

    def _apply(self, inputs: Any, training: bool) -> Any:
        """What the layer is called with, changed: images, or a dict of them and more."""
        data = inputs if isinstance(inputs, Mapping) else {"images": inputs}
        single = self._is_single(self._images(data))
        names = [name for name in _CHANGES if name in data]
        batch = {name: ops.expand_dims(data[name], 0) if single else data[name] for name in names}
        training = training and None not in batch["images"].shape  # else only the shape matters
        transformation = self.get_random_transformation(batch, training)
        found = dict(data)
        for name, value in batch.items():
            result = getattr(self, _CHANGES[name])(value, transformation, training)
            found[name] = ops.squeeze(result, 0) if single else result
        return found if isinstance(inputs, Mapping) else found["images"]

    # ------------------------------------------------------------------------------ transformations, as given

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is random in a change of these images: here nothing."""
        return None

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Images (N, ...) changed by a transformation, where `training`."""
        raise NotImplementedError(f"{type(self).__name__} must define transform_images.")

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        """The labels that the changed images have: the same ones."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Masks (N, ...) of the images, changed as they are, in their own dtype."""
        raise NotImplementedError(f"{type(self).__name__} must define transform_segmentation_masks.")

    def transform_single_image(self, image: Any, transformation: Any = None, training: bool = True) -> Any:
        """One image, without the axis of the batch, changed by a transformation of a batch of one."""
        return ops.squeeze(self.transform_images(ops.expand_dims(image, 0), transformation, training), 0)

    def transform_single_label(self, label: Any, transformation: Any = None, training: bool = True) -> Any:
        """The label of one image."""
        return ops.squeeze(self.transform_labels(ops.expand_dims(label, 0), transformation, training), 0)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The mask of one image."""
        mask = ops.expand_dims(segmentation_mask, 0)
        return ops.squeeze(self.transform_segmentation_masks(mask, transformation, training), 0)

    # ------------------------------------------------------------------------------------------ what comes in

    def _images(self, data: Any) -> Any:
        """The images of what the layer is called with.

        Raises:
            ValueError: a dict without images, or with bounding boxes.
        """
        if not isinstance(data, Mapping):
            return data
        kind = type(self).__name__
        if "bounding_boxes" in data:
            fix = "Leave them out; change them beforehand with NumPy."
            raise ValueError(explain(f"{kind} does not move bounding boxes with the images.", fix=fix))
        if "images" not in data:
            rule = f'{kind} takes images, or a dict of "images" and more.'
            raise ValueError(explain(rule, received=f"a dict of {', '.join(map(repr, sorted(data)))}"))
        return data["images"]

    def _is_single(self, images: Any) -> bool:
        """Whether it is one image, as a layer may be given that is called by itself.

        Raises:
            ShapeError: neither an image nor several.
        """
        shape = tuple(images.shape)
        trace = current_trace()
        alone = trace is None or len(trace.callers) == 1
        if len(shape) == 3 and None not in shape and alone:
            return True
        self.require_images(shape)
        return False


class RandomImages(ImageChanges):
    """Base of the layers that change images at random in training, and leave them alone otherwise.

    The draws are named by (seed, place of the layer in the model, step): they are the same on every device,
    and a resumed run draws what the uninterrupted one would have. Called by itself on arrays, a layer draws
    anew at each call unless it is told `training=False`, as in Keras; inside of a model it follows the model.

    A dict of "images" with "labels" and "segmentation_masks" beside them comes out as such a dict.

    To add a layer, declare its arguments and write two methods:

    - `choose(draws)` returns a dict with all that is random, one row for each image: `draws` is a `Draws`. It
      is what `get_random_transformation` returns, so that a user can give another one. None changes nothing.
    - `change(images, transformation)` is the images changed by it, in the same dtype. It gets them as
      (N, H, W, C) in the layer's dtype, all sizes known, whatever `data_format` is; where `any_layout` is
      True, as they are, without transposing.

    Labels stay as they are unless `transform_labels` is overridden. Segmentation masks do too, unless
    `change_masks` is, which gets them as `change` gets images. The rest (training or not, single images,
    dicts, layouts, dtypes, unknown sizes) is done here. `RandomPixels` adds `value_range`.

    Args:
        seed: an int or SeedGenerator; None means the configured seed.
    """

    any_layout: ClassVar[bool] = False  # whether `change` takes images of either layout
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is None and not any(isinstance(x, Value) for x in tree.flatten((args, kwargs))):
            kwargs.setdefault("training", True)
        return super().__call__(*args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The images in the layer's dtype, changed where `training`; or a dict of them and more."""
        return self._apply(inputs, bool(training))

    # ------------------------------------------------------------------------------------- to be overridden

    def choose(self, draws: Draws) -> Any:
        """What is random in a change of images: a dict of arrays with one row for each image."""
        raise NotImplementedError(f"{type(self).__name__} must define choose(draws).")

    def change(self, images: Any, transformation: Any) -> Any:
        """The images (N, H, W, C), changed."""
        raise NotImplementedError(f"{type(self).__name__} must define change(images, transformation).")

    def change_masks(self, images: Any, transformation: Any) -> Any:
        """Segmentation masks (N, H, W, C), changed as the images are; here left as they are."""
        return images

    # ------------------------------------------------------------------------------ transformations, as given

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is random in a change of these images, as the `transform_...` methods take it.

        Args:
            data: images, or a dict of them and more, as the layer is called with.
            training: None is returned where it is False.
            seed: in place of the layer's own: an int or SeedGenerator.

        Returns:
            a dict of arrays with one row for each image; one image is a batch of one.
        """
        if not training:
            return None
        shape = tuple(self._images(data).shape)
        n, *sizes = (1, *shape) if len(shape) == 3 else shape
        last = (n, *sizes) if self.data_format == "channels_last" else (n, *sizes[1:], sizes[0])
        chosen = self.seed if seed is None else seed
        if current_trace() is None:
            chosen = self.generator if seed is None else _generator(seed)
        return self.choose(Draws(chosen, last))

    @cached_property
    def generator(self) -> SeedGenerator:
        """The seeds of transformations that are asked for outside of a model."""
        return _generator(self.seed)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Images (N, ...) changed by a transformation; in the layer's dtype alone where not `training`."""
        images = ops.cast(images, self.compute_dtype)
        return self._changed(self.change, images, transformation) if training else images

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Masks (N, ...) of the images, changed as they are, in their own dtype."""
        if not training:
            return segmentation_masks
        return self._changed(self.change_masks, ops.convert_to_tensor(segmentation_masks), transformation)

    def _changed(self, change: Callable[[Any, Any], Any], images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        if self.any_layout:
            return change(images, transformation)
        return self.from_last(change(self.to_last(images), transformation))


class RandomPixels(RandomImages):
    """Base of the layers that change the values of pixels; see `RandomImages`.

    Args:
        value_range: least and largest value of a pixel.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.
    """

    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))
    data_format: str = declared.argument(arguments.data_format, None, after="seed", shown=False)

    def to_unit(self, images: Any) -> Any:
        """Pixels of `value_range` as 0..1."""
        return rescaled(images, self.value_range, (0.0, 1.0))

    def from_unit(self, images: Any) -> Any:
        """Pixels of 0..1 as `value_range`."""
        return rescaled(images, (0.0, 1.0), self.value_range)


def rescaled(images: Any, source: tuple[float, float], target: tuple[float, float]) -> Any:
    """Numbers of the range `source` as those of the range `target`."""
    (low, high), (least, most) = source, target
    if source == target:
        return images
    unit = ops.divide(ops.subtract(images, low), high - low)
    return ops.add(ops.multiply(unit, most - least), least)


def _generator(seed: Any) -> SeedGenerator:
    return seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)
