"""Every accepted argument is honoured: no parameter of a public class or function is left unread.

A parameter counts as read where its name stands in the body of the function, other than in `del`. What it is
handed to is looked at by itself, where that is public. A function without a body of its own (a docstring,
`...`, `return None`, `raise NotImplementedError(...)`) reads nothing, and need not.

What a constructor keeps as an attribute must be read as one, too, other than to write a config.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.utils.signatures import KERAS_ONLY
from tests.test_public_names import RECORDED, room

# Parameters that are there for whoever overrides the method, or that say how and not what is computed.
_OF_IMAGES = {"transformation": "for layers that change them", "training": "for layers that change them"}
UNREAD = {
    "transform_images": _OF_IMAGES,
    "transform_labels": _OF_IMAGES,
    "transform_segmentation_masks": _OF_IMAGES,
    "change_masks": {"transformation": "for layers that change them"},
    "Layer.compute_mask": {"inputs": "for layers that make masks"},
    "Model.compute_loss": {"x": "for losses that read the inputs"},
    "Model.compute_metrics": {"x": "for metrics that read the inputs"},
    "Embedding.build": {"input_shape": "the table is the same for ids of all shapes"},
    "Embedding.compute_mask": {"previous_mask": "the ids say which of them count"},
    "Masking.compute_mask": {"previous_mask": "the steps say which of them count"},
    "isin": {"assume_unique": "a hint for speed: the result is the same"},
    "Layer.made_part": {"name": "for layers that have several parts"},
    "RNN.build": {"initial_state_shape": "states have the sizes that the cell says"},
    "Bidirectional.build": {"initial_state_shape": "states have the sizes that the cells say"},
    "Functional.call": {"training": "the layers inside learn it from the trace"},
}

_CONSTANT = (ast.Expr, ast.Return)


def items() -> Iterator[tuple[str, Any]]:
    """All public classes, functions and methods by their paths."""
    for path, names in RECORDED.items():
        for name, text in names.items():
            if text.startswith(("class(", "function(")):
                yield f"{path}.{name}", attrgetter(name)(room(path))


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """What runs when they are called.

    Not those of operations: the engine calls them with all that it knows, and each reads what it needs.
    """
    for path, item in items():
        operation = getattr(ops, path.split(".")[-2], None)
        item = item.__init__ if inspect.isclass(item) else item
        item = inspect.unwrap(getattr(item, "__func__", item))
        engine = inspect.isclass(operation) and issubclass(operation, ops.Operation)
        if inspect.isfunction(item) and item.__module__.startswith("gputrain") and not engine:
            yield path, item


def definition(function: Callable[..., Any]) -> ast.FunctionDef | None:
    """A function as a tree; None of a lambda, or of what was made without source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except OSError:
        return None
    return tree if isinstance(tree, ast.FunctionDef) else None


def unread(function: Callable[..., Any]) -> list[str]:
    """The parameters that the function's own lines do not read."""
    tree = definition(function)
    if tree is None or all(map(_is_empty, tree.body)):
        return []
    known = tree.args
    every = [*known.posonlyargs, *known.args, *known.kwonlyargs, known.vararg, known.kwarg]
    read = {
        node.id
        for statement in tree.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return [a.arg for a in every if a is not None and a.arg not in {"self", "cls", *read}]


def _is_empty(statement: ast.stmt) -> bool:
    """Whether a statement does nothing, or refuses."""
    if isinstance(statement, ast.Pass | ast.Raise):
        return True
    return isinstance(statement, _CONSTANT) and isinstance(statement.value, ast.Constant | None)


def test_enough_is_looked_at() -> None:
    assert len(list(functions())) > 500


def test_every_parameter_is_read() -> None:
    found = {}
    for path, function in functions():
        name = path if path.count(".") < 2 else ".".join(path.rsplit(".", 2)[-2:])
        allowed = {**UNREAD.get(name, {}), **UNREAD.get(path.rsplit(".", 1)[-1], {})}
        left = [parameter for parameter in unread(function) if parameter not in allowed]
        if left:
            found[path] = left
    assert not found, f"accepted and ignored: {found}"


def test_what_need_not_be_read_is_not() -> None:
    """An exception that is gone must leave the table."""
    known = {path: unread(function) for path, function in functions()}
    for name, parameters in UNREAD.items():
        lists = [left for path, left in known.items() if path.endswith(f".{name}")]
        assert lists, name
        for parameter in parameters:
            assert any(parameter in left for left in lists), (name, parameter)


def test_an_unread_parameter_is_found() -> None:
    def reads(a: int, b: int, *, c: int, **more: Any) -> int:
        """Reads a and c."""
        del b
        return a + c

    def says_nothing(a: int) -> None:
        """Of a."""

    assert unread(reads) == ["b", "more"]
    assert unread(says_nothing) == []


# ------------------------------------------------------------------------------------ declared by the layers


@cache
def read_attributes(module: str) -> frozenset[str]:
    """Attributes that the lines of a module read, also by a name in words, other than to write configs."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    configs = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "get_config"
    ]
    aside = {id(node) for config in configs for node in ast.walk(config)}
    nodes = [node for node in ast.walk(tree) if id(node) not in aside]
    attributes = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    words = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return frozenset(attributes | words)


LAYERS = [
    cls
    for name in layers.__all__
    if inspect.isclass(cls := getattr(layers, name)) and issubclass(cls, layers.Layer)
]
_BY_WEIGHT = re.compile(r"_(initializer|regularizer|constraint)$")  # read by add_declared_weight


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_what_a_layer_declares_it_reads(cls: Any) -> None:
    read: set[str] = set()
    for base in (*cls.__mro__, *(base for part in cls._declared_parts.values() for base in part.__mro__)):
        if base.__module__.startswith("gputrain"):
            read |= read_attributes(base.__module__)
    # What is not kept goes to `check_arguments`, whose parameters are looked at above.
    kept = [name for name, argument in cls._declared_arguments.items() if argument.kept]
    left = [name for name in kept if not _BY_WEIGHT.search(name) and name not in read]
    assert set(left) <= set(KERAS_ONLY), f"{cls.__name__} accepts and ignores {left}"


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_a_layer_refuses_what_it_does_not_know(cls: Any) -> None:
    parameters = inspect.signature(cls).parameters.values()
    required = {
        p.name: None for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    }
    with pytest.raises(TypeError, match="inpt_shape"):
        cls(**required, inpt_shape=(3,))


# ------------------------------------------------------------------------------ Keras's, which take one value


class Own(keras.Model):
    """A functional model as a class."""

    def __init__(self, **settings: Any) -> None:
        inputs = keras.Input((3,))
        super().__init__(inputs=inputs, outputs=layers.Dense(2)(inputs), **settings)


OF_KERAS: dict[str, tuple[Callable[..., Any], Any]] = {
    "ragged": (lambda **more: keras.Input((2,), **more), True),
    "sparse": (lambda **more: ops.convert_to_tensor([1.0], **more), True),
    "tensor": (lambda **more: keras.Input((2,), **more), np.ones(2)),
    "input_tensor": (lambda **more: layers.InputLayer((2,), **more), np.ones(2)),
    "lora_rank": (lambda **more: layers.Dense(2, **more), 4),
    "lora_alpha": (lambda **more: layers.Dense(2, **more), 0.5),
    "quantization_config": (lambda **more: layers.Dense(2, **more), "int8"),
    "gptq_unpacked_column_size": (lambda **more: layers.EinsumDense("ab,bc->ac", 2, **more), 3),
    "renorm": (layers.BatchNormalization, True),
    "renorm_clipping": (layers.BatchNormalization, {"rmax": 2.0}),
    "renorm_momentum": (layers.BatchNormalization, 0.5),
    "rms_scaling": (layers.LayerNormalization, True),
    "synchronized": (layers.BatchNormalization, 0),
    "overwrite_with_gradient": (lambda **more: layers.Layer().add_weight(**more), True),
    "layout": (lambda **more: keras.Variable([1.0], **more), (1,)),
    "use_ema": (keras.optimizers.Adam, True),
    "ema_momentum": (keras.optimizers.SGD, 0.5),
    "ema_overwrite_frequency": (keras.optimizers.RMSprop, 10),
    "loss_scale_factor": (keras.optimizers.AdamW, 2.0),
    "gradient_accumulation_steps": (keras.optimizers.SGD, 2),
    "flash_attention": (lambda **more: layers.MultiHeadAttention(2, 3, **more), "yes"),
    "implementation": (lambda **more: layers.LSTM(2, **more), 3),
    "from_sorted_ids": (keras.metrics.SparseTopKCategoricalAccuracy, True),
}


@pytest.mark.parametrize("argument", KERAS_ONLY)
def test_an_argument_of_keras_takes_what_asks_for_nothing(argument: str) -> None:
    make, wrong = OF_KERAS[argument]
    known = KERAS_ONLY[argument]
    for value in known.taken:
        make(**{argument: value})
    with pytest.raises(
        ValueError, match=re.escape(f": {argument} must be {known.taken[0]!r}: {known.reason}.")
    ):
        make(**{argument: wrong})


# ---------------------------------------------------------------------------- what Keras takes and then drops


def test_a_functional_model_has_the_dtype_it_is_given() -> None:
    inputs = keras.Input((3,))
    for model in (Own(dtype="float64"), keras.Model(inputs, layers.Dense(2)(inputs), dtype="float64")):
        assert (model.dtype, model.layers[-1].dtype) == ("float64", "float32")
        again = keras.Model.from_config(model.get_config())
        assert (again.dtype, again.name) == ("float64", model.name)
    assert Own().dtype == "float32"


def test_a_functional_model_has_autocast_and_a_penalty() -> None:
    model = Own(autocast=False, activity_regularizer="l2", trainable=False)
    assert (model.autocast, model.trainable) == (False, False)
    again = keras.Model.from_config(model.get_config())
    assert (again.autocast, again.trainable) == (False, False)
    assert type(again.activity_regularizer) is keras.regularizers.L2
    model.compile("sgd", "mse")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    plain = float(np.mean(model.predict(x, verbose=0) ** 2))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(plain + 0.01 * 2 * plain, rel=1e-5)


@pytest.mark.parametrize("make", [Own, layers.ReLU, keras.Model])
def test_what_no_model_knows_is_refused(make: Any) -> None:
    with pytest.raises(TypeError, match=r"unknown argument\. Received: autocst\. Did you mean 'autocast'"):
        make(autocst=False)


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "jit_compile": (
        lambda: Own().compile("sgd", "mse", jit_compile="yes"),
        'compile: jit_compile must be "auto"',
    ),
    "run_eagerly": (
        lambda: Own().compile("sgd", "mse", run_eagerly="no"),
        "compile: run_eagerly must be True",
    ),
    "auto_scale_loss": (
        lambda: Own().compile("sgd", "mse", auto_scale_loss=1.5),
        "compile: auto_scale_loss must be True",
    ),
    "loss_weights": (
        lambda: Own().compile("sgd", "mse", loss_weights="a"),
        "compile: loss_weights is a number, or a list or dict of numbers by output. Received: 'a'",
    ),
    "trainable": (
        lambda: layers.ReLU(trainable="no"),
        "ReLU: trainable must be True or False. Received: 'no'",
    ),
    "autocast": (lambda: layers.ReLU(autocast="no"), "ReLU: autocast must be True or False. Received: 'no'"),
    "name": (lambda: layers.ReLU(name="a/b"), "ReLU: name is a string without \"/\". Received: 'a/b'"),
    "use_bias": (
        lambda: layers.Dense(2, use_bias="no"),
        "Dense: use_bias must be True or False. Received: 'no'",
    ),
    "seed": (lambda: layers.Dropout(0.5, seed=1.5), "Dropout: seed must be an integer"),
    "stddev": (lambda: keras.initializers.RandomNormal(stddev=-1.0), "RandomNormal: stddev must be a finite"),
    "value": (lambda: keras.initializers.Constant("a"), "Constant: value must be a number or an array"),
    "scale": (lambda: layers.Rescaling("a"), "Rescaling: scale is a number, or an array of numbers"),
    "weight_decay": (lambda: keras.optimizers.SGD(weight_decay="a"), "SGD: weight_decay is None or a number"),
    "clipnorm": (lambda: keras.optimizers.SGD(clipnorm="a"), "SGD: clipnorm must be a positive number"),
    "learning_rate": (lambda: keras.optimizers.SGD(True), "sgd: learning_rate is a non-negative number"),
    "aggregation": (
        lambda: keras.Variable([1.0], aggregation="summ"),
        "variable: aggregation must be one of none, mean, sum, only_first_replica. Received: 'summ'. "
        "Did you mean 'sum'?",
    ),
    "shape": (
        lambda: keras.Variable([1.0, 2.0], shape=(3,)),
        "variable: the first value has another shape than the variable. Expected: (3,). Received: (2,)",
    ),
    "of unknown size": (
        lambda: layers.Layer(name="own").add_weight(shape=(None, 2), name="w"),
        "own/w: the shape of a variable is a tuple of sizes, all of them known. Received: (None, 2)",
    ),
    "unroll": (lambda: ops.scan(lambda c, x: (c, x), 0.0, [1.0], unroll=0), "scan: unroll is a positive int"),
    "positions": (
        lambda: Own().summary(positions=[0.5, 0.2, 1.0]),
        "summary: positions says where each column ends, as parts of the line or in characters. "
        "Expected: 3 ascending numbers above 0",
    ),
    "dtype": (
        lambda: layers.ReLU(dtype="mixed_float16"),
        "There is no mixed precision: take float32, or float16 for all of it",
    ),
}


@pytest.mark.parametrize("call, words", WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_by_name(call: Callable[[], Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        call()


def test_a_summary_has_its_columns_where_it_is_told() -> None:
    def lines(**settings: Any) -> list[str]:
        text: list[str] = []
        Own().summary(print_fn=text.append, **settings)
        return text[0].splitlines()

    assert lines(line_length=90)[1] == "-" * 90
    header = lines(line_length=100, positions=[0.5, 0.8, 1.0])[2]
    assert (header.index("Output"), header.index("Param")) == (50, 80)
    assert lines(positions=[60, 80, 90])[2].index("Output") == 60
    narrow = lines(positions=[1, 2, 3])[2]
    assert narrow.split() == ["Layer", "(type)", "Output", "Shape", "Param", "#"]


# ---------------------------------------------------------------------------------------------- nonsense


class Nonsense:
    """A value that no argument takes."""

    def __repr__(self) -> str:
        return "<nonsense>"


GIVEN: dict[str, Any] = {  # for arguments without a default, by their names
    **dict.fromkeys(("units", "filters", "kernel_size", "n", "height", "width", "num_classes"), 2),
    **dict.fromkeys(("rate", "stddev", "learning_rate", "initial_learning_rate"), 0.2),
    **dict.fromkeys(("decay_rate", "factor", "sensitivity", "specificity", "precision", "recall"), 0.2),
    **dict.fromkeys(("decay_steps", "first_decay_steps", "axes", "scale"), 3),
    "target_shape": (-1,),
    "dims": (1,),
    "activation": "relu",
    **dict.fromkeys(("input_dim", "output_dim", "output_shape", "sequence_length", "max_number"), 2),
    "equation": "ab,bc->ac",
    "function": abs,
}
AREAS = ("layers", "optimizers", "losses", "metrics", "initializers", "regularizers", "constraints")
CHECKED = [
    cls
    for area in AREAS
    for cls in {id(value): value for value in vars(getattr(keras, area)).values()}.values()
    if inspect.isclass(cls) and cls.__module__.startswith(f"gputrain.{area}.") and hasattr(cls, "get_config")
]


@pytest.mark.parametrize("cls", CHECKED, ids=lambda cls: cls.__name__)
def test_no_argument_takes_nonsense(cls: Any) -> None:
    kinds = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    named = [p for p in inspect.signature(cls).parameters.values() if p.kind not in kinds]
    required = {p.name: GIVEN.get(p.name) for p in named if p.default is p.empty}
    if None in required.values() or cls is layers.InputLayer:
        pytest.skip("a wrapper: what it takes is looked at in what it wraps")
    cls(**required)
    taken = [p.name for p in named if _takes(cls, {**required, p.name: Nonsense()})]
    assert not taken, f"{cls.__name__} takes nonsense for {taken}"


def _takes(cls: Any, arguments: dict[str, Any]) -> bool:
    try:
        cls(**arguments)
    except (TypeError, ValueError):
        return False
    return True
