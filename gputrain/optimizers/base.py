"""Optimizer: from gradients to new weights, one operation over all of them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gputrain import config, initializers, ops
from gputrain.errors import explain
from gputrain.ir import current_trace
from gputrain.names import checked_name, did_you_mean, missing_attribute, snake_case
from gputrain.ops.base import apply, as_value, cast, convert
from gputrain.ops.optim import AllFinite, ClipFactors, Pack, ScaleSegments, flat_size, segments
from gputrain.optimizers import schedules
from gputrain.optimizers.schedules import LearningRateSchedule
from gputrain.runtime import Variable
from gputrain.utils.dtypes import is_number
from gputrain.utils.registry import Registry
from gputrain.utils.signatures import KERAS_ONLY, only_taken
from gputrain.utils.states import Copied, Holder, assign, check_names

RATES_AHEAD = 512  # steps for which a schedule is evaluated at a time
_NOT_OFFERED = (
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
MASTER = "master"  # name of the slot with the float32 copy of a 16-bit variable


registry: Registry[Optimizer] = Registry("optimizer", snake=True)


class Optimizer(Copied):
    """Base of all optimizers.

    Args:
        learning_rate: a number or a `schedules.LearningRateSchedule`.
        weight_decay: decoupled decay: w -= w * learning_rate * weight_decay before each update.
        clipnorm: limit of each variable's gradient norm.
        clipvalue: limit of each gradient element's magnitude.
        global_clipnorm: limit of the norm of all gradients together.
        name: name of the optimizer; default the class name in snake case.
        use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps: of
            Keras; only the defaults are taken.

    A subclass either gives one fused operation (`fused_update`), or Keras's `update_step(gradient,
    variable, learning_rate)` written in operations with `self.assign(...)`.

    Where a gradient is NaN or infinite the step changes nothing.

    Variables of 16 bits are trained in float32: the optimizer keeps a float32 copy of each (its master),
    which follows the variable where that is set from outside, and float32 slots. Slots of other variables
    have the variable's dtype; a model may hold several dtypes.

    Attributes:
        iterations: number of steps done, a variable.
        slots: variables of the rule: flat ones, each for all variables of a dtype, or those that
            `add_variable_from_reference` made.
        version: counts what makes a traced step stale: other slots, or a schedule in place of a number.
        reduce_gradients: function of all gradients of a dtype, packed in one vector, that gives those of all
            processes together; a model's strategy sets it.
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        self.name = checked_name(name, kind) if name else snake_case(kind)
        averages = use_ema, ema_momentum, ema_overwrite_frequency
        for argument, value in zip(
            _NOT_OFFERED, (*averages, loss_scale_factor, gradient_accumulation_steps), strict=True
        ):
            only_taken(argument, value, kind)
        _check_clipping(kind, clipnorm=clipnorm, clipvalue=clipvalue, global_clipnorm=global_clipnorm)
        self.weight_decay = _checked_decay(kind, weight_decay)
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.iterations = Variable(
            np.zeros((), np.int64), trainable=False, name="iterations", path=f"{self.name}/iterations"
        )
        kind = wide(config.floatx())  # of the learning rate
        self._rate_variable = Variable(
            np.zeros((), kind), trainable=False, name="learning_rate", path=f"{self.name}/learning_rate"
        )
        self._rate_schedule: LearningRateSchedule | None = None
        self._rate_table = Variable(
            np.zeros(RATES_AHEAD, kind), trainable=False, name="rates", path=f"{self.name}/rates"
        )
        self._table_start = Variable(
            np.zeros((), np.int64), trainable=False, name="rates_start", path=f"{self.name}/rates_start"
        )
        self._rates_left = 0
        self._version_of_rates = 0
        self.given_rate = learning_rate
        self._set_learning_rate(learning_rate)
        self.iterations.changed = self._forget_rates
        self.built = False
        self.slots: list[Variable] = []
        self._trained_variables: list[Variable] = []
        self._flat_parts: dict[
            str, list[Variable]
        ] = {}  # the flat slots of the variables computed in a dtype
        self._slots_of_one: dict[Variable, dict[str, Variable]] = {}  # slots of one variable, by name
        self._master_weights: dict[Variable, Variable] = {}
        self._kept_values: dict[Variable, dict[str, np.ndarray]] = {}
        self._undecayed: set[Variable] = set()
        self._no_decay_names: tuple[str, ...] = ()
        self.reduce_gradients: Callable[[Any], Any] = _as_it_is

    # ---------------------------------------------------------------------------------------- learning rate

    @property
    def learning_rate(self) -> Any:
        """The rate: a variable (float() and assign() work), or the schedule's value at this iteration."""
        if self._rate_schedule is None:
            return self._rate_variable
        return float(self._rate_schedule(int(self.iterations.numpy())))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._rate_schedule is not None and not isinstance(value, LearningRateSchedule):
            raise TypeError(
                explain(
                    f"{self.name}: this optimizer follows a schedule, which sets the rate at each step.",
                    received=value,
                    fix="Create the optimizer with a number to set the rate by hand.",
                )
            )
        self._set_learning_rate(value)

    if not TYPE_CHECKING:
        __getattr__ = missing_attribute("optimizers.Optimizer")

    @property
    def lr(self) -> Any:
        """The name of old Keras versions: refused rather than ignored."""
        raise AttributeError

    @lr.setter
    def lr(self, value: Any) -> None:
        raise AttributeError(f"{self.name}: the learning rate is called learning_rate; set that instead.")

    def _set_learning_rate(self, value: Any) -> None:
        value = schedules.get(value) if isinstance(value, dict) else value
        if isinstance(value, LearningRateSchedule):
            self._version_of_rates += self._rate_schedule is None
            self._rate_schedule, self._rates_left = value, 0
            return
        try:
            rate = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            rate = float("nan")
        if not np.isfinite(rate) or rate < 0:
            raise ValueError(
                explain(
                    f"{self.name}: learning_rate is a non-negative number or a schedule.",
                    received=repr(value),
                )
            )
        self._rate_variable.assign(rate)

    def _forget_rates(self) -> None:
        """The counter was set by hand, so rates that were evaluated ahead belong to other steps."""
        self._rates_left = 0

    def _before_step(self) -> None:
        """Evaluate the schedule for the coming steps; called on the host before each run of a traced step."""
        assert self._rate_schedule is not None
        if self._rates_left < 1:
            now = int(self.iterations.numpy())
            self._rate_table.assign(
                np.array([float(self._rate_schedule(now + i)) for i in range(RATES_AHEAD)])
            )
            self._table_start.assign(np.int64(now))
            self._rates_left = RATES_AHEAD
        self._rates_left -= 1

    def _current_rate(self) -> Any:
        """The rate of this step, read on the device by the optimizer's own counter."""
        if self._rate_schedule is None:
            return convert(self._rate_variable)
        trace = current_trace()
        if trace is None:
            return convert(self.learning_rate, self._rate_variable.dtype)
        trace.preparations.append(self._before_step)
        return ops.take(self._rate_table, ops.subtract(self.iterations, self._table_start))

    # ----------------------------------------------------------------------------------------------- update

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Change the variables by one step. Works inside a traced train_step and on arrays alike.

        Args:
            grads: one gradient per variable, of its shape; None where a variable has none.
            trainable_variables: the variables; default those of the first call.

        Raises:
            ValueError: no gradient at all, or as many gradients as variables were expected.
        """
        given = list(trainable_variables) if trainable_variables is not None else self._trained_variables
        gradients, variables = self._gradient_pairs(list(grads), given)
        self._require_built(variables)
        of, groups = dict(zip(variables, gradients, strict=True)), _by_dtype(variables)
        flat = {dtype: apply(Pack(), *(cast(of[v], dtype) for v in group)) for dtype, group in groups.items()}
        flat = {dtype: self.reduce_gradients(vector) for dtype, vector in flat.items()}
        flag = self._all_finite(*flat.values())
        if current_trace() is None and not flag:
            return
        flat = self._clipped_gradients(flat, groups)
        self._refresh_masters(variables)
        rate = self._current_rate()
        done = ops.add(self.iterations, ops.cast(flag, "int64"))
        for dtype, group in groups.items():
            if self._is_fused:
                self._apply_fused(flag, rate, done, flat[dtype], group, self._flat_parts.get(dtype, []))
            else:
                self._apply_steps(cast(rate, dtype), flat[dtype], group)
        self.iterations.assign(done)
        for variable in variables:
            state = self._state_variable(variable)
            if variable.constraint is not None:
                state.assign(variable.constraint(state))
            if state is not variable:
                variable.assign(state)

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """As `apply`, from pairs (gradient, variable)."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the slots for these variables. Variables that had slots before keep their values."""
        self._kept_values.update(self.slot_values())
        self._trained_variables, self.built = list(variables), True
        self._master_weights = {v: self._master_of(v) for v in variables if wide(v.dtype) != v.dtype}
        self._flat_parts, self._slots_of_one = self._flat_slots() if self._is_fused else {}, {}
        self.slots = [slot for slots in self._flat_parts.values() for slot in slots]
        if not self._is_fused:
            self.add_optimizer_variables(variables, self.slot_names)
        self._version_of_rates += 1

    def _require_built(self, variables: list[Variable]) -> None:
        """Have slots for these variables, and for one list of them in a traced step."""
        known = {id(v) for v in self._trained_variables}
        same = [id(v) for v in variables] == [id(v) for v in self._trained_variables]
        if not self.built or (not same and (self._is_fused or any(id(v) not in known for v in variables))):
            trace = current_trace()
            if trace is not None and self.iterations in trace.after:
                before = [v.path for v in self._trained_variables]
                raise ValueError(
                    explain(
                        f"{self.name}: one optimizer updates one list of variables in a step.",
                        received=f"{[v.path for v in variables]} after {before}",
                        fix="Make an optimizer for each list, or join the lists in one apply().",
                    )
                )
            self.build(variables)

    def _flat_slots(self) -> dict[str, list[Variable]]:
        """Slots for all variables of a dtype, with the values kept from an earlier list of variables."""
        found: dict[str, list[Variable]] = {}
        for dtype, group in _by_dtype(self._trained_variables).items():
            ending = f"_{dtype}" if found else ""
            for name in self.slot_names:
                flat = _put(self._kept_values, name, group, np.zeros(flat_size(_sizes(group)), dtype))
                slot = Variable(flat, trainable=False, name=name, path=f"{self.name}/{name}{ending}")
                found.setdefault(dtype, []).append(slot)
        return found

    def _master_of(self, variable: Variable) -> Variable:
        """The float32 copy of a 16-bit variable."""
        first = self._kept_values.get(variable, {}).get(MASTER, variable.numpy())
        path = f"{self.name}/{variable.path}/{MASTER}"
        return Variable(first, dtype=wide(variable.dtype), trainable=False, name=MASTER, path=path)

    def _state_variable(self, variable: Variable) -> Variable:
        """What a step changes: the master of a 16-bit variable, else the variable itself."""
        return self._master_weights.get(variable, variable)

    def _refresh_masters(self, variables: list[Variable]) -> None:
        """Take over what was written into 16-bit variables from outside: a master rounds to its variable."""
        for variable in variables:
            if variable in self._master_weights:
                master = self._master_weights[variable]
                follows = ops.equal(cast(master, variable.dtype), variable)
                master.assign(ops.where(follows, master, cast(variable, master.dtype)))

    def slot_values(self) -> dict[Variable, dict[str, np.ndarray]]:
        """Copies of the slots of each variable by their names, of its shape; "master" is its float32 copy.

        Example:
            >>> {v.path: list(slots) for v, slots in optimizer.slot_values().items()}
            {'dense/kernel': ['momentum', 'velocity'], 'dense/bias': ['momentum', 'velocity']}
        """
        single = {v: self._single_slots(v) for v in self._trained_variables}
        found = {v: {name: slot.numpy() for name, slot in slots.items()} for v, slots in single.items()}
        for dtype, group in _by_dtype(self._trained_variables).items():
            for slot in self._flat_parts.get(dtype, ()):
                flat = slot.numpy()
                for variable, place in zip(group, segments(_sizes(group)), strict=True):
                    found[variable][slot.name] = flat[place].reshape(variable.shape)
        return found

    def set_slot_values(self, values: Mapping[Variable, Mapping[str, Any]]) -> None:
        """Set slots, as `slot_values` gives them; what is not named keeps its value. Not in a traced step.

        Raises:
            ValueError: a slot that a variable does not have, or of another shape than the variable's.
        """
        self._check_slots(values)
        for dtype, group in _by_dtype(self._trained_variables).items():
            for slot in self._flat_parts.get(dtype, ()):
                slot.assign(_put(values, slot.name, group, slot.numpy()))
        for variable, slots in values.items():
            for name, slot in self._single_slots(variable).items():
                if name in slots:
                    slot.assign(slots[name])

    def _check_slots(self, values: Mapping[Variable, Mapping[str, Any]]) -> None:
        trained = set(self._trained_variables)
        for variable, slots in values.items():
            flat = self._flat_parts.get(wide(variable.dtype), ()) if variable in trained else ()
            known = [*(slot.name for slot in flat), *self._single_slots(variable)]
            for name, value in slots.items():
                if name not in known:
                    rule = f"{self.name}: {variable.path} has no slot {name!r}."
                    raise ValueError(explain(rule, expected=known or "a variable that this optimizer trains"))
                if np.shape(value) != variable.shape:
                    rule = f"{self.name}: slot {name!r} has the shape of its variable, {variable.path}."
                    raise ValueError(explain(rule, expected=variable.shape, received=np.shape(value)))

    def saved_variables(self) -> list[Holder]:
        """What a file holds of the optimizer: Keras's variables in Keras's order, one by one.

        They are the iterations, the learning rate where that is a number, and the slots of each variable.
        The float32 copies of 16-bit variables are not among them: they begin anew as what those are.
        """
        rate = [self._rate_variable] if self._rate_schedule is None else []
        alone = [slot for slot in self.slots if not self._flat_parts]
        return [self.iterations, *rate, *alone, *self._parts_of_flat_slots()]

    def _parts_of_flat_slots(self) -> list[Holder]:
        """The slots of each variable; of kinds that stand together, all of a variable, then the next's."""
        parts: dict[tuple[str, Variable], Holder] = {}
        for dtype, group in _by_dtype(self._trained_variables).items():
            for slot in self._flat_parts.get(dtype, ()):
                for variable, place in zip(group, segments(_sizes(group)), strict=True):
                    parts[slot.name, variable] = PartOf(slot, place, variable.shape)
        together = tuple(name for name in self.slot_names if name in self._slots_together)
        rows = [together, *((name,) for name in self.slot_names if name not in together)]
        ordered = [(name, v) for names in rows for v in self._trained_variables for name in names]
        return [parts[pair] for pair in ordered] if parts else []

    def save_own_variables(self, store: Any) -> None:
        """Put what a file holds of the optimizer into a store: its variables, by "0", "1" ...

        Args:
            store: a dict.
        """
        store.update({str(i): variable.numpy() for i, variable in enumerate(self.saved_variables())})

    def load_own_variables(self, store: Any) -> None:
        """Take what `save_own_variables` of an optimizer for the same variables put into a store.

        Args:
            store: a dict.

        Raises:
            ValueError: there are more variables or fewer, or one of another shape.
        """
        variables = {str(i): variable for i, variable in enumerate(self.saved_variables())}
        assign(self.name, variables, store)

    def _single_slots(self, variable: Variable) -> dict[str, Variable]:
        """Slots of one variable alone."""
        master = {MASTER: self._master_weights[variable]} if variable in self._master_weights else {}
        return {**self._slots_of_one.get(variable, {}), **master}

    @property
    def variables(self) -> list[Variable]:
        """State of the optimizer: iterations, learning rate, slots, masters."""
        return [self.iterations, self._rate_variable, *self.slots, *self._master_weights.values()]

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the flat slots, in the order of the fused operation; those kinds of which files have all
        of a variable before the next one's are in `_slots_together` too.
        """
        return ()

    _slots_together: ClassVar[tuple[str, ...]] = ()

    def fused_update(self, sizes: tuple[int, ...], decay: tuple[bool, ...]) -> Any:
        """The operation that updates everything at once, or None for `update_step`."""
        return None

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Change one variable, in operations; of a class with a fused operation, as that does.

        Args:
            gradient: of the variable's shape.
            variable: one of those that the optimizer was built for.
            learning_rate: of this step, a scalar.
        """
        op = self.fused_update((variable.spec.size,), (False,))
        if op is None:
            raise NotImplementedError(f"{type(self).__name__} must define update_step or fused_update.")
        states = [
            *(self._slots_of_one[variable][name] for name in self.slot_names),
            self._state_variable(variable),
        ]
        inputs = [ops.reshape(x, (-1,)) for x in (gradient, *states[:-1])] + [convert(states[-1])]
        rate, done = cast(learning_rate, "float32"), ops.add(self.iterations, 1)
        new = apply(op, convert(True), rate, done, *inputs)
        for state, value in zip(states, new if op.n_outputs > 1 else [new], strict=True):
            state.assign(ops.reshape(value, state.shape))

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable in `update_step`."""
        self._state_variable(variable).assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable in `update_step`."""
        self._state_variable(variable).assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable in `update_step`."""
        self._state_variable(variable).assign_sub(value)

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A new slot of a variable's shape, in the dtype that the variable is computed in.

        A variable that had a slot of this name before a change of the list of variables keeps its value.
        """
        own = self._slots_of_one.setdefault(reference_variable, {})
        name, dtype = name or f"slot_{len(own)}", wide(reference_variable.dtype)
        first = self._kept_values.get(reference_variable, {}).get(name)
        if first is None:
            first = initializers.get(initializer)(reference_variable.shape, dtype=dtype)
        path = f"{self.name}/{reference_variable.path}/{name}"
        slot = Variable(first, dtype=dtype, trainable=False, name=name, path=path)
        own[name] = slot
        self.slots.append(slot)
        return slot

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Name variables, or parts of their paths, that weight decay leaves alone; before the first step.

        Raises:
            ValueError: the optimizer has made a step already.
        """
        if self.built:
            raise ValueError(
                explain(
                    f"{self.name}: exclude_from_weight_decay() must come before the first step.",
                    fix="Call it right after creating the optimizer.",
                )
            )
        self._undecayed.update(var_list or ())
        self._no_decay_names += tuple(var_names or ())

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """A new slot of each variable, as `add_variable_from_reference` makes it.

        Args:
            trainable_variables: the variables.
            name: of the slots; or several names.
            initializer: what the slots begin with; or one for each name.

        Returns:
            list of slots; a tuple of lists for several names.
        """
        if isinstance(name, str):
            return [self.add_variable_from_reference(v, name, initializer) for v in trainable_variables]
        several = initializer if isinstance(initializer, list | tuple) else [initializer] * len(name)
        pairs = list(zip(name, several, strict=True))
        made = [[self.add_variable_from_reference(v, *pair) for pair in pairs] for v in trainable_variables]
        return tuple([row[i] for row in made] for i in range(len(pairs)))

    def _get_variable_index(self, variable: Variable) -> int:
        """The number of a variable in the list given to `build`, under the name that subclasses know."""
        return next(i for i, known in enumerate(self._trained_variables) if known is variable)

    @property
    def _is_fused(self) -> bool:
        """Whether one operation updates all; not where a subclass has an `update_step` of its own."""
        of = next(cls for cls in type(self).__mro__ if {"fused_update", "update_step"} & vars(cls).keys())
        return of is not Optimizer and "fused_update" in vars(of)

    def _gradient_pairs(
        self, grads: list[Any], variables: list[Variable]
    ) -> tuple[list[Any], list[Variable]]:
        if len(grads) != len(variables):
            raise ValueError(
                explain(
                    f"{self.name}.apply() needs one gradient per variable.",
                    expected=len(variables),
                    received=len(grads),
                )
            )
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        if not pairs:
            raise ValueError(
                explain(
                    f"{self.name}.apply(): no variable has a gradient; the loss depends on none of them.",
                    received=missing or "no variables",
                    fix="Check trainable=False, stop_gradient, and that the loss uses the model's output.",
                )
            )
        if missing:
            warnings.warn(
                f"{self.name}: the loss does not depend on {', '.join(missing)}; left unchanged.",
                stacklevel=3,
            )
        return [g for g, _ in pairs], [v for _, v in pairs]

    def _all_finite(self, *flat: Any) -> Any:
        """Whether this step may change anything: gradients and everything checked before are finite."""
        flag = apply(AllFinite(), *flat)
        trace = current_trace()
        return flag if trace is None else trace.require(as_value(flag))

    def _clipped_gradients(self, flat: dict[str, Any], groups: dict[str, list[Variable]]) -> dict[str, Any]:
        """The gradients of each dtype, within the limits."""
        if self.clipvalue is not None:
            most = float(self.clipvalue)
            return {dtype: ops.clip(g, -most, most) for dtype, g in flat.items()}
        limit = self.clipnorm if self.clipnorm is not None else self.global_clipnorm
        if limit is None:
            return flat
        together = self.clipnorm is None
        if together and len(flat) > 1:
            return _clipped_together(flat, float(limit))
        clipped = {}
        for dtype, gradient in flat.items():
            sizes = _sizes(groups[dtype])
            factors = apply(ClipFactors(sizes, float(limit), together), gradient)
            clipped[dtype] = apply(ScaleSegments(sizes), gradient, factors)
        return clipped

    def _apply_fused(
        self, flag: Any, rate: Any, step: Any, flat: Any, group: list[Variable], slots: list[Variable]
    ) -> None:
        op = self.fused_update(_sizes(group), tuple(self._is_decayed(v) for v in group))
        states = [*slots, *(self._state_variable(v) for v in group)]
        new = apply(op, flag, rate, step, flat, *(convert(s) for s in states))
        for state, value in zip(states, new if op.n_outputs > 1 else [new], strict=True):
            state.assign(value)

    def _apply_steps(self, rate: Any, flat: Any, group: list[Variable]) -> None:
        for variable, place in zip(group, segments(_sizes(group)), strict=True):
            state = self._state_variable(variable)
            if self.weight_decay and self._is_decayed(variable):
                state.assign(ops.subtract(state, ops.multiply(state, ops.multiply(rate, self.weight_decay))))
            self.update_step(ops.reshape(flat[place], variable.shape), variable, rate)

    def _is_decayed(self, variable: Variable) -> bool:
        return variable not in self._undecayed and not any(n in variable.path for n in self._no_decay_names)

    # ------------------------------------------------------------------------------------------------- state

    def state(self, names: Mapping[Variable, str] | None = None) -> dict[str, Any]:
        """Iterations, learning rate and slots, as NumPy copies by name.

        Args:
            names: of the weights to which slots belong; default their paths.

        Returns:
            {"iterations", "learning_rate", "slots": {weight: {slot: array}}}.
        """
        named = names or {}
        slots = {named.get(v, v.path): values for v, values in self.slot_values().items()}
        return {
            "iterations": self.iterations.numpy(),
            "learning_rate": self._rate_variable.numpy(),
            "slots": slots,
        }

    def set_state(self, state: Mapping[str, Any], variables: Mapping[str, Variable] | None = None) -> None:
        """Set what `state` gave; slots that are not there yet are made.

        Args:
            state: what `state` gave.
            variables: the weights by name; default by their paths, once the optimizer is built.

        Raises:
            ValueError: an entry, a weight or a slot is missing or unknown, or is of another shape.
        """
        check_names(self.name, ("iterations", "learning_rate", "slots"), state)
        known = variables or {v.path: v for v in self._trained_variables}
        strange = [name for name in state["slots"] if name not in known]
        if strange:
            hint = did_you_mean(strange[0], known)
            raise ValueError(f"{self.name}: slots of {strange[0]!r}, which is no weight here. {hint}")
        slots = {known[name]: values for name, values in state["slots"].items()}
        if not self.built and slots:
            self.build(list(slots))
        names, there = {v: name for name, v in known.items()}, self.slot_values()
        check_names(f"{self.name}, slots", [names.get(v, v.path) for v in there], state["slots"])
        for variable, own in there.items():
            check_names(f"{self.name}, slots of {names[variable]!r}", own, slots[variable])
        self.set_slot_values(slots)
        self._rate_variable.assign(state["learning_rate"])
        self.iterations.assign(state["iterations"])

    # ------------------------------------------------------------------------------------------- description

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        rate = (
            schedules.serialize(self._rate_schedule)
            if self._rate_schedule is not None
            else float(self._rate_variable.numpy())
        )
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
            **{name: KERAS_ONLY[name].taken[0] for name in _NOT_OFFERED},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """An optimizer from `get_config()`, without state.

        Args:
            config: what `get_config` gave.
            custom_objects: classes of schedules by name, for the learning rate.
        """
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": schedules.deserialize(rate, custom_objects)}
        return cls(**config)


class PartOf:
    """A part of a flat variable, as if it were a variable of a shape.

    Args:
        whole: the flat variable.
        place: from where to where.
        shape: of the part.
    """

    def __init__(self, whole: Variable, place: slice, shape: tuple[int, ...]) -> None:
        self.whole, self.place, self.shape = whole, place, shape
        self.name, self.dtype = whole.name, whole.dtype

    def numpy(self) -> np.ndarray:
        """A copy of the contents."""
        return self.whole.device.download(self.whole.array[self.place]).reshape(self.shape)

    def fill(self, value: Any) -> None:
        """Set the contents, outside of traced functions."""
        host = np.ascontiguousarray(value, self.dtype).reshape(-1)
        self.whole.device.upload(host, self.whole.array[self.place])


def _as_it_is(flat: Any) -> Any:
    return flat


def wide(dtype: str) -> str:
    """The dtype in which variables of `dtype` are trained: float32 for 16-bit ones."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def _by_dtype(variables: Sequence[Variable]) -> dict[str, list[Variable]]:
    """Variables by the dtype in which they are trained."""
    groups: dict[str, list[Variable]] = {}
    for variable in variables:
        groups.setdefault(wide(variable.dtype), []).append(variable)
    return groups


def _sizes(variables: Sequence[Variable]) -> tuple[int, ...]:
    return tuple(v.spec.size for v in variables)


def _put(
    values: Mapping[Variable, Mapping[str, Any]], name: str, group: Sequence[Variable], flat: np.ndarray
) -> np.ndarray:
    """The flat slot `name` of a group, with what `values` has of it written in."""
    for variable, place in zip(group, segments(_sizes(group)), strict=True):
        if name in values.get(variable, {}):
            flat[place] = np.reshape(values[variable][name], -1)
    return flat


def _clipped_together(flat: dict[str, Any], limit: float) -> dict[str, Any]:
    """Gradients of several dtypes, whose norm together is at most `limit`; float64 counts the squares."""
    squares = [ops.sum(ops.square(cast(g, "float64"))) for g in flat.values()]
    norm = ops.sqrt(functools.reduce(ops.add, squares))
    factor = ops.divide(limit, ops.maximum(norm, limit))
    return {dtype: ops.multiply(g, cast(factor, dtype)) for dtype, g in flat.items()}


def _checked_decay(name: str, value: Any) -> float | None:
    """None, or a number from 0 on."""
    if value is not None and not (is_number(value) and 0 <= value < np.inf):
        rule = f"{name}: weight_decay is None or a number from 0 on."
        raise ValueError(explain(rule, received=repr(value)))
    return value


def _check_clipping(name: str, **limits: float | None) -> None:
    given = {key: value for key, value in limits.items() if value is not None}
    if len(given) > 1:
        raise ValueError(
            explain(
                f"{name}: only one of clipnorm, clipvalue and global_clipnorm can be set.", received=given
            )
        )
    for key, value in given.items():
        if not (is_number(value) and value > 0):
            raise ValueError(explain(f"{name}: {key} must be a positive number.", received=repr(value)))
