"""TextVectorization; Keras has it with TensorFlow alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import refusal
from tests.parity.programs.categories import _config_of, _told, _vocabulary

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "  Ünïcode,\tÄrger &\nß; the   END! ",
    "",
    "don't-stop: it's 3.14 (really) [UNK] ...",
    "a\u00a0b a\u2003b",
]
CORPUS = ["the cat sat", "The dog sat, too!", "a cat; a dog; a bird", "", "Ein Ärger ärger"]
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lower": {"standardize": "lower"},
    "punctuation": {"standardize": "strip_punctuation"},
    "as it is": {"standardize": None},
    "characters": {"split": "character"},
    "characters as they are": {"split": "character", "standardize": None},
    "pairs": {"ngrams": 2},
    "pairs and triples alone": {"ngrams": (2, 3)},
    "triples before words": {"ngrams": (3, 1)},
    "pairs of characters": {"split": "character", "ngrams": 2},
}
KEYS = ["max_tokens", "standardize", "split", "ngrams", "output_mode", "output_sequence_length"]
KEYS += ["pad_to_max_tokens", "sparse", "ragged", "trainable", "encoding", "vocabulary_size", "idf_weights"]


def vocabularies_of_texts(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, way in WAYS.items():
        layer = keras.layers.TextVectorization(**way)
        layer.adapt(CORPUS + TEXTS)
        found[name] = _vocabulary(layer)
    return found


def numbers_of_texts(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, way in WAYS.items():
        for length in (None, 1, 6, 60):
            layer = keras.layers.TextVectorization(output_sequence_length=length, max_tokens=25, **way)
            layer.adapt(CORPUS)
            found[f"{name}, {length}"] = _told(layer(TEXTS))
    return found


def counts_of_texts(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in ("multi_hot", "count", "tf_idf"):
        for name, way in WAYS.items():
            layer = keras.layers.TextVectorization(output_mode=mode, max_tokens=12, **way)
            layer.adapt(CORPUS)
            found[f"{mode}, {name}"] = _told(layer(TEXTS))
        padded = keras.layers.TextVectorization(output_mode=mode, max_tokens=40, pad_to_max_tokens=True)
        padded.adapt(CORPUS)
        found[f"{mode}, padded"] = _told(padded(TEXTS))
    return found


def texts_of_any_shape(keras: Any) -> dict[str, Any]:
    layer = keras.layers.TextVectorization(vocabulary=["the", "cat"])
    counts = keras.layers.TextVectorization(vocabulary=["the", "cat"], output_mode="count")
    shapes: dict[str, Any] = {
        "one": "The cat is the cat.",
        "a list": ["the dog", "a cat"],
        "a column": [["the dog"], ["a cat, the cat"]],
        "an array": np.array(["the dog", "cat"]),
        "objects": np.array([["the dog"], ["cat"]], object),
        "bytes": np.array([b"the dog", "die Kätzchen".encode()]),
        "a tuple": ("the", "dog"),
    }
    found = {name: _told(layer(texts)) for name, texts in shapes.items()}
    found |= {f"{name}, counts": _told(counts(texts)) for name, texts in shapes.items()}
    found["three axes"] = _told(layer([[["the cat"], ["dog"]], [["a"], ["the dog the"]]]))
    found["empty"] = _told(layer([""]))
    found["empty ones"] = _told(layer(["", ""]))
    found["empty, counted"] = _told(counts(["", ""]))
    found["of a length"] = _told(
        keras.layers.TextVectorization(vocabulary=["a"], output_sequence_length=3)([""])
    )
    return found


def words_already_split(keras: Any) -> dict[str, Any]:
    words = [["the", "CAT,", "x"], ["dog", "", "the"]]
    found: dict[str, Any] = {}
    for name, more in {
        "numbers": {},
        "cut": {"output_sequence_length": 2},
        "filled up": {"output_sequence_length": 5},
        "counts": {"output_mode": "count"},
        "flags": {"output_mode": "multi_hot"},
        "rows": {"output_mode": "one_hot"},
        "pairs": {"ngrams": 2},
    }.items():
        layer = keras.layers.TextVectorization(vocabulary=["the", "cat", "the cat"], split=None, **more)
        found[name] = _told(layer(words))
    layer = keras.layers.TextVectorization(split=None)
    layer.adapt(words)
    found["vocabulary"] = _vocabulary(layer)
    whole = keras.layers.TextVectorization(split=None)
    whole.adapt(["New York", "Oslo", "new york!"])
    found["whole texts"] = [_vocabulary(whole), _told(whole(["Oslo", "New York"]))]
    return found


def vocabularies_given(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, more in {
        "a list": {"vocabulary": ["the", "cat"]},
        "an array": {"vocabulary": np.array(["the", "cat"])},
        "with what is in front": {"vocabulary": ["", "[UNK]", "the", "cat"]},
        "weighted": {"vocabulary": ["the", "cat"], "idf_weights": [0.25, 2.0], "output_mode": "tf_idf"},
        "a former name": {"vocabulary": ["the", "cat"], "output_mode": "binary"},
        "room for more": {
            "vocabulary": ["the"],
            "max_tokens": 5,
            "pad_to_max_tokens": True,
            "output_mode": "count",
        },
    }.items():
        layer = keras.layers.TextVectorization(**more)
        found[name] = [_told(layer(["the cat the", "a dog"])), _vocabulary(layer)]
    later = keras.layers.TextVectorization()
    later.set_vocabulary(["dog", "a"])
    found["later"] = [_told(later(["the cat the", "a dog"])), _vocabulary(later)]
    return found


def configs_of_texts(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, more in {
        "plain": {},
        "given": {
            "vocabulary": ["a", "b"],
            "output_mode": "count",
            "max_tokens": 9,
            "pad_to_max_tokens": True,
        },
        "more": {"standardize": None, "split": "character", "ngrams": 3, "output_sequence_length": 4},
    }.items():
        layer = keras.layers.TextVectorization(**more)
        found[name] = _config_of(layer, KEYS)
        again = keras.layers.TextVectorization.from_config(layer.get_config())
        found[f"{name}, again"] = _config_of(again, KEYS)
    found["vocabulary"] = str(
        keras.layers.TextVectorization(vocabulary=["a", "b"]).get_config()["vocabulary"]
    )
    return found


def texts_in_batches(keras: Any) -> dict[str, Any]:
    def batches() -> Any:
        for start in range(0, len(CORPUS), 2):
            yield np.array(CORPUS[start : start + 2], object)

    found: dict[str, Any] = {}
    for steps in (None, 1, 2):
        layer = keras.layers.TextVectorization()
        layer.adapt(batches(), steps=steps)
        found[f"{steps} steps"] = _vocabulary(layer)
    weighted = keras.layers.TextVectorization(output_mode="tf_idf")
    weighted.adapt(batches())
    found["weights"] = _told(weighted(CORPUS))
    by_hand = keras.layers.TextVectorization(max_tokens=5)
    for batch in batches():
        by_hand.update_state(batch)
    by_hand.finalize_state()
    found["by hand"] = _vocabulary(by_hand)
    columns = keras.layers.TextVectorization()
    columns.adapt(np.array(CORPUS)[:, None])
    found["a column"] = _vocabulary(columns)
    return found


def a_new_vocabulary(keras: Any) -> dict[str, Any]:
    layer = keras.layers.TextVectorization()
    layer.adapt(["old words"])
    first = _vocabulary(layer)
    layer.adapt(["new words", "new"])
    return {"first": first, "then": _vocabulary(layer), "numbers": _told(layer(["old new words"]))}


def what_text_vectorization_refuses(keras: Any) -> dict[str, Any]:
    layer = keras.layers.TextVectorization
    calls = {
        "several texts": lambda: layer(vocabulary=["a"])([["a", "b"]]),
        "a length of counts": lambda: layer(output_mode="count", output_sequence_length=3),
        "unknown way": lambda: layer(standardize="upper"),
        "unknown split": lambda: layer(split="commas"),
        "unknown mode": lambda: layer(output_mode="words"),
        "few tokens": lambda: layer(max_tokens=1),
        "ngrams of words": lambda: layer(ngrams="two"),
        "ngrams of fractions": lambda: layer(ngrams=1.5),
        "length of words": lambda: layer(output_sequence_length="long"),
        "twice": lambda: layer(vocabulary=["a", "a"]),
        "too many": lambda: layer(vocabulary=["a", "b"], max_tokens=3),
        "adapted, though given": lambda: layer(vocabulary=["a"]).adapt(["b"]),
        "no vocabulary yet": lambda: layer()(["a"]),
    }
    return {name: refusal(call) is not None for name, call in calls.items()}
