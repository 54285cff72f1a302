"""Passes: the same results with each switched off, and each fires where it should and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import losses
from gputrain.compiler import gradients
from gputrain.compiler.rewrite import PASSES, disabled, enabled, optimize
from gputrain.errors import GraphError
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.ops.base import Operation, apply
from gputrain.runtime import Variable, interpret
from tests.compiler.random_graphs import Builder, Program
from tests.on_device import fewer
from tests.selection import quick
from tests.tolerances import assert_close

SEEDS = range(20)
IMAGE, FILTER = Spec((2, 6, 6, 2)), Spec((3, 3, 2, 4))


def kinds(graph: Graph) -> list[str]:
    """Names of the operations, in order."""
    return [type(node.op).__name__ for node in graph.nodes]


def optimized(*outputs: Value, inputs: list[Value]) -> Graph:
    graph = optimize(Graph(inputs, list(outputs)))
    graph.verify()
    return graph


# ------------------------------------------------------------------------------------------- random graphs


def differentiated(seed: int) -> Program:
    """A random program that also returns gradients, of two different targets over one forward graph."""
    builder = Builder(seed).grow(25)
    with builder.trace.active():
        sources = [builder.x, builder.image, *builder.trace.before.values()]
        made = [v for v in builder.pool if v.node is not None and v.dtype == builder.dtype][-8:]
        targets = [ops.sum(ops.tanh(v)) for v in made]
        first, second = targets[0], targets[0]
        for i, target in enumerate(targets[1:]):
            first, second = (first + target, second) if i % 2 else (first, second + target)
        found = [g for target in (first, second) for g in gradients(target, sources) if g is not None]
        program = builder.program([first, second, *found, *builder.outputs()])
    optimize(program.graph)
    program.graph.verify()
    return program


def run_twice(program: Program) -> list[np.ndarray]:
    results = [*interpret(program.graph, program.feeds), *interpret(program.graph, program.feeds)]
    return [*results, *program.contents()]


@pytest.mark.parametrize("name", [*PASSES, "all of them"])
@pytest.mark.parametrize("seed", quick(SEEDS[:12], fewer(SEEDS, 5)))
def test_results_do_not_depend_on_a_pass(seed: int, name: str) -> None:
    found = run_twice(differentiated(seed))
    with disabled(*([] if name == "all of them" else [name])):
        expected = run_twice(differentiated(seed))
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert_close(a, b, b.dtype.name, f"result {i} with and without {name}")


def test_passes_fire_on_random_graphs() -> None:
    with_passes = [name for seed in SEEDS for name in kinds(differentiated(seed).graph)]
    with disabled():
        without = [name for seed in SEEDS for name in kinds(differentiated(seed).graph)]
    fused = {"ConvMaxPool", "SparseSoftmaxCrossentropy", "SoftmaxCrossentropy", "SigmoidCrossentropy"}
    assert fused <= set(with_passes)
    assert not fused & set(without)
    assert len(with_passes) < len(without)


# ------------------------------------------------------------------------------------------------ switches


def test_switched_off_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert enabled("merge_common")
    monkeypatch.setenv("GPUTRAIN_DISABLE_PASSES", "merge_common,fuse_conv_pool")
    assert [name for name in PASSES if not enabled(name)] == ["fuse_conv_pool", "merge_common"]
    monkeypatch.setenv("GPUTRAIN_DISABLE_PASSES", "all")
    assert not any(enabled(name) for name in PASSES)


def test_switched_off_within_a_block() -> None:
    with disabled("merge_common"):
        with disabled():
            assert not any(enabled(name) for name in PASSES)
        assert [name for name in PASSES if not enabled(name)] == ["merge_common"]
    assert all(enabled(name) for name in PASSES)


# ------------------------------------------------------------------------------------------- crossentropies


def test_softmax_and_crossentropy_become_one() -> None:
    logits, labels = Value(Spec((4, 3))), Value(Spec((4,), "int32"))
    loss = ops.sparse_categorical_crossentropy(labels, ops.softmax(logits))
    assert "SparseSoftmaxCrossentropy" in kinds(optimized(loss, inputs=[logits, labels]))


def test_softmax_and_crossentropy_with_soft_targets_become_one() -> None:
    logits, targets = Value(Spec((4, 3))), Value(Spec((4, 3)))
    loss = ops.categorical_crossentropy(targets, ops.softmax(logits))
    graph = optimized(loss, inputs=[logits, targets])
    assert "SoftmaxCrossentropy" in kinds(graph)
    assert "Softmax" not in kinds(graph)


def test_one_hot_targets_become_indices() -> None:
    logits, labels = Value(Spec((4, 3))), Value(Spec((4,), "int32"))
    loss = ops.categorical_crossentropy(ops.one_hot(labels, 3), ops.softmax(logits))
    graph = optimized(loss, inputs=[logits, labels])
    assert "SparseSoftmaxCrossentropy" in kinds(graph)
    assert "OneHot" not in kinds(graph)


def test_sigmoid_and_crossentropy_become_one() -> None:
    logits, targets = Value(Spec((4, 3))), Value(Spec((4, 3)))
    loss = ops.binary_crossentropy(targets, ops.sigmoid(logits))
    assert kinds(optimized(loss, inputs=[logits, targets])) == ["SigmoidCrossentropy"]


def test_probabilities_that_others_read_stay() -> None:
    logits, labels = Value(Spec((4, 3))), Value(Spec((4,), "int32"))
    probabilities = ops.softmax(logits)
    loss = ops.sparse_categorical_crossentropy(labels, probabilities)
    graph = optimized(loss, probabilities, inputs=[logits, labels])
    assert {"Softmax", "SparseSoftmaxCrossentropy"} <= set(kinds(graph))


# ----------------------------------------------------------------------------------------- label smoothing


def smoothed(target: Value, kept: float, even: float) -> Value:
    return ops.add(ops.multiply(target, kept), even)


def folded(graph: Graph) -> float:
    """The smoothing inside of the only softmax crossentropy."""
    (op,) = (node.op for node in graph.nodes if isinstance(node.op, ops.SoftmaxCrossentropy))
    return op.smoothing


@pytest.mark.parametrize("share", [0.05, 0.1, 0.123456789, 1 / 3, 0.9, 1.0])
@pytest.mark.parametrize("classes", [2, 7, 1000])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_smoothing_by_a_loss_goes_into_the_crossentropy(share: float, classes: int, dtype: str) -> None:
    logits, target = (Value(Spec((4, classes), dtype)) for _ in range(2))
    loss = losses.categorical_crossentropy(target, ops.softmax(logits), label_smoothing=share)
    graph = optimized(loss, inputs=[logits, target])
    assert set(kinds(graph)) == {"SoftmaxCrossentropy", "Reshape"}
    assert folded(graph) == pytest.approx(share, rel=float(np.finfo(dtype).eps))
    if share in (0.05, 0.1, 0.9, 1.0):
        assert folded(graph) == share


def differently_smoothed(logits: Value, target: Value) -> Value:
    """The operands in the other order, under a crossentropy of logits."""
    kept, even = np.array(0.8), np.array(0.05)
    moved = ops.add(even, ops.multiply(kept, target))
    return ops.categorical_crossentropy(moved, logits, from_logits=True)


def smoothed_by_the_loss(logits: Value, target: Value) -> Value:
    found: Value = losses.categorical_crossentropy(target, ops.softmax(logits), label_smoothing=0.2)
    return found


@pytest.mark.parametrize("make", [differently_smoothed, smoothed_by_the_loss])
def test_smoothing_inside_has_the_same_loss_and_gradients(make: Callable[[Value, Value], Value]) -> None:
    def results() -> list[np.ndarray]:
        logits, target = Value(Spec((3, 4), "float64")), Value(Spec((3, 4), "float64"))
        loss = ops.sum(ops.square(make(logits, target)))
        first = gradients(loss, [logits, target])
        second = gradients(ops.sum(ops.square(first[0])), [logits, target])
        outputs = [loss, *first, *second]
        graph = optimized(*(v for v in outputs if v is not None), inputs=[logits, target])
        assert folded(graph) == (0.2 if enabled("fold_label_smoothing") else 0)
        rng = np.random.default_rng(0)
        return interpret(graph, [rng.standard_normal((3, 4)), rng.uniform(0, 1, (3, 4))])

    found = results()
    assert len(found) == 5
    with disabled("fold_label_smoothing"):
        expected = results()
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float64")


@pytest.mark.parametrize(
    ("kept", "even"),
    [
        (0.9, 0.1),  # not divided by the classes
        (0.9, 0.025001),
        (0.9000001, 0.025),
        (1.1, -0.025),
        (-0.1, 0.275),
        (np.nan, 0.025),
        (0.9, np.nan),
        (np.inf, -np.inf),
    ],
)
def test_other_numbers_are_no_smoothing(kept: float, even: float) -> None:
    logits, target = Value(Spec((3, 4))), Value(Spec((3, 4)))
    loss = ops.categorical_crossentropy(smoothed(target, kept, even), logits, from_logits=True)
    assert kinds(optimized(loss, inputs=[logits, target]))[-3:] == ["Constant", "Add", "SoftmaxCrossentropy"]


@pytest.mark.parametrize("shape", [(4,), (3, 1)])
def test_a_number_for_each_class_or_row_is_no_smoothing(shape: tuple[int, ...]) -> None:
    logits, target = Value(Spec((3, 4))), Value(Spec((3, 4)))
    even = np.full(shape, 0.025, "float32")
    loss = ops.categorical_crossentropy(ops.add(ops.multiply(target, 0.9), even), logits, from_logits=True)
    assert folded(optimized(loss, inputs=[logits, target])) == 0


def test_one_target_for_all_rows_is_no_smoothed_target() -> None:
    logits, target = Value(Spec((3, 4))), Value(Spec((4,)))
    wide = ops.add(ops.multiply(target, 0.9), np.full((3, 4), 0.025, "float32"))
    loss = ops.categorical_crossentropy(wide, logits, from_logits=True)
    assert folded(optimized(loss, inputs=[logits, target])) == 0


@pytest.mark.parametrize("which", ["product", "sum"])
def test_smoothed_targets_that_others_read_stay(which: str) -> None:
    logits, target = Value(Spec((3, 4))), Value(Spec((3, 4)))
    product = ops.multiply(target, 0.9)
    moved = ops.add(product, 0.025)
    other = product if which == "product" else moved
    loss = ops.categorical_crossentropy(moved, logits, from_logits=True)
    assert folded(optimized(loss, ops.tanh(other), inputs=[logits, target])) == 0


def test_a_second_smoothing_stays_outside() -> None:
    logits, target = Value(Spec((3, 4))), Value(Spec((3, 4)))
    twice = smoothed(smoothed(target, 0.9, 0.025), 0.8, 0.05)
    loss = ops.categorical_crossentropy(twice, logits, from_logits=True)
    graph = optimized(loss, inputs=[logits, target])
    assert folded(graph) == 0.2
    assert kinds(graph).count("Add") == 1


# -------------------------------------------------------------------------------------------------- pooling


def test_activation_and_bias_move_behind_the_pooling_and_the_convolution_joins_it() -> None:
    image, filters, bias = Value(IMAGE), Value(FILTER), Value(Spec((4,)))
    y = ops.max_pool(ops.relu(ops.conv(image, filters) + bias), 2)
    assert kinds(optimized(y, inputs=[image, filters, bias])) == ["ConvMaxPool", "Add", "Relu"]


def test_pooling_stays_behind_an_activation_that_others_read() -> None:
    image = Value(IMAGE)
    active = ops.relu(image)
    graph = optimized(ops.max_pool(active, 2), ops.sum(active), inputs=[image])
    assert kinds(graph)[:2] == ["Relu", "MaxPool"]
    active = ops.relu(image)
    assert kinds(optimized(ops.max_pool(active, 2), active, inputs=[image])) == ["Relu", "MaxPool"]


def test_pooling_stays_where_its_winners_are_read() -> None:
    image = Value(IMAGE)
    best, winner = apply(ops.MaxPool((2, 2), (2, 2)), ops.relu(image))
    assert kinds(optimized(best, winner, inputs=[image])) == ["Relu", "MaxPool"]


@pytest.mark.parametrize("shape", [(), (6, 2), (6, 6, 2), (2, 6, 6, 2), (1,)])
def test_pooling_stays_behind_a_sum_that_is_no_bias(shape: tuple[int, ...]) -> None:
    image, other = Value(IMAGE), Value(Spec(shape))
    y = ops.max_pool(image + other, 2)
    assert kinds(optimized(y, inputs=[image, other]))[-1] == "MaxPool"


def test_convolution_stays_out_of_overlapping_windows_and_groups() -> None:
    image, filters = Value(IMAGE), Value(FILTER)
    overlapping = ops.max_pool(ops.conv(image, filters), 3, strides=1)
    assert kinds(optimized(overlapping, inputs=[image, filters])) == ["Conv", "MaxPool"]
    grouped = Value(Spec((3, 3, 1, 4)))
    y = ops.max_pool(ops.conv(image, grouped), 2)
    assert kinds(optimized(y, inputs=[image, grouped])) == ["Conv", "MaxPool"]


# --------------------------------------------------------------------------- what gradients are wanted for


def wanted_in_the_middle(make: Callable[[Value], tuple[Value, Value]], image: Value) -> list[np.ndarray]:
    """Loss and the gradient of a value that a rewrite would take out of the way."""
    middle, loss = make(image)
    (gradient,) = gradients(loss, [middle])
    assert gradient is not None
    feed = np.random.default_rng(3).standard_normal(image.spec.dims).astype(image.dtype)
    return interpret(optimized(loss, gradient, inputs=[image]), [feed])


def pooled_activation(image: Value) -> tuple[Value, Value]:
    active = ops.relu(image)
    return active, ops.sum(ops.square(ops.max_pool(active, 2)))


def pooled_sum(image: Value) -> tuple[Value, Value]:
    shifted = image + np.ones(2, "float64")
    return shifted, ops.sum(ops.square(ops.max_pool(shifted, 2)))


def pooled_convolution(image: Value) -> tuple[Value, Value]:
    y = ops.conv(image, np.random.default_rng(1).standard_normal((3, 3, 2, 4)))
    return y, ops.sum(ops.square(ops.max_pool(y, 2)))


def class_probabilities(image: Value) -> tuple[Value, Value]:
    p = ops.softmax(ops.reshape(image, (2, 72)))
    return p, ops.sum(ops.sparse_categorical_crossentropy(np.array([3, 5]), p))


def one_hot_targets(image: Value) -> tuple[Value, Value]:
    flat = ops.reshape(image, (2, 72))
    targets = ops.one_hot(ops.argmax(flat, axis=-1), 72, dtype="float64")
    return targets, ops.sum(ops.categorical_crossentropy(targets, ops.softmax(flat)))


def probability(image: Value) -> tuple[Value, Value]:
    p = ops.sigmoid(image)
    return p, ops.sum(ops.binary_crossentropy(np.ones(image.spec.dims), p))


def smoothed_target(image: Value) -> tuple[Value, Value]:
    flat = ops.reshape(image, (2, 72))
    target = smoothed(ops.sigmoid(flat), 0.9, 0.1 / 72)
    return target, ops.sum(ops.categorical_crossentropy(target, flat, from_logits=True))


def kept_part_of_a_target(image: Value) -> tuple[Value, Value]:
    flat = ops.reshape(image, (2, 72))
    kept = ops.multiply(ops.sigmoid(flat), 0.9)
    return kept, ops.sum(ops.categorical_crossentropy(ops.add(kept, 0.1 / 72), flat, from_logits=True))


MIDDLES = [
    smoothed_target,
    kept_part_of_a_target,
    pooled_activation,
    pooled_sum,
    pooled_convolution,
    class_probabilities,
    one_hot_targets,
    probability,
]


@pytest.mark.parametrize("make", MIDDLES)
def test_gradients_of_values_that_a_rewrite_would_bypass(
    make: Callable[[Value], tuple[Value, Value]],
) -> None:
    found = wanted_in_the_middle(make, Value(IMAGE.with_dtype("float64")))
    with disabled():
        expected = wanted_in_the_middle(make, Value(IMAGE.with_dtype("float64")))
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float64")


def test_differentiated_nodes_are_left_alone() -> None:
    image = Value(IMAGE)
    with disabled():
        y = ops.max_pool(ops.relu(image), 2)
        (gradient,) = gradients(ops.sum(y), [image])
    assert gradient is not None
    assert kinds(optimized(gradient, y, inputs=[image]))[:2] == ["Relu", "MaxPool"]


def adversaries(seed: int) -> list[np.ndarray]:
    """The losses of a discriminator and its generator, differentiated one after the other as in a GAN."""
    rng = np.random.default_rng(seed)
    trace = Trace()
    g, d = (Variable(rng.standard_normal(s), name=n) for s, n in [((3, 3, 2, 4), "g"), ((36, 1), "d")])
    noise = Value(Spec((2, 8, 8, 2), "float64"))
    with trace.active():
        fake = ops.max_pool(ops.relu(ops.conv(noise, g.value)), 2)
        judged = ops.sigmoid(ops.matmul(ops.reshape(fake, (2, 36)), d.value))
        d_loss = ops.sum(ops.binary_crossentropy(np.zeros((2, 1)), judged))
        g_loss = ops.sum(ops.binary_crossentropy(np.ones((2, 1)), judged))
        d_grads = gradients(d_loss, [d])
        g_grads = gradients(g_loss, [g])
        graph = optimize(trace.graph([noise], [d_loss, g_loss, *d_grads, *g_grads]))
    graph.verify()
    return interpret(graph, [rng.standard_normal((2, 8, 8, 2))])


def test_two_gradients_over_one_forward_graph() -> None:
    found = adversaries(0)
    with disabled():
        expected = adversaries(0)
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float64")


# -------------------------------------------------------------------------------------------- merge_common


def test_equal_things_are_computed_once() -> None:
    x = Value(Spec((3, 4)))
    y = ops.multiply(ops.tanh(x + 1.0), ops.exp(ops.tanh(x + 1.0)))
    graph = optimized(y, ops.tanh(x + 1.0), inputs=[x])
    assert kinds(graph).count("Tanh") == 1
    assert kinds(graph).count("Constant") == 1
    assert graph.outputs[1] is graph.nodes[-1].inputs[0]


def test_effects_and_states_follow_a_merge() -> None:
    v, trace, x = Variable(np.zeros(3), name="v"), Trace(), Value(Spec((3,), "float64"))
    with trace.active():
        v.assign(ops.tanh(x))
        trace.effects.append(ops.tanh(x))
        graph = optimize(trace.graph([x], [ops.tanh(x)]))
    graph.verify()
    assert kinds(graph) == ["Tanh"]
    assert graph.states[0].after is graph.outputs[0] is graph.effects[0]


def test_two_draws_are_never_merged() -> None:
    trace, x = Trace(counter=Variable(np.int64(0), name="step")), Value(Spec((64,)))
    with trace.active():
        a, b = ops.dropout(x, 0.5), ops.dropout(x, 0.5)
        graph = optimize(trace.graph([x], [a, b]))
    assert kinds(graph).count("Dropout") == 2
    first, second = interpret(graph, [np.ones(64, "float32")])
    assert (first != second).any()


@pytest.mark.parametrize("pair", [(0.0, -0.0), (1, True)])
def test_parameters_that_only_compare_equal_are_kept_apart(pair: tuple[float, float]) -> None:
    x = Value(Spec((2,)))
    values = [apply(ops.FullLike(p, "float32"), x) for p in pair]
    assert kinds(optimized(*values, inputs=[x])) == ["FullLike", "FullLike"]


class Unhashable(Operation):
    """An operation whose parameter is a list."""

    sizes: list[int]

    def infer(self, x: Spec) -> Spec:
        return x


def test_an_operation_must_be_hashable() -> None:
    x = Value(Spec((2,)))
    with pytest.raises(
        GraphError, match=r"Unhashable \(.*test_rewrite\.py:\d+\).*hashable.*tuples instead of lists"
    ):
        optimized(apply(Unhashable([1]), x), inputs=[x])


# ---------------------------------------------------------------------------------------- unread gradients


def normalized(wanted: int) -> Graph:
    """Gradients of a batch normalization of values that the inputs are scaled to, for the last `wanted`."""
    x, gamma, beta = (Value(Spec(s, "float64")) for s in [(5, 3), (3,), (3,)])
    inner = ops.tanh(x)
    y = apply(ops.BatchNorm(1e-3), inner, gamma, beta)[0]
    found = gradients(ops.sum(ops.multiply(y, inner)), [x, gamma, beta][-wanted:])
    assert all(g is not None for g in found)
    return optimized(*(g for g in found if g is not None), inputs=[x, gamma, beta])


def test_a_normalization_of_inputs_has_no_gradient_for_them() -> None:
    rng = np.random.default_rng(0)
    feeds = [rng.standard_normal(s) for s in [(5, 3), (3,), (3,)]]
    for wanted, expected in [(2, "BatchNormWeightGrad"), (3, "BatchNormGrad")]:
        assert [kind for kind in kinds(normalized(wanted)) if kind.endswith("Grad")] == [expected]
    with disabled("drop_unread_gradients"):
        whole = normalized(2)
    assert "BatchNormGrad" in kinds(whole)
    for a, b in zip(interpret(normalized(2), feeds), interpret(whole, feeds), strict=True):
        assert_close(a, b, "float64")
