"""Signs on made-up histories: where each fires, and what is close to it but no sign."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import activations, initializers, optimizers, regularizers
from gputrain.app.advice import convergence, features, generalization, rates, targets, units
from gputrain.app.advice.record import ProbeResult, ReluUnits, Update
from gputrain.app.advice.task import Task
from gputrain.callbacks import EarlyStopping
from tests.app.advice.runs import history

NAN = float("nan")
EVEN = Task(np.arange(100) % 2, np.array([50, 50]), 0.693)
SKEWED = Task(np.zeros(100, int), np.array([95, 5]), 0.2)
NOISE = [1.0, 1.02, 0.99, 1.01, 0.98, 1.02, 1.0, 0.99]
FALLING = [1.0, 0.6, 0.4, 0.3, 0.25, 0.22, 0.2, 0.19]


@pytest.mark.parametrize(
    ("losses", "facts"),
    [
        ([1.0, 1.0, 1.0], {}),
        (NOISE, {}),
        ([1.4, 1.1, 1.002, 1.001, 1.003, 1.0], {}),
        ([7.0] * 5, {"baseline": None}),
        ([7.0, 7.3, 6.8, 7.2, 7.1], {"baseline": None}),
    ],
)
def test_not_falling(losses, facts):
    assert convergence.not_falling(history(losses, **facts)).key == "loss_not_falling"


@pytest.mark.parametrize(
    ("losses", "facts"),
    [
        (FALLING, {}),
        ([1.0, 1.0], {}),
        ([0.3, 0.3, 0.3, 0.3], {}),  # flat, but far below a constant prediction
        ([1.2, 1.15, 1.1, 1.05], {}),  # above it, but on the way
        ([1.0] * 4, {"rate": [0.001, 0.002, 0.003, 0.004]}),  # warming up
        ([1.0] * 4, {"task": EVEN, "accuracy": [0.5, 0.7, 0.8, 0.9]}),  # class weights may raise the loss
        ([7.0] * 5, {"baseline": None, "fresh": False}),  # trained before
        ([-7.0] * 5, {"baseline": None}),
        ([7.0] * 4, {"baseline": None}),
    ],
)
def test_falling(losses, facts):
    assert convergence.not_falling(history(losses, **facts)) is None


def test_few_steps_say_nothing():
    record = history([1.0] * 5)
    record.good_steps = 19
    assert convergence.not_falling(record) is None


def test_a_rate_that_moves_nothing_is_to_be_raised_and_one_that_shakes_lowered():
    calm, shaking = history([1.0, 1.0, 1.0]), history([1.0, 1.4, 1.0, 1.4, 1.0, 1.4])
    assert convergence.not_falling(calm).tries[0].startswith("a learning rate of 0.1 (now 0.01)")
    assert convergence.not_falling(shaking).tries[0].startswith("a learning rate of 0.001 (now 0.01)")


@pytest.mark.parametrize(
    ("losses", "fires"),
    [
        ([1.0, 4.0], True),
        ([0.2, 0.5, 4.0], True),
        ([1.0, 2.9], False),
        ([0.01, 0.2], False),  # far more than before, but little beside a constant prediction
        ([30.0, 80.0], False),
        ([1.0, 9.0, 8.0], False),  # it comes back
        (FALLING, False),
    ],
)
def test_exploding(losses, fires):
    assert (convergence.exploding(history(losses)) is not None) is fires


def test_oscillating():
    jumping = [1.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0]
    advice = convergence.oscillating(history(jumping))
    assert advice.key == "oscillating_loss"
    assert "changed direction 5 times, by 0.5 from epoch to epoch" in advice.sign
    for calm in (NOISE, FALLING, jumping[:6], [0.1 * loss for loss in jumping], [5.0, 4, 3.5, 3, 2.5, 2, 1]):
        assert convergence.oscillating(history(calm)) is None
    falling_by_jumps = [5.0, 4.0, 4.5, 3.0, 3.5, 2.0, 2.5]
    assert convergence.oscillating(history(falling_by_jumps)) is None


def test_non_finite():
    assert convergence.non_finite(history([1.0, NAN])).key == "non_finite"
    assert convergence.non_finite(history([1.0, float("inf")])) is not None
    assert convergence.non_finite(history([1.0], failed=True)) is not None
    assert convergence.non_finite(history([1.0])) is None


@pytest.mark.parametrize(
    ("losses", "facts", "fires"),
    [
        ([1.0, 0.95, 0.9, 0.85, 0.8], {}, True),
        ([1.0, 0.95, 0.9, 0.85, 0.8], {"ended": False}, False),
        ([1.0, 0.95, 0.9, 0.85, 0.8], {"planned": 9}, False),  # stopped on purpose
        ([1.0, 0.95, 0.9, 0.85, 0.8], {"rate": [1.0, 0.5, 0.4, 0.2, 0.1]}, False),
        ([1.0, 0.95, 0.9, 0.91, 0.8], {}, False),
        ([1.0, 0.9, 0.7, 0.5, 0.4], {}, False),  # more than half is learned
        ([1.0, 0.9, 0.8], {}, False),
        ([1.0, 0.999, 0.998, 0.997, 0.996], {}, False),
        ([1.0, 0.95, 0.9, 0.85, 0.8], {"task": EVEN, "accuracy": [0.9] * 5}, False),
    ],
)
def test_slow(losses, facts, fires):
    record = history(losses, **{"ended": True, **facts})
    assert (convergence.slow(record) is not None) is fires


RISING = [0.6, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8]


@pytest.mark.parametrize(
    ("val", "losses", "fires"),
    [
        (RISING, FALLING, True),
        ([NAN, *RISING[:3], NAN, *RISING[3:]], [1.0, *FALLING[:3], 0.35, *FALLING[3:]], True),
        (RISING[:4], FALLING[:4], False),
        ([0.5, 0.52, 0.49, 0.53, 0.48, 0.52, 0.5, 0.53], FALLING, False),
        ([0.6, 0.5, 0.45, 0.44, 0.45, 0.44, 0.45, 0.45], FALLING, False),
        ([0.05 * v for v in RISING], FALLING, False),  # nearly nothing, of what there is to learn
        ([0.6, 0.2, 0.6, 0.5, 0.7, 0.3, 0.8, 0.4], FALLING, False),  # one lucky epoch in noise
        (RISING, [0.2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], False),  # training gets worse as well
        ([0.6, 0.5, 0.4, 0.3, 0.6, 0.3, 0.29, 0.28], FALLING, False),
    ],
)
def test_overfitting(val, losses, fires):
    assert (generalization.overfitting(history(losses, val_loss=val)) is not None) is fires


def test_overfitting_looks_only_at_epochs_whose_statistics_are_settled():
    """The best epoch, the first, was run with moving statistics that were still their start."""
    assert generalization.overfitting(history(FALLING, val_loss=RISING)) is not None
    assert generalization.overfitting(history(FALLING, val_loss=RISING, unsettled=len(RISING) - 3)) is None


def test_overfitting_must_last_for_steps_and_not_only_epochs():
    record = history(FALLING, val_loss=RISING)
    record.good_steps = 2 * len(FALLING)
    assert generalization.overfitting(record) is None


def test_overfitting_says_where_the_best_epoch_was():
    sign = generalization.overfitting(history(FALLING, val_loss=RISING, first=11, epoch=18)).sign
    assert "the validation loss was best after epoch 12 (0.5) and is 0.8 now" in sign
    assert "from 0.6 to 0.19" in sign


@pytest.mark.parametrize(
    ("val", "facts", "fires"),
    [
        ([0.9, 0.85, 0.85, 0.86, 0.85, 0.86, 0.85, 0.86], {}, True),
        ([0.9, 0.85, 0.85, 0.86, 0.85, 0.86, 0.85, 0.86], {"ended": False}, False),
        ([0.9, 0.85, 0.85, 0.86, 0.85, 0.86, 0.85, 0.86], {"told": {"overfitting"}}, False),
        ([0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55], {}, False),
        ([0.5, 0.4, 0.36, 0.36, 0.36, 0.36, 0.36, 0.36], {}, False),
        ([0.8] * 8, {"task": EVEN, "accuracy": [0.99] * 8, "val_accuracy": [0.7] * 8}, True),
        ([0.8] * 8, {"task": EVEN, "accuracy": [0.99] * 8, "val_accuracy": [0.9] * 8}, False),
        ([0.8] * 8, {"task": EVEN}, False),  # class weights may lower the training loss
        ([0.8] * 8, {"baseline": None}, False),
    ],
)
def test_generalization_gap(val, facts, fires):
    record = history(FALLING, val_loss=val, **{"ended": True, **facts})
    assert (generalization.generalization_gap(record) is not None) is fires


@pytest.mark.parametrize(
    ("losses", "facts", "fires"),
    [
        ([1.0, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7], {}, True),
        ([1.0, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7], {"val_loss": [0.72] * 7}, True),
        ([1.0, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7], {"val_loss": [0.9] * 7}, False),
        ([1.0, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7], {"val_loss": [0.3] * 7}, False),  # dropout in training
        ([1.0, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7], {"rate": [1.0, 0.1] + [0.01] * 5}, False),
        ([1.0, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4], {}, False),
        ([1.0] * 7, {}, False),  # that is a loss that does not fall
        ([1.0, 0.8, 0.75, 0.72, 0.69, 0.66, 0.63], {}, False),
        ([1.0, 0.7, 0.7, 0.7, 0.7], {}, False),
        ([0.7] * 7, {"task": EVEN, "accuracy": [0.95] * 7}, False),
        ([0.6] * 7, {"task": EVEN, "accuracy": [0.65] * 7}, True),
    ],
)
def test_underfitting(losses, facts, fires):
    assert (generalization.underfitting(history(losses, **facts)) is not None) is fires


@pytest.mark.parametrize(("epochs", "steps", "fires"), [(20, 20, False), (30, 30, True), (20, 200, True)])
def test_a_loss_that_is_flat_over_few_steps_is_no_underfitting(epochs, steps, fires):
    record = history([1.0, 0.8] + [0.7] * (epochs - 2))
    record.good_steps = steps
    assert (generalization.underfitting(record) is not None) is fires


def updates(*ratios: float, weight: str = "dense/kernel") -> list[Update]:
    return [Update(1 + i // 2, weight, ratio) for i, ratio in enumerate(ratios)]


@pytest.mark.parametrize(
    ("ratios", "fires"),
    [
        ([0.2, 0.3, 0.2], True),
        ([0.9, 0.01, 0.005], False),  # only the first step
        ([0.05, 0.06, 0.05], False),
        ([0.5, 0.5], False),
    ],
)
def test_updates_too_large(ratios, fires):
    advice = rates.updates_too_large(history(FALLING, updates=updates(*ratios)))
    assert (advice is not None) is fires


def test_updates_name_the_worst_weights():
    found = [u for i in range(5) for u in updates(*[0.2 + 0.1 * i] * 3, weight=f"w{i}")]
    sign = rates.updates_too_large(history(FALLING, updates=found)).sign
    assert "w4 by 0.6, w3 by 0.5, w2 by 0.4 (2 more) of its norm" in sign


@pytest.mark.parametrize(
    ("losses", "ratios", "facts", "fires"),
    [
        ([1.0, 1.0], [1e-7] * 3, {}, True),
        ([1.0, 1.0], [1e-4] * 3, {}, False),
        ([1.0, 1.0], [0.0] * 3, {}, False),  # no gradient at all
        ([0.1, 0.1], [1e-7] * 3, {}, False),  # all learned
        ([1.0, 0.9], [1e-7] * 3, {}, False),
        ([1.0, 1.0], [1e-7] * 3, {"rate": [1.0, 0.1]}, False),
        ([1.0, 1.0], [1e-7] * 3, {"baseline": None}, True),
        ([1.0, 1.0], [1e-7] * 3, {"baseline": None, "fresh": False}, False),
    ],
)
def test_updates_too_small(losses, ratios, facts, fires):
    record = history(losses, updates=updates(*ratios), **facts)
    assert (rates.updates_too_small(record) is not None) is fires


def cosine(epochs: int, over: int) -> list[float]:
    return [0.5 * (1.0 + np.cos(np.pi * min(1.0, (i + 1) / over))) for i in range(epochs)]


def test_rate_spent():
    early = history([0.5] * 12, rate=cosine(12, 10), planned=20, steps=7)
    advice = rates.rate_spent(early)
    assert advice.key == "learning_rate_spent"
    assert "with 8 of 20 epochs to come" in advice.sign
    assert advice.tries[0].endswith("decay_steps=140")
    early.rate_ahead = 1.0  # a schedule that restarts
    assert rates.rate_spent(early) is None


@pytest.mark.parametrize("epochs", [3, 10, 30, 100, 300])
def test_a_full_cosine_is_never_spent(epochs):
    whole = cosine(epochs, epochs)
    for done in range(1, epochs + 1):
        record = history([0.5] * done, rate=whole[:done], planned=epochs)
        record.start_rate = 1.0
        assert rates.rate_spent(record) is None


@pytest.mark.parametrize(
    ("column", "facts", "fires"),
    [
        ([1.0, 0.1, 0.01, 0.01], {}, True),
        ([1.0, 0.1, 0.01], {}, False),
        ([1.0, 0.1, 0.01, 0.01], {"planned": 4}, False),
        ([1.0, 0.1, 0.01, 0.01], {"least_rate": None}, False),
        ([1.0, 0.1, 0.1, 0.1], {}, False),
        ([0.01, 0.01, 0.01], {}, False),  # it began there
    ],
)
def test_rate_at_bound(column, facts, fires):
    record = history([0.5] * len(column), rate=column, **{"least_rate": 0.01, "planned": 20, **facts})
    assert (rates.rate_at_bound(record) is not None) is fires


def probe(epoch: int, dead: int = 0, predicted: tuple[int, ...] = (50, 50), **facts) -> ProbeResult:
    present = np.array(facts.pop("present", (50, 50)))
    relus = (ReluUnits("dense", dead, 10), ReluUnits("other", 1, 10))
    return ProbeResult(epoch, relus, np.array(predicted), present, **facts)


@pytest.mark.parametrize(
    ("dead", "fires"), [([5, 6], True), ([4, 10], False), ([10, 4], False), ([9], False), ([9, 9, 0], False)]
)
def test_dead_relus(dead, fires):
    probes = [probe(2**i, n) for i, n in enumerate(dead)]
    advice = units.dead_relus(history(FALLING, probes=probes))
    assert (advice is not None) is fires
    assert units.dead_relus(history([*FALLING, 0.05], probes=probes)) is None  # all is learned without them
    if fires:
        assert "6 of 10 units of 'dense' gave 0" in advice.sign
        assert "other" not in advice.sign


@pytest.mark.parametrize(
    ("task", "predicted", "facts", "fires"),
    [
        (SKEWED, [(100, 0), (100, 0)], {}, True),
        (SKEWED, [(100, 0), (99, 1)], {}, False),
        (SKEWED, [(100, 0), (100, 0)], {"epochs": 5}, False),
        (SKEWED, [(100, 0), (100, 0)], {"epochs": 5, "ended": True}, True),
        (SKEWED, [(100, 0)], {"ended": True}, False),
        (EVEN, [(100, 0), (100, 0)], {}, False),  # nothing is learned yet: other signs tell
    ],
)
def test_class_never_predicted(task, predicted, facts, fires):
    facts = dict(facts)
    losses = [0.5] * facts.pop("epochs", 8)
    probes = [probe(4 * (i + 1), predicted=p) for i, p in enumerate(predicted)]
    advice = units.class_never_predicted(history(losses, task=task, probes=probes, **facts))
    assert (advice is not None) is fires
    if fires:
        assert advice.tries[0].startswith('class_weight="balanced"')
        assert "50 of them are of it; 5.0% of all samples are, 95.0%" in advice.sign


def test_one_of_many_classes_is_never_predicted_although_the_rest_is_learned():
    task = Task(np.arange(40) % 4, np.full(4, 10), 1.386, class_names=("ash", "elm", "fir", "oak"))
    even = {"predicted": (20, 10, 0, 10), "present": (10, 10, 10, 10), "accuracy": 0.75}
    record = history([0.5] * 8, task=task, probes=[probe(4, **even), probe(8, **even)])
    advice = units.class_never_predicted(record)
    assert advice.sign.startswith("Class 'fir' came out for none of 40 probe samples after epochs 4 and 8")
    assert advice.tries[0].startswith("more epochs")


def test_a_class_with_few_probe_samples_is_no_sign():
    few = {"predicted": (100, 0), "present": (97, 3)}
    record = history([0.5] * 8, task=SKEWED, probes=[probe(4, **few), probe(8, **few)])
    assert units.class_never_predicted(record) is None


NOT_CONVERGING = ("learning rate", "optimizer", "batch_size", "seed", "regularization", "Dropout")
NOT_GENERAL = ("more training data", "smaller model", "regularization", "Dropout")
SKEWED_TABLE = np.where(np.arange(200) % 20, 70 + np.arange(200) % 17, 0)[:, None].astype("float32")


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (convergence.oscillating(history([1.0, 0.5] * 4)), NOT_CONVERGING),
        (convergence.not_falling(history([1.0] * 4)), NOT_CONVERGING[:4]),
        (convergence.slow(history([1.0, 0.95, 0.9, 0.85, 0.8], ended=True)), NOT_CONVERGING[:3]),
        (generalization.overfitting(history(FALLING, val_loss=RISING)), NOT_GENERAL),
        (
            generalization.generalization_gap(history(FALLING, val_loss=[0.8] * 8, ended=True)),
            (*NOT_GENERAL, "a similar task"),
        ),
        (generalization.underfitting(history([1.0, 0.8] + [0.7] * 5)), ("bigger model", "activation")),
        (targets.imbalance(SKEWED), ("class_weight", "resampling", "costs")),
        (targets.few_samples(10, 10**6), ("more training data", "augmentation", "GAN", "smaller model")),
        (features.zeros(SKEWED_TABLE, ["a"]), ("mean or median", "predicted", "regularization", "Dropout")),
        (features.missing(np.full((3, 1), np.nan), ["a"]), ("drop", "mean or median", "predicted")),
        (features.out_of_scale(255 * np.ones((3, 4))), ("Rescaling", "BatchNormalization")),
    ],
    ids=lambda value: getattr(value, "key", ""),
)
def test_what_the_reference_text_recommends_is_among_the_tries(advice, words):
    said = " ".join(advice.tries)
    assert [word for word in words if word not in said] == []


def test_what_is_to_be_tried_exists():
    for name in ("leaky_relu", "elu", "gelu", "relu", "tanh"):
        activations.get(name)
    for name in ("he_normal", "zeros"):
        initializers.get(name)
    regularizers.get("l2")
    optimizers.Adam(weight_decay=1e-4, clipnorm=1.0)
    optimizers.SGD(learning_rate=0.01, momentum=0.9)
    optimizers.schedules.CosineDecay(0.1, 10, alpha=0.01, warmup_target=1.0, warmup_steps=3)
    optimizers.schedules.PolynomialDecay(0.1, 10, end_learning_rate=1e-3)
    EarlyStopping(patience=3, restore_best_weights=True)


def test_all_signs_are_silent_on_a_falling_loss_at_every_epoch():
    from gputrain.app.advice.advisor import SIGNS

    for count in range(1, len(FALLING) + 1):
        record = history(FALLING[:count], val_loss=[0.9 * v for v in FALLING[:count]])
        for ended in (False, True):
            record.ended = ended
            assert [sign(record) for sign in SIGNS] == [None] * len(SIGNS)
