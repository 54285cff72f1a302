"""What each loss says of itself: its targets, the outputs that it reads, its task."""

from __future__ import annotations

import pytest

from gputrain import losses
from gputrain.models.training.objectives import takes_indices

TRAITS = {
    "BinaryCrossentropy": ("binary", "sigmoid", "classification"),
    "BinaryFocalCrossentropy": ("binary", "sigmoid", "classification"),
    "CategoricalCrossentropy": ("one-hot", "softmax", "classification"),
    "CategoricalFocalCrossentropy": ("one-hot", "softmax", "classification"),
    "CategoricalHinge": ("one-hot", None, "classification"),
    "CosineSimilarity": ("numbers", None, "regression"),
    "Hinge": ("signs", None, "classification"),
    "Huber": ("numbers", None, "regression"),
    "KLDivergence": ("distributions", None, "regression"),
    "LogCosh": ("numbers", None, "regression"),
    "MeanAbsoluteError": ("numbers", None, "regression"),
    "MeanAbsolutePercentageError": ("numbers", None, "regression"),
    "MeanSquaredError": ("numbers", None, "regression"),
    "MeanSquaredLogarithmicError": ("numbers", None, "regression"),
    "Poisson": ("numbers", None, "regression"),
    "SparseCategoricalCrossentropy": ("indices", "softmax", "classification"),
    "SquaredHinge": ("signs", None, "classification"),
}


@pytest.mark.parametrize(("name", "traits"), TRAITS.items())
def test_traits(name: str, traits: tuple[str, str | None, str]) -> None:
    loss = getattr(losses, name)()
    assert (loss.target_kind, loss.activation, loss.task) == traits
    assert hasattr(loss, "from_logits") == (loss.activation is not None)
    assert takes_indices(loss) == loss.integer_targets == (loss.target_kind == "indices")


def test_every_loss_is_in_the_table() -> None:
    classes = {n for n in losses.__all__ if isinstance(getattr(losses, n), type)}
    assert classes - {"Loss", "LossFunctionWrapper"} == TRAITS.keys()


def test_nothing_is_known_of_a_loss_of_the_users() -> None:
    loss = losses.as_loss(lambda y_true, y_pred: y_pred)
    assert (loss.target_kind, loss.activation, loss.task) == (None, None, None)


class MyHinge(losses.Hinge):
    """A user's loss like one of ours."""


def test_a_subclass_has_the_traits_and_arguments_of_its_base() -> None:
    loss = MyHinge(name="mine")
    assert (loss.target_kind, loss.name) == ("signs", "mine")
