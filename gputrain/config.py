"""Settings of the process: backend, float type, seed, determinism.

A value is taken from the first place that has one: the setter (`set_floatx("float64")`), the environment
(`GPUTRAIN_FLOATX`), the config file, the default. The file is TOML, at `$GPUTRAIN_CONFIG` or else at
`$XDG_CONFIG_HOME/gputrain/config.toml` (`~/.config` when XDG_CONFIG_HOME is not set):

    backend = "numpy"
    floatx = "float32"
    seed = 7

Nothing is read before the first question, so importing this module touches neither environment nor disk.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gputrain.errors import UsageError
from gputrain.names import did_you_mean, public

__all__ = [
    "ConfigError",
    "Setting",
    "allow_tf32",
    "backend",
    "config_path",
    "cpu_instructions",
    "cpu_kernels",
    "cuda_graphs",
    "deterministic",
    "device",
    "device_number",
    "draws",
    "dropped_masks",
    "epsilon",
    "file_memory",
    "floatx",
    "get",
    "image_data_format",
    "model_memory",
    "nan_inputs",
    "next_draw",
    "nonfinite_steps",
    "put",
    "read_ahead",
    "reset",
    "seed",
    "set_allow_tf32",
    "set_backend",
    "set_cpu_instructions",
    "set_cpu_kernels",
    "set_cuda_graphs",
    "set_deterministic",
    "set_device",
    "set_draws",
    "set_dropped_masks",
    "set_epsilon",
    "set_file_memory",
    "set_floatx",
    "set_image_data_format",
    "set_model_memory",
    "set_nan_inputs",
    "set_nonfinite_steps",
    "set_read_ahead",
    "set_seed",
]

Value = str | int | float | bool | None


class ConfigError(UsageError):
    """A setting has a wrong name, type or value, or the config file cannot be read."""


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings.

    Attributes:
        default: the value when nobody says otherwise.
        kind: the type of a value (str, int, float or bool).
        rule: what a value must be, in words, for errors.
        holds: says whether a value of the right type is allowed.
        env: the environment variable, if there is one.
    """

    default: Value
    kind: type
    rule: str
    holds: Callable[[Any], bool]
    env: str | None = None


def _choice(default: str, *others: str, env: str | None = None) -> Setting:
    names = (default, *others)
    return Setting(default, str, f"one of {', '.join(map(repr, names))}", names.__contains__, env)


def _flag(default: bool, env: str) -> Setting:
    return Setting(default, bool, "true or false", lambda value: True, env)


def _bytes(default: int, env: str) -> Setting:
    return Setting(default, int, "a number of bytes from 0 to 2**62", lambda n: 0 <= n <= 2**62, env)


def _names_gpu(value: str) -> bool:
    kind, _, number = value.partition(":")
    return kind == "cuda" and number.isdecimal() and len(number) < 4


SETTINGS: dict[str, Setting] = {
    "backend": _choice("auto", "numpy", "cupy", "emulated", env="GPUTRAIN_BACKEND"),
    "device": Setting("cuda:0", str, 'a GPU as "cuda:0", "cuda:1", ...', _names_gpu, "GPUTRAIN_DEVICE"),
    "floatx": _choice("float32", "float16", "float64", env="GPUTRAIN_FLOATX"),
    "epsilon": Setting(1e-7, float, "a number above 0 and below 1", lambda value: 0.0 < value < 1.0),
    "seed": Setting(None, int, "an integer from 0 to 2**64 - 1", lambda n: 0 <= n < 2**64, "GPUTRAIN_SEED"),
    "image_data_format": _choice("channels_last", "channels_first"),
    "allow_tf32": _flag(False, "GPUTRAIN_ALLOW_TF32"),
    "nan_inputs": _choice("error", "allow", env="GPUTRAIN_NAN_INPUTS"),
    "dropped_masks": _choice("warn", "error", env="GPUTRAIN_DROPPED_MASKS"),
    "nonfinite_steps": _choice("stop", "skip", env="GPUTRAIN_NONFINITE_STEPS"),
    "deterministic": Setting(
        True,
        bool,
        "true: all kernels add in a fixed order, and there are no faster ones",
        lambda value: value,
        "GPUTRAIN_DETERMINISTIC",
    ),
    "cuda_graphs": _flag(True, "GPUTRAIN_CUDA_GRAPHS"),
    "read_ahead": _flag(True, "GPUTRAIN_READ_AHEAD"),
    "cpu_kernels": _flag(True, "GPUTRAIN_CPU_KERNELS"),
    "cpu_instructions": _choice("auto", "avx512", "avx2", "baseline", env="GPUTRAIN_CPU_INSTRUCTIONS"),
    "file_memory": _bytes(1 << 30, "GPUTRAIN_FILE_MEMORY"),
    "model_memory": _bytes(16 << 20, "GPUTRAIN_MODEL_MEMORY"),
}

_WORDS = {
    "1": True, "true": True, "yes": True, "on": True,
    "0": False, "false": False, "no": False, "off": False,
}  # fmt: skip


class _State:
    """What has been set or read so far in this process."""

    def __init__(self) -> None:
        self.given: dict[str, Value] = {}
        self.file: dict[str, Value] | None = None
        self.drawn_seed: int | None = None
        self.count_draws(0)

    def count_draws(self, number: int) -> None:
        """Give the next draw this number."""
        self.draws, self.drawn = itertools.count(number), number


_state = _State()


def reset() -> None:
    """Forget all setters, the config file read so far, the seed drawn and the draw index."""
    global _state
    _state = _State()


def get(name: str) -> tuple[Value, str]:
    """Return the value of setting `name` and where it came from.

    Args:
        name: a setting, as "floatx".

    Returns:
        (value, source): source is "set", "environment variable X", "config file X" or "default".

    Raises:
        ConfigError: unknown name, or a wrong value in the environment or the config file.

    Example:
        >>> get("floatx")
        ('float32', 'default')
    """
    setting = _setting(name, "gputrain.config.get")
    if name in _state.given:
        return _state.given[name], "set"
    text = os.environ.get(setting.env, "") if setting.env else ""
    if text:
        where = f"environment variable {setting.env}"
        return _checked(name, _parsed(setting, text), where), where
    file = _config_file()
    if name in file:
        return file[name], f"config file {config_path()}"
    return setting.default, "default"


def put(name: str, value: Value) -> None:
    """Set `name` for this process; it overrides environment and config file. None forgets an earlier setting.

    Args:
        name: a setting, as "floatx".
        value: its value, or None.

    Raises:
        ConfigError: unknown name or wrong value.
    """
    _setting(name, "gputrain.config.put")
    if value is None:
        _state.given.pop(name, None)
    else:
        _state.given[name] = _checked(name, value, f"set_{name}()")


def config_path() -> Path:
    """Return the path of the config file, whether or not it exists."""
    named = os.environ.get("GPUTRAIN_CONFIG")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "gputrain" / "config.toml"


def backend() -> str:
    """Return the backend asked for: "auto", "numpy", "cupy" or "emulated"."""
    return cast(str, get("backend")[0])


def set_backend(name: str) -> None:
    """Set the backend: "auto", "numpy", "cupy" or "emulated".

    Args:
        name: one of those.
    """
    put("backend", name)


def device() -> str:
    """Return which GPU the "cupy" backend uses, as "cuda:0"."""
    return cast(str, get("device")[0])


def device_number() -> int:
    """Return the number of the GPU that the "cupy" backend uses."""
    return int(device().partition(":")[2])


def set_device(name: str) -> None:
    """Set which GPU the "cupy" backend uses: "cuda:0", "cuda:1" and so on, before any model is made.

    Args:
        name: as above.

    Example:
        >>> set_device("cuda:1")
        >>> device_number()
        1
    """
    put("device", name)


def floatx() -> str:
    """Return the float type of weights and activations when none is given, as "float32"."""
    return cast(str, get("floatx")[0])


def set_floatx(value: str) -> None:
    """Set the default float type: "float16", "float32" or "float64".

    Args:
        value: one of those.

    Example:
        >>> set_floatx("float64")
        >>> floatx()
        'float64'
    """
    put("floatx", value)


def epsilon() -> float:
    """Return the small number that keeps divisions and logarithms finite (1e-7 by default)."""
    return cast(float, get("epsilon")[0])


def set_epsilon(value: float) -> None:
    """Set the small number used to keep divisions and logarithms finite.

    Args:
        value: above 0 and below 1.
    """
    put("epsilon", value)


def image_data_format() -> str:
    """Return where images have their channels: "channels_last" or "channels_first"."""
    return cast(str, get("image_data_format")[0])


def set_image_data_format(data_format: str) -> None:
    """Set where images have their channels: "channels_last" or "channels_first".

    Args:
        data_format: one of those.
    """
    put("image_data_format", data_format)


def allow_tf32() -> bool:
    """Return whether float32 matrix products on a GPU may round inputs to TF32 (10 bits of mantissa)."""
    return cast(bool, get("allow_tf32")[0])


def set_allow_tf32(value: bool) -> None:
    """Allow or forbid TF32 in matrix products on a GPU.

    Args:
        value: True allows it.
    """
    put("allow_tf32", value)


def nan_inputs() -> str:
    """Return what happens to NaN and infinity in training data: "error" (default) or "allow"."""
    return cast(str, get("nan_inputs")[0])


def set_nan_inputs(policy: str) -> None:
    """Set what happens to NaN and infinity in training data: "error" or "allow".

    Args:
        policy: one of those.
    """
    put("nan_inputs", policy)


def dropped_masks() -> str:
    """Return what happens where a layer does not take the mask of its inputs: "warn" (default) or "error"."""
    return cast(str, get("dropped_masks")[0])


def set_dropped_masks(policy: str) -> None:
    """Set what happens where a layer does not take the mask of its inputs: "warn" or "error".

    Behind such a layer padding counts as data. With "error" a model that does so is refused when it is made,
    or at its first step.

    Args:
        policy: one of those.
    """
    put("dropped_masks", policy)


def nonfinite_steps() -> str:
    """Return what becomes of training at a step that gives NaN or infinity: "stop" (default) or "skip"."""
    return cast(str, get("nonfinite_steps")[0])


def set_nonfinite_steps(policy: str) -> None:
    """Set what becomes of training at a step that gives NaN or infinity: "stop" or "skip".

    Such a step never changes anything. With "stop" it ends training, with an error that names the operation
    that began it. With "skip" it is counted (`model.skipped_steps`, and "skipped_steps" in the history), logs
    leave it out and training goes on; 20 in a row end it, with the same error.

    Args:
        policy: one of those.
    """
    put("nonfinite_steps", policy)


def deterministic() -> bool:
    """Return True: two runs with one seed on one device are bit-equal."""
    return cast(bool, get("deterministic")[0])


def set_deterministic(value: bool) -> None:
    """Demand bit-equal runs, which all are: there are no faster kernels that False could allow.

    Args:
        value: True.

    Raises:
        ConfigError: anything else.
    """
    put("deterministic", value)


def cuda_graphs() -> bool:
    """Return whether a step on a GPU is recorded as a CUDA graph and replayed (True by default)."""
    return cast(bool, get("cuda_graphs")[0])


def set_cuda_graphs(value: bool) -> None:
    """Record steps on a GPU as CUDA graphs, or launch each of their kernels anew, which is slower.

    Args:
        value: True records.
    """
    put("cuda_graphs", value)


def read_ahead() -> bool:
    """Return whether a thread reads the next batches of a generator while a GPU works (True by default)."""
    return cast(bool, get("read_ahead")[0])


def set_read_ahead(value: bool) -> None:
    """Let a thread read the next batches of a generator while a GPU works, or read each when it is needed.

    Args:
        value: True lets it.
    """
    put("read_ahead", value)


def file_memory() -> int:
    """Return how many bytes the arrays of one data file may take (1 GiB by default)."""
    return cast(int, get("file_memory")[0])


def cpu_kernels() -> bool:
    """Return whether the CPU device uses the compiled kernels, where they were built."""
    return cast(bool, get("cpu_kernels")[0])


def set_cpu_kernels(value: bool) -> None:
    """Use the compiled kernels of the CPU device, or NumPy alone; before any model is made.

    Args:
        value: False means NumPy alone.

    Example:
        >>> set_cpu_kernels(False)
        >>> cpu_kernels()
        False
    """
    put("cpu_kernels", value)


def cpu_instructions() -> str:
    """Return the instruction set of the compiled kernels: "auto", "avx512", "avx2" or "baseline"."""
    return cast(str, get("cpu_instructions")[0])


def set_cpu_instructions(name: str) -> None:
    """Set the instruction set of the compiled kernels, before any model is made.

    Args:
        name: "auto" (the best that the processor has), "avx512", "avx2" or "baseline". Where the processor
            lacks it, NumPy is used, with a warning.
    """
    put("cpu_instructions", name)


def set_file_memory(size: int) -> None:
    """Set how many bytes the arrays of one data file may take that is read whole; a larger file is refused.

    Args:
        size: in bytes.
    """
    put("file_memory", size)


def model_memory() -> int:
    """Return how many bytes a model that is loaded may take beside its weights (16 MiB by default)."""
    return cast(int, get("model_memory")[0])


def set_model_memory(size: int) -> None:
    """Set how many bytes a model that is loaded may take beside four times the weights that its file has.

    Args:
        size: in bytes.
    """
    put("model_memory", size)


def seed() -> int:
    """Return the global seed. If none is set, one is drawn, once, so that a run can say which it used.

    Example:
        >>> set_seed(7)
        >>> seed()
        7
    """
    value = get("seed")[0]
    if value is not None:
        return cast(int, value)
    if _state.drawn_seed is None:
        _state.drawn_seed = int.from_bytes(os.urandom(4), "little")
    return _state.drawn_seed


def set_seed(n: int | None) -> None:
    """Set the global seed and start again at the first draw. None draws a fresh seed at the next question.

    Args:
        n: an integer from 0 to 2**64 - 1, or None.

    Raises:
        ConfigError: anything else.
    """
    put("seed", n)
    _state.drawn_seed = None
    _state.count_draws(0)


def next_draw() -> int:
    """Return 0, 1, 2 ...: how many draws without a seed of their own came before, since `set_seed`."""
    number = next(_state.draws)
    _state.drawn = number + 1
    return number


def draws() -> int:
    """Return how many draws without a seed of their own were made since `set_seed`."""
    return _state.drawn


def set_draws(number: int) -> None:
    """Let the next draw without a seed of its own be that of `number`, as in a run that is resumed.

    Args:
        number: what `draws` returned.
    """
    _state.count_draws(number)


def _setting(name: str, where: str) -> Setting:
    if name not in SETTINGS:
        raise ConfigError(f"Unknown setting {name!r} in {where}. {did_you_mean(name, SETTINGS)}")
    return SETTINGS[name]


def _checked(name: str, value: object, where: str) -> Value:
    setting = SETTINGS[name]
    if setting.kind is float and type(value) is int:
        value = float(value)
    if setting.kind is int and not isinstance(value, bool) and hasattr(value, "__index__"):
        value = value.__index__()
    if type(value) is not setting.kind or not setting.holds(value):
        known = did_you_mean(value, _choices(setting)) if isinstance(value, str) and _choices(setting) else ""
        raise ConfigError(
            f"Setting {name!r} must be {setting.rule}. {where} gives {value!r} of type "
            f"{type(value).__name__}. {known}".rstrip()
        )
    return cast(Value, value)


def _choices(setting: Setting) -> tuple[str, ...]:
    return tuple(getattr(setting.holds, "__self__", ()))


def _parsed(setting: Setting, text: str) -> object:
    """Turn the text of an environment variable into a value, or leave it for `_checked` to refuse."""
    text = text.strip()
    if setting.kind is bool:
        return _WORDS.get(text.lower(), text)
    if setting.kind is str:
        return text
    try:
        return setting.kind(text)
    except ValueError:
        return text


def _config_file() -> dict[str, Value]:
    if _state.file is None:
        _state.file = _read_file(config_path())
    return _state.file


def _read_file(path: Path) -> dict[str, Value]:
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get("GPUTRAIN_CONFIG"):
            raise ConfigError(
                f"GPUTRAIN_CONFIG must name a config file. There is none at {path}. "
                f"Create it or unset the variable."
            ) from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The config file must be readable TOML. {path}: {error}.") from error
    for name in table:
        _setting(name, f"config file {path}")
    return {name: _checked(name, value, f"Config file {path}") for name, value in table.items()}


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("setting", __name__, __all__)
