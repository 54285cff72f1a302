"""Tests a trained model on one part of the data."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from gputrain import models
from gputrain.app import reporting
from gputrain.app.recipes.data import Part, Preparation
from gputrain.app.recipes.data.targets import ClassTargets

Assessment = reporting.ClassifierAssessment | reporting.RegressionAssessment


@dataclass(frozen=True)
class Tested:
    """How a model did.

    Attributes:
        metrics: its figures, each named test_...
        assessment: by class or target, with the worst mistakes; None without a part to test on.
    """

    metrics: Mapping[str, float]
    assessment: Assessment | None


def test(model: models.Model, part: Part | None, preparation: Preparation, batch_size: int) -> Tested:
    """Test a compiled model on a part of its data.

    Args:
        model: compiled, with its weights.
        part: inputs and targets; None gives no figures.
        preparation: says what the outputs mean.
        batch_size: samples a step.

    Returns:
        The loss and metrics as compiled, in this order, and beside them accuracy, balanced accuracy and the
        like of what is decided for, or errors in the units of the data.
    """
    if part is None:
        return Tested({}, None)
    with contextlib.redirect_stdout(sys.stderr):
        found = model.evaluate(part.x, part.y, batch_size=batch_size, verbose=0, return_dict=True)
        outputs = model.predict(part.x, batch_size=batch_size, verbose=0)
    targets = preparation.targets
    assessment: Assessment
    if isinstance(targets, ClassTargets):
        probabilities = preparation.probabilities(outputs)
        assessment = reporting.assess_classifier(
            probabilities,
            part.truth,
            targets.names,
            decided=preparation.decided(probabilities),
            cost_matrix=preparation.cost_matrix,
        )
    else:
        assessment = reporting.assess_regression(targets.decode(outputs), part.truth, targets.names)
    lines = {"loss": found.pop("loss"), **found}
    figures = {**{name: float(value) for name, value in lines.items()}, **assessment.metrics()}
    return Tested({f"test_{name}": value for name, value in figures.items()}, assessment)
