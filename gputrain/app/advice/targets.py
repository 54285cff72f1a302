"""Signs in the targets: rare classes, imbalance, numbers of another scale, few samples."""

from __future__ import annotations

import numpy as np

from gputrain.app.advice import tries
from gputrain.app.advice.advice import Advice
from gputrain.app.advice.task import Task

# A class of 5% beside one of 95%: "moderate" (1% to 20%) in Google's guide to imbalanced data. What is
# milder, training copes with.
IMBALANCE = 19.0
# Targets of that size want outputs that Adam, at 0.001 a step, takes 100,000 steps to reach.
LARGE_TARGET = 100.0
# Weights per sample. Good models have tens to hundreds (ResNet-18 on CIFAR-10: 220), so more is beyond them.
WEIGHTS_PER_SAMPLE = 1000.0
NAMED = 5  # classes to name


def rare_classes(task: Task) -> Advice | None:
    """Classes with a single sample: what is learned of them cannot be tested."""
    if task.counts is None:
        return None
    single = np.flatnonzero(task.counts == 1)
    if not single.size:
        return None
    said = ", ".join(task.name_of(int(c)) for c in single[:NAMED])
    more = f" and {single.size - NAMED} more" if single.size > NAMED else ""
    return Advice(
        "rare_class",
        None,
        f"There is one sample only of {'class' if single.size == 1 else 'classes'} {said}{more}.",
        ("more samples of it", "joining it with another class", "leaving it out", tries.RESAMPLING),
    )


def imbalance(task: Task) -> Advice | None:
    """One class has many times the samples of another."""
    if task.counts is None:
        return None
    present = np.flatnonzero(task.counts)
    rare, common = (int(present[f(task.counts[present])]) for f in (np.argmin, np.argmax))
    ratio = task.counts[common] / task.counts[rare]
    if ratio < IMBALANCE:
        return None
    return Advice(
        "class_imbalance",
        None,
        f"Classes are imbalanced: {task.counts[rare]} samples of {task.name_of(rare)}, {ratio:.0f} times as "
        f"many ({task.counts[common]}) of {task.name_of(common)}.",
        (
            f"{tries.CLASS_WEIGHT} (unless it is set)",
            tries.RESAMPLING,
            tries.COSTS,
            "metrics that do not go by the frequent class: recall or F1 of each class",
        ),
    )


def unscaled(task: Task) -> Advice | None:
    """Numbers to predict that are far from 1."""
    if task.spread is None or task.spread <= LARGE_TARGET:
        return None
    return Advice(
        "unscaled_target",
        None,
        f"Targets are not scaled: their usual size is {task.spread:.3g}, which outputs take long to reach.",
        (
            "targets of mean 0 and deviation 1: data.scale_targets in a recipe",
            "the logarithm of the targets, if they are positive and spread over orders of magnitude",
        ),
    )


def few_samples(samples: int, weights: int) -> Advice | None:
    """Far more trainable weights than samples."""
    if weights <= WEIGHTS_PER_SAMPLE * samples:
        return None
    return Advice(
        "few_samples",
        None,
        f"There are few samples for the model: {samples} for {weights} trainable weights, "
        f"{weights / samples:.0f} weights each.",
        (
            tries.MORE_DATA,
            tries.AUGMENTATION,
            tries.GENERATED,
            tries.SMALLER_MODEL,
            tries.PRETRAINED,
            tries.L2,
            tries.DROPOUT,
            tries.EARLY_STOPPING,
        ),
    )
