"""One piece of advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Advice:
    """What was measured, and what to try.

    Attributes:
        key: name of the sign, as "overfitting"; a run has at most one advice of each.
        epoch: the epoch after which it was seen, counted from 1 as in fit's lines; None before training.
        sign: one sentence with the measured figures.
        tries: what to try, the most promising first.

    Example:
        >>> print(Advice("underfitting", 5, "The loss is flat at 2.1.", ("a bigger model",)).text())
        Advice (underfitting, epoch 5): The loss is flat at 2.1.
          Try: a bigger model.
    """

    key: str
    epoch: int | None
    sign: str
    tries: tuple[str, ...]

    def text(self) -> str:
        """The advice in lines for a person."""
        place = self.key if self.epoch is None else f"{self.key}, epoch {self.epoch}"
        words = ["Try:", *["Or:"] * len(self.tries)]
        lines = [f"  {word} {text}." for word, text in zip(words, self.tries, strict=False)]
        return "\n".join([f"Advice ({place}): {self.sign}", *lines])

    def to_config(self) -> dict[str, Any]:
        """The advice as plain data, for a report."""
        return {"key": self.key, "epoch": self.epoch, "sign": self.sign, "tries": list(self.tries)}
