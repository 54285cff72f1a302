"""Layers for categories: hashes against their published values, within models, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers, utils
from gputrain.errors import DataError, DTypeError, ShapeError
from gputrain.layers.preprocessing.data_layer import encoded, encoded_rows
from gputrain.layers.preprocessing.fingerprints import fingerprints, siphashes
from gputrain.layers.preprocessing.quantiles import QuantileSummary
from gputrain.models import model_from_json
from tests.layers.harness import CALLS
from tests.on_device import host, put

RNG = np.random.default_rng(4)


@pytest.fixture(autouse=True)
def _fresh_start() -> Iterator[None]:
    config.set_seed(1)
    yield
    config.reset()


# ---------------------------------------------------------------------------------------------------- hashes


def test_siphash_of_the_paper() -> None:
    """The test vectors of the reference implementation: texts 0, 1, 2 ... under the key 0..15."""
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    found = siphashes([bytes(range(n)) for n in (0, 1, 7, 8, 15, 63)], key)
    expected = ["726fdb47dd0e0e31", "74f839c593dc67fd", "ab0200f58b01d137", "93f5f5799a932462"]
    assert [f"{value:016x}" for value in found] == [*expected, "a129ca6149be45e5", "958a324ceb064572"]


def test_fingerprints_of_all_lengths() -> None:
    """Of texts of one length together as of each alone, all different; Keras's are in tests/parity."""
    texts = [bytes(RNG.integers(0, 256, n, dtype=np.uint8)) for n in range(200) for _ in range(2)]
    together = fingerprints(texts)
    assert together.tolist() == [fingerprints([text])[0] for text in texts]
    assert len(set(together.tolist())) == len(texts) - 1  # "" is there twice
    assert fingerprints([]).shape == (0,)


# ------------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 1), (4, 3), (2, 3, 4), (3, 0)])
def test_both_ways_to_encode(mode: str, shape: tuple[int, ...]) -> None:
    """In operations and on the host, against a loop; what is outside of the classes counts nowhere."""
    indices = RNG.integers(-1, 6, shape)
    if shape == (3, 0) and mode == "multi_hot":
        return  # there is no largest of nothing
    rows = indices.reshape(1) if shape == () else indices
    rows = rows if mode != "one_hot" or (rows.ndim > 1 and rows.shape[-1] == 1) else rows[..., None]
    expected = np.zeros((*rows.shape[:-1], 5))
    for place in np.ndindex(*rows.shape):
        if 0 <= rows[place] < 5:
            expected[(*place[:-1], rows[place])] += 1
    expected = expected if mode == "count" else np.minimum(expected, 1)
    assert np.array_equal(host(encoded(put([indices])[0], mode, 5, "float32")), expected)
    assert np.array_equal(encoded_rows(indices, mode, 5, "float32"), expected)


def test_the_last_axis_is_that_of_a_sample() -> None:
    found = layers.CategoryEncoding(4, output_mode="count")(np.array([[[0, 1], [2, 2], [3, 3]]]))
    assert host(found).tolist() == [[[1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]]]


# ---------------------------------------------------------------------------------------------- within models


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("size", [1, 64, 65, 127, 128, 129, 1000])
def test_long_sequences_are_searched_by_halves(side: str, size: int) -> None:
    """Against NumPy, with equal elements, and values before, between, behind and infinite."""
    for line in (np.sort(RNG.integers(0, size, size)), np.sort(RNG.normal(size=size)).astype("float32")):
        values = np.concatenate(
            [line, line[:1] - 1, line[-1:] + 1, RNG.permutation(line) + np.asarray(0.5, line.dtype)]
        )
        if line.dtype.kind == "f":
            values = np.concatenate([values, np.array([np.inf, -np.inf], "float32")])
        values = np.resize(values.astype(line.dtype), (2, len(values) // 2))
        found = host(keras.ops.searchsorted(*put([line, values]), side=side))
        assert np.array_equal(found, np.searchsorted(line, values, side))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count", "tf_idf"])
@pytest.mark.parametrize("mask", [None, 0])
@pytest.mark.parametrize("unknown", [1, 3])
def test_numbers_are_looked_up_in_a_model_as_on_data(mode: str, mask: int | None, unknown: int) -> None:
    x = RNG.integers(-3, 12, (7, 4))
    layer = layers.IntegerLookup(num_oov_indices=unknown, mask_token=mask, output_mode=mode)
    layer.adapt(RNG.integers(0, 9, (20, 4)))
    on_data = host(layer(x))
    inputs = keras.Input((4,), dtype="int32")
    outputs = layer(inputs)
    in_model = keras.Model(inputs, outputs).predict(x.astype("int32"), verbose=0)
    assert outputs.dtype == ("int64" if mode == "int" else "float32")
    assert np.allclose(in_model, on_data)


def test_numbers_back_in_a_model() -> None:
    layer = layers.IntegerLookup(vocabulary=[50, 10], invert=True)
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    assert model.predict(np.array([[0, 1, 2], [3, -1, 1]]), verbose=0).tolist() == [
        [-1, 50, 10],
        [-1, -1, 50],
    ]


LOOKUPS: dict[str, tuple[Callable[[], Any], str]] = {
    "classes": (
        lambda: layers.CategoryEncoding(4, output_mode="count"),
        r"category_encoding(_\d+)?: an index is outside of the 4 classes\. Expected: 0\.\.3\. Received: {}\.",
    ),
    "vocabulary": (
        lambda: layers.IntegerLookup(
            vocabulary=[3, 1, 2], num_oov_indices=0, mask_token=0, output_mode="count"
        ),
        r"integer_lookup(_\d+)?: with num_oov_indices=0 each token must be in the vocab.* Received: {}\.",
    ),
}


@pytest.mark.parametrize("kind", LOOKUPS)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("bad", [4, -1])
def test_what_is_not_there_is_told_before_any_step(kind: str, dtype: str, call: str, bad: int) -> None:
    make, told = LOOKUPS[kind]
    inputs = keras.Input((4,), dtype=dtype)
    model = keras.Model(inputs, layers.Dense(1)(make()(inputs)))
    model.compile("sgd", "mse")
    x = np.arange(32).reshape(8, 4) % 4
    model.predict(x, verbose=0)
    before = model.get_weights()
    x[2, 3] = bad
    with pytest.raises(DataError, match=told.format(rf"{bad}(\.0)?")):
        CALLS[call](model, x)
    if call != "validation":
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_new_vocabulary_is_the_one_that_data_is_compared_with() -> None:
    layer = layers.IntegerLookup(num_oov_indices=0)
    layer.adapt([5, 7])
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layer])
    assert model.predict(np.array([[7, 5]]), verbose=0).tolist() == [[0, 1]]
    layer.adapt([9, 7])
    assert model.predict(np.array([[7, 9]]), verbose=0).tolist() == [[1, 0]]
    with pytest.raises(DataError, match=r"must be in the vocabulary\. Received: 5\."):
        model.predict(np.array([[7, 5]]), verbose=0)


def test_a_compiled_model_uses_a_new_vocabulary() -> None:
    lookup, bins = layers.IntegerLookup(), layers.Discretization(num_bins=2)
    lookup.adapt([1, 2, 2])
    bins.adapt(np.array([0.0, 1.0, 2.0, 3.0]))
    a, b = keras.Input((1,), dtype="int32"), keras.Input((1,))
    model = keras.Model([a, b], [lookup(a), bins(b)])
    data = [np.array([[1], [3]]), np.array([[1.5], [30.0]])]
    first = [x.ravel().tolist() for x in model.predict(data, verbose=0)]
    lookup.adapt([3, 3, 1])
    bins.adapt(np.array([10.0, 20.0, 30.0, 40.0]))
    then = [x.ravel().tolist() for x in model.predict(data, verbose=0)]
    assert (first, then) == ([[2, 0], [1, 1]], [[2, 1], [0, 1]])


def test_rows_in_a_model_keep_their_size() -> None:
    layer = layers.IntegerLookup(output_mode="multi_hot")
    layer.adapt([1, 2])
    layer(keras.Input((2,), dtype="int32"))
    with pytest.raises(
        ValueError, match=r"keeps its size once the layer is part of a model\. Expected: 2 tokens"
    ):
        layer.adapt([1, 2, 3])


def test_a_model_of_categories_learns() -> None:
    """Bins, classes and a lookup in one model; the classes say all about the target."""
    x = RNG.uniform(-3, 3, (64, 1)).astype("float32")
    codes = RNG.choice([100, 7, 55], (64, 1))
    y = np.sin(x) + 2.0 * (codes == 7)
    lookup = layers.IntegerLookup(output_mode="one_hot")
    lookup.adapt(codes)
    bins = layers.Discretization(num_bins=12, output_mode="one_hot")
    bins.adapt(x)
    number, code = keras.Input((1,), name="number"), keras.Input((1,), dtype="int64", name="code")
    joined = layers.Concatenate()([bins(number), lookup(code)])
    model = keras.Model([number, code], layers.Dense(1, use_bias=False)(joined))
    model.compile(keras.optimizers.Adam(0.1), "mse")
    losses = model.fit([x, codes], y, epochs=30, batch_size=32, verbose=0).history["loss"]
    assert losses[-1] < 0.06 < 1 < losses[0]


def test_computed_indices_outside_count_nowhere() -> None:
    inputs = keras.Input((2,), dtype="int32")
    rows = layers.CategoryEncoding(3, output_mode="count")(inputs - 1)
    numbers = layers.IntegerLookup(vocabulary=[5, 7], num_oov_indices=0)(inputs + 5)
    model = keras.Model(inputs, [rows, numbers])
    rows, numbers = model.predict(np.array([[0, 3], [8, 1]]), verbose=0)
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert numbers.tolist() == [[0, -1], [-1, -1]]


# ---------------------------------------------------------------------------------------------------- configs


@pytest.mark.parametrize(
    "layer",
    [
        layers.CategoryEncoding(4, output_mode="count"),
        layers.Discretization([0.0, 1.5], output_mode="one_hot"),
        layers.IntegerLookup(vocabulary=[5, 2], mask_token=0, output_mode="count"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_models_as_json(layer: Any) -> None:
    dtype = "float32" if isinstance(layer, layers.Discretization) else "int32"
    model = keras.Sequential([keras.Input((2,), dtype=dtype), layer])
    again = model_from_json(model.to_json())
    x = np.array([[0, 2], [3, 1]], dtype)
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("kind", [layers.StringLookup, layers.IntegerLookup])
@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_what_was_found_is_in_the_config(kind: Any, mode: str) -> None:
    data = np.array([[1, 2], [2, 3]]) if kind is layers.IntegerLookup else np.array([["a", "b"], ["b", "c"]])
    layer = kind(output_mode=mode)
    layer.adapt(data)
    again = kind.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_vocabulary() == layer.get_vocabulary()
    assert again.get_config() == layer.get_config()
    assert np.array_equal(host(again(data)), host(layer(data)))
    again.adapt(data[:1])  # as the first could
    assert again.vocabulary_size() == 3


def test_found_borders_are_in_the_config() -> None:
    layer = layers.Discretization(num_bins=3)
    layer.adapt(np.arange(30.0))
    again = layers.Discretization.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.bin_boundaries == layer.bin_boundaries
    again.adapt(np.arange(60.0))
    assert again.bin_boundaries != layer.bin_boundaries


def test_copies_have_vocabularies_of_their_own() -> None:
    import copy

    layer = layers.StringLookup()
    layer.adapt(["a"])
    other = copy.deepcopy(layer)
    other.adapt(["b", "c"])
    assert layer.get_vocabulary() == ["[UNK]", "a"]


# ------------------------------------------------------------------------------------------------------ adapt


class Batches(utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return np.array([["a", "b"], ["b", "c"]][index]), np.zeros(2)


def test_adapt_takes_batches_of_all_kinds() -> None:
    expected = ["[UNK]", "b", "c", "a"]
    for data in (Batches(), (each for each in (["a", "b"], ["b", "c"])), np.array([["a", "b"], ["b", "c"]])):
        layer = layers.StringLookup()
        layer.adapt(data)
        assert layer.get_vocabulary() == expected


def test_columns_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"city": ["Rome", "Oslo", "Rome"], "day": [1, 2, 2], "price": [0.5, 1.5, 9.0]})
    cities, days, bins = layers.StringLookup(), layers.IntegerLookup(), layers.Discretization(num_bins=2)
    cities.adapt(frame["city"])
    days.adapt(frame["day"])
    bins.adapt(frame["price"])
    assert host(cities(frame["city"])).tolist() == [1, 2, 1]
    assert host(days(frame["day"])).tolist() == [2, 1, 1]
    assert host(bins(frame["price"])).tolist() == [0, 1, 1]
    assert host(layers.Hashing(5)(frame["city"])).shape == (3,)
    assert host(layers.HashedCrossing(5)((frame["city"], frame["day"]))).shape == (3,)


def test_a_summary_is_as_exact_as_it_says() -> None:
    """In parts of any size, borders stand within a few epsilon of the exact quantiles."""
    data = RNG.normal(size=5000).astype("float32")
    summary = QuantileSummary(0.01)
    for part in np.array_split(data, [17, 900, 901, 3000]):
        summary.add(part)
    ranks = np.searchsorted(np.sort(data), summary.borders(4)) / len(data)
    assert np.abs(ranks - [0.25, 0.5, 0.75]).max() < 0.03


# ----------------------------------------------------------------------------------------------------- errors


def unadapted() -> Any:
    return layers.StringLookup()(["a"])


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (unadapted, ValueError, r"string_lookup.*: the layer has no vocabulary yet\. Call adapt\(data\)"),
    (lambda: layers.IntegerLookup()([1]), ValueError, r"no vocabulary yet"),
    (lambda: layers.IntegerLookup()(keras.Input((1,), dtype="int32")), ValueError, r"no vocabulary yet"),
    (
        lambda: layers.Discretization(num_bins=3)([1.0]),
        ValueError,
        r"no borders between bins yet\. Call adapt",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a"])([1, 2]),
        DataError,
        r"takes text\. Received: 1 of type int at index \(0,\)\. Make text of numbers: x\.astype",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a"])(np.array([1.5])),
        DataError,
        r"takes text\. Received: dtype float64.*Give numbers to IntegerLookup",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a"])(np.array(["a", None], object)),
        DataError,
        r"takes text\. Received: None of type NoneType at index \(1,\)\. Fill what is missing",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a"])([["a"], ["b", "c"]]),
        DataError,
        r"the rows have different lengths",
    ),
    (
        lambda: layers.IntegerLookup(vocabulary=[1])(["a"]),
        DataError,
        r"takes numbers\. Received: dtype <U1.*StringLookup and TextVectorization make numbers of text",
    ),
    (
        lambda: layers.IntegerLookup(vocabulary=[1])([1.0, 2.5, np.nan]),
        DataError,
        r"takes whole numbers\. Received: 2 others, the first 2\.5\. Discretization",
    ),
    (lambda: layers.IntegerLookup(vocabulary=["a"]), DataError, r"vocabulary takes numbers"),
    (lambda: layers.StringLookup(vocabulary=[1]), DataError, r"vocabulary takes text"),
    (lambda: layers.StringLookup(vocabulary=[]), ValueError, r"the vocabulary needs at least one token"),
    (lambda: layers.StringLookup(vocabulary=["[UNK]"]), ValueError, r"needs at least one token"),
    (
        lambda: layers.StringLookup(vocabulary=[["a"]]),
        ValueError,
        r"vocabulary is a list of tokens\. Received: shape",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a", "b", "a"]),
        ValueError,
        r"each token stands once in a vocabulary\. Received: 'a' more than once\. Pass list\(dict\.fromkeys",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""),
        ValueError,
        r"stand at the beginning of a vocabulary or nowhere\. Expected: \['', '\[UNK\]'\] in front.*place 1",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2),
        ValueError,
        r"larger than max_tokens\. Expected: 1 tokens at most.*Received: 2 tokens",
    ),
    (
        lambda: layers.StringLookup(vocabulary="nowhere.txt"),
        ValueError,
        r"no vocabulary file of this name\. Received: nowhere\.txt",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["a", "x", "y", "x"]),
        DataError,
        r"with num_oov_indices=0 each token must be in the vocabulary\. Received: 'x', 'y'\. Let num_oov",
    ),
    (
        lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]),
        ValueError,
        r"was given its vocabulary and does",
    ),
    (lambda: layers.StringLookup().adapt([]), DataError, r"adapt\(\) found no token\. Received: no data"),
    (lambda: layers.StringLookup(mask_token="").adapt([""]), DataError, r"adapt\(\) found no token"),
    (
        lambda: layers.StringLookup(num_oov_indices=3, max_tokens=3).adapt(["a"]),
        DataError,
        r"found no token\. Received: no room\. Raise max_tokens",
    ),
    (
        lambda: layers.StringLookup(max_tokens=1),
        ValueError,
        r"StringLookup: max_tokens must be an int above 1",
    ),
    (lambda: layers.StringLookup(output_mode="multi-hot"), ValueError, r"Did you mean 'multi_hot'\?"),
    (lambda: layers.StringLookup(sparse=True), ValueError, r"sparse must be .*there are no sparse tensors"),
    (lambda: layers.StringLookup(salt=1.5), ValueError, r"StringLookup: salt must be an int, two of them"),
    (
        lambda: layers.StringLookup(vocabulary=["a", "b"], idf_weights=[1.0], output_mode="tf_idf"),
        ValueError,
        r"idf_weights needs a number for each token of the vocabulary\. Expected: \(2,\)\. Received: \(1,\)",
    ),
    (
        lambda: layers.StringLookup(idf_weights=[1.0], output_mode="tf_idf"),
        ValueError,
        r"those of a vocabulary",
    ),
    (
        lambda: layers.CategoryEncoding(3)([[0, 1], [3, -1]]),
        DataError,
        r"an index is outside of the 3 classes\. Expected: 0\.\.2\. Received: 3, and 1 more\. Raise",
    ),
    (lambda: layers.CategoryEncoding(3)([["a"]]), DataError, r"takes numbers"),
    (lambda: layers.CategoryEncoding(), ValueError, r"num_tokens must be given.*IntegerLookup finds them"),
    (lambda: layers.CategoryEncoding(0), ValueError, r"num_tokens must be a positive int"),
    (
        lambda: layers.Discretization([1.0, 1.0]),
        ValueError,
        r"numbers, each larger than the one before\. .*sorted\(",
    ),
    (lambda: layers.Discretization([]), ValueError, r"numbers, each larger"),
    (
        lambda: layers.Discretization([1.0], num_bins=2),
        ValueError,
        r"bin_boundaries or num_bins, one of them",
    ),
    (
        lambda: layers.Discretization(num_bins=2, epsilon=0),
        ValueError,
        r"epsilon must be above 0 and below 1",
    ),
    (
        lambda: layers.Discretization(num_bins=2).adapt(np.array([1.0, np.nan])),
        DataError,
        r"borders are found in finite numbers\. Received: 1 NaN or infinite, the first at element 1",
    ),
    (
        lambda: layers.Discretization(num_bins=2).adapt(np.zeros(0)),
        DataError,
        r"adapt\(\) needs at least one number",
    ),
    (
        lambda: layers.Discretization([1.0]).adapt([1.0]),
        ValueError,
        r"was given its borders and does not adapt",
    ),
    (lambda: layers.Hashing(3, dtype="float32"), DTypeError, r"numbers of buckets are int32 or int64"),
    (lambda: layers.Hashing(3)([np.nan]), DataError, r"finite numbers or text"),
    (lambda: layers.HashedCrossing(3)(["a"]), ShapeError, r"takes a list or tuple of at least two inputs"),
    (
        lambda: layers.HashedCrossing(3)((["a", "b"], [1])),
        ShapeError,
        r"one value for each sample\. .*Received: \(2,\), \(1,\)",
    ),
    (lambda: layers.HashedCrossing(3)((["a"], [0.5])), DataError, r"takes whole numbers"),
    (
        lambda: layers.Hashing(3)(keras.Input((1,))),
        DTypeError,
        r"text and hashes are made into numbers before a model\. Call the layer on the data",
    ),
    (
        lambda: keras.Input((1,), dtype="string"),
        DTypeError,
        r"^Models compute with numbers, not with text\. Received: string\. A layer makes numbers of text "
        r"before the model: layer = keras\.layers\.TextVectorization\(\), or StringLookup\(\) for ",
    ),
]


def test_what_is_said_of_text_can_be_done() -> None:
    texts, y = np.array(["a film", "a story"]), np.ones((2, 1))
    layer = layers.TextVectorization()
    layer.adapt(texts)
    x = layer(texts)
    inputs = keras.Input(x.shape[1:], dtype=x.dtype)
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layers.Embedding(9, 2)(inputs))))
    model.compile("sgd", "mse")
    assert len(model.fit(x, y, verbose=0).history["loss"]) == 1


@pytest.mark.parametrize("call, kind, text", REFUSED)
def test_what_is_refused(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        call()


def test_text_in_fit_is_told_what_makes_numbers_of_it() -> None:
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(DataError, match=r"must hold numbers.*TextVectorization, StringLookup"):
        model.fit(np.array(["good", "bad"]), np.array([1.0, 0.0]), verbose=0)


def test_files_with_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("a\r\nÜ\r\n".encode())
    layer = layers.StringLookup(vocabulary=path)
    assert layer.get_vocabulary() == ["[UNK]", "a", "Ü"]
    assert layer.get_config()["vocabulary"] == ["a", "Ü"]  # the config needs no file


def test_a_vocabulary_in_a_file_of_the_users(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text("50\n10\n")
    numbers = layers.IntegerLookup(vocabulary=path)
    assert numbers.get_vocabulary() == [-1, 50, 10]
    words = layers.StringLookup(vocabulary=str(path))
    assert words.get_vocabulary() == ["[UNK]", "50", "10"]
    for layer in (numbers, words):
        again = type(layer).from_config(layer.get_config())
        assert again.get_vocabulary() == layer.get_vocabulary()


@pytest.mark.parametrize("cls", [layers.IntegerLookup, layers.StringLookup, layers.TextVectorization])
def test_a_config_names_no_file_of_a_vocabulary(tmp_path: Path, cls: Any) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2hunter2\n1\n")
    layer = cls(vocabulary=[1] if cls is layers.IntegerLookup else ["a"])
    named = {**layer.get_config(), "vocabulary": str(path)}
    described = {"class_name": cls.__name__, "config": named}
    for make in (lambda: cls.from_config(named), lambda: layers.deserialize(described)):
        with pytest.raises(ValueError, match="its vocabulary in it, and opens no file") as caught:
            make()
        assert "hunter2" not in str(caught.value)
