"""Many fits at flat memory, and no model kept alive behind the user's back."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref

import pytest

import gputrain as keras
from gputrain import layers
from tests.models.small import LABELS, QUIET, X, classifier
from tests.on_device import emulated, held


def _fit_once() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="relu"), layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(X[:8], LABELS[:8], batch_size=8, **QUIET)


def living() -> int:
    """Objects that the garbage collector knows, without the emulator's notes of the memory used last."""
    gc.collect()
    known = gc.get_objects()
    return sum(not _is_note(type(thing)) for thing in known) if emulated() else len(known)


def _is_note(kind: type) -> bool:
    return kind in (tuple, dict) or str(kind.__module__).startswith("tests.cuda_emulator")


@pytest.mark.slow
def test_two_hundred_models_leave_nothing_behind() -> None:
    for _ in range(10):
        _fit_once()
    objects, blocks, on_device = living(), sys.getallocatedblocks(), held()
    for _ in range(200):
        _fit_once()
    found = living()
    if not emulated():  # the emulator remembers what was freed last
        assert sys.getallocatedblocks() - blocks < 2000
    assert found - objects < 200
    assert held() == on_device


def test_two_hundred_fits_of_one_model_leave_nothing_behind() -> None:
    model = classifier(metrics=["accuracy"])
    for _ in range(5):
        model.fit(X, LABELS, validation_split=0.2, **QUIET)
    tracemalloc.start()
    model.fit(X, LABELS, validation_split=0.2, **QUIET)
    objects, before, on_device = living(), tracemalloc.get_traced_memory()[0], held()
    for _ in range(200):
        model.fit(X, LABELS, validation_split=0.2, **QUIET)
    found = living()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 64 * 1024
    assert found - objects < 200
    assert held() == on_device


def test_a_model_dies_with_its_last_reference() -> None:
    model = classifier(metrics=["accuracy"])
    history = model.fit(X, LABELS, validation_split=0.2, **QUIET).history
    model.predict(X, **QUIET)
    sub_model = keras.Model(model.input, model.layers[0].output)
    remembered = [weakref.ref(model), weakref.ref(sub_model), weakref.ref(model.optimizer)]
    del model, sub_model
    gc.collect()
    assert history["loss"]
    assert [reference() for reference in remembered] == [None, None, None]
