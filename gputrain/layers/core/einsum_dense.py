"""EinsumDense: a kernel and a bias, and an equation that says what is multiplied and summed."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from gputrain.errors import ShapeError, explain
from gputrain.initializers import VarianceScaling
from gputrain.ir import Shape
from gputrain.layers.base import declared, registry
from gputrain.layers.base.arguments import is_int
from gputrain.layers.base.kernel import KernelLayer
from gputrain.runtime import Variable

_FORMS = "ab,bc->ac, ...ab,bc->...ac or ab...,bc->ac..."
_LETTERS = r"([a-zA-Z]+)"
_PATTERNS = {
    "": rf"{_LETTERS},{_LETTERS}->{_LETTERS}",
    "left": rf"\.\.\.{_LETTERS},{_LETTERS}->\.\.\.{_LETTERS}",
    "right": rf"{_LETTERS}\.\.\.,{_LETTERS}->{_LETTERS}\.\.\.",
}


class _Terms(NamedTuple):
    """The letters of an equation, and on which side of them "..." stands."""

    inputs: str
    kernel: str
    output: str
    dots: str


def _terms(equation: str) -> _Terms | None:
    """The parts of an equation; None where it has another form."""
    for dots, pattern in _PATTERNS.items():
        found = re.fullmatch(pattern, equation)
        if found is not None:
            return _Terms(found[1], found[2], found[3], dots)
    return None


def _equation(value: Any, where: str) -> str:
    """An equation of one of three forms, each of whose letters is known where it is needed."""
    terms = _terms(value) if isinstance(value, str) else None
    if terms is None:
        raise ValueError(
            explain(f"{where} is an einsum of inputs and kernel.", expected=_FORMS, received=repr(value))
        )
    for letters, known, rule in (
        (terms.output, terms.inputs + terms.kernel, "a letter of the output is one of inputs or kernel"),
        (terms.kernel, terms.inputs + terms.output, "a letter of the kernel is one of inputs or output"),
    ):
        missing = [c for c in letters if c not in known]
        if missing:
            raise ValueError(explain(f"{where}: {rule}.", received=f"{missing[0]!r} of {value!r}"))
    return value


def _output_shape(value: Any, where: str) -> tuple[int | None, ...]:
    """One size, or several; None for one that the inputs have."""
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(size is None or (is_int(size) and size > 0) for size in sizes):
        raise ValueError(
            explain(f"{where} is a size or several, None for those of the inputs.", received=repr(value))
        )
    return tuple(None if size is None else int(size) for size in sizes)


def _letters(value: Any, where: str) -> str | None:
    """None, or letters."""
    if value is not None and not isinstance(value, str):
        raise ValueError(explain(f"{where} is letters of the output, as 'c', or None.", received=repr(value)))
    return value


@registry.add()
class EinsumDense(KernelLayer):
    """activation(einsum(equation, inputs, kernel) + bias): a Dense along any axes.

    Args:
        equation: "ab,bc->ac", "...ab,bc->...ac" or "ab...,bc->ac...", with any letters: the axes of the
            inputs, of the kernel and of the output.
        output_shape: sizes of the output but for the first axis and those of "..."; an int for one, None
            for a size that the inputs have.
        bias_axes: letters of the output that the bias has a size for; None for no bias.
        lora_rank, lora_alpha, gptq_unpacked_column_size, quantization_config: of Keras; only None is taken.

    Shapes:
        as the equation says; kernel as the equation says, bias the output's from the first letter of
        bias_axes on, 1 for letters that bias_axes has not.

    Raises:
        ValueError: an equation of another form, or bias_axes that are no letters of the output.
        ShapeError: output_shape or inputs that do not fit the equation.

    Example:
        >>> EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d")(numpy.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    equation: str = declared.argument(_equation)
    output_shape: tuple[int | None, ...] = declared.argument(_output_shape)
    bias_axes: str | None = declared.argument(_letters, None, after="activation")
    activity_regularizer: Any = declared.regularizer(shown=False)
    lora_rank: None = declared.keras_only("lora_rank", after="bias_constraint")
    lora_alpha: None = declared.keras_only("lora_alpha", after="lora_rank")
    gptq_unpacked_column_size: None = declared.keras_only("gptq_unpacked_column_size", after="lora_alpha")
    quantization_config: None = declared.keras_only("quantization_config", after="gptq_unpacked_column_size")

    @declared.fixed
    def use_bias(self) -> bool:
        """Whether there is a bias: where it has axes."""
        return self.bias_axes is not None

    def check_arguments(self) -> None:
        """The axes of the bias are letters of the output."""
        missing = [c for c in self.bias_axes or "" if c not in self._terms.output]
        if missing or self.bias_axes == "":
            raise ValueError(
                explain(
                    "EinsumDense: bias_axes is letters of the output.",
                    expected=f"some of {self._terms.output!r}",
                    received=repr(self.bias_axes),
                )
            )

    @property
    def _terms(self) -> _Terms:
        terms = _terms(self.equation)
        assert terms is not None
        return terms

    def build(self, input_shape: Shape) -> None:
        """Make the kernel, and the bias where it has axes."""
        terms, sizes = self._terms, self._sizes(input_shape)
        self.kernel = self.add_kernel(self._known(sizes, terms.kernel))
        if self.bias_axes is not None:
            first = min(map(terms.output.index, self.bias_axes))
            letters = terms.output[first:]
            behind = len(input_shape) - len(terms.inputs) if terms.dots == "right" else 0
            known = self._known(sizes, [c for c in letters if c in self.bias_axes])
            own = iter(known)
            shape = [next(own) if c in self.bias_axes else 1 for c in letters]
            self.bias = self.add_declared_weight("bias", (*shape, *(1,) * behind))

    def add_kernel(self, shape: tuple[int, ...]) -> Variable:
        """The kernel; the equation says which of its axes are inputs, where its spread follows from them."""
        drawn = self.kernel_initializer
        if isinstance(drawn, VarianceScaling) and drawn.input_axes is None:
            drawn = copy.copy(drawn)
            outputs = [c in self._terms.output for c in self._terms.kernel]
            drawn.input_axes = [axis for axis, is_output in enumerate(outputs) if not is_output]
            drawn.output_axes = [axis for axis, is_output in enumerate(outputs) if is_output]
        return self.add_weight(
            shape,
            drawn,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )

    def call(self, inputs: Any) -> Any:
        """What the equation says, plus the bias, activated."""
        from gputrain.ops.contraction import einsum

        return self.finish(einsum(self.equation, inputs, self.kernel))

    def _sizes(self, shape: Shape) -> dict[str, int | None]:
        """The size of each letter for inputs of a shape; None where it is unknown."""
        terms, rank = self._terms, len(self._terms.inputs)
        more = len(shape) - rank
        if more < 0 or (more and not terms.dots):
            raise self._misfit("the inputs have an axis for each letter", shape)
        sizes = dict(zip(terms.inputs, shape[more:] if terms.dots == "left" else shape, strict=False))
        output = self.output_shape if more and terms.dots == "left" else (shape[0], *self.output_shape)
        if len(output) != len(terms.output):
            raise self._misfit("output_shape has a size for each letter of the output but the first", shape)
        for letter, size in zip(terms.output, output, strict=True):
            if size is not None and sizes.get(letter, size) != size:
                raise self._misfit(f"{letter!r} has one size in inputs and output", shape)
            sizes.setdefault(letter, size)
        return sizes

    def _misfit(self, rule: str, shape: Shape) -> ShapeError:
        received = f"inputs of shape {shape}, output_shape={self.output_shape}"
        return ShapeError(explain(f"EinsumDense, {self.equation!r}: {rule}.", received=received))

    def _known(self, sizes: dict[str, int | None], letters: Iterable[str]) -> tuple[int, ...]:
        """The sizes of letters that weights are made for."""
        known = {c: size for c, size in sizes.items() if size is not None}
        for letter in letters:
            if letter not in known:
                rule = f"EinsumDense, {self.equation!r}: weights are made for a known size of {letter!r}."
                fix = "Give output_shape or the input layer this size instead of None."
                raise ShapeError(explain(rule, received=f"output_shape={self.output_shape}", fix=fix))
        return tuple(known[c] for c in letters)
