"""From compile's arguments and the shapes of targets and outputs to losses and metrics."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from gputrain import losses, metrics, ops
from gputrain import tree as sorted_tree
from gputrain.data.labels import LabelRange, check_labels
from gputrain.errors import DataError, ShapeError, explain
from gputrain.ir import Spec, Stored, Value, current_trace, is_float
from gputrain.models.training.logits import check_logits
from gputrain.names import did_you_mean
from gputrain.ops.base import as_value, convert, is_number, spec_of
from gputrain.utils import tree
from gputrain.utils.notes import note
from gputrain.utils.states import unique

# What stands for the accuracy or the crossentropy that fits targets and outputs.
ACCURACY, CROSSENTROPY = ("accuracy", "acc"), ("crossentropy", "ce")


def identifiers(given: Any) -> list[Any]:
    """What stands for one loss or metric each: lists and dicts by output opened, configs left whole."""
    if isinstance(given, dict) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, list | tuple):
        return [found for item in given for found in identifiers(item)]
    return [given]


def tensors(structure: Any, what: str) -> Any:
    """Targets or outputs, whatever stands for tensors among them as operations take it; None stays.

    Raises:
        DataError: something that is no tensor and no number.
    """

    def taken(leaf: Any) -> Any:
        if leaf is None or isinstance(leaf, Value):
            return leaf
        if not (isinstance(leaf, Stored) or is_number(leaf) or hasattr(leaf, "dtype")):
            raise DataError(f"{what} are tensors.", received=f"{leaf!r} of type {type(leaf).__name__}")
        return convert(leaf) if current_trace() is None else as_value(leaf)

    return tree.map_leaves(taken, structure)


def outputs_of(y_pred: Any) -> list[Any]:
    """A model's outputs in the order of their names; those of dicts as Keras takes them, by the alphabet."""
    return sorted_tree.flatten(y_pred)


def output_names(y_pred: Any, names: Sequence[str] | None) -> list[str]:
    """Names of a model's outputs: dict keys, the layers' names, or output_0, output_1 ..."""
    paths = sorted_tree.flatten_with_path(y_pred)
    if isinstance(y_pred, dict) and len(y_pred) == len(paths):
        return [path[0] for path, _ in paths]
    if names is not None and are_named(y_pred, names):
        return list(names)
    return [f"output_{i}" for i in range(len(paths))] if len(paths) > 1 else ["output"]


def loss_names(y_pred: Any, layers: Sequence[str] | None, names: Sequence[str]) -> list[str]:
    """Names by which logs tell the losses of outputs: as Keras, after the way to those that are nested.

    Args:
        y_pred: the outputs.
        layers: names of the layers that make them, where they are known.
        names: of the outputs, as `output_names` gives them.
    """
    paths = [path for path, _ in sorted_tree.flatten_with_path(y_pred)]
    if all(len(path) < 2 for path in paths):
        return list(names)
    known = layers if layers is not None and len(layers) == len(paths) else names
    ends = [
        path[-1] if isinstance(path[-1], str) else name for path, name in zip(paths, known, strict=True)
    ]
    return ["/".join(map(str, (*path[:-1], end))) for path, end in zip(paths, ends, strict=True)]


def _like(structure: Any, given: Any) -> list[Any] | None:
    """What is given for each output, where outputs are nested in several levels, and it as they are."""
    paths = [path for path, _ in sorted_tree.flatten_with_path(structure)]
    found = []
    for path in paths:
        part = given
        for key in path:
            in_dict = isinstance(part, dict) and "class_name" not in part and key in part
            in_list = isinstance(part, list | tuple) and isinstance(key, int) and key < len(part)
            if not (in_dict or in_list):
                return None
            part = part[key]
        found.append(part)
    return found if any(len(path) > 1 for path in paths) else None


def are_named(y_pred: Any, names: Sequence[str] | None) -> bool:
    """Whether the outputs have names of their own, by which logs tell them apart."""
    count = len(tree.flatten(y_pred))
    return isinstance(y_pred, dict) or (names is not None and len(names) == len(set(names)) == count)


def per_output(given: Any, names: Sequence[str], what: str, structure: Any = None) -> list[Any]:
    """What was given for each output: from one for all, a list in order, nested or not, or a dict by name.

    Args:
        given: as above, or nested as the outputs are.
        names: of the outputs.
        what: the argument, for errors.
        structure: of the outputs, where it is known.
    """
    nested = _like(structure, given)
    if nested is not None:
        return nested
    if isinstance(given, dict):
        for key in given:
            if key not in names:
                raise ValueError(f"{what}: no output is named {key!r}. {did_you_mean(str(key), names)}")
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple):
        entries = list(given) if len(given) == len(names) else tree.flatten(given)
        if len(entries) != len(names):
            raise ValueError(
                explain(
                    f"{what} needs one entry per output.",
                    expected=f"{len(names)}: {list(names)}",
                    received=given,
                )
            )
        return entries
    return [given] * len(names)


def resolve_loss(identifier: Any, target: Spec | None, output: Spec, name: str) -> Any:
    """The loss object for a target and an output; checks that they can belong together.

    Integer class indices under categorical crossentropy are taken as such, with a note.

    Raises:
        DataError, ShapeError: they do not fit.
    """
    if identifier is None:
        return None
    if target is None:
        raise DataError(
            explain(f"Output {name!r} has a loss but no target.", fix="Pass y to fit or evaluate.")
        )
    loss = _fitting(target, output) if _word(identifier) in CROSSENTROPY else losses.as_loss(identifier)
    if type(loss) is losses.CategoricalCrossentropy and _along_last_axis(loss, output):
        return _categorical(loss, target, output, name)
    if type(loss) is losses.SparseCategoricalCrossentropy and _along_last_axis(loss, output):
        _check_sparse(target, output, name)
    return loss


def _word(identifier: Any) -> str | None:
    return identifier.lower() if isinstance(identifier, str) else None


def _fitting(target: Spec, output: Spec) -> Any:
    """The crossentropy that fits targets and outputs."""
    if output.shape[-1:] == (1,):
        return losses.BinaryCrossentropy()
    if _is_index(target, output):
        return losses.SparseCategoricalCrossentropy()
    return losses.CategoricalCrossentropy()


def _along_last_axis(loss: Any, output: Spec) -> bool:
    return loss.axis in (-1, output.ndim - 1)


def _is_index(target: Spec, output: Spec) -> bool:
    """Whether the target can be one class index per row of the output."""
    return target.shape == output.shape[:-1] or (
        target.ndim == output.ndim and target.shape[-1] == 1 and output.shape[-1] != 1
    )


def _categorical(loss: Any, target: Spec, output: Spec, name: str) -> Any:
    if not _is_index(target, output):
        return loss
    if is_float(target.dtype):
        raise ShapeError(
            explain(
                f"Output {name!r}: categorical_crossentropy needs one probability per class.",
                expected=f"y of shape {output.shape}",
                received=f"{target.dtype} y of shape {target.shape}",
                fix=f"Use utils.to_categorical(y, {output.shape[-1]}), or integer y with "
                "sparse_categorical_crossentropy.",
            )
        )
    note(
        "categorical_crossentropy was given integer class indices instead of one-hot rows; "
        "they are used as indices (as sparse_categorical_crossentropy does)."
    )
    if loss.label_smoothing:
        return _SmoothedIndices(loss, output.shape[-1])
    config = loss.get_config()
    del config["label_smoothing"]
    return losses.SparseCategoricalCrossentropy(**config)


class _SmoothedIndices:
    """A categorical loss with label smoothing on class indices: one-hot rows are made in the graph."""

    target_kind = "indices"

    def __init__(self, loss: Any, classes: Any) -> None:
        self.loss, self.classes, self.name = loss, classes, loss.name

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if y_true.ndim == y_pred.ndim:
            y_true = ops.squeeze(y_true, -1)
        return self.loss(ops.one_hot(y_true, self.classes), y_pred, sample_weight)


def _check_sparse(target: Spec, output: Spec, name: str) -> None:
    if _is_index(target, output):
        return
    raise ShapeError(
        explain(
            f"Output {name!r}: sparse_categorical_crossentropy needs one class index per row.",
            expected=f"y of shape {output.shape[:-1]}",
            received=target.shape,
            fix=_sparse_fix(target, output),
        )
    )


def _sparse_fix(target: Spec, output: Spec) -> str:
    if target.shape == output.shape:
        return "Use categorical_crossentropy for one-hot rows."
    if output.ndim > target.ndim + 1:
        return "The output has too many axes for one prediction per sample: put a Flatten layer before it."
    return ""


def takes_indices(identifier: Any) -> bool:
    """Whether the loss given to compile reads class indices; False where the targets' shape is to tell."""
    return _word(identifier) not in CROSSENTROPY and _reads_indices(losses.as_loss(identifier))


def _reads_indices(loss: Any) -> bool:
    return _target_kind(loss) == "indices"


def _target_kind(loss: Any) -> str | None:
    """What targets a resolved loss takes; None where nothing is known of it."""
    return getattr(loss, "target_kind", None)


def _label_range(name: str, index: int, loss: Any, classes: int) -> LabelRange | None:
    """What targets a resolved loss takes; None where any number will do."""
    if _reads_indices(loss):
        ignored = getattr(loss, "ignore_class", None)
        return LabelRange(name, index, classes, ignored)
    if _target_kind(loss) == "binary":
        return LabelRange(name, index, None)
    return None


def resolve_metric(identifier: Any, loss: Any, target: Spec | None, output: Spec, name: str) -> Any:
    """The metric object for an output; "accuracy" and "crossentropy" follow the loss and the shapes."""
    word = _word(identifier)
    if word in ACCURACY:
        metric = _accuracy(loss, target, output)
        chosen = type(metric).__name__
        note(f"metrics=[{identifier!r}] on output {name!r} is {chosen}.", f"{word} is {chosen}")
    elif word in CROSSENTROPY:
        metric = _crossentropy(loss, target, output)
    else:
        metric = metrics.as_metric(identifier)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def _accuracy(loss: Any, target: Spec | None, output: Spec) -> Any:
    """Accuracy that fits the loss: argmax for class losses, a threshold for independent labels."""
    if _reads_indices(loss):
        return metrics.SparseCategoricalAccuracy()
    if _target_kind(loss) == "binary" or output.ndim == 0 or output.shape[-1] == 1:
        return metrics.BinaryAccuracy(threshold=0.0 if getattr(loss, "from_logits", False) else 0.5)
    if target is not None and _is_index(target, output):
        return metrics.SparseCategoricalAccuracy()
    return metrics.CategoricalAccuracy()


def _crossentropy(loss: Any, target: Spec | None, output: Spec) -> Any:
    """Crossentropy that fits the loss, chosen as for accuracy."""
    logits = bool(getattr(loss, "from_logits", False))
    accuracy = _accuracy(loss, target, output)
    if isinstance(accuracy, metrics.SparseCategoricalAccuracy):
        return metrics.SparseCategoricalCrossentropy(from_logits=logits)
    if isinstance(accuracy, metrics.BinaryAccuracy):
        return metrics.BinaryCrossentropy(from_logits=logits)
    return metrics.CategoricalCrossentropy(from_logits=logits)


class CompiledLoss:
    """All losses of a model, weighted and summed."""

    def __init__(self, loss: Any, loss_weights: Any, names: Callable[[], Sequence[str] | None]) -> None:
        self.given, self.loss_weights, self.names = loss, loss_weights, names
        self.resolved: list[Any] = []
        self.trackers: dict[str, Any] = {}  # the mean of each output's loss, where several have one
        self.output_names: list[str] = []
        self.structure: Any = None  # of the outputs, as of the last trace

    def build(self, y: Any, y_pred: Any) -> None:
        """Resolve the losses for these targets and outputs (values, or anything with specs)."""
        self.structure = tree.map_leaves(lambda _: None, y_pred)
        outputs, names = outputs_of(y_pred), output_names(y_pred, self.names())
        targets = self.targets(y, names)
        chosen = self.per_output(names)
        self.resolved = [
            resolve_loss(i, spec_of(t) if t is not None else None, spec_of(o), n)
            for i, t, o, n in zip(chosen, targets, outputs, names, strict=True)
        ]
        for loss, output, name in zip(self.resolved, outputs, names, strict=True):
            check_logits(loss, output, name)
        self.weights = per_output(self.loss_weights, names, "loss_weights", self.structure)
        self.output_names = names
        self.classes = [int(o.shape[-1] or 0) if o.ndim else 0 for o in outputs]
        told_as = loss_names(y_pred, self.names(), names)
        losses_by_name = {
            name: identifier if isinstance(identifier, str) else loss.name
            for name, identifier, loss in zip(told_as, chosen, self.resolved, strict=True)
            if loss is not None
        }
        self._told_as = dict(zip(names, told_as, strict=True))
        with_loss = list(losses_by_name)
        if isinstance(y_pred, dict) and not isinstance(self.given, list | tuple):
            order = list(self.given if isinstance(self.given, dict) else y_pred)
            tops = [path[0] for path, _ in sorted_tree.flatten_with_path(y_pred)]
            top_of = dict(zip(told_as, tops, strict=True))
            with_loss.sort(key=lambda name: order.index(top_of[name]))
        if not self.trackers and len(with_loss) > 1:
            told = with_loss if are_named(y_pred, self.names()) else losses_by_name.values()
            means = map(metrics.Mean, unique(f"{name}_loss" for name in told))
            self.trackers = dict(zip(with_loss, means, strict=True))

    def per_output(self, names: Sequence[str], structure: Any = None) -> list[Any]:
        """What was given as the loss of each output, nested as `structure` or those of the last trace."""
        return per_output(self.given, names, "loss", self.structure if structure is None else structure)

    def targets(self, y: Any, names: Sequence[str]) -> list[Any]:
        """The target of each output; a list may leave out outputs that have no loss."""
        chosen = self.per_output(names)
        nested = _like(self.structure, y)
        if nested is not None:
            return nested
        flat = tree.flatten(y)
        with_loss = [i for i, loss in enumerate(chosen) if loss is not None]
        if isinstance(y, dict) or len(flat) == len(names) or len(flat) != len(with_loss) or y is None:
            return targets_per_output(y, names)
        targets = dict(zip(with_loss, flat, strict=True))
        return [targets.get(i) for i in range(len(names))]

    def check_targets(self, y: Any) -> None:
        """Refuse targets outside their range, before any step.

        Raises:
            DataError: with the smallest, the largest and the first bad one.
        """
        if self.output_names:
            check_labels(self.targets(y, self.output_names), self.label_ranges())

    def label_ranges(self) -> list[LabelRange]:
        """What the outputs' targets may be, as of the last trace."""
        found = [
            _label_range(name, i, loss, classes)
            for i, (name, loss, classes) in enumerate(
                zip(self.output_names, self.resolved, self.classes, strict=True)
            )
        ]
        return [limit for limit in found if limit is not None]

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> Value | None:
        y, y_pred = tensors(y, "Targets"), _outputs(y_pred)
        self.build(y, y_pred)
        outputs, targets = outputs_of(y_pred), self.targets(y, self.output_names)
        weights = weights_per_output(sample_weight, self.output_names, self.structure)
        total = None
        for i, (loss, target, output) in enumerate(zip(self.resolved, targets, outputs, strict=True)):
            if loss is None:
                continue
            try:
                value = loss(target, output, weights[i])
            except ShapeError as error:
                raise _of_output(self.output_names[i], error) from None
            if self.trackers:
                tracker = self.trackers[self._told_as[self.output_names[i]]]
                tracker.update_state(value, sample_weight=_batch(output))
            if self.weights[i] is not None:
                value = ops.multiply(value, float(self.weights[i]))
            total = value if total is None else ops.add(total, value)
        return total


def _of_output(name: str, error: ShapeError) -> ShapeError:
    """The error of a loss or metric with the name of the output that it was given."""
    return ShapeError(f"Output {name!r}: {error}").with_traceback(error.__traceback__)


def _batch(output: Value) -> float:
    return float(output.shape[0] or 0)


def targets_per_output(y: Any, names: Sequence[str]) -> list[Any]:
    """The target of each output: by name from a dict, else in order; None where there is none."""
    if y is None:
        return [None] * len(names)
    if isinstance(y, dict):
        unknown = [key for key in y if key not in names]
        if unknown:
            raise DataError(f"y: no output is named {unknown[0]!r}. {did_you_mean(str(unknown[0]), names)}")
        return [y.get(name) for name in names]
    flat = tree.flatten(y)
    if len(flat) != len(names):
        raise DataError(
            explain(
                "y needs one target per output.", expected=f"{len(names)}: {list(names)}", received=len(flat)
            )
        )
    return flat


def weights_per_output(sample_weight: Any, names: Sequence[str], structure: Any = None) -> list[Any]:
    """Sample weights of each output: one for all, a list in order, a dict by name, or nested as they are."""
    if isinstance(sample_weight, dict | list | tuple):
        return per_output(sample_weight, names, "sample_weight", structure)
    return [sample_weight] * len(names)


class CompiledMetrics(metrics.Metric):
    """All metrics given to compile as one: `metrics` ignore sample weights, `weighted_metrics` use them.

    Args:
        given, weighted: as compile takes them.
        names: tells the names of the outputs, where they are known.
        loss: what the model is trained with, if anything; "accuracy" goes by it.

    Attributes:
        entries: (metric, number of its output, whether it is weighted).
        version: how often the metrics were made anew, because targets of another kind came.
    """

    def __init__(
        self,
        given: Any,
        weighted: Any,
        names: Callable[[], Sequence[str] | None],
        loss: CompiledLoss | None = None,
    ) -> None:
        super().__init__(name="compile_metrics")
        self.given, self.weighted, self.names, self.loss = given, weighted, names, loss
        self.entries: list[tuple[Any, int, bool]] = []
        self.output_names: list[str] = []
        self.structure: Any = None  # of the outputs, as of the last trace
        self._tells_apart = False  # whether names of outputs stand before those of the metrics
        self.version = 0
        self._built_for: Any = None

    def build(self, targets: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Make the metric objects for these targets and outputs."""
        self.entries = []
        resolved = self.loss.resolved if self.loss is not None else []
        for given, weighted in ((self.given, False), (self.weighted, True)):
            for i, wanted in enumerate(self._per_output(given, self.output_names)):
                for identifier in wanted:
                    loss = resolved[i] if resolved else None
                    target = spec_of(targets[i]) if targets[i] is not None else None
                    output, name = spec_of(outputs[i]), self.output_names[i]
                    metric = resolve_metric(identifier, loss, target, output, name)
                    self.entries.append((metric, i, weighted))
        self.version += 1

    def reset_state(self) -> None:
        """Let each metric forget in its own way."""
        for metric, _, _ in self.entries:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """The results by the names they are logged under."""
        return {name: metric.result() for name, metric in self.logged().items()}

    def logged(self) -> dict[str, Any]:
        """The metrics, their names made unique as in Keras: output_name, output_weighted_name, name_1."""
        found: dict[str, Any] = {}
        for metric, output, weighted in self.entries:
            prefix = f"{self.output_names[output]}_" if self._tells_apart else ""
            name = prefix + metric.name
            if weighted and name in found:
                name = f"{prefix}weighted_{metric.name}"
            numbered = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1)))
            found[next(name for name in numbered if name not in found)] = metric
        return found

    def _per_output(self, given: Any, names: Sequence[str]) -> list[list[Any]]:
        if given is None:
            return [[] for _ in names]
        nested = _like(self.structure, given)
        if nested is not None:
            return [[] if m is None else identifiers(m) for m in nested]
        if isinstance(given, dict):
            return [[] if m is None else identifiers(m) for m in per_output(given, names, "metrics")]
        if len(names) == 1:
            return [identifiers(given)]
        if not isinstance(given, list | tuple) or len(given) != len(names):
            raise ValueError(
                explain(
                    "metrics needs one entry per output (a name, or a list of names).",
                    expected=f"{len(names)}: {list(names)}",
                    received=given,
                )
            )
        return [[] if m is None else identifiers(m) for m in given]

    def _targets(self, y: Any) -> list[Any]:
        """The target of each output."""
        if self.loss is not None:
            return self.loss.targets(y, self.output_names)
        nested = _like(self.structure, y)
        return targets_per_output(y, self.output_names) if nested is None else nested

    @property
    def metrics(self) -> list[Any]:
        """The metric objects, in order."""
        return [metric for metric, _, _ in self.entries]

    def _inner(self) -> list[Any]:
        return self.metrics

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to every metric; targets, outputs and weights as the model has them."""
        y_true, y_pred = tensors(y_true, "Targets"), _outputs(y_pred)
        self.structure = tree.map_leaves(lambda _: None, y_pred)
        self.output_names = output_names(y_pred, self.names())
        self._tells_apart = len(self.output_names) > 1 and are_named(y_pred, self.names())
        outputs, targets = outputs_of(y_pred), self._targets(y_true)
        kinds = [_kind(t, o) for t, o in zip(targets, outputs, strict=True)]
        if kinds != self._built_for:
            self.build(targets, outputs)
            self._built_for = kinds
        weights = weights_per_output(sample_weight, self.output_names, self.structure)
        for metric, i, weighted in self.entries:
            try:
                metric.update_state(targets[i], outputs[i], sample_weight=weights[i] if weighted else None)
            except ShapeError as error:
                raise _of_output(self.output_names[i], error) from None


def _outputs(y_pred: Any) -> Any:
    """A model's outputs as operations take them; none may be missing."""
    if any(leaf is None for leaf in tree.flatten(y_pred)):
        raise DataError("Outputs of a model with a loss or metrics are tensors.", received="None")
    return tensors(y_pred, "Outputs of a model with a loss or metrics")


def _kind(target: Any, output: Any) -> tuple[Any, ...]:
    """All that the choice of a metric depends on; sizes of other axes do not count."""
    if target is None:
        return (None, output.ndim, output.shape[-1:])
    wanted = spec_of(target)
    return (_is_index(wanted, spec_of(output)), is_float(wanted.dtype), output.ndim, output.shape[-1:])
