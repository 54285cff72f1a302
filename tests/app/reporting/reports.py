"""Reports as runs give them, made of drawn numbers."""

import numpy as np

from gputrain.app import reporting

SUMMARY = """Model: "digits_cnn"
------------------------------------------------------------------
Layer (type)                        Output Shape          Param #
------------------------------------------------------------------
conv2d (Conv2D)                     (None, 8, 8, 32)      288
batch_normalization (BatchNorm...)  (None, 8, 8, 32)      128
max_pooling2d (MaxPooling2D)        (None, 4, 4, 32)      0
dropout (Dropout)                   (None, 4, 4, 32)      0
flatten (Flatten)                   (None, 512)           0
dense (Dense)                       (None, 128)           65,664
dense_1 (Dense)                     (None, 10)            1,290
------------------------------------------------------------------
Total params: 67,370 (263.16 KB)
Trainable params: 67,306 (262.91 KB)
Non-trainable params: 64 (256.00 B)"""

ADVICE = [
    {
        "key": "overfitting",
        "epoch": 21,
        "sign": "val_loss has risen for 6 epochs, from 0.061 to 0.094, while loss fell to 0.0042.",
        "tries": ["dropout of 0.3 after each block", "fewer epochs, or EarlyStopping", "more data"],
    },
    {"key": "dead_relus", "epoch": 3, "sign": "41 of 128 units of dense gave only 0.", "tries": []},
]

SETTINGS = {
    "name": "digits_cnn",
    "seed": 1,
    "data": {"dataset": "digits", "scale": 16.0, "reshape": [8, 8, 1]},
    "model": {"layers": [{"type": "Conv2D", "filters": 32}, {"type": "Dense", "units": 10}]},
    "optimizer": {"name": "adam", "learning_rate": {"name": "cosine_decay", "decay_steps": 690}},
    "training": {"epochs": 30, "batch_size": 64, "shuffle": True, "class_weight": None},
}


def history(epochs=30, seed=0):
    """Losses that fall, a validation that turns, and a cosine for the learning rate."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (epochs, 4))
    rows = []
    for epoch in range(epochs):
        past = epoch / max(epochs - 1, 1)
        fall = np.exp(-5 * past)
        rows.append(
            {
                "epoch": epoch,
                "accuracy": 0.995 - 0.4 * fall + 0.2 * noise[epoch, 0],
                "loss": 0.02 + 1.4 * fall + abs(noise[epoch, 1]),
                "val_accuracy": 0.98 - 0.35 * fall + 0.4 * noise[epoch, 2],
                "val_loss": 0.06 + 1.1 * fall + 0.12 * past**2 + abs(noise[epoch, 3]),
                "learning_rate": 0.0015 * (1 + np.cos(np.pi * past)),
            }
        )
    return rows


def probabilities(count=360, classes=10, seed=0, sharpness=6.0):
    """Labels, and a softmax that mostly agrees with them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 2.2, (count, classes))
    logits[np.arange(count), labels] += sharpness
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True), labels


def images(count=24, size=8, seed=0, channels=()):
    """Blurred strokes, floats in 0..1."""
    rng = np.random.default_rng(seed)
    place = np.arange(size)
    centres, widths = rng.uniform(0.2, 0.8, (count, 2)) * size, rng.uniform(0.1, 0.35, (count, 2)) * size
    rows = np.exp(-(((place - centres[:, :1]) / widths[:, :1]) ** 2))
    columns = np.exp(-(((place - centres[:, 1:]) / widths[:, 1:]) ** 2))
    grey = rows[:, :, None] * columns[:, None, :]
    return grey if not channels else np.stack([grey * share for share in channels], -1)


def classifier_report(names=None, **changes):
    """A report of a classifier of images."""
    classes = 10 if names is None else len(names)
    names = [str(digit) for digit in range(10)] if names is None else names
    assessment = reporting.assess_classifier(*probabilities(max(360, 10 * classes), classes), names)
    given = {
        "name": "digits_cnn-3",
        "settings": SETTINGS,
        "metrics": {"test_loss": 0.0712, **_tested(assessment), "epochs": 30, "parameters": 67370},
        "history": history(),
        "summary": SUMMARY,
        "advice": ADVICE,
        "assessment": assessment,
        "samples": {"images": images(len(assessment.worst))},
        "versions": {"gputrain": "0.1.0", "python": "3.12.4", "numpy": "2.4.6"},
        "device": "NumPy on 2 threads",
        "seconds": 83.2,
        "log": "\n".join(f"12:00:{second:02} epoch {second}" for second in range(30)),
    }
    return reporting.Report(**{**given, **changes})


def regression_report(targets=1, **changes):
    """A report of a regression on a table."""
    rng = np.random.default_rng(0)
    truth = rng.gamma(3, 50, (400, targets)) * 10.0 ** np.arange(targets)
    predictions = truth * rng.normal(1, 0.08, truth.shape)
    names = ["price", "area", "rent"][:targets] if targets <= 3 else [f"y{i}" for i in range(targets)]
    assessment = reporting.assess_regression(predictions, truth, names)
    rows = [{"rooms": str(i % 7), "city": f"Ort {i}", "price": "12"} for i in assessment.worst]
    given = {
        "name": "houses-1",
        "settings": SETTINGS,
        "metrics": {"test_loss": 412.5, **_tested(assessment)},
        "history": [
            {"epoch": i, "loss": 900 / (i + 1), "val_loss": 950 / (i + 1) + i, "mae": 30 / (i + 1)}
            for i in range(20)
        ],
        "assessment": assessment,
        "samples": {"rows": rows},
        "device": "NVIDIA H100 (cuda:0)",
        "seconds": 4.2,
    }
    return reporting.Report(**{**given, **changes})


def _tested(assessment):
    return {f"test_{name}": value for name, value in assessment.metrics().items()}
