"""Read the model of a file, and write it in another format.

examples:
  gputrain convert model.h5 model.keras          # a file of Keras 2 becomes one of Keras 3
  gputrain convert model.keras model.safetensors
  gputrain convert --no-compile model.h5 model.keras

Models are read from .keras and .h5 files and from folders. The ending of TARGET says what is written: a whole
model (.keras), or its weights (.weights.h5, .safetensors, .npz). A file of weights alone is not read: weights
are loaded into their model, by model.load_weights() in a program.
"""

from __future__ import annotations

from pathlib import Path

from gputrain.app.cli.command import Arguments, Command, option
from gputrain.errors import UsageError, explain
from gputrain.models import Model, load_model
from gputrain.saving.inspecting import inspect_file

_OF_WEIGHTS = (".weights.h5", ".safetensors", ".npz")
_ENDINGS = (".keras", *_OF_WEIGHTS)


def _run(args: Arguments) -> None:
    source, target = Path(args.source), Path(args.target)
    _check(source, target, args.overwrite)
    model: Model = load_model(source, compile=not args.no_compile)
    if target.suffix == ".keras":
        model.save(target, overwrite=args.overwrite)
    else:
        model.save_weights(target, overwrite=args.overwrite)
    print(f"{target}: {model.name}, {model.count_params()} parameters")


def _check(source: Path, target: Path, overwrite: bool) -> None:
    """Refuse what cannot be done before anything is built."""
    if not target.name.endswith(_ENDINGS):
        fix = f"Write {str(target.with_suffix('.keras'))!r}." if target.suffix == ".h5" else None
        rule = "The ending of TARGET says what is written."
        raise UsageError(explain(rule, expected=", ".join(_ENDINGS), received=repr(str(target)), fix=fix))
    if target.exists() and not overwrite:
        raise FileExistsError(explain(f"{target} is there already.", fix="Add --overwrite to replace it."))
    if not inspect_file(source).kind:
        rule = f"{source} holds weights alone, and a model is converted as a whole."
        fix = "Make the model in a program, then model.load_weights() and model.save()."
        raise UsageError(explain(rule, fix=fix))


COMMAND = Command(
    _run,
    __doc__,
    (
        option("source", "a .keras or .h5 file of a whole model, or a folder", "SOURCE"),
        option("target", "the file to write", "TARGET"),
        option("--overwrite", "replace TARGET where it is there", action="store_true"),
        option("--no-compile", "leave out what compile was given, and the optimizer", action="store_true"),
    ),
)
