"""Lookups and hashes of categories; Keras has these layers with TensorFlow alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import refusal

WORDS = np.array([["a", "b", "b"], ["c", "", "a"], ["zebra", "Ü", "[UNK]"]])
NUMBERS = np.array([[10, 20, 20], [5, -1, 0], [2**40, -(2**40), 30]])
MODES = ("int", "one_hot", "multi_hot", "count")
LONG = ["", "x", "ab", "abc", "abcdefg", "12345678", "0" * 16, "17 characters long", "é" * 16, "z" * 64]
LONG += ["y" * 65, "word " * 30, "block" * 64]


def _told(x: Any) -> Any:
    """Numbers as an array, text as nested lists."""
    array = np.asarray(x)
    if array.dtype.kind not in "OSU":
        return [str(array.dtype), array]
    return str([word.decode() if isinstance(word, bytes) else str(word) for word in array.ravel().tolist()])


def _vocabulary(layer: Any) -> dict[str, Any]:
    """What a lookup says of its vocabulary."""
    return {
        "all": str([_plain(token) for token in layer.get_vocabulary()]),
        "tokens": str([_plain(token) for token in layer.get_vocabulary(include_special_tokens=False)]),
        "size": layer.vocabulary_size(),
    }


def _plain(token: Any) -> Any:
    return str(token) if isinstance(token, str) or token is None else int(token)


def _config_of(layer: Any, keys: list[str]) -> dict[str, Any]:
    config = layer.get_config()
    return {key: str(config[key]) for key in keys}


KEYS = ["invert", "max_tokens", "num_oov_indices", "oov_token", "mask_token", "output_mode", "sparse"]
KEYS += [
    "pad_to_max_tokens",
    "trainable",
    "vocabulary",
    "idf_weights",
    "vocabulary_size",
    "oov_method",
    "salt",
]


# ------------------------------------------------------------------------------------------------------ words


def words_of_a_given_vocabulary(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in MODES:
        for mask in (None, ""):
            layer = keras.layers.StringLookup(
                vocabulary=["a", "b", "zebra"], output_mode=mode, mask_token=mask
            )
            found[f"{mode}, mask {mask}"] = _told(layer(WORDS))
            found[f"{mode}, mask {mask}, vocabulary"] = _vocabulary(layer)
            found[f"{mode}, mask {mask}, config"] = _config_of(layer, [*KEYS, "encoding"])
    return found


def words_of_any_shape(keras: Any) -> dict[str, Any]:
    shapes = {"one": "a", "a list": ["a", "q"], "a column": [["b"], ["q"]], "a row": [["a", "b", "b"]]}
    return {
        f"{mode}, {name}": _told(keras.layers.StringLookup(vocabulary=["a", "b"], output_mode=mode)(words))
        for mode in MODES
        for name, words in shapes.items()
    }


def words_in_three_axes(keras: Any) -> dict[str, Any]:
    words = np.array([[["a", "b"], ["q", "a"]], [["b", "b"], ["a", "a"]]])
    return {
        mode: _told(keras.layers.StringLookup(vocabulary=["a", "b"], output_mode=mode)(words))
        for mode in ("int", "one_hot")
    }


def words_as_bytes_and_objects(keras: Any) -> dict[str, Any]:
    layer = keras.layers.StringLookup(vocabulary=np.array(["a", "Ü"]))
    return {
        "bytes": _told(layer(np.array([b"a", "Ü".encode(), b"q"]))),
        "objects": _told(layer(np.array(["a", "Ü", "q"], object))),
        "objects of bytes": _told(layer(np.array([b"a", "Ü".encode()], object))),
        "a tuple": _told(layer(("a", "q"))),
    }


def words_with_several_numbers_for_unknown_ones(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (2, 3, 7):
        for more in ({}, {"salt": 5}, {"salt": [133, 137]}):
            layer = keras.layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=count, **more)
            found[f"{count} {more}"] = _told(layer([*WORDS.ravel(), *LONG]))
            masked = keras.layers.StringLookup(
                vocabulary=["a"], num_oov_indices=count, mask_token="", output_mode="count", **more
            )
            found[f"{count} {more}, counts"] = _told(masked(WORDS))
            found[f"{count} {more}, config"] = _config_of(layer, KEYS)
    return found


def words_without_a_number_for_unknown_ones(keras: Any) -> dict[str, Any]:
    layer = keras.layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0)
    masked = keras.layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0, mask_token="")
    return {
        "known": _told(layer([["a", "b"]])),
        "masked": _told(masked([["a", ""]])),
        "unknown": refusal(lambda: layer(["q"])) is not None,
        "vocabulary": _vocabulary(layer),
        "masked vocabulary": _vocabulary(masked),
    }


def words_of_numbers(keras: Any) -> dict[str, Any]:
    numbers = np.array([[0, 1, 2], [3, 4, -1]])
    found: dict[str, Any] = {}
    for name, more in {
        "plain": {},
        "masked": {"mask_token": ""},
        "many unknown": {"num_oov_indices": 2},
        "another word": {"oov_token": "?"},
    }.items():
        layer = keras.layers.StringLookup(vocabulary=["a", "Ü"], invert=True, **more)
        found[name] = _told(layer(numbers))
        found[f"{name}, vocabulary"] = _vocabulary(layer)
    return found


def words_and_back(keras: Any) -> dict[str, Any]:
    there = keras.layers.StringLookup()
    there.adapt(["b", "a", "b", "c"])
    back = keras.layers.StringLookup(vocabulary=there.get_vocabulary(), invert=True)
    numbers = there(["c", "b", "q"])
    return {"numbers": _told(numbers), "words": _told(back(numbers)), "vocabulary": _vocabulary(back)}


def words_weighted(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    given = {"vocabulary": ["a", "b", "zebra"], "idf_weights": [0.25, 0.5, 2.0]}
    with_oov = {"vocabulary": ["[UNK]", "a", "b"], "idf_weights": [0.75, 0.25, 0.5]}
    for name, more in {
        "plain": given,
        "of an array": {"vocabulary": np.array(["a", "b"]), "idf_weights": np.array([0.25, 0.5])},
        "unknown ones weighted": with_oov,
        "padded": {**given, "max_tokens": 6, "pad_to_max_tokens": True},
        "masked": {**given, "mask_token": "a2"},
    }.items():
        layer = keras.layers.StringLookup(output_mode="tf_idf", **more)
        found[name] = _told(layer(WORDS))
        found[f"{name}, config"] = _config_of(layer, KEYS)
    return found


def words_of_a_file(keras: Any) -> dict[str, Any]:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "words.txt")
        path.write_text("a\nb\nzebra\nÜ\n", encoding="utf-8")
        found: dict[str, Any] = {}
        for mode in ("int", "count"):
            layer = keras.layers.StringLookup(vocabulary=str(path), output_mode=mode)
            found[mode] = _told(layer(WORDS))
            found[f"{mode}, vocabulary"] = _vocabulary(layer)
        text = keras.layers.TextVectorization(vocabulary=str(path))
        found["texts"] = _told(text(["A zebra, b?", "Ü"]))
        found["no file"] = refusal(lambda: keras.layers.StringLookup(vocabulary="nowhere.txt"))
    return found


# ----------------------------------------------------------------------------------------- found vocabularies

DATA: dict[str, Any] = {
    "a list": ["b", "a", "b", "c", "B", "", "Ü"],
    "rows": [["a", "b"], ["b", "c"], ["c", "b"]],
    "an array": np.array([["a", "b", "b"], ["b", "c", "[UNK]"]]),
    "a tuple": ("a", "a", "b"),
}


def vocabularies_that_are_found(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, data in DATA.items():
        for arguments in (
            {},
            {"mask_token": ""},
            {"max_tokens": 3},
            {"max_tokens": 4, "num_oov_indices": 2, "mask_token": ""},
            {"num_oov_indices": 0},
        ):
            layer = keras.layers.StringLookup(**arguments)
            layer.adapt(data)
            found[f"{name} {arguments}"] = _vocabulary(layer)
    return found


def vocabularies_found_in_batches(keras: Any) -> dict[str, Any]:
    batches = [np.array(["a", "b", "b"]), np.array(["b", "c", "c"]), np.array(["d", "d", "d"])]
    found: dict[str, Any] = {}
    for steps in (None, 2):
        layer = keras.layers.StringLookup()
        layer.adapt((batch for batch in batches), steps=steps)
        found[f"{steps} steps"] = _vocabulary(layer)
    by_hand = keras.layers.StringLookup()
    for batch in batches[:2]:
        by_hand.update_state(batch)
    by_hand.finalize_state()
    found["by hand"] = _vocabulary(by_hand)
    by_hand.adapt(["x"])
    found["again"] = _vocabulary(by_hand)
    return found


def weights_that_are_found(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    documents = [["a", "b", "a"], ["a", "c", "c"], ["d", "c", ""]]
    for name, data in {"documents": documents, "words": ["a", "b", "a", "c"]}.items():
        for arguments in (
            {},
            {"max_tokens": 3},
            {"max_tokens": 8, "pad_to_max_tokens": True},
            {"mask_token": "", "num_oov_indices": 2},
        ):
            layer = keras.layers.StringLookup(output_mode="tf_idf", **arguments)
            layer.adapt(data)
            found[f"{name} {arguments}"] = _told(layer([["a", "c", "q"], ["c", "c", "b"]]))
            found[f"{name} {arguments}, vocabulary"] = _vocabulary(layer)
    in_batches = keras.layers.StringLookup(output_mode="tf_idf")
    in_batches.adapt(iter([np.array([["a", "b"]]), np.array([["a", "a"], ["c", "b"]])]))
    found["in batches"] = _told(in_batches([["a", "b"], ["c", "q"]]))
    return found


def rows_as_wide_as_max_tokens(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in MODES[1:]:
        layer = keras.layers.StringLookup(max_tokens=6, pad_to_max_tokens=True, output_mode=mode)
        layer.adapt(["a", "a", "b"])
        found[mode] = _told(layer([["a"], ["q"]]))
    return found


def vocabularies_set_later(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    layer = keras.layers.StringLookup()
    layer.set_vocabulary(["x", "y"])
    found["set"] = _vocabulary(layer)
    layer.set_vocabulary(["[UNK]", "z"])
    found["with what is in front"] = [_vocabulary(layer), _told(layer(["z", "x"]))]
    masked = keras.layers.StringLookup(mask_token="", num_oov_indices=2)
    masked.set_vocabulary(["", "[UNK]", "[UNK]", "a"])
    found["with mask"] = [_vocabulary(masked), _told(masked(["a", ""]))]
    weighted = keras.layers.StringLookup(output_mode="tf_idf")
    weighted.set_vocabulary(["a", "b"], idf_weights=[1.0, 3.0])
    found["weights"] = _told(weighted([["a", "b", "q"]]))
    return found


def what_lookups_refuse(keras: Any) -> dict[str, Any]:
    text, number = keras.layers.StringLookup, keras.layers.IntegerLookup
    calls = {
        "few tokens": lambda: text(max_tokens=1),
        "no max": lambda: text(pad_to_max_tokens=True),
        "fewer than none": lambda: text(num_oov_indices=-1),
        "unknown mode": lambda: text(output_mode="words"),
        "inverted counts": lambda: text(invert=True, output_mode="count"),
        "weights of nothing": lambda: text(vocabulary=["a"], idf_weights=[1.0]),
        "no weights": lambda: text(vocabulary=["a"], output_mode="tf_idf"),
        "few weights": lambda: text(vocabulary=["a", "b"], output_mode="tf_idf", idf_weights=[1.0]),
        "twice": lambda: text(vocabulary=["a", "b", "a"]),
        "mask in the middle": lambda: text(vocabulary=["a", ""], mask_token=""),
        "none": lambda: text(vocabulary=[]),
        "too many": lambda: text(vocabulary=["a", "b"], max_tokens=2),
        "adapted, though given": lambda: text(vocabulary=["a"]).adapt(["b"]),
        "salt of numbers": lambda: number(salt=3),
        "three salts": lambda: text(salt=[1, 2, 3]),
        "another dtype": lambda: number(vocabulary_dtype="float32"),
        "more arguments": lambda: text(units=3) is None,
    }
    return {name: refusal(call) is not None for name, call in calls.items()}


# ---------------------------------------------------------------------------------------------------- numbers


def numbers_of_a_given_vocabulary(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in MODES:
        for mask in (None, 0):
            layer = keras.layers.IntegerLookup(
                vocabulary=[10, 20, -1], output_mode=mode, mask_token=mask, oov_token=-7
            )
            found[f"{mode}, mask {mask}"] = _told(layer(NUMBERS))
            found[f"{mode}, mask {mask}, vocabulary"] = _vocabulary(layer)
            found[f"{mode}, mask {mask}, config"] = _config_of(layer, [*KEYS, "vocabulary_dtype"])
    return found


def numbers_with_several_for_unknown_ones(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (2, 3, 5):
        for more in ({}, {"oov_method": "farmhash"}, {"oov_method": "farmhash", "salt": 9}):
            layer = keras.layers.IntegerLookup(
                vocabulary=[10, 20], num_oov_indices=count, mask_token=0, **more
            )
            found[f"{count} {more}"] = _told(layer(NUMBERS))
            found[f"{count} {more}, config"] = _config_of(layer, KEYS)
    return found


def numbers_and_back(keras: Any) -> dict[str, Any]:
    layer = keras.layers.IntegerLookup(vocabulary=[10, 20], invert=True, oov_token=-5)
    masked = keras.layers.IntegerLookup(vocabulary=[10, 20], invert=True, mask_token=0)
    numbers = np.array([[0, 1], [2, 3], [9, -1]])
    return {"plain": _told(layer(numbers)), "masked": _told(masked(numbers))}


def numbers_that_are_found(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, data in {
        "a list": [3, 3, 2, -1, 2, 0],
        "an array": NUMBERS,
        "bytes": np.array([7, 7, 1], "uint8"),
    }.items():
        for arguments in ({}, {"mask_token": 0}, {"max_tokens": 3}, {"num_oov_indices": 2, "oov_token": 2}):
            layer = keras.layers.IntegerLookup(**arguments)
            layer.adapt(data)
            found[f"{name} {arguments}"] = _vocabulary(layer)
    weighted = keras.layers.IntegerLookup(output_mode="tf_idf")
    weighted.adapt([[1, 2], [2, 3]])
    found["weights"] = _told(weighted([[1, 2, 2, 9]]))
    return found


def numbers_in_a_model(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in ("int", "one_hot", "multi_hot", "count"):
        for mask in (None, 0):
            layer = keras.layers.IntegerLookup(
                vocabulary=[10, 20], num_oov_indices=0, output_mode=mode, mask_token=mask
            )
            inputs = keras.Input((2,), dtype="int64")
            model = keras.Model(inputs, layer(inputs))
            known = np.array([[20, 10], [10, 10]])
            asked = {
                "known": known,
                "unknown": known + np.eye(2, dtype=int),
                "masked": known * np.tri(2, dtype=int),
            }
            for name, x in asked.items():
                refused = refusal(lambda: model.predict(x, verbose=0)) is not None  # noqa: B023
                found[f"{mode}, mask {mask}, {name}"] = [
                    refused,
                    refusal(lambda: model(x)) is not None,  # noqa: B023
                    None if refused else np.asarray(model.predict(x, verbose=0), "float32"),
                ]
    return found


def numbers_weighted(keras: Any) -> dict[str, Any]:
    layer = keras.layers.IntegerLookup(vocabulary=[10, 20], idf_weights=[0.5, 2.0], output_mode="tf_idf")
    return {"rows": _told(layer(NUMBERS)), "settings": _config_of(layer, KEYS)}


# ----------------------------------------------------------------------------------------------------- hashes


def buckets_of_words(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for bins in (1, 3, 1000, 2**31 - 1):
        for salt in (None, 133, [133, 137], [2**63 - 1, 0]):
            for mask in (None, ""):
                layer = keras.layers.Hashing(bins, mask_value=mask, salt=salt)
                found[f"{bins} {salt} {mask}"] = _told(layer([[word] for word in LONG]))
    return found


def buckets_of_numbers(keras: Any) -> dict[str, Any]:
    hashing = keras.layers.Hashing
    given = {
        "int64": NUMBERS,
        "int32": np.array([[1, 2], [-3, 0]], "int32"),
        "bytes": np.array([1, 255], "uint8"),
        "floats": np.array([1.0, 2.7, -3.7], "float32"),
        "a list": [1, 2, 3],
    }
    return {
        f"{name} {more}": _told(hashing(100, **more)(x))
        for name, x in given.items()
        for more in ({}, {"salt": 7}, {"mask_value": 1})
    }


def buckets_as_rows(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in MODES[1:]:
        for name, words in {"a column": [["a"], ["b"]], "rows": [["a", "b", "a"], ["c", "c", "q"]]}.items():
            found[f"{mode}, {name}"] = _told(keras.layers.Hashing(4, output_mode=mode)(words))
        found[f"{mode}, whole"] = _told(
            keras.layers.Hashing(4, output_mode=mode, dtype="int32")([["a"], ["b"]])
        )
    found["one"] = _told(keras.layers.Hashing(4)("a"))
    found["int32"] = _told(keras.layers.Hashing(4, dtype="int32")(["a", "b"]))
    return found


def configs_of_hashes(keras: Any) -> dict[str, Any]:
    keys = ["num_bins", "salt", "mask_value", "output_mode", "sparse"]
    found: dict[str, Any] = {}
    for name, arguments in {
        "plain": {},
        "salted": {"salt": 3, "mask_value": ""},
        "rows": {"output_mode": "count"},
    }.items():
        layer = keras.layers.Hashing(5, **arguments)
        found[name] = [_config_of(layer, keys), str(layer.dtype)]
    cross = keras.layers.HashedCrossing(5, output_mode="one_hot")
    found["cross"] = [_config_of(cross, ["num_bins", "output_mode", "sparse"]), str(cross.dtype)]
    found["cross of numbers"] = str(keras.layers.HashedCrossing(5).dtype)
    return found


def buckets_of_crosses(keras: Any) -> dict[str, Any]:
    words, numbers = np.array(["A", "B", "A", "", "Ü"]), np.array([101, 101, -3, 102, 2**40])
    found: dict[str, Any] = {}
    for bins in (1, 5, 10**6):
        cross = keras.layers.HashedCrossing(bins)
        found[f"{bins}, flat"] = _told(cross((words, numbers)))
        found[f"{bins}, columns"] = _told(cross([words[:, None], numbers[:, None], words[::-1][:, None]]))
        found[f"{bins}, numbers"] = _told(cross((numbers, numbers[::-1])))
        found[f"{bins}, one"] = _told(cross((np.array("A"), np.array(3))))
    rows = keras.layers.HashedCrossing(4, output_mode="one_hot")
    found["rows"] = _told(rows((words, numbers)))
    found["rows of columns"] = _told(rows((words[:, None], numbers[:, None])))
    return found


def what_hashes_refuse(keras: Any) -> dict[str, Any]:
    hashing, cross = keras.layers.Hashing, keras.layers.HashedCrossing
    calls = {
        "no bins": lambda: hashing(0),
        "unknown mode": lambda: hashing(3, output_mode="tf_idf"),
        "floats for numbers": lambda: hashing(3, dtype="float32"),
        "three salts": lambda: hashing(3, salt=[1, 2, 3]),
        "one input": lambda: cross(3)((np.array(["a"]),)),
        "other shapes": lambda: cross(3)((np.array(["a"]), np.array([1, 2]))),
        "floats crossed": lambda: cross(3)((np.array(["a"]), np.array([1.5]))),
        "counts of a cross": lambda: cross(3, output_mode="count"),
        "wide": lambda: cross(3)((np.array([["a", "b"]]), np.array([[1, 2]]))),
    }
    return {name: refusal(call) is not None for name, call in calls.items()}
