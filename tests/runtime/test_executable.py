"""Executables: feeds, shared arenas, programs of a model that take turns in one memory."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import layers, models, utils
from gputrain.backend import current_device
from gputrain.errors import ShapeError
from gputrain.ir import Graph, Node, Spec, Trace, Value
from gputrain.models import program as program_module
from gputrain.runtime import Arena, Executable, Variable, interpret
from gputrain.utils import notes
from tests.compiler.random_graphs import random_program
from tests.on_device import lies_in
from tests.tolerances import assert_close


def squares(rows: int, arena: Arena | None = None) -> Executable:
    x = Value(Spec((rows, 4)), name="x")
    y = ops.matmul(ops.exp(x), ops.transpose(ops.tanh(x)))
    return Executable(Graph([x], [ops.sum(y, axis=1), ops.square(x)]), current_device(), arena)


def batch(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, 4)).astype("float32")


# ---------------------------------------------------------------------------------------------------- feeds


@pytest.mark.parametrize(
    "feeds, received",
    [
        ([np.zeros((3, 4))], r"\(3, 4\)"),
        ([np.zeros((2, 4, 1))], r"\(2, 4, 1\)"),
        ([], "no feeds"),
        ([np.zeros((2, 4))] * 2, r"\(2, 4\), \(2, 4\)"),
    ],
)
def test_a_wrong_feed_is_refused_with_both_shapes(feeds: list[np.ndarray], received: str) -> None:
    with pytest.raises(ShapeError, match=rf"Expected: \(2, 4\)\. Received: {received}\."):
        squares(2).run(feeds)


def test_results_are_copies() -> None:
    exe = squares(2)
    first = exe.run([batch(2)])
    kept = [a.copy() for a in first]
    exe.run([2 * batch(2)])
    for a, b in zip(first, kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_feeds_are_not_changed_and_may_be_read_only() -> None:
    x = batch(2)
    x.setflags(write=False)
    kept = x.copy()
    squares(2).run([x])
    np.testing.assert_array_equal(x, kept)


def test_an_unplanned_run_returns_neither_feeds_nor_the_memory_of_variables() -> None:
    v, trace, x = Variable(np.zeros(3), name="v"), Trace(), Value(Spec((3,), "float64"))
    with trace.active():
        old = v.value
        v.assign(old + x)
        graph = trace.graph([x], [x, old])
    feed = np.ones(3)
    same, before = interpret(graph, [feed])
    feed[:] = 7.0
    np.testing.assert_array_equal(same, 1.0)
    np.testing.assert_array_equal(before, 0.0)
    np.testing.assert_array_equal(v.numpy(), 1.0)


def test_an_unplanned_run_shows_nodes_in_order_and_can_leave_states_alone() -> None:
    program = random_program(3)
    before, seen = program.contents(), []

    def observe(node: Node, outs: tuple[Any, ...]) -> None:
        assert [o.shape for o in outs] == [v.spec.dims for v in node.outputs]
        seen.append(node)

    interpret(program.graph, program.feeds, observe=observe, commit=False)
    assert seen == program.graph.nodes
    for a, b in zip(program.contents(), before, strict=True):
        np.testing.assert_array_equal(a, b)


# --------------------------------------------------------------------------------------------------- arenas


def test_a_growing_arena_rebinds_the_others() -> None:
    arena = Arena(current_device())
    small = squares(2, arena)
    expected = {rows: squares(rows).run([batch(rows)]) for rows in (2, 64, 7)}
    for rows in (2, 64, 2, 7, 64, 2):
        exe = small if rows == 2 else squares(rows, arena)
        before = arena.memory
        for a, b in zip(exe.run([batch(rows)]), expected[rows], strict=True):
            np.testing.assert_array_equal(a, b)
        assert arena.memory is before, "only planning makes an arena grow"
        assert lies_in(exe.inputs[0], arena.memory)
    assert arena.generation == 2
    assert arena.memory.size == max(squares(64).plan.nbytes, small.plan.nbytes)


def test_random_programs_share_an_arena() -> None:
    programs = [random_program(seed) for seed in range(6)]
    alone = [random_program(seed) for seed in range(6)]
    arena = Arena(current_device())
    shared = [Executable(p.graph, current_device(), arena) for p in programs]
    separate = [Executable(p.graph, current_device()) for p in alone]
    for i in np.random.default_rng(0).integers(0, 6, 40):
        found, expected = shared[i].run(programs[i].feeds), separate[i].run(alone[i].feeds)
        for a, b in zip(found, expected, strict=True):
            assert a.tobytes() == b.tobytes()


def small_model() -> models.Sequential:
    utils.set_random_seed(3)
    model = models.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.3),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def interleaved() -> list[np.ndarray]:
    """Results of training with a short last batch, evaluation and prediction in turns."""
    model = small_model()
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 8)).astype("float32"), np.arange(50) % 3
    found: list[Any] = []
    for batch_size in (16, 48, 7):
        history = model.fit(
            x, y, batch_size=batch_size, epochs=2, validation_data=(x[:11], y[:11]), verbose=0
        )
        found += list(history.history.values())
        found.append(model.evaluate(x, y, batch_size=9, verbose=0))
        found.append(model.predict(x, batch_size=32, verbose=0))
        found.append(model.train_on_batch(x[:5], y[:5]))
        found.append(model.predict_on_batch(x[:1]))
    return [np.asarray(a) for a in (*found, *model.get_weights())]


def test_steps_of_a_model_in_one_arena_equal_those_in_separate_arenas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = interleaved()
    monkeypatch.setattr(program_module, "Executable", lambda graph, device, arena: Executable(graph, device))
    for a, b in zip(interleaved(), shared, strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_least_recently_used_program_is_dropped() -> None:
    model = small_model()
    cache = model._traced_programs
    cache.size = 3
    x = np.zeros((6, 8), "float32")
    model.predict_on_batch(x[:1])
    first = next(iter(cache._programs.values()))
    for size in (2, 3, 1, 4, 1):
        model.predict_on_batch(x[:size])
    assert [p.size for p in cache._programs.values()] == [3, 4, 1]
    assert list(cache._programs.values())[-1] is first, "what is used stays"
    kept = model.predict_on_batch(x[:2])
    assert_close(kept, model.predict_on_batch(x)[:2], "float32")


def test_many_retraces_name_the_changing_dimension(caplog: pytest.LogCaptureFixture) -> None:
    notes.forget()
    x = layers.Input((None, 4))
    model = models.Model(x, layers.Dense(2)(x))
    with caplog.at_level(logging.WARNING, "gputrain"):
        for steps in range(1, 12):
            model.predict_on_batch(np.zeros((3, steps, 4), "float32"))
    told = [r.getMessage() for r in caplog.records if "traced" in r.getMessage()]
    assert len(told) == 1
    assert "the predict step was traced 8 times" in told[0]
    assert "axis 1 of input 0" in told[0]
    assert "axis 0" not in told[0]
