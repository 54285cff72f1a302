"""What is said of names and arguments of Keras that are not there, and of those of older Keras."""

from __future__ import annotations

import importlib.util
import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import keras_names
from gputrain.errors import DeviceError, GraphError
from gputrain.names import unknown_argument, what_to_do

pytestmark = pytest.mark.cpu_only("words are the same on every device")

L = keras.layers
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def line() -> Any:
    model = keras.Sequential([keras.Input((3,)), L.Dense(1)])
    model.compile("sgd", "mse")
    return model


ARGUMENTS: dict[str, tuple[Callable[[], Any], str]] = {
    "output_dim": (lambda: L.Dense(output_dim=3), "Received output_dim. Keras 3 calls it units."),
    "p": (lambda: L.Dropout(p=0.5), "Received p. Keras 3 calls it rate."),
    "sigma": (lambda: L.GaussianNoise(sigma=0.1), "Received sigma. Keras 3 calls it stddev."),
    "nb_filter": (
        lambda: L.Conv2D(nb_filter=3, nb_row=3, nb_col=3),
        "Received nb_filter. Keras 3 calls it fil",
    ),
    "init": (lambda: L.Dense(3, init="uniform"), "Received: init. Keras 3 calls it kernel_initializer."),
    "bias": (lambda: L.Dense(3, bias=False), "Received: bias. Keras 3 calls it use_bias."),
    "W_regularizer": (lambda: L.Dense(3, W_regularizer="l2"), "Keras 3 calls it kernel_regularizer."),
    "b_constraint": (lambda: L.Dense(3, b_constraint="non_neg"), "Keras 3 calls it bias_constraint."),
    "weights": (lambda: L.Dense(3, weights=[X]), "Call layer.set_weights(weights) once the layer is built."),
    "border_mode": (lambda: L.Conv2D(4, 3, border_mode="same"), "Keras 3 calls it padding."),
    "subsample": (lambda: L.Conv2D(4, 3, subsample=2), "Keras 3 calls it strides."),
    "dim_ordering": (lambda: L.MaxPooling2D(dim_ordering="tf"), "Keras 3 calls it data_format."),
    "atrous_rate": (lambda: L.Conv2D(4, 3, atrous_rate=2), "Keras 3 calls it dilation_rate."),
    "gamma_init": (lambda: L.BatchNormalization(gamma_init="one"), "Keras 3 calls it gamma_initializer."),
    "fused": (lambda: L.BatchNormalization(fused=True), "That was of Keras 2. Leave it out."),
    "lr": (lambda: keras.optimizers.SGD(lr=0.1), "argument 'lr'. Keras 3 calls it learning_rate."),
    "decay": (lambda: keras.optimizers.Adam(decay=0.1), "schedules.InverseTimeDecay(rate, 1, decay)."),
    "nb_classes": (lambda: keras.utils.to_categorical([0], nb_classes=3), "nb_classes"),
    "nb_epoch": (lambda: line().fit(X, Y, nb_epoch=1), "Received: nb_epoch. Keras 3 calls it epochs."),
    "workers": (lambda: line().fit(X, Y, workers=4), "Leave it out: batches are read ahead by a thread"),
    "max_q_size": (lambda: line().predict(X, max_q_size=4), "Leave it out: batches are read ahead"),
    "samples_per_epoch": (
        lambda: line().fit(X, Y, samples_per_epoch=4),
        "Received: samples_per_epoch. Write steps_per_epoch=samples_per_epoch // batch_size.",
    ),
    "reset_metrics": (
        lambda: line().train_on_batch(X, Y, reset_metrics=False),
        "Received: reset_metrics. Leave it out: each call is alone. Average what the calls return.",
    ),
    "mode": (lambda: L.BatchNormalization(mode=0), "Received: mode. That was of Keras 1. Leave it out."),
    "reduction": (
        lambda: keras.losses.MeanSquaredError(reduction="auto"),
        "Received: 'auto'. Leave it out, or write \"sum_over_batch_size\"",
    ),
    "input": (
        lambda: keras.Model(input=1, output=2),
        "Received: input, output. input: Keras 3 calls it inputs. output: Keras 3 calls it outputs.",
    ),
    "init and W_regularizer": (
        lambda: L.Dense(3, init="uniform", W_regularizer="l2"),
        "W_regularizer: Keras 3 calls it kernel_regularizer. init: Keras 3 calls it kernel_initializer.",
    ),
    "nb_epoch and show_accuracy": (
        lambda: line().fit(X, Y, nb_epoch=1, show_accuracy=True),
        'nb_epoch: Keras 3 calls it epochs. show_accuracy: Write metrics=["accuracy"] in compile().',
    ),
    "unit": (lambda: L.Dense(unit=3), "argument: 'units'. Received unit. Did you mean 'units'?"),
    "a list of numbers": (
        lambda: line()(X.tolist()),
        ": the model has 1 input(s). Expected:",
    ),
    "lists": (lambda: L.Dense(3)(X.tolist()), "A list is taken as several inputs: pass numpy.array(x)."),
    "a mask": (
        lambda: L.GlobalAveragePooling2D()(np.ones((1, 2, 2, 1), "float32"), mask=X),
        "GlobalAveragePooling2D.call() got an unexpected keyword argument 'mask'",
    ),
    "a mask of another shape": (
        lambda: L.BatchNormalization()(np.ones((2, 8, 8), "float32"), mask=X > 0, training=True),
        "BatchNormalization: mask must have the shape of the first axes of the inputs.",
    ),
    "the beginning of a name": (
        lambda: keras.callbacks.EarlyStopping("acc").check_monitor(["accuracy", "loss"]),
        "Did you mean 'accuracy'?",
    ),
    "show_accuracy": (
        lambda: line().fit(X, Y, show_accuracy=True),
        'Write metrics=["accuracy"] in compile().',
    ),
    "sample_weight_mode": (
        lambda: line().compile(sample_weight_mode="t"),
        "sample_weight of shape (N, steps)",
    ),
    "metrics by place": (
        lambda: line().compile("adam", "mse", ["accuracy"]),
        "compile: loss_weights is a number, or a list or dict of numbers by output. Received: ['accuracy']. "
        "Metrics are named: write metrics=['accuracy'].",
    ),
    "a metric by place": (
        lambda: line().compile("adam", "mse", [keras.metrics.MeanAbsoluteError()]),
        "Metrics are named: write metrics=[",
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_of_older_keras(name: str) -> None:
    call, words = ARGUMENTS[name]
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert words in str(caught.value)


ATTRIBUTES: dict[str, tuple[Callable[[], Any], str]] = {
    "fit_generator": (lambda: line().fit_generator, "model.fit() takes generators"),
    "predict_classes": (lambda: line().predict_classes, "Write model.predict(x).argmax(axis=-1)"),
    "predict_proba": (lambda: line().predict_proba, "Keras 3 calls it model.predict()."),
    "to_yaml": (lambda: line().to_yaml, "Keras 3 has model.to_json()."),
    "export": (lambda: line().export, 'model.save("model.keras") keeps all of a model.'),
    "quantize": (lambda: line().quantize, "Train and store weights as float32 or float16."),
    "get_output_at": (lambda: L.Dense(1).get_output_at, "Read layer.output."),
    "lr": (lambda: line().optimizer.lr, "has no attribute 'lr'. Keras 3 calls it learning_rate."),
    "minimize": (lambda: line().optimizer.minimize, "Use gputrain.gradients(target, sources)"),
    "output_shape": (lambda: L.Dense(1).output_shape, "Read layer.output.shape."),
    "input_shape": (lambda: L.Dense(1).input_shape, "Read layer.input.shape."),
    "targets": (lambda: line().targets, "Pass the targets to fit() as y"),
    "weights": (lambda: line().optimizer.weights, "Read optimizer.variables."),
    "zero_grad": (lambda: line().zero_grad, "write gradients = gputrain.gradients(loss, self.trainable_"),
    "step": (lambda: line().optimizer.step, "self.optimizer.apply(gradients, self.trainable_variables)."),
    "parameters": (lambda: line().parameters, "Read model.trainable_variables."),
    "backward": (lambda: keras.Input((1,)).backward, "self.optimizer.apply(gradients, self.trainable_"),
    "numpy": (lambda: keras.Input((1,)).numpy, "It has no contents while a model is traced"),
    "add_metric": (lambda: L.Dense(1).add_metric, "call its update_state() in call()"),
    "make_predict_function": (lambda: line().make_predict_function, "Leave the call out"),
    "get_state_tree": (lambda: line().get_state_tree, "Take it by gputrain.saving.state_tree(model)"),
    "set_weights": (
        lambda: line().optimizer.set_weights,
        "by optimizer.slot_values(), and set it by set_slot",
    ),
    "finalize_variable_values": (lambda: line().optimizer.finalize_variable_values, "Average model.get_w"),
    "compute_output_spec": (lambda: L.Dense(1).compute_output_spec, "compute_output_shape() tells shapes"),
    "jit_compile": (lambda: line().jit_compile, "every model is compiled"),
    "stateless_result": (lambda: keras.metrics.Mean().stateless_result, "Models keep their state"),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_objects_lack(name: str) -> None:
    ask, words = ATTRIBUTES[name]
    with pytest.raises(AttributeError) as caught:
        ask()
    assert words in str(caught.value)
    assert caught.value.name == name


@pytest.mark.parametrize("name", ["to_yaml", "export", "predict_classes"])
def test_python_adds_no_guess_to_the_advice(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(line(), name)
    assert "Did you mean" not in "".join(traceback.format_exception(caught.value))


def test_a_loss_outside_a_step_is_told_where_gradients_are_taken() -> None:
    words = r"Received: Tensor\. Compute the loss in a model's train_step, and there write gradients = "
    with pytest.raises(GraphError, match=words):
        keras.gradients(keras.ops.ones(()), line().trainable_variables)


@pytest.mark.parametrize("what", ["backward", "numpy", "item"])
def test_a_train_step_of_another_framework(what: str) -> None:
    class Other(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = L.Dense(1)

        def train_step(self, data: Any) -> Any:
            x, y = data
            getattr(self.compute_loss(x, y, self.dense(x)), what)()

    model = Other()
    model.compile("sgd", "mse")
    with pytest.raises(AttributeError, match=re.escape(keras_names.FORMER[f"KerasTensor.{what}"])):
        model.fit(X, Y, verbose=0)


def test_rooms_that_tensorflow_has_beside_keras() -> None:
    assert what_to_do("tensorflow.optimizers.Adam") == "Write tf.keras.optimizers.Adam."
    assert what_to_do("tensorflow.losses.MSE") == "It is keras.losses.mean_squared_error."
    assert what_to_do("tensorflow.layers.JaxLayer") == what_to_do("keras.layers.JaxLayer")


NAMES = {
    "layers.jaxlayer": "There is one engine",
    "layers.JaxLayer": "There is one engine",
    "activations.Relu": "gputrain has no activation 'Relu'",
    "callbacks.Tensorboard": "CSVLogger and JSONLinesLogger",
    "losses.mse": "It is keras.losses.mean_squared_error.",
    "optimizers.legacy": "Import the optimizer from keras.optimizers.",
    "wrappers": "scikit-learn's fit() and predict()",
    "layers.Merge": "Use Add, Concatenate",
    "layers.Sequential": "It is keras.Sequential.",
    "layers.Adam": "It is keras.optimizers.Adam.",
    "Dense": "It is keras.layers.Dense.",
    "Adam": "It is keras.optimizers.Adam.",
    "to_categorical": "It is keras.utils.to_categorical.",
    "saving.KerasFileEditor": 'model.save("model.keras") keeps all of a model.',
    "models.Input": "It is keras.Input.",
    "models.Dense": "It is keras.layers.Dense.",
    "optimizers.Nadam": "SGD, Adam, AdamW and RMSprop are there",
    "losses.Dice": "Write it as a function of (y_true, y_pred)",
    "metrics.MeanIoU": "A function will not do: its mean over batches is another number.",
    "metrics.PearsonCorrelation": "Write it as a function of (y_true, y_pred)",
    "callbacks.SwapEMAWeights": "Average model.get_weights() in on_train_batch_end()",
    "Function": "keras.Model(inputs, outputs) is a function",
    "StatelessScope": "Models keep their state",
    "ops.jvp": "take gradients with gputrain.gradients",
    "utils.Progbar": "for x in tqdm.tqdm(batches)",
    "backend.result_type": "Read dtype of what the operation returns",
    "losses.accuracy": "It is keras.metrics.accuracy.",
    "callbacks.OrbaxCheckpoint": "keras.callbacks.ModelCheckpoint saves models and weights",
    "callbacks.TensorBoard": "a run of gputrain train has it in its report.html",
    "datasets.cifar10": "Load the files yourself",
    "ops.top_k": "sort with NumPy",
    "ops.scatter": "Write keras.ops.matmul with keras.ops.one_hot",
    "ops.nn.ctc_loss": "Loops: keras.ops.scan",
    "utils.np_utils": "Use keras.utils.to_categorical.",
    "utils.plot_model": "model.summary() shows the layers",
    "backend.mean": "It is keras.ops.mean.",
    "backend.variable": "It is keras.Variable.",
    "backend.set_value": "Write variable.assign(value)",
    "backend.expand_dims": "It is keras.ops.expand_dims.",
    "random.gamma": "keras.random has categorical",
    "config.set_dtype_policy": "Give layers a dtype",
    "preprocessing.image": "single ones by Pillow and numpy.asarray",
    "preprocessing.image_dataset_from_directory": "folders of images are read by recipes",
    "preprocessing.pad_sequences": "It is keras.utils.pad_sequences.",
    "preprocessing.sequence.TimeseriesGenerator": "Cut windows with NumPy",
    "preprocessing.text": "keras.layers.TextVectorization, which splits and numbers words",
    "distribution": "One device trains a model",
    "applications.ResNet51": "Did you mean",
    "mixed_precision": "Give layers a dtype",
    "losses.Reduction": 'Write reduction="sum_over_batch_size", "sum" or "none".',
    "GradientTape": "self.optimizer.apply(gradients, self.trainable_variables).",
    "utils.get_source_inputs": "model.inputs for the inputs",
    "distillation": "Write train_step; a teacher is a model",
    "tree.flaten": "Did you mean 'flatten'?",
}


@pytest.mark.parametrize("path", NAMES)
def test_a_name_that_a_room_lacks(path: str) -> None:
    room: Any = keras
    *rooms, name = path.split(".")
    for one in rooms:
        room = getattr(room, one)
    with pytest.raises(AttributeError) as caught:
        getattr(room, name)
    assert NAMES[path] in str(caught.value)
    with pytest.raises(ImportError) as other:
        exec(f"from {'.'.join(['gputrain', *rooms])} import {name}")  # noqa: S102
    assert str(other.value) == str(caught.value)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: line().compile("nadam"), "Unknown optimizer 'nadam'. SGD, Adam, AdamW and RMSprop are"),
        (lambda: line().compile("Adagrad"), "Unknown optimizer 'Adagrad'. SGD, Adam, AdamW and RMSprop"),
        (lambda: line().compile("sgd", "dice"), "Unknown loss 'dice'. Write it as a function of (y_true"),
        (
            lambda: line().compile("sgd", "mse", metrics=["MeanIoU"]),
            "Unknown metric 'MeanIoU'. Write a keras.metrics.Metric",
        ),
        (lambda: L.Dense(2, kernel_constraint="min_max_norm"), "For others pass a function"),
        (lambda: L.deserialize({"class_name": "JaxLayer", "config": {}}), "There is one engine"),
        (lambda: line().compile("adma"), "Unknown optimizer 'adma'. Did you mean 'adam'?"),
    ],
)
def test_a_name_in_a_string(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


@pytest.mark.parametrize(
    "name", ["preprocessing.text", "utils.np_utils", "layers.advanced_activations", "src"]
)
def test_a_module_of_older_keras_is_told_of_where_it_is_imported(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=re.escape(keras_names.FORMER[name])):
        importlib.import_module(f"gputrain.{name}")


def test_of_other_modules_python_says_that_they_are_not_there() -> None:
    assert importlib.util.find_spec("gputrain.nothing") is None
    for name in ("gputrain.nothing", "gputrain.layers.Dense", "nothing.applications"):
        with pytest.raises(ModuleNotFoundError, match=f"^No module named '{name}'|'nothing'$"):
            importlib.import_module(name)


def test_every_text_is_a_sentence() -> None:
    texts = [
        *(group.instead for group in keras_names.NOT_THERE),
        *keras_names.FORMER.values(),
        *keras_names.TENSORFLOW.values(),
        *keras_names.DROPPED.values(),
    ]
    begins = re.compile(r"[A-Z]|keras\.|model\.|gputrain ")
    assert [text for text in texts if not (begins.match(text) and text.endswith("."))] == []


def test_what_is_told_to_be_there_is() -> None:
    """Names of Keras in the advice lead somewhere."""
    texts = [
        *(group.instead for group in keras_names.NOT_THERE),
        *(text for table in (keras_names.FORMER, keras_names.TENSORFLOW) for text in table.values()),
        *keras_names.ARGUMENTS.values(),
    ]
    for path in sorted(
        {name for text in texts for name in re.findall(r"\b(?:keras|gputrain)((?:\.\w+)+)", text)}
    ):
        found: Any = keras
        for name in path.strip(".").split("."):
            if not hasattr(found, name):
                pytest.fail(f"keras{path} is not there")
            found = getattr(found, name)


def test_an_unknown_argument_and_an_unknown_name() -> None:
    assert unknown_argument("epoch", ["epochs"]) == "Did you mean 'epochs'? Known names: epochs."
    assert unknown_argument("lr", ["rate"]) == "Known names: rate."
    assert what_to_do("keras.layers.Nil") is None


@pytest.mark.parametrize(
    "name, words",
    [
        ("gpu:0", "one device computes all of a process. Expected: 'cpu:0'. Received: 'gpu:0'."),
        ("cuda:1", 'keras.config.set_backend("cupy") and set_device("cuda:1")'),
        ("tpu", "device takes the name of a device"),
        ("cpu:x", "device takes the name of a device"),
        (3, "device takes the name of a device"),
    ],
)
def test_another_device(name: Any, words: str) -> None:
    with pytest.raises(DeviceError) as caught, keras.device(name):
        pass
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["cpu", "cpu:0", "CPU:0", "/CPU:0", "/device:CPU:0"])
def test_the_device_that_computes(name: str) -> None:
    with keras.device(name):
        pass


def test_what_a_clone_cannot_honour_is_refused() -> None:
    with pytest.raises(ValueError, match="clone_model: input_tensors are symbolic values"):
        keras.models.clone_model(line(), input_tensors=X)
    with pytest.raises(TypeError, match="clone_model takes a model"):
        keras.models.clone_model(3)
