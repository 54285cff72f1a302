"""What `fit`, `evaluate` and `predict` do with data, logs and states over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _line(keras: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def each_train_on_batch_is_alone(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    model.evaluate(x, y, verbose=0)
    return {"calls": [model.train_on_batch(x * i, y) for i in (1, 2, 3)], "test": model.test_on_batch(x, y)}


def each_test_on_batch_is_alone(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    model.fit(x, y, verbose=0)
    tests = [model.test_on_batch(x * i, y * i) for i in (1, 2, 3)]
    return {"tests": tests, "evaluated": model.evaluate(x, y, verbose=0)}


def single_batches_by_name(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    weights = numbers(8, key="w", low=0.5)
    calls = [
        model.train_on_batch(x, y, return_dict=True),
        model.train_on_batch(x, y, sample_weight=weights, return_dict=True),
        model.test_on_batch(x, y, sample_weight=weights, return_dict=True),
        model.test_on_batch(x, y, return_dict=True),
    ]
    return {"calls": calls, "names": model.metrics_names, "predicted": model.predict_on_batch(x)}


def single_batches_without_metrics(keras: Any) -> dict[str, Any]:
    """A number each; other sizes and other kinds of steps between them."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    calls = []
    for size in (8, 3, 8):
        calls += [model.train_on_batch(x[:size], y[:size]), model.test_on_batch(x[:size], y[:size])]
        model.predict_on_batch(x[:size])
        model.fit(x, y, verbose=0)
    return {"calls": calls, "weights": model.get_weights()}


def single_batches_of_weighted_classes(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Dense(3, activation="softmax", kernel_initializer="ones", bias_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), layer])
    metrics, weighted = ["sparse_categorical_accuracy"], ["sparse_categorical_crossentropy"]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=metrics, weighted_metrics=weighted)
    x, y = numbers(6, 3), np.array([0, 1, 2, 2, 1, 0])
    classes = {0: 1.0, 1: 2.0, 2: 0.5}
    return {"calls": [model.train_on_batch(x * i, y, class_weight=classes) for i in (1, 2, 3)]}


def single_batches_of_several_outputs(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    dense = [keras.layers.Dense(n, kernel_initializer="ones", name=f"d{n}")(inputs) for n in (2, 1)]
    model = keras.Model(inputs, dense)
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse", "mae"]], loss_weights=[0.5, 2.0])
    x, y = numbers(8, 3), [numbers(8, 2, key="y"), numbers(8, 1, key="z")]
    calls = [model.train_on_batch(x * i, y) for i in (1, 2)]
    tests = [model.test_on_batch(x, y), model.test_on_batch(x, y, return_dict=True)]
    return {"calls": calls, "tests": tests, "predicted": model.predict_on_batch(x)}


def a_gan_trained_by_single_batches(keras: Any) -> dict[str, Any]:
    """The discriminator by itself, then the whole with the discriminator frozen."""
    ones = {"kernel_initializer": "ones", "bias_initializer": "zeros"}
    judge = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid", **ones)])
    judge.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["accuracy"])
    judge.trainable = False
    maker = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, **ones)])
    inputs = keras.Input((3,))
    both = keras.Model(inputs, judge(maker(inputs)))
    both.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    judge.trainable = True
    judge.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["accuracy"])
    noise, real, told = numbers(4, 3), numbers(4, 2, key="real"), []
    for _ in range(3):
        judge.trainable = True
        told.append(judge.train_on_batch(real, np.ones((4, 1), "float32")))
        told.append(judge.train_on_batch(maker.predict(noise, verbose=0), np.zeros((4, 1), "float32")))
        judge.trainable = False
        told.append(both.train_on_batch(noise, np.ones((4, 1), "float32")))
    return {"told": told}


def a_loop_of_epochs_by_single_batches(keras: Any) -> dict[str, Any]:
    """Metrics of one's own over an epoch of single batches."""
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    mean, told = keras.metrics.Mean(), []
    for _ in range(2):
        mean.reset_state()
        for start in (0, 4):
            loss, _ = model.train_on_batch(x[start : start + 4], y[start : start + 4])
            mean.update_state(loss)
        told.append(float(mean.result()))
    return {"told": told, "tested": model.evaluate(x, y, verbose=0)}


# ------------------------------------------------------------------------------------------ batches by number

QUIET: dict[str, Any] = {"verbose": 0, "shuffle": False}


def _batch(number: int, size: int = 2) -> Any:
    return numbers(size, 3, key=f"x{number}"), numbers(size, 1, key=f"y{number}")


def _sequence(keras: Any, count: int, make: Any = _batch, seen: Any = None) -> Any:
    """Batches by number; what was asked of it is written down."""
    told = [] if seen is None else seen

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return count

        def __getitem__(self, number: int) -> Any:
            told.append(number)
            return make(number)

        def on_epoch_begin(self) -> None:
            told.append("begin")

        def on_epoch_end(self) -> None:
            told.append("end")

    return Batches()


def _fit(keras: Any, data: Any, **given: Any) -> dict[str, Any]:
    model = _line(keras)
    history = model.fit(data, **QUIET, **given)
    return {"history": history.history, "epochs": history.epoch, "weights": model.get_weights()}


def a_sequence_of_batches(keras: Any) -> dict[str, Any]:
    return _fit(keras, _sequence(keras, 3), epochs=3)


def a_sequence_goes_on_from_epoch_to_epoch(keras: Any) -> dict[str, Any]:
    return _fit(keras, _sequence(keras, 6), steps_per_epoch=2, epochs=5)


def a_sequence_by_as_many_steps_as_it_has(keras: Any) -> dict[str, Any]:
    return _fit(keras, _sequence(keras, 4), steps_per_epoch=4, epochs=2)


def a_sequence_is_told_of_epochs(keras: Any) -> dict[str, Any]:
    """In which order with what callbacks are told; Keras also looks at it before the first epoch."""
    result: dict[str, Any] = {}
    for steps in (None, 2):
        told: list[Any] = []
        watch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs, told=told: told.append("epoch"),
            on_train_batch_end=lambda batch, logs, told=told: told.append("step"),
        )
        data = _sequence(keras, 4, seen=told)
        _line(keras).fit(data, epochs=2, steps_per_epoch=steps, callbacks=[watch], **QUIET)
        result[f"{steps} steps"] = told[told.index("epoch") :]
    return result


def a_sequence_to_validate_on(keras: Any) -> dict[str, Any]:
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    runs = {}
    for steps in (None, 2, 3):
        given = {"validation_data": _sequence(keras, 3), "validation_steps": steps, "epochs": 3}
        runs[f"{steps} steps"] = _line(keras).fit(x, y, batch_size=4, **QUIET, **given).history
    return runs


def a_sequence_to_evaluate_and_predict(keras: Any) -> dict[str, Any]:
    model, data = _line(keras), _sequence(keras, 3)
    return {
        "evaluated": [model.evaluate(data, verbose=0, steps=steps) for steps in (None, 2, 3, 1)],
        "predicted": [model.predict(data, verbose=0, steps=steps) for steps in (None, 2, 3, 1)],
        "more than there are": [
            model.evaluate(data, verbose=0, steps=5),
            model.predict(data, steps=5, verbose=0),
        ],
    }


def batches_of_a_sequence_in_every_form(keras: Any) -> dict[str, Any]:
    def with_weights(number: int) -> Any:
        return *_batch(number), numbers(2, key=f"w{number}", low=0.5)

    def listed(number: int) -> Any:
        return list(_batch(number))

    def of_sizes(number: int) -> Any:
        return _batch(number, number + 1)

    forms = {"weights": with_weights, "lists": listed, "sizes": of_sizes}
    return {name: _fit(keras, _sequence(keras, 3, make), epochs=2) for name, make in forms.items()}


def a_sequence_of_several_inputs(keras: Any) -> dict[str, Any]:
    inputs = {name: keras.Input((3,), name=name) for name in ("b", "a")}
    joined = keras.layers.Concatenate()([inputs["a"], inputs["b"]])
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(joined))
    model.compile("sgd", "mse")

    def make(number: int) -> Any:
        x, y = _batch(number)
        return {"a": x, "b": 2.0 * x}, y

    data = _sequence(keras, 3, make)
    history = model.fit(data, epochs=2, **QUIET).history
    return {"history": history, "evaluated": model.evaluate(data, verbose=0)}


def weights_of_classes_for_a_sequence(keras: Any) -> dict[str, Any]:
    def make(number: int) -> Any:
        return numbers(3, 3, key=f"x{number}"), np.array([number % 2, 1, 0])

    ones = {"kernel_initializer": "ones", "bias_initializer": "ones"}
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax", **ones)])
    model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["sparse_categorical_accuracy"])
    data, classes = _sequence(keras, 4, make), {0: 0.5, 1: 2.0}
    history = model.fit(data, class_weight=classes, validation_data=data, epochs=2, **QUIET).history
    return {"history": history, "weights": model.get_weights()}


# ---------------------------------------------------------------------------------------- batches in turn


def _stream(count: int, make: Any = _batch) -> Any:
    return (make(number) for number in range(count))


def a_generator_goes_on_from_epoch_to_epoch(keras: Any) -> dict[str, Any]:
    return _fit(keras, _stream(9), steps_per_epoch=3, epochs=3)


def a_generator_that_ends_with_the_epoch(keras: Any) -> dict[str, Any]:
    return _fit(keras, _stream(4))


def a_generator_that_ends_within_an_epoch(keras: Any) -> dict[str, Any]:
    return _fit(keras, _stream(5), steps_per_epoch=3, epochs=2)


def a_generator_of_fewer_batches_than_steps(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    return {
        "evaluated": model.evaluate(_stream(3), steps=5, verbose=0),
        **_fit(keras, _stream(3), steps_per_epoch=5),
    }


def generators_of_every_kind_of_batch(keras: Any) -> dict[str, Any]:
    def weighted(number: int) -> Any:
        return *_batch(number), numbers(2, key=f"w{number}", low=0.5)

    def of_sizes(number: int) -> Any:
        return _batch(number, number + 1)

    return {
        "weights": _fit(keras, _stream(3, weighted)),
        "sizes": _fit(keras, _stream(3, of_sizes)),
        "predicted": _line(keras).predict(_stream(3, lambda number: (_batch(number)[0],)), verbose=0),
        "with targets": _line(keras).predict(_stream(3), verbose=0, steps=2),
    }


def a_generator_that_is_evaluated_bit_by_bit(keras: Any) -> dict[str, Any]:
    model, endless = _line(keras), _stream(50)
    return {"evaluated": [model.evaluate(endless, steps=2, verbose=0) for _ in range(3)]}


def a_generator_to_validate_on(keras: Any) -> dict[str, Any]:
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    model = _line(keras)
    return {"history": model.fit(x, y, validation_data=_stream(3), **QUIET).history}


def steps_of_arrays(keras: Any) -> dict[str, Any]:
    x, y = numbers(12, 3), numbers(12, 1, key="y")
    model = _line(keras)
    given = {"validation_data": (x, y), "validation_batch_size": 4, "validation_steps": 2, **QUIET}
    history = model.fit(x, y, batch_size=2, steps_per_epoch=3, epochs=4, **given).history
    return {
        "history": history,
        "evaluated": model.evaluate(x, y, batch_size=4, steps=2, verbose=0),
        "predicted": model.predict(x, batch_size=4, steps=2, verbose=0),
    }


def a_split_is_left_alone_where_validation_data_is_given(keras: Any) -> dict[str, Any]:
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    runs = {"split": {"validation_split": 0.25}}
    runs["both"] = {**runs["split"], "validation_data": (x[:2], y[:2])}
    return {
        name: _line(keras).fit(x, y, batch_size=2, **QUIET, **given).history for name, given in runs.items()
    }


def epochs_that_begin_later(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    histories = [
        model.fit(x, y, initial_epoch=a, epochs=b, **QUIET) for a, b in ((0, 2), (2, 4), (4, 4), (5, 3))
    ]
    return {
        "epochs": [found.epoch for found in histories],
        "histories": [found.history for found in histories],
    }


# ------------------------------------------------------------------------------------- inputs, one by one


def _pair(keras: Any) -> Any:
    inputs = [keras.Input((3,), name="a"), keras.Input((2,), name="b")]
    joined = keras.layers.Concatenate()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(joined))
    model.compile("sgd", "mse")
    return model


def several_inputs_in_every_form(keras: Any) -> dict[str, Any]:
    a, b, y = numbers(8, 3), numbers(8, 2, key="b"), numbers(8, 1, key="y")
    forms = {"list": [a, b], "tuple": (a, b), "dict": {"b": b, "a": a}}
    found = {}
    for name, x in forms.items():
        model = _pair(keras)
        history = model.fit(x, y, batch_size=2, validation_data=(x, y), **QUIET).history
        split = model.fit(x, y, batch_size=2, validation_split=0.25, **QUIET).history
        single = [model.train_on_batch(x, y), model.test_on_batch(x, y), model.predict_on_batch(x)]
        found[name] = [history, split, single, model.evaluate(x, y, verbose=0), model.predict(x, verbose=0)]
    return found


def a_generator_of_several_inputs(keras: Any) -> dict[str, Any]:
    def listed(number: int) -> Any:
        x, y = _batch(number)
        return (x, x[:, :2]), y

    def named(number: int) -> Any:
        x, y = _batch(number)
        return {"a": x, "b": x[:, :2]}, y

    model = _pair(keras)
    return {
        "listed": model.fit(_stream(3, listed), **QUIET).history,
        "named": model.fit(_stream(4, named), steps_per_epoch=2, epochs=2, **QUIET).history,
        "predicted": model.predict(_stream(2, lambda number: (listed(number)[0],)), verbose=0),
    }


def a_generator_of_several_targets(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    dense = [keras.layers.Dense(1, kernel_initializer="ones", name=name)(inputs) for name in ("p", "q")]
    model = keras.Model(inputs, dense)
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], []])

    def listed(number: int) -> Any:
        x, y = _batch(number)
        return x, (y, 2 * y)

    def named(number: int) -> Any:
        x, y = _batch(number)
        return x, {"p": y, "q": 2 * y}

    return {
        name: model.fit(_stream(3, make), **QUIET).history
        for name, make in (("list", listed), ("dict", named))
    }


def a_generator_without_targets(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3, kernel_initializer="ones")

        def call(self, x: Any) -> Any:
            y = self.dense(x)
            self.add_loss(keras.ops.mean((y - x) ** 2))
            return y

    model = Own()
    model.compile("sgd")
    x = numbers(8, 3)
    history = model.fit(x, epochs=2, batch_size=4, **QUIET).history
    streamed = model.fit(_stream(3, lambda number: (_batch(number)[0],)), **QUIET).history
    return {
        "history": history,
        "streamed": streamed,
        "evaluated": model.evaluate(x, verbose=0),
        "single": model.train_on_batch(x),
    }


def weights_of_several_outputs(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    dense = [keras.layers.Dense(n, kernel_initializer="ones", name=f"d{n}")(inputs) for n in (1, 2)]
    model = keras.Model(inputs, dense)
    model.compile("sgd", ["mse", "mae"], weighted_metrics=[["mae"], ["mse"]])
    x, y = numbers(8, 3), [numbers(8, 1, key="y"), numbers(8, 2, key="z")]
    weights = [numbers(8, key="w", low=0.1), numbers(8, key="v", low=0.1)]
    return {
        "history": model.fit(x, y, sample_weight=weights, **QUIET).history,
        "evaluated": model.evaluate(x, y, sample_weight=weights, verbose=0),
        "single": model.train_on_batch(x, y, weights),
        "one for both": model.evaluate(x, y, sample_weight=weights[0], verbose=0),
    }


def weights_of_classes_in_every_form(keras: Any) -> dict[str, Any]:
    x, index = numbers(9, 3), np.arange(9) % 3
    ones = {"kernel_initializer": "ones", "bias_initializer": "ones"}
    classes, found = {0: 1.0, 1: 2.0, 2: 0.5}, {}
    for name, y in {"sparse": index, "column": index[:, None], "one_hot": np.eye(3)[index]}.items():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax", **ones)])
        kind = "categorical_crossentropy" if name == "one_hot" else "sparse_categorical_crossentropy"
        model.compile("sgd", kind, weighted_metrics=["accuracy"])
        history = model.fit(x, y, class_weight=classes, batch_size=3, **QUIET).history
        found[name] = [
            history,
            model.train_on_batch(x, y, class_weight=classes),
            model.evaluate(x, y, verbose=0),
        ]
    return found


def arguments_by_place(keras: Any) -> dict[str, Any]:
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    model, weights = _line(keras), numbers(8, key="w", low=0.1)
    return {
        "fit": model.fit(x, y, 8, 2, 0).history,
        "evaluate": model.evaluate(x, y, 4, 0, weights),
        "predict": model.predict(x, 4, 0, 1),
        "train": model.train_on_batch(x, y, weights),
        "test": model.test_on_batch(x, y, weights),
    }


def two_fits_of_one_generator(keras: Any) -> dict[str, Any]:
    model, endless = _line(keras), _stream(40)
    return {"histories": [model.fit(endless, steps_per_epoch=3, epochs=1, **QUIET).history for _ in range(2)]}


# ------------------------------------------------------------------------------------------------ PyDataset


def a_data_generator_of_old_scripts(keras: Any) -> dict[str, Any]:
    """Indexes that are put into another order when an epoch ends, and no call of the base's constructor."""

    class DataGenerator(keras.utils.Sequence):  # type: ignore[misc,name-defined]
        def __init__(self, rows: Any, batch_size: int) -> None:
            self.rows, self.batch_size = rows, batch_size
            self.on_epoch_end()

        def __len__(self) -> int:
            return len(self.rows) // self.batch_size

        def __getitem__(self, index: int) -> Any:
            taken = self.indexes[index * self.batch_size : (index + 1) * self.batch_size]
            return self.rows[taken], self.rows[taken].max(1, keepdims=True)

        def on_epoch_end(self) -> None:
            self.indexes = np.arange(len(self.rows))[::-1]

    model, data = _line(keras), DataGenerator(numbers(9, 3), 2)
    history = model.fit(data, epochs=2, validation_data=data, **QUIET).history
    return {"history": history, "evaluated": model.evaluate(data, verbose=0), "batches": len(list(data))}


def a_dataset_without_end(keras: Any) -> dict[str, Any]:
    class Endless(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        num_batches = None

        def __getitem__(self, index: int) -> Any:
            return _batch(index)

    return _fit(keras, Endless(), steps_per_epoch=3, epochs=2)


def a_dataset_that_says_its_number_of_batches(keras: Any) -> dict[str, Any]:
    class Known(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        @property
        def num_batches(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return _batch(index)

    return {**_fit(keras, Known(), epochs=2), "listed": len(list(Known()))}


def what_a_dataset_is_by_itself(keras: Any) -> dict[str, Any]:
    plain = keras.utils.PyDataset()
    return {
        "item": refusal(lambda: plain[0]),
        "number": refusal(lambda: plain.num_batches),
        "told": [plain.on_epoch_begin(), plain.on_epoch_end()],
        "settings": [plain.workers, plain.use_multiprocessing, plain.max_queue_size],
        "sequence": keras.utils.Sequence is keras.utils.PyDataset,
    }


def an_error_of_a_batch(keras: Any) -> dict[str, Any]:
    class Broken(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise KeyError("a row is missing")
            return _batch(index)

    return {"kind": [refusal(lambda n=n: _line(keras).fit(Broken(workers=n), **QUIET)) for n in (1, 2)]}
