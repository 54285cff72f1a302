"""The exceptions a user of gputrain can meet, and the one function that words them."""

from __future__ import annotations


class ExplainedError(Exception):
    """An error that words itself as `explain` does.

    >>> str(DataError("y needs a label a sample.", expected=4, received=3))
    'y needs a label a sample. Expected: 4. Received: 3.'

    Args:
        rule: what must hold, as a sentence; or the whole message.
        expected, received, fix: as in `explain`.
    """

    def __init__(
        self, rule: object = "", *, expected: object = None, received: object = None, fix: str | None = None
    ) -> None:
        super().__init__(explain(str(rule), expected=expected, received=received, fix=fix))


class UsageError(ExplainedError, ValueError):
    """A setting, a recipe or an option is wrong: what somebody wrote, not what became of it."""


class ShapeError(ValueError):
    """Shapes that do not fit an operation, a layer or a model."""


class DTypeError(TypeError):
    """A dtype that an operation, a layer or a model does not take."""


class GraphError(RuntimeError):
    """A graph that is not well formed, or a value used outside the graph it belongs to."""


class DataError(ExplainedError, ValueError):
    """Training data that cannot be used as given (lengths, labels, NaN, ranges)."""


class NonFiniteError(FloatingPointError):
    """A training step produced NaN or infinity; the message says where it began."""


class DeviceError(RuntimeError):
    """The requested device cannot be used; the message says why and how to mend it."""


class DeviceMemoryError(DeviceError):
    """A device has no room for what is asked for; the message says how much that is."""


def explain(rule: str, *, expected: object = None, received: object = None, fix: str | None = None) -> str:
    """Word an error in the project's fixed order: rule, expected, received, what to do.

    >>> explain("axis must name a dimension.", expected="-2..1", received=5, fix="Pass axis=-1.")
    'axis must name a dimension. Expected: -2..1. Received: 5. Pass axis=-1.'

    Args:
        rule: what must hold, as a sentence.
        expected: what would have been right; left out if None.
        received: what came; left out if None.
        fix: what to do, as a sentence.
    """
    parts = [rule]
    if expected is not None:
        parts.append(f"Expected: {expected}.")
    if received is not None:
        parts.append(f"Received: {received}.")
    if fix is not None:
        parts.append(fix)
    return " ".join(parts)
