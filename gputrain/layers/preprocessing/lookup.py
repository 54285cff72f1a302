"""Numbers for the words, or whole numbers, of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.data.lookups import look_up
from gputrain.errors import DataError, explain
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.preprocessing.data_layer import (
    DataLayer,
    HostLayer,
    as_text,
    as_whole_numbers,
    batches,
    encoded,
    encoded_rows,
    no_sparse,
)
from gputrain.layers.preprocessing.fingerprints import fingerprints, siphashes
from gputrain.layers.preprocessing.vocabulary import (
    TokenCounts,
    read_vocabulary,
    require_tokens,
    unknown,
    without_special,
)
from gputrain.ops.derived_sums import searchsorted

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_FORMER = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def output_mode(value: Any, where: str) -> str:
    """Check the name of a way to give out categories; names of older Keras are those of today."""
    return arguments.one_of(_FORMER.get(value, value) if isinstance(value, str) else value, MODES, where)


def max_tokens(value: Any, where: str) -> int | None:
    """Check None or an int above 1."""
    if value is not None and (not arguments.is_int(value) or value <= 1):
        rule = f"{where} must be an int above 1, or None."
        raise ValueError(explain(rule, received=repr(value), fix="Tokens that are not known count, too."))
    return None if value is None else int(value)


def _not_negative(value: Any, where: str) -> int:
    if not arguments.is_int(value) or value < 0:
        raise ValueError(explain(f"{where} must be an int of at least 0.", received=repr(value)))
    return int(value)


def salt(value: Any, where: str) -> list[int] | None:
    """Check None, an int, or two; as two."""
    given = [value, value] if arguments.is_int(value) else value
    if given is None:
        return None
    if not isinstance(given, list | tuple) or len(given) != 2 or not all(map(arguments.is_int, given)):
        raise ValueError(explain(f"{where} must be an int, two of them, or None.", received=repr(value)))
    return [int(part) for part in given]


def buckets(
    texts: Sequence[str], count: int, key: Sequence[int] | None, encoding: str = "utf-8"
) -> np.ndarray:
    """The bucket of each text, 0..count-1: by FarmHash's fingerprint, or by SipHash under a key."""
    encoded_texts = [text.encode(encoding) for text in texts]
    hashes = fingerprints(encoded_texts) if key is None else siphashes(encoded_texts, (key[0], key[1]))
    return (hashes % np.uint64(count)).astype(np.int64)


def _whole(value: Any, where: str) -> int | None:
    return None if value is None else arguments.whole(value, where)


def _text(value: Any, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(explain(f"{where} must be text, or None.", received=repr(value)))
    return value


class Lookup(DataLayer):
    """Base of the layers that number the tokens of a vocabulary.

    In front of the tokens are the numbers of what is masked (0, with `mask_token` and output_mode "int") and
    of tokens outside of the vocabulary, `num_oov_indices` of them.

    Args:
        max_tokens: the most numbers there are, those in front included; None for no limit.
        num_oov_indices: numbers for tokens outside of the vocabulary; with several the token says which, with
            0 such a token is an error.
        mask_token: what stands for nothing: 0 in output_mode "int", counted nowhere in the others.
        oov_token: what `invert` gives for numbers without a token.
        vocabulary: the tokens, as a list, an array, or the name of a text file with one on each line; None
            where `adapt` finds them.
        idf_weights: for output_mode "tf_idf", the weight of each token of `vocabulary`.
        invert: give tokens for numbers.
        output_mode: "int": the number of each token. "one_hot": (N, n) to (N, n, depth), (N, 1) to (N,
            depth). "multi_hot": ones at all tokens of a sample, (N, n) to (N, depth). "count": how often each
            is there. "tf_idf": that, times its weight.
        pad_to_max_tokens: depth is `max_tokens`, not the size of the vocabulary.
        sparse: of Keras; there are no sparse tensors.
        encoding: of text that comes as bytes.
        salt: key of SipHash, which then numbers unknown tokens in place of FarmHash.

    Shapes:
        any shape; outputs are int64 (Keras's dtype on its TensorFlow backend), those of "tf_idf" float32.

    Raises:
        ValueError: an argument that is not as above; a vocabulary that is empty, has a token twice or is too
            large; a call before there is a vocabulary.
        DataError: data of another kind; an unknown token with num_oov_indices=0.
    """

    tokens_are = "text"
    begins_models = False
    max_tokens: int | None
    num_oov_indices: int
    mask_token: Any
    oov_token: Any
    idf_weights: Any
    vocabulary: Any
    invert: bool
    output_mode: str
    pad_to_max_tokens: bool
    has_input_vocabulary: Any
    salt: list[int] | None
    encoding = "utf-8"
    oov_method = "floormod"

    def check_arguments(self) -> None:
        """Check them against each other, and take a vocabulary that was given."""
        kind = type(self).__name__
        self.built = True
        if self.pad_to_max_tokens and self.max_tokens is None:
            rule = f"{kind}: pad_to_max_tokens needs max_tokens."
            raise ValueError(explain(rule, received="max_tokens=None", fix="Say how many."))
        if self.invert and self.output_mode != "int":
            rule = f"{kind}: invert gives tokens for numbers, so output_mode must be 'int'."
            raise ValueError(explain(rule, received=repr(self.output_mode)))
        given, weights = vars(self).pop("vocabulary"), vars(self).pop("idf_weights")
        self._tokens: list[Any] | None = None
        self._places: dict[Any, int] = {}
        self._weights: np.ndarray | None = None
        self._counts = TokenCounts()
        self._given: Any = None
        adapts = given is None if self.has_input_vocabulary is None else not self.has_input_vocabulary
        self._adapts = bool(adapts)
        if given is not None:
            self.set_vocabulary(given, weights)
            self._given = None if isinstance(given, str | Path) else list(self._as_tokens(given))
        elif weights is not None:
            raise ValueError(explain(f"{kind}: idf_weights are those of a vocabulary.", received="none"))

    # --------------------------------------------------------------------------------------------- vocabulary

    @property
    def _special(self) -> list[Any]:
        """What stands in front of the tokens."""
        masked = self.mask_token is not None and self.output_mode == "int"
        return [self.mask_token] * masked + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the tokens in the order of their numbers.

        Args:
            include_special_tokens: whether the list begins with mask and OOV tokens, so that a token's place
                is its number.
        """
        tokens = self._tokens or []
        return [*self._special, *tokens] if include_special_tokens else list(tokens)

    def vocabulary_size(self) -> int:
        """Return how many numbers there are, those of mask and OOV tokens included."""
        return len(self._special) + len(self._tokens or [])

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Use these tokens from now on.

        Args:
            vocabulary: tokens as a list or an array, or the name of a text file with one on each line; mask
                and OOV tokens may stand in front of them.
            idf_weights: for output_mode "tf_idf", a weight for each entry of `vocabulary`.

        Raises:
            ValueError: a token is there twice or reserved, there is none, or there are more than
                `max_tokens`; weights are missing, too many, or not asked for.
        """
        if isinstance(vocabulary, str | Path):
            vocabulary = self._of_lines(read_vocabulary(vocabulary, self.name))
        given = self._as_tokens(vocabulary)
        reserved = [] if self.mask_token is None else [self.mask_token]
        reserved += [self.oov_token] if self.invert and self.oov_token is not None else []
        tokens = without_special(given, self._special, reserved, self.name)
        if self.max_tokens is not None and len(self._special) + len(tokens) > self.max_tokens:
            raise ValueError(
                explain(
                    f"{self.name}: the vocabulary is larger than max_tokens.",
                    expected=f"{self.max_tokens - len(self._special)} tokens at most, as "
                    f"{len(self._special)} numbers are those of mask and OOV tokens",
                    received=f"{len(tokens)} tokens",
                )
            )
        weights = self._checked_weights(idf_weights, given, len(given) - len(tokens))
        self._use(tokens, weights)

    def _use(self, tokens: list[Any], weights: np.ndarray | None) -> None:
        """Take tokens, and the weights of all numbers."""
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens and self.symbolic_calls
        if fixed and self._tokens is not None and len(tokens) != len(self._tokens):
            raise ValueError(
                explain(
                    f"{self.name}: the vocabulary keeps its size once the layer is part of a model.",
                    expected=f"{len(self._tokens)} tokens",
                    received=f"{len(tokens)}",
                    fix="Use pad_to_max_tokens=True with max_tokens.",
                )
            )
        start = len(self._special)
        self._tokens, self._weights = tokens, weights
        self._places = {token: start + i for i, token in enumerate(tokens)}
        self._revision += 1

    def _as_tokens(self, vocabulary: Any) -> list[Any]:
        """A vocabulary as a list of Python's strings or ints."""
        where = f"{self.name}: vocabulary"
        array = np.asarray(self._array(vocabulary, where))
        if array.ndim != 1:
            rule = f"{where} is a list of tokens."
            raise ValueError(explain(rule, received=f"shape {array.shape}"))
        return list(array.tolist())

    def _array(self, data: Any, where: str) -> np.ndarray:
        """Data as an array of tokens."""
        return as_text(data, where, self.encoding)

    def _checked_weights(self, weights: Any, given: Sequence[Any], in_front: int) -> np.ndarray | None:
        """Weights of all numbers, from those of a vocabulary; what is in front without any has the mean."""
        if (weights is not None) != (self.output_mode == "tf_idf"):
            needs = "needs idf_weights beside a vocabulary" if weights is None else "takes no idf_weights"
            rule = f"{self.name}: output_mode {self.output_mode!r} {needs}."
            fix = (
                "Or let adapt() find both." if weights is None else "They are those of output_mode 'tf_idf'."
            )
            raise ValueError(explain(rule, fix=fix))
        if weights is None:
            return None
        array = np.asarray(weights, np.float64)
        if array.shape != (len(given),):
            rule = f"{self.name}: idf_weights needs a number for each token of the vocabulary."
            raise ValueError(explain(rule, expected=(len(given),), received=array.shape))
        return array if in_front else self._with_mean(array)

    def _with_mean(self, weights: np.ndarray) -> np.ndarray:
        """The weights of tokens behind their mean for each of what stands in front."""
        return np.concatenate([np.full(len(self._special), weights.mean()), weights])

    # -------------------------------------------------------------------------------------------------- adapt

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find the vocabulary of `data`; what was known before is forgotten.

        The most frequent token comes first; of equally frequent ones that which is last in their order.

        Args:
            data: an array or a list as the layer is called on, or a generator, an iterator or a sequence of
                batches; of a batch that is a tuple the first part is taken.
            steps: batches that are read at most.

        Raises:
            ValueError: the layer was given its vocabulary.
            DataError: data of another kind, or without a token.
        """
        self._require_own()
        self.reset_state()
        whole = isinstance(data, list | tuple | np.ndarray)
        for batch in batches(data, steps):
            array = self._array(batch, self.name)
            self._count(array[:, None] if whole and array.ndim == 1 else array)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch, where one axis is one document; `finalize_state` puts them to use."""
        self._require_own()
        self._count(self._array(data, self.name))

    def _count(self, array: np.ndarray) -> None:
        self._counts.add(array.reshape(-1, array.shape[-1] if array.ndim else 1).tolist())

    def count_documents(self, documents: Sequence[Sequence[Any]]) -> None:
        """Count the tokens of documents, each a list of tokens; `finalize_state` puts them to use."""
        self._require_own()
        self._counts.add(documents)

    def finalize_state(self) -> None:
        """Use the vocabulary of all that was counted."""
        if not self._adapts:
            return
        most = None if self.max_tokens is None else max(0, self.max_tokens - len(self._special))
        tokens = self._counts.most_frequent(most, but=(self.mask_token, self.oov_token))
        if not tokens:
            raise DataError(
                explain(
                    f"{self.name}: adapt() found no token.",
                    received="no data, or nothing but mask and OOV tokens" if most != 0 else "no room",
                    fix=None if most != 0 else "Raise max_tokens above the number of mask and OOV tokens.",
                )
            )
        weighs = self.output_mode == "tf_idf"
        self._use(tokens, self._with_mean(self._counts.weights(tokens)) if weighs else None)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._counts = TokenCounts()

    def _require_own(self) -> None:
        if not self._adapts:
            rule = f"{self.name}: this layer was given its vocabulary and does not adapt."
            raise ValueError(explain(rule, fix="Leave out vocabulary= to find it with adapt(data)."))

    # ------------------------------------------------------------------------------------------------- files

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of "tf_idf" into a store; the vocabulary is part of the config."""
        if self._weights is not None:
            store["idf_weights"] = self._all_weights()

    def load_own_variables(self, store: Any) -> None:
        """Take what `save_own_variables` put into a store."""
        if "idf_weights" in store:
            self._weights = np.asarray(store["idf_weights"], np.float64)

    def load_assets(self, dir_path: str) -> None:
        """Take the vocabulary that `adapt` found in Keras, from the file that Keras keeps it in.

        Args:
            dir_path: the folder of the file, which is read where the config says no vocabulary.
        """
        if self._tokens is None:
            lines = read_vocabulary(Path(dir_path) / "vocabulary.txt", self.name)
            weights = None if self._weights is None else self._weights[: len(lines)]
            self.set_vocabulary(self._of_lines(lines), weights)

    def _of_lines(self, lines: list[str]) -> list[Any]:
        """The tokens that the lines of a file say."""
        return lines

    # ------------------------------------------------------------------------------------------------ calling

    def of_data(self, inputs: Any) -> Any:
        """The numbers of tokens, or what output_mode makes of them; the tokens of numbers with `invert`."""
        self.require_vocabulary()
        if self.invert:
            return self._inverted(as_whole_numbers(inputs, self.name))
        array = self._array(inputs, self.name)
        return ops.convert(self.given_out(self.numbers(array.ravel().tolist()).reshape(array.shape)))

    def require_vocabulary(self) -> None:
        if self._tokens is None:
            raise ValueError(
                explain(
                    f"{self.name}: the layer has no vocabulary yet.",
                    fix="Call adapt(data) or set_vocabulary(tokens) first, or give it vocabulary=.",
                )
            )

    @property
    def depth(self) -> int:
        """How many numbers one-hot rows and counts have."""
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()

    def numbers(self, tokens: Sequence[Any]) -> np.ndarray:
        """The number of each token, as int64; -1 for what is masked where only counts are given out."""
        places, start = self._places, len(self._special)
        found = np.fromiter((places.get(token, -1) for token in tokens), np.int64, len(tokens))
        lost = np.flatnonzero(found < 0)
        if self.mask_token is not None and len(lost):
            masked = np.array([tokens[int(i)] == self.mask_token for i in lost])
            found[lost[masked]] = 0 if self.output_mode == "int" else -1
            lost = lost[~masked]
        if len(lost):
            strange = [tokens[int(i)] for i in lost]
            if self.num_oov_indices == 0:
                raise unknown(strange, self.name)
            found[lost] = start - self.num_oov_indices + self._of_unknown(strange)
        return found

    def _of_unknown(self, tokens: Sequence[Any]) -> np.ndarray | int:
        """Which of the numbers for unknown tokens each has."""
        if self.num_oov_indices == 1:
            return 0
        return buckets(list(map(str, tokens)), self.num_oov_indices, self.salt, self.encoding)

    def given_out(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers of tokens as output_mode has them."""
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        rows = encoded_rows(numbers, mode, self.depth, np.int64)
        return rows if self._weights is None else (rows * self._all_weights()).astype(np.float32)

    def _all_weights(self) -> np.ndarray:
        """The weights of all numbers, 0 for those without a token."""
        assert self._weights is not None
        return np.pad(self._weights, (0, self.depth - len(self._weights))).astype(np.float32)

    def _inverted(self, numbers: np.ndarray) -> np.ndarray:
        """The tokens of numbers."""
        known = np.array(self.get_vocabulary(), self._dtype_of_tokens())
        inside = (numbers >= 0) & (numbers < len(known))
        return np.where(inside, known[np.where(inside, numbers, 0)], self.oov_token)

    def _dtype_of_tokens(self) -> Any:
        return None

    # ------------------------------------------------------------------------------------------------- config

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data, with the vocabulary that `adapt` found, too."""
        declared_here = {
            name: getattr(self, name)
            for name, item in self._declared_arguments.items()
            if not item.handed_on and name not in ("vocabulary", "idf_weights", "has_input_vocabulary")
        }
        tokens = self._given if self._given is not None else self._tokens
        weights = self._weights
        if weights is not None and tokens is not None:  # those of the entries of `vocabulary`
            weights = weights[len(weights) - len(tokens) :]
        return {
            **self.plain_settings(),
            **declared_here,
            "oov_method": self.oov_method,
            "vocabulary": tokens,
            "idf_weights": None if weights is None else weights.tolist(),
            "vocabulary_size": None if self._tokens is None else self.vocabulary_size(),
            "has_input_vocabulary": not self._adapts,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from `get_config()`, with its vocabulary.

        Raises:
            ValueError: the config names a file: what a stranger wrote opens none.
        """
        require_tokens(config, cls.__name__)
        left_out = ("vocabulary_size", *(() if "oov_method" in cls._declared_arguments else ("oov_method",)))
        return super().from_config({key: value for key, value in config.items() if key not in left_out})


@registry.add()
class StringLookup(Lookup, HostLayer):
    """Numbers for words, by a vocabulary that is given or found by `adapt`.

    It works on data, before a model: text does not go into one.

    Example:
        >>> layer = StringLookup(vocabulary=["cat", "dog"])
        >>> layer([["dog", "cow"]])
        array([[2, 0]])
        >>> layer.get_vocabulary()
        ['[UNK]', 'cat', 'dog']
        >>> StringLookup(vocabulary=["cat", "dog"], invert=True)([2, 0]).tolist()
        ['dog', '[UNK]']
    """

    max_tokens: int | None = declared.argument(max_tokens, None)
    num_oov_indices: int = declared.argument(_not_negative, 1)
    mask_token: Any = declared.argument(_text, None)
    oov_token: Any = declared.argument(_text, "[UNK]")
    vocabulary: Any = declared.argument(default=None)
    idf_weights: Any = declared.argument(default=None)
    invert: bool = declared.flag(False)
    output_mode: str = declared.argument(output_mode, "int")
    pad_to_max_tokens: bool = declared.flag(False)
    sparse: bool = declared.argument(no_sparse, False)
    encoding: str = declared.argument(default="utf-8")
    name: Any = declared.handed_on()
    salt: Any = declared.argument(salt, None)
    has_input_vocabulary: Any = declared.argument(default=None, shown=False)

    def _dtype_of_tokens(self) -> Any:
        return np.str_


def _int64(value: Any, where: str) -> str:
    if value != "int64":
        raise ValueError(explain(f"{where} must be 'int64'.", received=repr(value)))
    return "int64"


@registry.add()
class IntegerLookup(Lookup):
    """Numbers from 0 on for the whole numbers of a vocabulary that is given or found by `adapt`.

    Within a model it is computed there, with results in the layer's dtype where output_mode is not "int".
    With num_oov_indices=0 data is looked at before the first step; a number that a model computes and that is
    not known becomes -1.

    Args:
        vocabulary_dtype: of Keras; "int64" only.
        oov_method: with several `num_oov_indices`, "floormod": the rest of the division by their number;
            "farmhash": as for words.

    Example:
        >>> layer = IntegerLookup()
        >>> layer.adapt([12, 7, 12, 1138])
        >>> layer.get_vocabulary()
        [-1, 12, 1138, 7]
        >>> layer([[7, 99]])
        array([[3, 0]])
    """

    max_tokens: int | None = declared.argument(max_tokens, None)
    num_oov_indices: int = declared.argument(_not_negative, 1)
    mask_token: Any = declared.argument(_whole, None)
    oov_token: Any = declared.argument(_whole, -1)
    vocabulary: Any = declared.argument(default=None)
    vocabulary_dtype: str = declared.argument(_int64, "int64")
    idf_weights: Any = declared.argument(default=None)
    invert: bool = declared.flag(False)
    output_mode: str = declared.argument(output_mode, "int")
    sparse: bool = declared.argument(no_sparse, False)
    pad_to_max_tokens: bool = declared.flag(False)
    oov_method: str = declared.argument(
        lambda value, where: arguments.one_of(value, ("floormod", "farmhash"), where), "floormod"
    )
    salt: Any = declared.argument(salt, None)
    name: Any = declared.handed_on()
    has_input_vocabulary: Any = declared.argument(default=None, shown=False)

    def check_arguments(self) -> None:
        """Check them against each other, and take a vocabulary that was given."""
        if self.salt is not None and self.oov_method != "farmhash":
            rule = "IntegerLookup: a salt is that of oov_method 'farmhash'."
            raise ValueError(explain(rule, received=repr(self.oov_method)))
        super().check_arguments()

    def _array(self, data: Any, where: str) -> np.ndarray:
        return as_whole_numbers(data, where)

    def _of_lines(self, lines: list[str]) -> list[Any]:
        return [int(line) for line in lines]

    def _of_unknown(self, tokens: Sequence[Any]) -> np.ndarray | int:
        if self.oov_method == "farmhash":
            return super()._of_unknown(tokens)
        return np.mod(np.array(tokens, np.int64), self.num_oov_indices)

    def call(self, inputs: Any) -> Any:
        """The numbers of what comes into a model."""
        self.require_vocabulary()
        x = ops.cast(inputs, self.vocabulary_dtype)
        if self.invert:
            known = np.array(self.get_vocabulary(), np.int64)
            inside = ops.logical_and(ops.greater_equal(x, 0), ops.less(x, len(known)))
            return ops.where(inside, ops.take(known, ops.where(inside, x, 0)), self.oov_token)
        if self.num_oov_indices == 0:
            look_up(inputs, self._require_known)
        numbers = self._numbers_in_model(x)
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        rows = encoded(numbers, mode, self.depth, self.compute_dtype)
        return rows if self._weights is None else ops.multiply(rows, self._all_weights())

    def _require_known(self, numbers: np.ndarray, where: str) -> None:
        known = [*(self._tokens or []), *([] if self.mask_token is None else [self.mask_token])]
        whole = np.trunc(numbers) if numbers.dtype.kind == "f" else numbers
        strange = numbers[~np.isin(whole, known)]
        if strange.size:
            raise unknown(strange.tolist(), where)

    def _numbers_in_model(self, x: Any) -> Any:
        """Those of int64 values: found in the sorted vocabulary."""
        keys = np.array(self._tokens, np.int64)
        order = np.argsort(keys)
        places = order + len(self._special)
        at = ops.minimum(searchsorted(keys[order], x), len(keys) - 1)
        known = ops.equal(ops.take(keys[order], at), x)
        found = ops.where(known, ops.take(places, at), self._unknown_in_model(x))
        if self.mask_token is None:
            return found
        return ops.where(ops.equal(x, self.mask_token), 0 if self.output_mode == "int" else -1, found)

    def _unknown_in_model(self, x: Any) -> Any:
        if self.num_oov_indices == 0:
            return -1
        first = len(self._special) - self.num_oov_indices
        if self.num_oov_indices == 1:
            return first
        if self.oov_method == "farmhash":
            rule = f"{self.name}: numbers are not hashed within a model."
            raise ValueError(explain(rule, fix="Use oov_method='floormod', or call the layer on the data."))
        return ops.add(ops.mod(x, self.num_oov_indices), first)
