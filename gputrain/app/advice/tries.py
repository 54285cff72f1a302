"""What to try, in words: each with the argument or recipe key that does it and, if known, with a number."""

from __future__ import annotations

from gputrain.app.advice.record import RunRecord

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


def lower_rate(record: RunRecord, factor: float = 10.0) -> str:
    """A smaller learning rate."""
    rate = record.peak_rate
    return f"a learning rate of {rate / factor:.3g} (now {rate:.3g}): learning_rate in the optimizer"


def higher_rate(record: RunRecord, factor: float = 10.0) -> str:
    """A larger learning rate."""
    return lower_rate(record, 1.0 / factor)


def other_optimizer(record: RunRecord) -> str:
    """An optimizer of another kind."""
    if record.optimizer == "SGD":
        return 'another optimizer: "adam" (now SGD)'
    return f"another optimizer: SGD(learning_rate=0.01, momentum=0.9) (now {record.optimizer})"


def larger_batch(record: RunRecord, factor: int = 4) -> str | None:
    """A larger batch, where there are samples for one."""
    now = record.batch_size
    if now is None:
        return "a larger batch_size"
    size = min(now * factor, record.samples or now)
    return f"a batch_size of {size} (now {now})" if size > now else None


def smaller_batch(record: RunRecord, factor: int = 4) -> str | None:
    """A smaller batch, where it can be smaller."""
    now = record.batch_size
    if now is None:
        return "a smaller batch_size"
    return f"a batch_size of {now // factor} (now {now})" if now >= 2 * factor else None


def more_epochs(record: RunRecord) -> str:
    """A longer run."""
    return f"more epochs: {2 * record.planned} (now {record.planned})"
