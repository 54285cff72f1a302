"""Signs in the targets: rare classes, imbalance, numbers of another scale, few samples."""

from __future__ import annotations

import numpy as np

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.task import Task
from gputrain.app.advice.tries import advise, listed

# A class of 5% beside one of 95%: "moderate" (1% to 20%) in Google's guide to imbalanced data. What is
# milder, training copes with.
IMBALANCE = 19.0
# Targets of that size want outputs that Adam, at 0.001 a step, takes 100,000 steps to reach.
LARGE_TARGET = 100.0
# Weights per sample. Good models have tens to hundreds (ResNet-18 on CIFAR-10: 220), so more is beyond them.
WEIGHTS_PER_SAMPLE = 1000.0


def rare_classes(task: Task) -> Advice | None:
    """Classes with a single sample: what is learned of them cannot be tested."""
    single = [] if task.counts is None else task.names_of(np.flatnonzero(task.counts == 1))
    if not single:
        return None
    what = "class" if len(single) == 1 else "classes"
    return advise("rare_class", f"There is one sample only of {what} {listed(single)}.")


def imbalance(task: Task) -> Advice | None:
    """One class has many times the samples of another."""
    if task.counts is None:
        return None
    present = np.flatnonzero(task.counts)
    extremes = present[[task.counts[present].argmin(), task.counts[present].argmax()]]
    (few, many), (rare, common) = task.counts[extremes], task.names_of(extremes)
    if many / few < IMBALANCE:
        return None
    much = f"{many / few:.0f} times as many ({many}) of {common}"
    return advise("class_imbalance", f"Classes are imbalanced: {few} samples of {rare}, {much}.")


def unscaled(task: Task) -> Advice | None:
    """Numbers to predict that are far from 1."""
    if task.spread is None or task.spread <= LARGE_TARGET:
        return None
    size = f"their usual size is {task.spread:.3g}, which outputs take long to reach"
    return advise("unscaled_target", f"Targets are not scaled: {size}.")


def few_samples(samples: int, weights: int) -> Advice | None:
    """Far more trainable weights than samples."""
    if weights <= WEIGHTS_PER_SAMPLE * samples:
        return None
    each = f"{samples} for {weights} trainable weights, {weights / samples:.0f} weights each"
    return advise("few_samples", f"There are few samples for the model: {each}.")
