"""Batch normalization and few steps: epochs before its averages are settled do not count as validated."""

import numpy as np
import pytest

import gputrain
from gputrain import layers
from gputrain.callbacks import Advisor


@pytest.mark.parametrize(
    ("momentum", "trainable", "unsettled"),
    [(0.75, True, 5), (0.5, True, 2), (0.75, False, 0), (None, True, 0)],
)
def test_epochs_of_the_first_steps_do_not_count(momentum, trainable, unsettled):
    """3 / (1 - momentum) steps of 2 an epoch: the averages are within 5% of what they follow (e^-3)."""
    gputrain.config.set_seed(1)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 4)).astype("float32"), np.arange(32) % 2
    model = gputrain.Sequential([layers.Input((4,))])
    if momentum is not None:
        model.add(layers.BatchNormalization(momentum=momentum, trainable=trainable))
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    advisor = Advisor(x, y, verbose=0)
    model.fit(x, y, batch_size=16, epochs=20, validation_data=(x, y), verbose=0, callbacks=[advisor])
    assert advisor._record.unsettled == unsettled
