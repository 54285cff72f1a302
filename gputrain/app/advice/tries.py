"""What to try for each sign, in words: the argument or recipe key that does it and, if known, a number."""

from __future__ import annotations

from collections.abc import Callable

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.record import RunRecord

Try = str | Callable[[RunRecord], str | None]


def rate_divided_by(factor: float) -> Callable[[RunRecord], str]:
    """Another learning rate, made from the largest so far."""
    words = "a learning rate of {:.3g} (now {:.3g}): learning_rate in the optimizer"
    return lambda record: words.format(record.peak_rate / factor, record.peak_rate)


lower_rate, higher_rate, triple_rate, far_higher_rate = map(rate_divided_by, (10.0, 0.1, 1 / 3.0, 0.01))


def other_optimizer(record: RunRecord) -> str:
    """An optimizer of another kind."""
    other = '"adam"' if record.optimizer == "SGD" else "SGD(learning_rate=0.01, momentum=0.9)"
    return f"another optimizer: {other} (now {record.optimizer})"


def larger_batch(record: RunRecord) -> str | None:
    """A larger batch, where there are samples for one."""
    now = record.batch_size
    size = None if now is None else min(4 * now, record.samples or now)
    return _batch("larger", now, size)


def smaller_batch(record: RunRecord) -> str | None:
    """A smaller batch, where it can be smaller."""
    now = record.batch_size
    return _batch("smaller", now, now // 4 if now is not None and now >= 8 else now)


def _batch(kind: str, now: int | None, size: int | None) -> str | None:
    if now is None:
        return f"a {kind} batch_size"
    return f"a batch_size of {size} (now {now})" if size != now else None


def more_epochs(record: RunRecord) -> str:
    """A longer run."""
    return f"more epochs: {2 * record.planned} (now {record.planned})"


def fewer_epochs(record: RunRecord) -> str:
    """A run that ends where it is now."""
    return f"fewer epochs: {record.epoch} (now {record.planned})"


def longer_schedule(record: RunRecord) -> str:
    """A schedule that lowers the learning rate over the whole run."""
    epochs = record.planned - record.first + 1
    steps = "more decay_steps" if record.steps is None else f"decay_steps={record.steps * epochs}"
    return f"a schedule that lasts for all epochs: {steps}"


def lower_bound(record: RunRecord) -> str | None:
    """A learning rate that may fall further."""
    return None if record.least_rate is None else f"a lower bound: min_lr={record.least_rate / 100:.3g}"


OTHER_SEED = "another random seed, for other initial weights: seed in a recipe, gputrain.config.set_seed(n)"
L2 = 'regularization: kernel_regularizer="l2" in the layers, or weight_decay=1e-4 in the optimizer'
DROPOUT = "Dropout(0.3) before the last layers"
MORE_DATA = "more training data"
AUGMENTATION = "more data by augmentation: samples that are flipped, shifted, rotated or noisy"
GENERATED = "samples of a generative model (GAN) beside the real ones"
SMALLER_MODEL = "a smaller model: fewer layers or units"
BIGGER_MODEL = "a bigger model: more layers or units"
PRETRAINED = "weights of a model trained on a similar task, its first layers with trainable=False"
CLIPPING = "clipnorm=1.0 in the optimizer"
SCALING = (
    "inputs of mean 0 and deviation 1, or in 0..1: data.table.scaling or data.scale in a recipe, a Rescaling "
    "layer, or BatchNormalization first"
)
NORMALIZATION = "BatchNormalization after the layers"
ACTIVATION = 'another activation (relu, tanh, ...), and kernel_initializer="he_normal" before relu'
CLASS_WEIGHT = 'class_weight="balanced" in fit, training.class_weight in a recipe'
RESAMPLING = (
    'resampling: data.balance = "oversample" or "undersample" in a recipe, or repeat samples of rare classes'
)
COSTS = "the costs of mistakes: data.cost_matrix in a recipe, or sample_weight in fit"
EARLY_STOPPING = "EarlyStopping(patience=3, restore_best_weights=True)"
LAST_LAYER = (
    "the last layer and the loss: softmax with categorical, sigmoid with binary crossentropy, none with "
    "mean_squared_error, or from_logits=True"
)
ONE_SOURCE = "training and validation samples from one source: shuffle before they are split"
LESS_PENALTY = "less regularization: lower Dropout rates and penalties"
BETTER_INPUTS = "inputs that tell more, if the rest is not noise"
LATER_FALL = "a larger patience, or a factor nearer to 1, so that the rate falls later"
LAST_RATE = "a higher last rate: alpha=0.01 in CosineDecay, end_learning_rate in PolynomialDecay"
EAGERLY = "run_eagerly=True in compile, which names the operation where it begins"
BY_HEART = "targets that belong to their inputs: train on 10 samples, which any model can learn by heart"
WARMUP = "a learning rate that rises over the first steps: CosineDecay(warmup_target=, warmup_steps=)"
DROP_COLUMNS = "data.table.ignore in a recipe, or numpy.delete(x, columns, axis=1)"
FILLINGS = (
    'filled with the mean or median, or predicted from the rest: data.table.missing = "median" in a recipe',
    'samples without missing values only: data.table.missing = "drop" in a recipe',
)

BY_CLASS = "metrics that do not go by the frequent class: recall or F1 of each class"
SCALED_TARGETS = "targets of mean 0 and deviation 1: data.scale_targets in a recipe"
LOGARITHMS = "the logarithm of the targets, if they are positive and spread over orders of magnitude"
WHERE_FROM = "a look at where they come from, if they should differ"
SOFTER_RELU = 'activation="leaky_relu", "elu" or "gelu" in those layers'
OTHER_START = 'kernel_initializer="he_normal" and bias_initializer="zeros" there'
NORMALIZED_INPUT = "BatchNormalization before the relu"
FEWER_UNITS = "fewer units in those layers"
ZERO_IS_MISSING = "zeros taken as missing: data.table.zero_is_missing in a recipe"

MORE_SAMPLES = (MORE_DATA, AUGMENTATION)
REGULARIZATION = (L2, DROPOUT)
BOTH_ENDS = (SCALING, LAST_LAYER)
OTHER_MODEL = (OTHER_SEED, ACTIVATION, BIGGER_MODEL)
BALANCE = (CLASS_WEIGHT, RESAMPLING, COSTS)

TRIES: dict[str, tuple[Try, ...]] = {
    # in the data
    "constant_feature": (f"without them: {DROP_COLUMNS}", WHERE_FROM),
    "duplicate_feature": (f"without the copies: {DROP_COLUMNS}",),
    "missing_values": FILLINGS,
    "zeros_for_missing": (ZERO_IS_MISSING, *FILLINGS, *REGULARIZATION),
    "unscaled_input": (SCALING, NORMALIZATION),
    "rare_class": ("more samples of it", "joining it with another class", "leaving it out", RESAMPLING),
    "class_imbalance": (f"{CLASS_WEIGHT} (unless it is set)", RESAMPLING, COSTS, BY_CLASS),
    "unscaled_target": (SCALED_TARGETS, LOGARITHMS),
    "few_samples": (*MORE_SAMPLES, GENERATED, SMALLER_MODEL, PRETRAINED, *REGULARIZATION, EARLY_STOPPING),
    # in the course of the loss
    "non_finite": (lower_rate, CLIPPING, *BOTH_ENDS, EAGERLY, NORMALIZATION),
    "exploding_loss": (lower_rate, CLIPPING, SCALING, other_optimizer, NORMALIZATION, larger_batch),
    "loss_not_falling": (other_optimizer, *BOTH_ENDS, smaller_batch, *OTHER_MODEL, BY_HEART),
    "oscillating_loss": (lower_rate, larger_batch, other_optimizer, CLIPPING, OTHER_SEED, *REGULARIZATION),
    "slow_convergence": (triple_rate, more_epochs, other_optimizer, smaller_batch, SCALING, NORMALIZATION),
    # beside validation
    "overfitting": (EARLY_STOPPING, DROPOUT, L2, *MORE_SAMPLES, SMALLER_MODEL, smaller_batch, PRETRAINED),
    "generalization_gap": (*MORE_SAMPLES, *REGULARIZATION, SMALLER_MODEL, PRETRAINED, ONE_SOURCE),
    "underfitting": (BIGGER_MODEL, triple_rate, LESS_PENALTY, other_optimizer, ACTIVATION, BETTER_INPUTS),
    # in the steps and the learning rate
    "update_ratio_high": (lower_rate, CLIPPING, larger_batch, other_optimizer, WARMUP),
    "update_ratio_low": (far_higher_rate, other_optimizer, ACTIVATION, NORMALIZATION, SCALING),
    "learning_rate_spent": (longer_schedule, fewer_epochs, LAST_RATE),
    "learning_rate_at_bound": (lower_bound, LATER_FALL, EARLY_STOPPING),
    # in the outputs
    "dead_relus": (lower_rate, SOFTER_RELU, OTHER_START, NORMALIZED_INPUT, SCALING, FEWER_UNITS),
    "class_never_predicted": (more_epochs, BIGGER_MODEL, OTHER_SEED, *BALANCE),
}


def advise(key: str, sign: str, record: RunRecord | None = None, first: tuple[Try, ...] = ()) -> Advice:
    """The advice on a sign: what was measured, and what to try, without what does not apply.

    Args:
        key: name of the sign, one of `TRIES`.
        sign: one sentence with the measured figures.
        record: the run; None before training.
        first: what to try before all else.
    """
    run = RunRecord() if record is None else record
    words = [one if isinstance(one, str) else one(run) for one in (*first, *TRIES[key])]
    tries = tuple(dict.fromkeys(text for text in words if text))
    return Advice(key, None if record is None else record.epoch, sign, tries)


def listed(names: list[str], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
