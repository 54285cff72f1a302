"""The suite's device against the CPU device: equal draws bit for bit, the same variables after 20 steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import backend, config, initializers, layers, ops
from gputrain.datasets import fashion_mnist
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Executable, Variable
from tests.compiler.reference_cnn import reference_cnn
from tests.on_device import using

pytestmark = pytest.mark.gpu_only("the CPU device is what the others are compared with")

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
STEPS, SIZE, EPOCHS = 20, 128, 2

# floatx: (||a - b|| / ||b||, ||a - b|| / sqrt(elements)). By norm, not element by element: the devices add in
# different orders, and Adam makes a whole step of a gradient that is nothing but such rounding. In float32
# what was agreed for this product. In float16 the CPU rounds each result to a half, 2**-11 of it, where the
# GPU's kernels hold several in float32 and round once. Biases and means, nothing but 20 such sums around 0,
# have no digits left by their own norm there, so that kernels alone are measured by it.
TOLERANCES = {"float16": (5e-2, 2e-2), "float32": (5e-5, 1e-5), "float64": (1e-12, 1e-13)}


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    """The first images of the real Fashion-MNIST where they are at hand, of noise otherwise."""
    count = STEPS // EPOCHS * SIZE
    if not DATA.exists():
        rng = np.random.default_rng(3)
        return rng.random((count, 28, 28, 1), "float32"), rng.integers(0, 10, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUTRAIN_DATA", str(DATA))
        (x, y), _ = fashion_mnist.load_data()
    return (x[:count, ..., None] / 255).astype("float32"), y[:count]


def on_both(call: Callable[[], Any]) -> tuple[Any, Any]:
    """What a call gives on the suite's device and on the CPU device, from one seed."""
    assert backend.current_device().name != "numpy"
    config.set_seed(1)
    here = call()
    with using("numpy"):
        assert backend.current_device().name == "numpy"
        config.set_seed(1)
        return here, call()


def contents(model: keras.Model) -> dict[str, np.ndarray]:
    """Every variable of a model and its training, by number and name."""
    variables = [*model.variables, *model.optimizer.variables, model.step_counter]
    variables += [v for metric in model.metrics for v in metric.variables]
    return {f"{i} {v.name}": v.numpy() for i, v in enumerate(dict.fromkeys(variables))}


def assert_near(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], floatx: str) -> None:
    relative, absolute = TOLERANCES[floatx]
    assert found.keys() == expected.keys()
    for name, b in expected.items():
        a = found[name]
        assert a.dtype == b.dtype
        if b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b, err_msg=name)
            continue
        wide, reference = a.astype("float64"), b.astype("float64")
        distance, length = np.linalg.norm(wide - reference), np.linalg.norm(reference)
        if floatx != "float16" or b.ndim > 1:
            assert distance <= relative * length, f"{name}: {distance / length:.2g} of the norm"
        if not name.endswith((" total", " count")):  # sums over all samples, whose size is their own
            typical = distance / np.sqrt(reference.size)
            assert typical <= absolute, f"{name}: {typical:.2g} an element"


def test_devices_are_compared_by_norm() -> None:
    """A step of Adam that rounding turned around passes; a slight difference of all elements does not."""
    weights = np.random.default_rng(0).normal(0, 0.1, (5408, 128)).astype("float32")
    turned, shifted = weights.copy(), weights * np.float32(1 + 1e-4)
    turned[17, 3] += 2e-3
    assert_near({"kernel": turned}, {"kernel": weights}, "float32")
    with pytest.raises(AssertionError, match=r"kernel: 0\.0001 of the norm"):
        assert_near({"kernel": shifted}, {"kernel": weights}, "float32")


def assert_bits(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes(), f"{i} differs"


# ------------------------------------------------------------------------------------------------- training


def cnn(optimizer: Callable[[], Any], filters: int = 32, units: int = 128) -> keras.Model:
    model = reference_cnn(filters, units)
    model.compile(optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def small_cnn(optimizer: Callable[[], Any]) -> keras.Model:
    return cnn(optimizer, 8, 32)


def mlp(optimizer: Callable[[], Any]) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(32, use_bias=False),  # a bias here has no gradient but rounding errors
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


CASES: dict[str, tuple[Any, Callable[[], Any], str]] = {
    "the reference CNN": (cnn, lambda: keras.optimizers.Adam(), "float32"),
    "momentum": (cnn, lambda: keras.optimizers.SGD(0.01, momentum=0.9), "float32"),
    "RMSprop": (cnn, lambda: keras.optimizers.RMSprop(), "float32"),
    "batch normalization": (mlp, lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "float32"),
    "clipping and decay": (
        mlp,
        lambda: keras.optimizers.Adam(weight_decay=0.01, global_clipnorm=1.0),
        "float32",
    ),
    "float64": (small_cnn, lambda: keras.optimizers.Adam(), "float64"),
    "float64 with batch normalization": (mlp, lambda: keras.optimizers.Adam(), "float64"),
    "float16": (mlp, lambda: keras.optimizers.SGD(0.01, momentum=0.9), "float16"),
}


@pytest.mark.parametrize(("make", "optimizer", "floatx"), CASES.values(), ids=CASES)
def test_twenty_steps_give_the_same_variables(
    make: Any, optimizer: Callable[[], Any], floatx: str, images: tuple[np.ndarray, np.ndarray]
) -> None:
    config.set_floatx(floatx)
    x, y = images

    def trained() -> Any:
        model = make(optimizer)
        start = model.get_weights()
        history = model.fit(x, y, batch_size=SIZE, epochs=EPOCHS, verbose=0).history
        assert int(model.step_counter) == STEPS
        return start, contents(model), history, model.evaluate(x[:100], y[:100], verbose=0)

    here, there = on_both(trained)
    assert_bits(here[0], there[0])
    assert_near(here[1], there[1], floatx)
    tolerance = 20 * TOLERANCES[floatx][0]
    for name, values in there[2].items():
        assert here[2][name] == pytest.approx(values, rel=tolerance), name
    assert here[3] == pytest.approx(there[3], rel=tolerance)


# ---------------------------------------------------------------------------------------------------- draws

INITIALIZERS = [
    "glorot_uniform",
    "glorot_normal",
    "he_normal",
    "lecun_uniform",
    "random_normal",
    "truncated_normal",
]


@pytest.mark.parametrize("name", [*INITIALIZERS, "orthogonal"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_initial_weights_are_the_same_bits(name: str, dtype: str) -> None:
    here, there = on_both(lambda: Variable(initializers.get(name)((37, 19), dtype)).numpy())
    assert_bits([here], [there])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("chained", [False, True])
def test_dropout_masks_are_the_same_bits(dtype: str, chained: bool) -> None:
    """Alone, and where the draw is part of a kernel with what is around it; in each step a new mask."""

    def masks() -> list[np.ndarray]:
        step, x = Variable(np.int64(5), name="step"), Value(Spec((33, 71), dtype), name="x")
        trace = Trace(training=True, counter=step)
        with trace.active():
            dropped = layers.Dropout(0.4, dtype=dtype)(ops.relu(x) if chained else x, training=True)
            result = ops.add(ops.multiply(dropped, 0.5), 1.0) if chained else dropped
            trace.write(step, ops.add(trace.read(step), 1))
        exe = Executable(trace.graph([x], [result]), backend.current_device())
        return [exe.run([np.ones((33, 71), dtype)])[0] != (1.0 if chained else 0.0) for _ in range(3)]

    here, there = on_both(masks)
    assert_bits(here, there)
    assert len({a.tobytes() for a in there}) == 3


def test_dropout_at_once_draws_the_same_bits() -> None:
    here, there = on_both(
        lambda: [np.asarray(layers.Dropout(0.3)(np.ones((50, 7), "float32"), training=True))]
    )
    assert_bits(here, there)


class Seen(keras.Model):
    """Logs the numbers of the rows of each batch."""

    def train_step(self, data: Any) -> dict[str, Any]:
        return {f"row {i}": data[i, 0] for i in range(data.shape[0])}


@pytest.mark.parametrize("whole", [True, False])
def test_shuffles_are_the_same(whole: bool) -> None:
    """From data on the device, and from batches that come one by one."""
    x = np.arange(40, dtype="float32")[:, None]

    class Batches:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, i: int) -> np.ndarray:
            return x[8 * i : 8 * i + 8]

    def rows() -> list[float]:
        found: list[float] = []
        model = Seen()
        model.compile()
        note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda n, logs: found.extend(logs.values()))
        model.fit(
            x if whole else Batches(), batch_size=8 if whole else None, epochs=3, callbacks=[note], verbose=0
        )
        return found

    here, there = on_both(rows)
    assert here == there
    for epoch in range(3):
        assert sorted(there[40 * epoch : 40 * (epoch + 1)]) == x[:, 0].tolist()
    assert there[:40] != x[:, 0].tolist()
