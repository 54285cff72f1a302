"""TextVectorization: functions of the user, batches of all kinds, configs, what it refuses, and fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers, utils
from gputrain.errors import DataError, DTypeError, ShapeError
from tests.on_device import host

TEXTS = ["The cat sat.", "The dog sat, too!", "a CAT"]


@pytest.fixture(autouse=True)
def _fresh_start() -> Iterator[None]:
    config.set_seed(1)
    yield
    config.reset()


def adapted(**arguments: Any) -> layers.TextVectorization:
    layer = layers.TextVectorization(**arguments)
    layer.adapt(TEXTS)
    return layer


# -------------------------------------------------------------------------------------------------- functions


def without_digits(texts: np.ndarray) -> np.ndarray:
    assert isinstance(texts, np.ndarray)
    assert texts.dtype.kind == "U"
    return np.array([re.sub(r"\d", "", text.lower()) for text in texts.ravel()]).reshape(texts.shape)


def at_commas(texts: np.ndarray) -> list[list[str]]:
    assert isinstance(texts, np.ndarray)
    assert texts.ndim == 1
    return [text.split(",") for text in texts]


def test_functions_of_the_user() -> None:
    layer = layers.TextVectorization(
        standardize=without_digits, split=at_commas, vocabulary=["new york", "rome", "Ä".lower()]
    )
    assert host(layer(["New York1,Rome", "Ä2"])).tolist() == [[2, 3], [4, 0]]
    assert host(layer(np.array([["rome,oslo,rome"]]))).tolist() == [[3, 1, 3]]


def test_functions_of_numpy_on_texts() -> None:
    """As Keras hands them texts on backends other than TensorFlow."""
    layer = layers.TextVectorization(standardize=np.strings.upper, split=None, vocabulary=["A", "Ä"])
    assert host(layer([["ä", "a"], ["B", "A"]])).tolist() == [[3, 2], [1, 2]]


def test_functions_that_return_something_else() -> None:
    for standardize, kind, text in (
        (
            lambda texts: texts[:1],
            ShapeError,
            r"standardize must return a text for each\. Expected: shape \(2,\)",
        ),
        (lambda texts: [1, 2], DataError, r"standardize takes text"),
    ):
        with pytest.raises(kind, match=text):
            layers.TextVectorization(standardize=standardize, vocabulary=["a"])(["a", "b"])
    with pytest.raises(DataError, match=r"split must return a list of words for each text\. Expected: 2"):
        layers.TextVectorization(split=lambda texts: [["a"]], vocabulary=["a"])(["a", "b"])


def test_registered_functions_are_in_the_config() -> None:
    utils.register_keras_serializable("Test")(at_commas)
    layer = adapted(split=at_commas, standardize=None)
    plain = json.loads(json.dumps(layer.get_config()))
    again = layers.TextVectorization.from_config(plain)
    assert again.split is at_commas
    assert again.get_vocabulary() == layer.get_vocabulary()


# ------------------------------------------------------------------------------------------------------ adapt


class Batches(utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return [TEXTS[:2], TEXTS[2:]][index], np.zeros(2)


def test_adapt_takes_batches_of_all_kinds() -> None:
    expected = ["", "[UNK]", "the", "sat", "cat", "too", "dog", "a"]
    pandas = pytest.importorskip("pandas")
    batches = [np.array(TEXTS[:2]), np.array(TEXTS[2:])]
    for data in (
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS)[:, None],
        [text.encode() for text in TEXTS],
        pandas.Series(TEXTS),
        Batches(),
        iter(batches),
        ((batch, np.zeros(len(batch))) for batch in batches),
        (tuple(batch.tolist()) for batch in batches),
    ):
        layer = layers.TextVectorization()
        layer.adapt(data)
        assert layer.get_vocabulary() == expected, type(data)
    layer.adapt(TEXTS, batch_size=2)
    assert layer.get_vocabulary() == expected


def test_weights_are_those_of_documents() -> None:
    """log(1 + documents / (1 + those with the word)); unknown words have the mean."""
    layer = adapted(output_mode="tf_idf")
    known = np.log(1 + 3 / (1 + np.array([2, 2, 2, 1, 1, 1])))  # the, sat, cat, too, dog, a
    found = host(layer(["the the zebra"]))
    assert layer.get_vocabulary() == ["[UNK]", "the", "sat", "cat", "too", "dog", "a"]
    assert np.allclose(found, [[known.mean(), 2 * known[0], 0, 0, 0, 0, 0]])


def test_words_as_rows() -> None:
    """One row for each word, rows of zeros where a text is short."""
    layer = layers.TextVectorization(vocabulary=["a", "b"], output_mode="one_hot")
    assert host(layer(["a q", "b"])).tolist() == [[[0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 0]]]


def test_no_text_at_all() -> None:
    layer = adapted()
    assert host(layer(np.zeros((0,), "<U3"))).shape == (0, 0)
    assert host(layer(np.zeros((0, 1), object))).shape == (0, 0)
    assert host(adapted(output_sequence_length=3)([])).shape == (0, 3)
    assert host(adapted(output_mode="count")([])).shape == (0, 7)


def test_other_encodings() -> None:
    layer = layers.TextVectorization(encoding="latin-1", vocabulary=["Ärger"])
    assert host(layer(np.array(["Ärger".encode("latin-1")]))).tolist() == [[2]]


def test_long_texts_need_no_memory_for_each_word_and_number() -> None:
    """A thousand texts, a vocabulary of 20,000: rows, and not a row for each word."""
    rng = np.random.default_rng(0)
    layer = layers.TextVectorization(vocabulary=[str(i) for i in range(20000)], output_mode="multi_hot")
    texts = [" ".join(map(str, rng.integers(0, 20000, 20))) for _ in range(50)]
    found = host(layer(texts))
    assert found.shape == (50, 20001)
    assert found[0, 1:].nonzero()[0].tolist() == sorted({int(word) for word in texts[0].split()})


# --------------------------------------------------------------------------------------------- models, errors


def test_found_words_are_in_the_config() -> None:
    for arguments in ({}, {"output_mode": "tf_idf", "max_tokens": 5, "ngrams": (1, 2)}):
        layer = adapted(**arguments)
        again = layers.TextVectorization.from_config(json.loads(json.dumps(layer.get_config())))
        assert again.get_config() == layer.get_config()
        assert np.array_equal(host(again(TEXTS)), host(layer(TEXTS)))
        again.adapt(["more"])


def test_from_sentences_to_fit() -> None:
    """A bag of words and a dense layer tell two kinds of sentences apart, in arrays and in batches."""
    good, bad = (
        ["lovely day", "a lovely lovely film", "good day"],
        ["awful film", "an awful day", "bad, bad!"],
    )
    texts, y = np.array(good + bad), np.array([1.0] * 3 + [0.0] * 3)
    layer = layers.TextVectorization(output_mode="multi_hot")
    layer.adapt(texts)

    def batches() -> Iterator[Any]:
        while True:
            yield layer(texts), y

    for data in ((layer(texts), y), (batches(),)):
        model = keras.Sequential([keras.Input((layer.vocabulary_size(),)), layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.Adam(0.3), "binary_crossentropy", metrics=["accuracy"])
        steps = {} if len(data) == 2 else {"steps_per_epoch": 1}
        history = model.fit(*data, epochs=15, verbose=0, **steps).history
        assert history["accuracy"][-1] == 1.0
        assert model.predict(layer(["a good film, lovely"]), verbose=0)[0, 0] > 0.5


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: layers.TextVectorization(standardize=lambda text: text.lower()).adapt(["A b"]),
        TypeError,
        r"the function standardize gets a NumPy array of texts, not one.*standardize=numpy\.vectorize\(",
    ),
    (
        lambda: layers.TextVectorization(split=str.split).adapt(["A b"]),
        TypeError,
        r"the function split gets a NumPy array of texts.*split=numpy\.vectorize\(",
    ),
    (lambda: layers.TextVectorization()(["a"]), ValueError, r"no vocabulary yet\. Call adapt"),
    (
        lambda: adapted()([["a", "b"]]),
        ShapeError,
        r"each sample is one text.*Expected: shape \(N,\) or \(N, 1\)\. Received: shape \(1, 2\)\. Use",
    ),
    (lambda: adapted()([1, 2]), DataError, r"text_vectorization.*takes text\. Received: 1 of type int"),
    (
        lambda: adapted()(np.array(["a", np.nan], object)),
        DataError,
        r"Received: nan of type float at index \(1,\)",
    ),
    (lambda: adapted()(keras.Input((1,))), DTypeError, r"made into numbers before a model\. Call the layer"),
    (lambda: layers.TextVectorization().adapt(["", "!?"]), DataError, r"adapt\(\) found no token"),
    (
        lambda: layers.TextVectorization(vocabulary=["a"]).adapt(["b"]),
        ValueError,
        r"was given its vocabulary",
    ),
    (
        lambda: layers.TextVectorization(standardize="lowr"),
        ValueError,
        r"standardize must be one of.*'lower'\?",
    ),
    (
        lambda: layers.TextVectorization(split="words"),
        ValueError,
        r"split must be one of whitespace, character",
    ),
    (
        lambda: layers.TextVectorization(ngrams=0),
        ValueError,
        r"ngrams must be a positive int, a tuple of them",
    ),
    (lambda: layers.TextVectorization(ragged=True), ValueError, r"ragged must be.*no ragged tensors"),
    (
        lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3),
        ValueError,
        r"output_sequence_length is for output_mode 'int'\. Received: 'count'",
    ),
    (lambda: layers.TextVectorization(max_tokens=2).adapt(["a"]), DataError, r"Received: no room"),
]


def test_functions_of_one_text_as_the_error_advises() -> None:
    way = {
        "standardize": np.vectorize(str.upper, otypes=[object]),
        "split": np.vectorize(str.split, otypes=[object]),
    }
    layer = layers.TextVectorization(**way)
    layer.adapt(["a b", "b c", "b"])
    assert layer.get_vocabulary()[:3] == ["", "[UNK]", "B"]


@pytest.mark.parametrize("call, kind, text", REFUSED)
def test_what_is_refused(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        call()
