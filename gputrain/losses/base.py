"""Loss: from targets and outputs to the number that training makes small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gputrain import config, ops
from gputrain.errors import explain
from gputrain.ir import dtype_name
from gputrain.losses.reduction import check_reduction, reduce_weighted
from gputrain.losses.shapes import AVERAGING, align, mask_of, note_own, operand, per_sample
from gputrain.names import checked_name, snake_case
from gputrain.utils.registry import Registry
from gputrain.utils.signatures import init_of, with_line
from gputrain.utils.states import yielding

registry: Registry[Any] = Registry("loss")

# What a loss learns from, and the task of a model that learns from it.
TASKS = {
    "indices": "classification",  # class numbers
    "one-hot": "classification",  # a row of shares of the classes
    "binary": "classification",  # independent 0 and 1
    "signs": "classification",  # -1 and 1
    "distributions": "regression",
    "numbers": "regression",
}


class Loss:
    """Base of all losses: subclass it and write `call` in `gputrain.ops`.

    Args:
        name: default is the class name in snake case.
        reduction: "sum_over_batch_size" (the mean of all losses), "mean" (the same), "sum",
            "mean_with_sample_weight" (divided by the sum of the weights as given), None or "none".
        dtype: dtype of the computation; default `config.floatx()`.

    Attributes:
        target_kind: of a class, what targets it takes: "indices", "one-hot", "binary", "signs",
            "distributions" or "numbers"; None where nothing is known.
        activation: of a class, the activation that makes the probabilities it reads ("softmax", "sigmoid");
            with from_logits it takes what comes before. None where it reads no probabilities.
        task: "classification" or "regression", by the kind of target; None where nothing is known.

    Raises:
        ValueError: an unknown reduction.

    Example:
        >>> class Cubic(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return ops.mean(ops.absolute(y_true - y_pred) ** 3, axis=-1)
        >>> float(Cubic()([[0.0]], [[2.0]]))
        8.0
    """

    # Class indices stay integers; all other targets are converted to the loss's dtype.
    integer_targets = False
    target_kind: ClassVar[str | None] = None
    activation: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """What is known of a base's targets and outputs does not hold where `call` is another one."""
        super().__init_subclass__(**kwargs)
        if {"call", "__call__"} & vars(cls).keys():
            for fact in {"target_kind", "activation"} - vars(cls).keys():
                setattr(cls, fact, None)

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        kind = type(self).__name__
        self.name = checked_name(name, kind) if name else snake_case(kind)
        self.reduction = check_reduction(reduction)
        self.dtype = dtype_name(dtype) if dtype is not None else config.floatx()

    @yielding
    def task(self) -> str | None:
        """ "classification" or "regression"; None where nothing is known of the loss."""
        return None if self.target_kind is None else TASKS[self.target_kind]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch.

        Args:
            y_true: targets, (N, ...).
            y_pred: outputs, (N, ...); a mask they carry leaves positions out.
            sample_weight: one number, (N,), (N, 1) or what broadcasts to the losses that `call` returns.

        Returns:
            a scalar; with reduction None the weighted losses.

        Raises:
            ShapeError: shapes that do not belong together.
        """
        mask = mask_of(y_pred)
        y_pred = operand(y_pred, self.dtype)
        y_true = operand(y_true, None if self.integer_targets else self.dtype)
        y_true, y_pred = self._aligned(y_true, y_pred)
        values = operand(self.call(y_true, y_pred), self.dtype)
        counted = self.target_mask(y_true, y_pred)
        if mask is not None and counted is not None:
            mask = ops.logical_and(mask, counted)
        return reduce_weighted(values, sample_weight, mask if mask is not None else counted, self.reduction)

    def _aligned(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Targets and outputs as `call` gets them: a class of the user's gets them as they are."""
        note_own(f"{type(self).__name__}.call", y_true, y_pred)
        return y_true, y_pred

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The losses, (N, ...): one for each sample, or for each element of a sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred).")

    def target_mask(self, y_true: Any, y_pred: Any) -> Any:
        """True where a target counts, of the losses' shape; None where all do."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"name": self.name, "reduction": self.reduction, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the loss whose `get_config` gave `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


@registry.add()
class LossFunctionWrapper(Loss):
    """A function of (y_true, y_pred) as a loss.

    Args:
        fn: function that returns the losses (N, ...).
        reduction, name, dtype: see `Loss`; the default name is the function's.
        kwargs: passed to `fn` at each call.

    Example:
        >>> float(LossFunctionWrapper(mean_squared_error)([[0.0]], [[2.0]]))
        4.0
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if not callable(fn):
            raise TypeError(
                explain("A loss function is a callable (y_true, y_pred) -> losses.", received=repr(fn))
            )
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn = fn
        self.fn_kwargs = kwargs

    def _aligned(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Targets and outputs of one number of axes; class indices have one axis less.

        Our own averaging functions keep a loss for each sample of (N,).
        """
        if self.integer_targets:
            return y_true, y_pred
        return per_sample(y_true, y_pred) if self.fn in AVERAGING else align(y_true, y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What the function returns."""
        return self.fn(y_true, y_pred, **self.fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data, `fn` by its name."""
        own = type(self) is LossFunctionWrapper
        return {
            **super().get_config(),
            **({"fn": registry.serialize(self.fn)} if own else {}),
            **self.fn_kwargs,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the loss whose `get_config` gave `config`."""
        return cls(**{key: registry.get(value) if key == "fn" else value for key, value in config.items()})


class FunctionLoss(LossFunctionWrapper):
    """Base of the losses that stand for one function."""

    of_function: ClassVar[dict[Callable[..., Any], type[FunctionLoss]]] = {}

    def __init_subclass__(
        cls, function: Callable[..., Any] | None = None, name: str = "", order: Sequence[str] = ()
    ) -> None:
        """Make the constructor: its arguments are those of the function, then those of a loss.

        Args:
            function: f(y_true, y_pred, **settings) -> losses; None in a class that adds to another one.
            name: default name of the loss; default the function's.
            order: names of the arguments in another order.
        """
        super().__init_subclass__()
        if function is not None:
            cls.of_function[function] = cls
            cls.__init__ = init_of(cls, LossFunctionWrapper, function, name, order)  # type: ignore[method-assign]
            cls.__doc__ = with_line(cls.__doc__, "reduction, name, dtype: see `Loss`.")

    if TYPE_CHECKING:  # which cannot see what is made

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
