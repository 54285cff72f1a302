"""Numbers for the words of texts."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.data.arrays import on_host
from gputrain.data.sources import is_iterator
from gputrain.errors import DataError, ShapeError, explain
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.preprocessing.data_layer import HostLayer, as_text, batches, no_sparse
from gputrain.layers.preprocessing.lookup import StringLookup, max_tokens, output_mode
from gputrain.layers.preprocessing.vocabulary import require_tokens
from gputrain.utils.custom_objects import deserialize_keras_object, serialize_keras_object
from gputrain.utils.signatures import only_taken

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_STANDARDIZED: dict[Any, tuple[dict[int, Any], ...]] = {
    None: (),
    "lower": (_LOWER,),
    "strip_punctuation": (_NO_PUNCTUATION,),
    "lower_and_strip_punctuation": (_LOWER, _NO_PUNCTUATION),
}
_SPLIT: dict[str, Callable[[str], list[str]]] = {
    "whitespace": lambda text: [word.decode() for word in text.encode().split()],  # at ASCII's blanks only
    "character": list,
}


def _way(known: Iterable[Any]) -> Callable[[Any, str], Any]:
    """A check for None, one of some names, or a function."""
    names = [name for name in known if name is not None]

    def check(value: Any, where: str) -> Any:
        if value is None or callable(value):
            return value
        if isinstance(value, dict):
            return deserialize_keras_object(value)
        return arguments.one_of(value, names, where)

    return check


def _ngrams(value: Any, where: str) -> Any:
    """Check None, an int, or several."""
    given = value if isinstance(value, list | tuple) else (value,)
    if value is None:
        return None
    if not given or not all(arguments.is_int(n) and n > 0 for n in given):
        raise ValueError(
            explain(f"{where} must be a positive int, a tuple of them, or None.", received=repr(value))
        )
    return tuple(map(int, value)) if isinstance(value, list | tuple) else int(value)


def _length(value: Any, where: str) -> int | None:
    return None if value is None else arguments.positive_int(value, where)


def _no_ragged(value: Any, where: str) -> bool:
    only_taken("ragged", value, where.partition(":")[0])
    return False


@registry.add()
class TextVectorization(HostLayer):
    """Numbers for the words of texts, or counts of them, by a vocabulary given or found by `adapt`.

    Each text is standardized, split into words, the words are joined to n-grams, and each is looked up: 0 is
    what short texts are filled up with, 1 a word outside of the vocabulary. The layer works on data, before a
    model: text does not go into one.

    Args:
        max_tokens: the most numbers there are, those two included; None for no limit.
        standardize: "lower_and_strip_punctuation", "lower" (A to Z alone, as in Keras), "strip_punctuation",
            None, or a function of a NumPy array of texts that returns one of the same shape.
        split: "whitespace", "character", None (each text is a word), or a function of a NumPy array of texts
            that returns a list of words for each.
        ngrams: also use this many neighbouring words at most as one, joined by a blank; a tuple says which
            numbers of words, in the order in which they come out.
        output_mode: "int": the numbers of the words in order. "multi_hot", "count", "tf_idf": a row of
            `depth` for each text, as StringLookup has them; "one_hot": a row for each word.
        output_sequence_length: for "int", the numbers of each text, longer ones cut and shorter ones filled
            up with 0; None for the longest in the call.
        pad_to_max_tokens: depth is `max_tokens`, not the size of the vocabulary.
        vocabulary: the words, as a list, an array or the name of a text file with one on each line.
        idf_weights: for output_mode "tf_idf", the weight of each word of `vocabulary`.
        sparse, ragged: of Keras; there are no such tensors.
        encoding: of text that comes as bytes.

    Shapes:
        (), (N,) or (N, 1) texts to (n,) or (N, n), int64; rows (N, depth), float32 for "tf_idf". Without
        `split` the last axis is that of the words, and is kept.

    Raises:
        ValueError: an argument that is not as above; a vocabulary that is empty, has a word twice or is too
            large; a call before there is a vocabulary.
        DataError: data that is no text.
        ShapeError: several texts for a sample.

    Example:
        >>> layer = TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["The cat sat.", "The dog sat, too!"])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'the', 'sat', 'too', 'dog', 'cat']
        >>> layer(["The cat barked"])
        array([[2, 6, 1, 0]])
    """

    begins_models = False
    max_tokens: int | None = declared.argument(max_tokens, None)
    standardize: Any = declared.argument(_way(_STANDARDIZED), "lower_and_strip_punctuation")
    split: Any = declared.argument(_way(_SPLIT), "whitespace")
    ngrams: Any = declared.argument(_ngrams, None)
    output_mode: str = declared.argument(output_mode, "int")
    output_sequence_length: int | None = declared.argument(_length, None)
    pad_to_max_tokens: bool = declared.flag(False)
    vocabulary: Any = declared.argument(default=None)
    idf_weights: Any = declared.argument(default=None)
    sparse: bool = declared.argument(no_sparse, False)
    ragged: bool = declared.argument(_no_ragged, False)
    encoding: str = declared.argument(default="utf-8")
    name: Any = declared.handed_on()
    has_input_vocabulary: Any = declared.argument(default=None, shown=False)

    def check_arguments(self) -> None:
        """Check them against each other, and make the lookup of words."""
        if self.output_sequence_length is not None and self.output_mode != "int":
            rule = "TextVectorization: output_sequence_length is for output_mode 'int'."
            raise ValueError(explain(rule, received=repr(self.output_mode)))
        self.built = True
        self._lookup_layer = StringLookup(
            max_tokens=self.max_tokens,
            mask_token="",
            vocabulary=vars(self).pop("vocabulary"),
            idf_weights=vars(self).pop("idf_weights"),
            output_mode=self.output_mode,
            pad_to_max_tokens=self.pad_to_max_tokens,
            encoding=self.encoding,
            has_input_vocabulary=vars(self).pop("has_input_vocabulary"),
            name=self.name,
        )

    # --------------------------------------------------------------------------------------------- vocabulary

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Return the words in the order of their numbers.

        Args:
            include_special_tokens: whether the list begins with "" and "[UNK]", so that a word's place is its
                number.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Return how many numbers there are, 0 and 1 included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Use these words from now on.

        Args:
            vocabulary: words as a list or an array, or the name of a text file with one on each line.
            idf_weights: for output_mode "tf_idf", a weight for each entry of `vocabulary`.

        Raises:
            ValueError: a word is there twice, there is none, or there are more than `max_tokens`.
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Find the vocabulary of texts; what was known before is forgotten.

        The most frequent word comes first; of equally frequent ones that which is last in their order.

        Args:
            data: an array or a list of texts, or a generator, an iterator or a sequence of batches of them;
                of a batch that is a tuple the first part is taken.
            batch_size: texts of an array that are split at a time, which takes less memory; default all.
            steps: batches that are read at most.

        Raises:
            ValueError: the layer was given its vocabulary.
            DataError: data that is no text, or without a word.
        """
        self.reset_state()
        whole = batch_size is not None and not is_iterator(data)
        for batch in batches(_cut(data, int(batch_size or 1)) if whole else data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the words of a batch; `finalize_state` puts them to use."""
        words, _ = self._words(data)
        self._lookup_layer.count_documents(words)

    def finalize_state(self) -> None:
        """Use the vocabulary of all that was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def save_own_variables(self, store: Any) -> None:
        """Put what the lookup of words keeps into a store, too: Keras has it in both places."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Nothing: the lookup of words takes its own."""

    # ------------------------------------------------------------------------------------------------ calling

    def of_data(self, inputs: Any) -> Any:
        """The numbers of the words of texts, or what output_mode makes of them."""
        self._lookup_layer.require_vocabulary()
        words, shape = self._words(inputs)
        lengths = [len(each) for each in words]
        flat = self._lookup_layer.numbers([word for each in words for word in each])
        size = self.output_sequence_length or max(lengths, default=0)
        numbers = np.full((len(words), max([size, *lengths])), 0 if self.output_mode == "int" else -1)
        numbers[np.arange(numbers.shape[1]) < np.array(lengths, int)[:, None]] = flat
        if self.output_mode == "int":
            made = numbers[:, :size]
        elif self.output_mode == "one_hot":
            made = self._lookup_layer.given_out(numbers[..., None])
        else:
            made = self._lookup_layer.given_out(numbers)
        return ops.convert(made.reshape(*shape, *made.shape[1:]))

    def _words(self, data: Any) -> tuple[list[list[str]], tuple[int, ...]]:
        """The words of each text, n-grams as words, and the shape that the texts have."""
        texts = self._standardized(as_text(data, self.name, self.encoding))
        if self.split is None:
            shape = texts.shape or (1,)
            words = texts.reshape(-1, shape[-1]).tolist()
            return [self._joined(each) for each in words], shape[:-1]
        if texts.ndim > 1:
            if texts.shape[-1] != 1:
                raise ShapeError(
                    explain(
                        f"{self.name}: each sample is one text, which is split into words.",
                        expected="shape (N,) or (N, 1)",
                        received=f"shape {texts.shape}",
                        fix="Use split=None for texts that are words already, or a layer for each column.",
                    )
                )
            texts = texts[..., 0]
        return [self._joined(each) for each in self._split_texts(texts.ravel())], texts.shape

    def _standardized(self, texts: np.ndarray) -> np.ndarray:
        if callable(self.standardize):
            made = as_text(on_host(self._asked("standardize", texts)), f"{self.name}: standardize")
            return _of_shape(made, texts.shape, f"{self.name}: standardize")
        found = texts
        for table in _STANDARDIZED[self.standardize]:
            found = np.array([text.translate(table) for text in found.ravel()], object).reshape(texts.shape)
        return found

    def _asked(self, name: str, texts: np.ndarray) -> Any:
        """What the user's function of this name makes of the texts."""
        try:
            return getattr(self, name)(texts.astype(np.str_))
        except (AttributeError, TypeError) as error:
            rule = f"{self.name}: the function {name} gets a NumPy array of texts, not one text."
            fix = f"For a function of one text write {name}=numpy.vectorize(function, otypes=[object])."
            raise TypeError(explain(rule, received=f"{type(error).__name__}: {error}", fix=fix)) from error

    def _split_texts(self, texts: np.ndarray) -> list[list[str]]:
        if not callable(self.split):
            return [_SPLIT[self.split](text) for text in texts.tolist()]
        words = [list(map(str, each)) for each in self._asked("split", texts)]
        if len(words) != len(texts):
            rule = f"{self.name}: split must return a list of words for each text."
            raise DataError(explain(rule, expected=len(texts), received=len(words)))
        return words

    def _joined(self, words: Sequence[str]) -> list[str]:
        """The words and n-grams of a text."""
        if self.ngrams is None:
            return list(words)
        sizes = self.ngrams if isinstance(self.ngrams, tuple) else range(1, self.ngrams + 1)
        return [" ".join(words[i : i + n]) for n in sizes for i in range(len(words) - n + 1)]

    # ------------------------------------------------------------------------------------------------- config

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data, with the vocabulary that `adapt` found, too."""
        plain = (
            "max_tokens",
            "output_mode",
            "output_sequence_length",
            "pad_to_max_tokens",
            "sparse",
            "ragged",
        )
        found = self._lookup_layer.get_config()
        ways = {
            name: serialize_keras_object(way) if callable(way) else way
            for name, way in (("standardize", self.standardize), ("split", self.split))
        }
        return {
            **self.plain_settings(),
            **{name: getattr(self, name) for name in (*plain, "encoding")},
            **ways,
            "ngrams": list(self.ngrams) if isinstance(self.ngrams, tuple) else self.ngrams,
            **{name: found[name] for name in ("vocabulary", "idf_weights", "has_input_vocabulary")},
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextVectorization:
        """A layer from `get_config()`, with its vocabulary.

        Raises:
            ValueError: the config names a file: what a stranger wrote opens none.
        """
        require_tokens(config, cls.__name__)
        made: TextVectorization = super().from_config(
            {name: value for name, value in config.items() if name != "vocabulary_size"}
        )
        return made


def _cut(data: Any, size: int) -> Iterator[Any]:
    """Parts of an array or a list."""
    return (data[start : start + size] for start in range(0, len(data), size))


def _of_shape(array: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    if array.shape != shape:
        raise ShapeError(
            explain(f"{where} must return a text for each.", expected=f"shape {shape}", received=array.shape)
        )
    return array
