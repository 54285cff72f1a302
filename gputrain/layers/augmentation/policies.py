"""Layers that make several changes of images: the layers that make one each, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from gputrain import ops
from gputrain.layers.augmentation.augmentation import RandomBrightness, RandomContrast
from gputrain.layers.augmentation.colours import (
    AutoContrast,
    Equalization,
    RandomColorDegeneration,
    RandomHue,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from gputrain.layers.augmentation.geometry import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
    known_interpolation,
)
from gputrain.layers.augmentation.transforming import (
    Draws,
    ImageChanges,
    RandomImages,
    RandomPixels,
    shares,
    value_range,
)
from gputrain.layers.base import arguments, declared, registry

_ADDITIONAL = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")


def _factor(value: Any, where: str, made_by: type[RandomImages]) -> Any:
    """None, or what the layer `made_by` takes as `factor`, as it is."""
    if value is not None:
        made_by(value)
    return value


class Changes(RandomPixels):
    """Base of the layers that consist of others; see `RandomImages`."""

    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))
    data_format: str = declared.argument(arguments.data_format, None, after="seed")

    @cached_property
    def parts(self) -> dict[str, ImageChanges]:
        """The layers that make one change each, for channels last, by name."""
        raise NotImplementedError(f"{type(self).__name__} must define parts.")

    def part(self, made_by: Callable[..., Any], **settings: Any) -> Any:
        """A layer for the same pixels."""
        return made_by(**settings, data_format="channels_last", dtype=self.dtype)

    def drawn(self, name: str, draws: Draws) -> Any:
        """What is random in the change that is called so."""
        part = self.parts[name]
        return part.choose(draws) if isinstance(part, RandomImages) else None

    def change(self, images: Any, transformation: Any) -> Any:
        """The images (N, H, W, C), changed by the parts."""
        return self.composed(
            images, transformation, lambda name, x, drawn: self.parts[name].transform_images(x, drawn)
        )

    def composed(self, images: Any, transformation: Any, apply: Callable[[str, Any, Any], Any]) -> Any:
        """Images or masks (N, H, W, C) changed; `apply(name, images, drawn)` is what a part makes of some."""
        raise NotImplementedError(
            f"{type(self).__name__} must define composed(images, transformation, apply)."
        )


@registry.add()
class RandomColorJitter(Changes):
    """Changes brightness, contrast, saturation and hue of each image, in this order; nothing in evaluation.

    Args:
        brightness_factor: `factor` of `RandomBrightness`; None leaves the brightness as it is.
        contrast_factor: likewise of `RandomContrast`.
        saturation_factor: likewise of `RandomSaturation`.
        hue_factor: likewise of `RandomHue`.

    Example:
        >>> jitter = RandomColorJitter((0, 1), brightness_factor=(0.5, 0.5))
        >>> jitter(numpy.zeros((1, 1, 1, 3)), training=True).ravel().tolist()
        [0.5, 0.5, 0.5]
    """

    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))
    brightness_factor: Any = declared.argument(partial(_factor, made_by=RandomBrightness), None)
    contrast_factor: Any = declared.argument(partial(_factor, made_by=RandomContrast), None)
    saturation_factor: Any = declared.argument(partial(_factor, made_by=RandomSaturation), None)
    hue_factor: Any = declared.argument(partial(_factor, made_by=RandomHue), None)

    @cached_property
    def parts(self) -> dict[str, ImageChanges]:
        """The layers whose factors are given."""
        kinds = {
            "brightness": (RandomBrightness, self.brightness_factor),
            "contrast": (RandomContrast, self.contrast_factor),
            "saturation": (RandomSaturation, self.saturation_factor),
            "hue": (RandomHue, self.hue_factor),
        }
        return {
            name: self.part(kind, factor=factor, value_range=self.value_range)
            for name, (kind, factor) in kinds.items()
            if factor is not None
        }

    def choose(self, draws: Draws) -> dict[str, Any]:
        """What each part draws, by its name."""
        return {name: self.drawn(name, draws) for name in self.parts}

    def composed(self, images: Any, transformation: Any, apply: Callable[[str, Any, Any], Any]) -> Any:
        """The images changed by one part after the other."""
        for name in self.parts:
            images = apply(name, images, transformation[name])
        return images


class Policy(Changes):
    """Base of those that choose among all changes."""

    factor: tuple[float, float] = declared.argument(shares, 0.5)
    interpolation: str = declared.argument(known_interpolation, "bilinear")

    @cached_property
    def parts(self) -> dict[str, ImageChanges]:
        """The layers of all changes, of the strength that `factor` says."""
        factor, pixels = {"factor": self.factor}, {"value_range": self.value_range}
        places = {"interpolation": self.interpolation}
        both, bits = {**factor, **pixels}, max(1, int(8 * self.factor[1]))
        made: dict[str, tuple[Any, dict[str, Any]]] = {
            "random_shear": (RandomShear, {"x_factor": self.factor, "y_factor": self.factor, **places}),
            "random_translation": (
                RandomTranslation,
                {"height_factor": self.factor, "width_factor": self.factor, **places},
            ),
            "random_rotation": (RandomRotation, {**factor, **places}),
            "random_brightness": (RandomBrightness, both),
            "random_color_degeneration": (RandomColorDegeneration, both),
            "random_contrast": (RandomContrast, both),
            "random_sharpness": (RandomSharpness, both),
            "random_posterization": (RandomPosterization, {"factor": bits, **pixels}),
            "solarization": (
                Solarization,
                {"addition_factor": self.factor, "threshold_factor": self.factor, **pixels},
            ),
            "auto_contrast": (AutoContrast, pixels),
            "equalization": (Equalization, pixels),
        }
        return {name: self.part(kind, **settings) for name, (kind, settings) in made.items()}

    def change_masks(self, images: Any, transformation: Any) -> Any:
        """Masks (N, H, W, C), moved as the images are."""
        return self.composed(
            images,
            transformation,
            lambda name, x, drawn: self.parts[name].transform_segmentation_masks(x, drawn),
        )


@registry.add()
class RandAugment(Policy):
    """Changes each image in some of eleven ways, drawn for each image, in training; nothing otherwise.

    The ways are shear, translation, rotation, brightness, grey, contrast, sharpness, posterization,
    solarization, full contrast and equalization. All of them are computed for all images.

    Args:
        num_ops: how many ways, one after the other; the same one may be drawn twice.
        factor: the strength, 0..1: two numbers (lower, upper), or one, f, for (0, f). It is `factor` of the
            layers of these names.
        interpolation: "bilinear" or "nearest".

    Source:
        E. D. Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space",
        2019.

    Example:
        >>> RandAugment()(numpy.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))
    num_ops: int = declared.argument(arguments.positive_int, 2)
    factor: tuple[float, float] = declared.argument(shares, 0.5)
    interpolation: str = declared.argument(known_interpolation, "bilinear")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """What each way draws, and which ways each image takes, (num_ops, N)."""
        return {
            "transforms": {name: self.drawn(name, draws) for name in self.parts},
            "layer_idxes": ops.transpose(draws.below(len(self.parts), self.num_ops)),
        }

    def composed(self, images: Any, transformation: Any, apply: Callable[[str, Any, Any], Any]) -> Any:
        """The images changed, each in its ways."""
        for step in range(self.num_ops):
            chosen = ops.reshape(transformation["layer_idxes"][step], (-1, 1, 1, 1))
            for number, (name, drawn) in enumerate(transformation["transforms"].items()):
                images = ops.where(ops.equal(chosen, number), apply(name, images, drawn), images)
        return images


@registry.add()
class AugMix(Policy):
    """Mixes each image with changed versions of it in training; does nothing otherwise.

    A chain changes an image in some ways, one after the other, drawn for each image. The results of all
    chains are mixed by random shares, and their mixture with the image. All ways are computed for all images
    at each place of a chain.

    Args:
        num_chains: how many chains.
        chain_depth: how many changes a chain makes at most: with a probability of one of twelve (of eight
            without `all_ops`), one is left out.
        factor: the strength, 0..1: two numbers (lower, upper), or one, f, for (0, f).
        alpha: above 0, of the Dirichlet and Beta distributions of the shares: 1 draws them evenly.
        all_ops: False leaves out brightness, grey, contrast and sharpness.
        interpolation: "bilinear" or "nearest".

    Source:
        D. Hendrycks et al., "AugMix: A simple data processing method to improve robustness and uncertainty",
        2019.

    Example:
        >>> AugMix(num_chains=1, chain_depth=1)(numpy.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))
    num_chains: int = declared.argument(arguments.positive_int, 3)
    chain_depth: int = declared.argument(arguments.positive_int, 3)
    factor: tuple[float, float] = declared.argument(shares, 0.3)
    alpha: float = declared.argument(arguments.positive, 1.0)
    all_ops: bool = declared.flag(True)
    interpolation: str = declared.argument(known_interpolation, "bilinear")

    @property
    def names(self) -> list[str]:
        """The names of the ways that are drawn from."""
        return [name for name in self.parts if self.all_ops or name not in _ADDITIONAL]

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The shares of each image; all ways at all places of the chains, and which images go them, (N,)."""
        picks = draws.below(len(self.names) + 1, self.num_chains, self.chain_depth)  # the last one is none
        chains = [
            [
                {
                    "layer_name": name,
                    "transformation": self.drawn(name, draws),
                    "chosen": ops.equal(picks[:, chain, place], number),
                }
                for place in range(self.chain_depth)
                for number, name in enumerate(self.names)
            ]
            for chain in range(self.num_chains)
        ]
        return {
            "chain_mixing_weights": draws.shares(self.alpha, self.num_chains),
            "weight_sample": draws.shares(self.alpha, 2)[:, 0],
            "chain_transforms": chains,
        }

    def change(self, images: Any, transformation: Any) -> Any:
        """The images mixed with what the chains make of them, within `value_range`."""
        return ops.clip(super().change(images, transformation), *self.value_range)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks mixed as the images are, in the layer's dtype."""
        masks = ops.cast(segmentation_masks, self.compute_dtype) if training else segmentation_masks
        return super().transform_segmentation_masks(masks, transformation, training)

    def composed(self, images: Any, transformation: Any, apply: Callable[[str, Any, Any], Any]) -> Any:
        """The images mixed with what the chains make of them."""
        mixed = ops.zeros_like(images)
        for number, chain in enumerate(transformation["chain_transforms"]):
            changed = images
            for link in chain:
                result = apply(link["layer_name"], changed, link["transformation"])
                chosen = ops.reshape(link.get("chosen", True), (-1, 1, 1, 1))  # else all images go this way
                changed = ops.where(chosen, result, changed)
            share = self._share(transformation["chain_mixing_weights"][..., number], images)
            mixed = ops.add(mixed, ops.multiply(changed, share))
        kept = self._share(transformation["weight_sample"], images)
        return ops.add(mixed, ops.multiply(kept, ops.subtract(images, mixed)))

    def _share(self, numbers: Any, images: Any) -> Any:
        """A number for each image, or one for all, (N or 1, 1, 1, 1)."""
        return ops.cast(ops.reshape(numbers, (-1, 1, 1, 1)), images.dtype)
