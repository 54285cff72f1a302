"""Steps recorded as CUDA graphs: bit-equal, nothing from the host in between, split where they must be."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, ops
from gputrain.backend.cupy.launch import launches
from gputrain.backend.cupy.recording import Recorded
from gputrain.data import make_arrays
from gputrain.data.sources import ArraySource
from gputrain.ir import Graph, Spec, Value
from gputrain.models.program import Program
from gputrain.models.training.callback_list import CallbackList
from gputrain.models.training.identity import Identity
from gputrain.models.training.loop import Fit
from gputrain.ops.base import Operation, apply
from gputrain.runtime import Executable
from tests.backend.cupy.world import World, emulated
from tests.compiler.reference_cnn import reference_cnn

RNG = np.random.default_rng(3)
X = RNG.integers(0, 256, (100, 12)).astype("float32") / 255
Y = RNG.integers(0, 5, 100)


@pytest.fixture
def world() -> Iterator[World]:
    with emulated() as found:
        yield found
    config.put("cuda_graphs", None)


def mlp(optimizer: Any = "adam") -> Any:
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.layers.Input((12,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train_program(model: Any) -> Program:
    return next(p for p in model._traced_programs._programs.values() if p.kind == "train")


def state(model: Any) -> list[np.ndarray]:
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def trained(graphs: bool, optimizer: Any) -> tuple[Any, list[np.ndarray]]:
    """History and all variables after fits in which learning rate, batch size and epoch change."""
    config.set_cuda_graphs(graphs)
    model = mlp(optimizer)
    first = model.fit(X, Y, batch_size=25, epochs=3, validation_split=0.2, verbose=0).history
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        model.optimizer.learning_rate = 0.05
    second = model.fit(X, Y, batch_size=40, epochs=2, verbose=0).history
    third = model.fit(X[::-1], Y[::-1], batch_size=25, epochs=2, verbose=0).history
    return [first, second, third], state(model)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "a schedule"])
def test_recorded_and_plain_runs_are_bit_equal(world: World, name: str) -> None:
    def optimizer() -> Any:
        if name != "a schedule":
            return name
        schedules = keras.optimizers.schedules
        return keras.optimizers.SGD(schedules.ExponentialDecay(0.1, 3, 0.7), momentum=0.9, clipnorm=1.0)

    plain, plain_state = trained(False, optimizer())
    recorded, recorded_state = trained(True, optimizer())
    assert world.standin.statistics.graph_launches > 10
    assert plain == recorded
    for a, b in zip(plain_state, recorded_state, strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_replay_takes_nothing_from_the_host(world: World) -> None:
    model = mlp()
    model.fit(X, Y, batch_size=25, epochs=2, verbose=0)
    executable = train_program(model).executable
    load = next(iter(executable._programs))
    before = world.standin.statistics.counts()
    with world.standin.statistics.record() as log:
        for _ in range(3):
            executable.step(load)
    changed = {k: n - before[k] for k, n in world.standin.statistics.counts().items() if n != before[k]}
    assert set(changed) == {"graph_launches", "replayed"}  # no scalar, allocation, copy or wait of the host
    by_host = [event for event in log if event.how != "replay"]
    assert [event.kind for event in by_host] == ["graph_launch"] * 3
    replayed = {event.kind for event in log if event.how == "replay"}
    assert replayed <= {"launch", "gemm", "device_to_device"}


def test_an_epoch_on_resident_data_is_graph_launches_and_one_order(world: World) -> None:
    model = mlp()
    model.fit(X, Y, batch_size=25, epochs=2, verbose=0)
    fit = _fit(model)
    fit._train_epoch(5)  # puts the data on the device
    fit.place.batch = 0
    with world.standin.statistics.record() as log:
        fit._train_epoch(6)
    kinds = [event.kind for event in log if event.how == "run"]
    assert kinds.count("graph_launch") == 4
    # The order of the epoch, its counter, the flag set to healthy; metrics and flags read at the end.
    assert kinds.count("host_to_device") <= 3
    assert kinds.count("launch") == kinds.count("gemm") == 0


def _fit(model: Any) -> Fit:
    """A fit without callbacks whose epochs are run one by one."""
    source = ArraySource(make_arrays(X, Y), 25, True)
    fit = Fit(model, source, None, CallbackList(), range(5, 7), 1, Identity(model, source, None))
    fit.place = model._training_counters.begin_fit(source, 5)
    return fit


def test_the_reference_step_has_at_most_24_launches(world: World) -> None:
    model = reference_cnn()
    x, y = RNG.random((64, 28, 28, 1), dtype="float32"), RNG.integers(0, 10, 64)
    model.fit(x, y, batch_size=32, epochs=1, verbose=0)
    executable = train_program(model).executable
    load = next(iter(executable._programs))
    names = [name for thunk in (load, *executable.thunks) for name in launches(thunk)]
    assert len(names) <= 24, names  # copies count, too


# ------------------------------------------------------------------------------- what cannot be recorded


def run_twice(outputs: list[Value], x: Value, feed: np.ndarray, world: World) -> tuple[list[Any], Recorded]:
    """Results of a third run, when everything that can be recorded was, and the program."""
    executable = Executable(Graph([x], outputs), world.device)
    for _ in range(3):
        found = executable.run([feed])
    program = executable._programs[None]
    assert isinstance(program, Recorded)
    return found, program


def test_cond_splits_the_graph(world: World) -> None:
    x = Value(Spec((6,)))
    y = ops.exp(x) * 2
    chosen = ops.cond(ops.sum(y) > 5, lambda: y + 1, lambda: y - 1)
    feed = np.linspace(-1, 1, 6).astype("float32")
    (found,), program = run_twice([ops.take(ops.sin(chosen), np.array([5, 0]))], x, feed, world)
    wide = np.exp(np.float64(feed)) * 2
    expected = np.sin(wide + (1 if wide.sum() > 5 else -1))[[5, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert len(program.parts or ()) > 1


class Reversed(Operation):
    """An operation of a user, in functions of NumPy or CuPy that allocate."""

    def infer(self, x: Spec) -> Spec:
        return x

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        out[...] = (x + 1)[::-1]


def test_an_operation_that_allocates_is_left_out_and_named_once(world: World, caplog: Any) -> None:
    x = Value(Spec((1000,)))
    before = ops.take(ops.exp(x), np.arange(999, -1, -1))
    after = apply(Reversed(), before)
    feed = RNG.random(1000).astype("float32")
    (found,), _ = run_twice([ops.take(ops.sin(after), np.arange(0, 1000, 3))], x, feed, world)
    expected = np.sin(np.exp(np.float64(feed)) + 1)[::3]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    said = caplog.text
    assert said.count("cannot be part of a CUDA graph") == 1
    assert "Reversed" in said


def test_growing_the_arena_records_anew(world: World) -> None:
    model = mlp()
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    small = train_program(model)
    first = small.executable._programs.copy()
    assert all(p.parts is not None for p in first.values())
    model.fit(X, Y, batch_size=100, epochs=2, verbose=0)  # a larger plan moves the arena
    history = model.fit(X, Y, batch_size=10, epochs=2, verbose=0).history
    assert not set(first.values()) & set(small.executable._programs.values())
    assert np.isfinite(history["loss"]).all()


def test_models_train_in_threads_side_by_side(world: World) -> None:
    """What one thread launches never becomes part of what another records."""
    import threading

    models = [mlp() for _ in range(3)]
    alone = mlp()
    expected = alone.fit(X, Y, batch_size=25, epochs=4, verbose=0).history["loss"]
    found: dict[int, Any] = {}

    def train(i: int) -> None:
        found[i] = models[i].fit(X, Y, batch_size=25, epochs=4, verbose=0).history["loss"]

    threads = [threading.Thread(target=train, args=(i,)) for i in range(len(models))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(len(models))] == [expected] * len(models)


def test_others_work_breaks_no_recording(world: World) -> None:
    """While one thread records, another one calls everything that touches the stream."""
    import threading

    device = world.device
    array, target = device.asarray(np.arange(6.0)), device.empty((6,), "float64")
    inside, done = threading.Event(), threading.Event()

    def slow() -> None:
        if device.stream.is_capturing():
            inside.set()
            done.wait(0.5)

    def other() -> None:
        inside.wait(10)
        np.testing.assert_array_equal(device.download(array), np.arange(6.0))
        device.upload(np.ones(6), target)
        device.upload(array, target)
        device.asarray(array, "float32")
        device.returned([array], [array])
        done.set()

    program = Recorded(device, [device.copy(target, array), slow, device.copy(target, array)])
    thread = threading.Thread(target=other)
    thread.start()
    for _ in range(3):
        with device.running():
            program()
    thread.join()
    assert program.parts is not None
    assert len(program.parts) == 1


class Unloading:
    """What a program lets go of in a cycle: something whose end calls what is forbidden in a capture."""

    def __init__(self, world: World) -> None:
        self.itself, self.stream = self, world.device.stream

    def __del__(self) -> None:
        with suppress(RuntimeError):
            self.stream.synchronize()


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_while_a_step_is_recorded(world: World, enabled: bool) -> None:
    device = world.device
    a, b = device.asarray(np.zeros(3, "float32")), device.asarray(np.ones(3, "float32"))
    began: list[str] = []

    def collecting(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and world.standin.world.captures:
            began.append(phase)

    def littering() -> None:
        if device.stream.is_capturing():
            assert not gc.isenabled()
            for _ in range(50):
                Unloading(world)

    program = Recorded(device, [device.copy(a, b), littering, device.copy(b, a)])
    thresholds = gc.get_threshold()
    gc.callbacks.append(collecting)
    gc.set_threshold(1, 1, 1)
    if not enabled:
        gc.disable()
    try:
        with device.running():
            program()
            program()
        assert gc.isenabled() == enabled
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(collecting)
        gc.enable()
    assert program.parts is not None, "the recording was broken"
    assert not began


def test_garbage_is_collected_again_after_a_recording_that_failed(world: World) -> None:
    device = world.device

    def failing() -> None:
        if device.stream.is_capturing():
            raise RuntimeError("not while recording")

    copies = [device.copy(device.empty((3,), "float32"), device.zeroed((3,), "float32")) for _ in range(2)]
    program = Recorded(device, [*copies, failing, *copies])
    with device.running():
        program()
        program()
    assert gc.isenabled()


def test_a_recording_that_others_break_is_tried_again(world: World, caplog: Any) -> None:
    """Each time the step runs as it is; in the end it is left at that, and said."""
    device = world.device
    a, b = device.asarray(np.zeros(3, "float32")), device.asarray(np.ones(3, "float32"))
    spoil = [True]

    def disturbed() -> None:
        if device.stream.is_capturing() and spoil[0]:
            with suppress(world.standin.cupy.cuda.runtime.CUDARuntimeError):
                device.stream.synchronize()  # forbidden while recording: the capture is invalid from here on

    program = Recorded(device, [device.copy(a, b), disturbed, device.copy(b, a)])
    with device.running():
        for _ in range(3):
            program()
        assert program.parts is None
        spoil[0] = False
        program()
        assert program.parts is not None
        assert "recorded" not in caplog.text
    stubborn = Recorded(device, [device.copy(a, b), disturbed, device.copy(b, a)])
    spoil[0] = True
    with device.running():
        for _ in range(6):
            stubborn()
    assert caplog.text.count("could not be recorded as a CUDA graph") == 1
    np.testing.assert_array_equal(device.download(a), 1.0)
