"""What all initializers share."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import NDArray

from gputrain.utils.registry import Registry

registry: Registry[Initializer] = Registry("initializer", snake=True)


class Initializer:
    """Gives the first values of a weight. Subclass it and write `__call__`.

    Example:
        >>> class Halves(Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return numpy.full(shape, 0.5, dtype or "float32")
    """

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return the first values.

        Args:
            shape: tuple of ints.
            dtype: dtype of the values; None is `config.floatx()`.

        Returns:
            NumPy array of `shape` and `dtype`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the initializer whose `get_config` gave `config`."""
        return cls(**config)

    def clone(self) -> Self:
        """Return a new initializer with the same arguments; unseeded, it draws other values."""
        return type(self).from_config(self.get_config())
