"""Vocabularies in plain Python: read from files, checked, and counted in data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gputrain.errors import DataError, explain

Token = str | int


def read_vocabulary(path: str | Path, where: str) -> list[str]:
    """The lines of a text file in UTF-8, each a token.

    Raises:
        ValueError: there is no such file.
    """
    if not Path(path).is_file():
        rule = f"{where}: there is no vocabulary file of this name."
        raise ValueError(explain(rule, received=str(path), fix="Give a file with a token on each line."))
    lines = Path(path).read_text("utf-8").split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def require_tokens(config: Mapping[str, Any], where: str) -> None:
    """Refuse the config of a layer that names a file of its vocabulary, which anybody may have written.

    Raises:
        ValueError: it does.
    """
    if isinstance(named := config.get("vocabulary"), str | Path):
        rule = f"{where}: a config has its vocabulary in it, and opens no file."
        fix = "Write the tokens into the config, or make the layer anew with vocabulary= and the file."
        raise ValueError(explain(rule, received=repr(str(named)[:200]), fix=fix))


def without_special(
    given: Sequence[Token], special: Sequence[Any], reserved: Iterable[Any], where: str
) -> Any:
    """The tokens of a vocabulary that may begin with mask and OOV tokens.

    Args:
        given: the vocabulary.
        special: what may stand in front: all of them in this order, or none.
        reserved: tokens that may not be among the others.
        where: of whom, for errors.

    Raises:
        ValueError: no token, one that is there twice, or one that is reserved.
    """
    begins = len(special) > 0 and list(given[: len(special)]) == list(special)
    tokens = list(given[len(special) :] if begins else given)
    if not tokens:
        received = "mask and OOV tokens alone" if begins else "none"
        raise ValueError(explain(f"{where}: the vocabulary needs at least one token.", received=received))
    twice = [token for token, count in Counter(tokens).items() if count > 1]
    if twice:
        raise ValueError(
            explain(
                f"{where}: each token stands once in a vocabulary.",
                received=f"{_some(twice)} more than once",
                fix="Pass list(dict.fromkeys(tokens)), or find a vocabulary with adapt().",
            )
        )
    for token in reserved:
        if token in tokens:
            raise ValueError(
                explain(
                    f"{where}: mask_token and oov_token stand at the beginning of a vocabulary or nowhere.",
                    expected=f"{list(special)} in front of the others, or none of them",
                    received=f"{token!r} at place {list(given).index(token, len(given) - len(tokens))}",
                )
            )
    return tokens


def _some(tokens: Sequence[Any], most: int = 5) -> str:
    """The first few of some tokens."""
    more = f" and {len(tokens) - most} more" if len(tokens) > most else ""
    return ", ".join(map(repr, tokens[:most])) + more


def unknown(tokens: Sequence[Token], where: str) -> DataError:
    """The error for tokens outside of a vocabulary that has no place for them."""
    return DataError(
        explain(
            f"{where}: with num_oov_indices=0 each token must be in the vocabulary.",
            received=_some(list(dict.fromkeys(tokens))),
            fix="Let num_oov_indices be 1, or add them to the vocabulary.",
        )
    )


class TokenCounts:
    """How often each token was there, and in how many documents.

    Example:
        >>> counts = TokenCounts()
        >>> counts.add([["a", "b", "a"], ["c"]])
        >>> counts.most_frequent(2)
        ['a', 'c']
        >>> counts.weights(["a", "c"]).round(3).tolist()
        [0.693, 0.693]
    """

    def __init__(self) -> None:
        self.documents = 0
        self._tokens: Counter[Token] = Counter()
        self._holding: Counter[Token] = Counter()  # documents that have the token

    def add(self, documents: Iterable[Sequence[Token]]) -> None:
        """Count the tokens of documents."""
        for tokens in documents:
            self.documents += 1
            self._tokens.update(tokens)
            self._holding.update(set(tokens))

    def most_frequent(self, most: int | None = None, but: Iterable[Any] = ()) -> list[Token]:
        """The tokens, the most frequent first; of equally frequent ones the last in their order."""
        left_out = set(but)
        known = [token for token in self._tokens if token not in left_out]
        return sorted(known, key=lambda token: (self._tokens[token], token), reverse=True)[:most]

    def weights(self, tokens: Sequence[Token]) -> np.ndarray:
        """Inverse document frequencies: log(1 + documents / (1 + those that have the token))."""
        holding = np.array([self._holding[token] for token in tokens], np.float64)
        return np.log1p(self.documents / (1 + holding))
