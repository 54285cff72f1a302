"""Whole models and weights in files: Keras 3's `.keras` and `.weights.h5`, safetensors and npz.

A `.keras` file is a zip file of config.json (layers, calls, what `compile` was given), metadata.json
(versions), model.weights.h5 (variables of layers and optimizers), and assets/ for classes with `save_assets`.
Where h5py is missing, the variables are written as model.weights.safetensors.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.errors import explain
from gputrain.optimizers import Optimizer
from gputrain.release import KERAS_VERSION, __version__
from gputrain.saving import keras_paths, legacy
from gputrain.saving.configs import MOST_TEXT, built, excess_of, json_object
from gputrain.saving.files import hdf5, npz, safetensors
from gputrain.saving.files.arrays import ArrayFile
from gputrain.saving.files.kinds import foreign, kind_of_place
from gputrain.saving.loading import load_into, most_stored
from gputrain.saving.parts import (
    ASSETS,
    CONFIG,
    METADATA,
    WEIGHTS_H5,
    WEIGHTS_SAFETENSORS,
    PartReader,
    opened_parts,
)
from gputrain.utils.files import require_folder, write_atomically
from gputrain.utils.notes import note
from gputrain.utils.registry import described

FORMAT = 1  # of what gputrain adds; a file with a higher number is not read
_KERAS_MAJOR = 3
_MOST_ASSETS = 1 << 30  # bytes of all files for one layer
_WITHOUT_H5PY = (
    "Without the package h5py a model is saved with its weights as safetensors inside: gputrain reads that, "
    "Keras does not. Install it with pip install 'gputrain[files]' for files that Keras reads."
)


# ----------------------------------------------------------------------------------------------- whole models


def save_model(
    model: Any, filepath: FilePath, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Save a model as a whole: layers, weights, what `compile` was given, and the optimizer's state.

    Keras 3 reads the file. It is written whole or not at all. A folder gets its parts when all of them are
    written, in place of those of a model that was there; it is no model in between.

    Args:
        model: a model. Where classes of its layers are your own, `load_model` needs them registered.
        filepath: ends in ".keras"; with zipped=False the name of a folder.
        overwrite: whether a file that is there may be replaced.
        zipped: False writes the parts into a folder.
        kwargs: include_optimizer=False leaves out the optimizer's state and what `compile` was given.

    Raises:
        ValueError: another ending, or an unknown argument.
        FileExistsError: a file is there, and overwrite=False.
        OSError: the file cannot be written.

    Example:
        >>> save_model(model, "model.keras")
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    _no_others(kwargs, "save_model", "overwrite, zipped, include_optimizer")
    path = Path(filepath)
    is_zipped = zipped is None or bool(zipped)
    if is_zipped != (path.suffix == ".keras"):
        rule = f"{model.name}: a saved model is a file ending in .keras, or with zipped=False a folder."
        name = str(Path(str(path).removesuffix(".zip")).with_suffix(".keras"))
        fix = f"Write {name!r}." if is_zipped else "Give the folder another name."
        raise ValueError(explain(rule, received=f"{str(path)!r}", fix=fix))
    _require_free(path, overwrite)
    if is_zipped:
        require_folder(path, model.name)
    if not model.built:
        rule = f"{model.name} is saved before it is built: the file has no weights."
        warnings.warn(explain(rule, fix="Call it on data first, or build(input_shape)."), stacklevel=3)
    parts = _Parts(model, include_optimizer)
    if parts.weights != WEIGHTS_H5:
        note(_WITHOUT_H5PY)
    if not is_zipped:
        parts.write_folder(path)
        return
    write_atomically(path, parts.write_zip)


class _Parts:
    """The parts of a saved model."""

    def __init__(self, model: Any, include_optimizer: bool) -> None:
        config = described(model)
        if not include_optimizer:
            config["compile_config"] = {}
        self.objects = _objects(model, (), include_optimizer)
        now = datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
        metadata = {
            "keras_version": KERAS_VERSION,
            "date_saved": now,
            "gputrain_version": __version__,
            "gputrain_format": FORMAT,
        }
        self.texts = {METADATA: json.dumps(metadata), CONFIG: json.dumps(config)}
        if excess := excess_of(self.texts[CONFIG].encode()):
            rule = f"{model.name}: the config of a model that is saved has {excess[0]}."
            fix = "Keep long lists, as a vocabulary, in files."
            raise ValueError(explain(rule, received=excess[1], fix=fix))
        self.weights = WEIGHTS_H5 if hdf5.is_there() else WEIGHTS_SAFETENSORS

    def write_weights(self, stream: Any) -> None:
        """The variables, in the format of the name of their part."""
        module = hdf5 if self.weights == WEIGHTS_H5 else safetensors
        module.write_into(stream, keras_paths.saved_arrays(self.objects), keras_paths.names_of(self.objects))

    def write_zip(self, stream: Any) -> None:
        """All parts as members of a zip file."""
        from zipfile import ZipFile

        with ZipFile(stream, "w") as archive:
            for name, text in self.texts.items():
                archive.writestr(name, text)
            with (
                archive.open(self.weights, "w", force_zip64=True) as member,
                tempfile.TemporaryFile() as file,
            ):
                self.write_weights(file)
                file.seek(0)
                shutil.copyfileobj(file, member, 1 << 20)
            for name, source in self._assets():
                archive.write(source, name)

    def write_folder(self, path: Path) -> None:
        """All parts as files of a folder, in place of those of a model that was there."""
        path.mkdir(parents=True, exist_ok=True)
        _require_no_foreign_assets(path)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as beside:
            new = Path(beside)
            write_atomically(new / self.weights, self.write_weights)
            for name, source in self._assets():
                target = new / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, _copier(source))
            for name, text in self.texts.items():
                write_atomically(new / name, _writer(text.encode()))
            _replace_parts(path, new)

    def _assets(self) -> Iterator[tuple[str, Path]]:
        """Files that layers write by `save_assets`: names and where they lie while this goes on."""
        for path, item in self.objects.items():
            if not hasattr(item, "save_assets"):
                continue
            with tempfile.TemporaryDirectory() as folder:
                item.save_assets(folder)
                for source in sorted(Path(folder).rglob("*")):
                    if source.is_file():
                        yield "/".join((ASSETS, path, source.relative_to(folder).as_posix())), source


def _require_no_foreign_assets(path: Path) -> None:
    """Refuse a folder whose assets are not those of a model, which would be replaced."""
    if (path / ASSETS).exists() and not any((path / name).exists() for name in (CONFIG, METADATA)):
        rule = f"{path} holds {ASSETS!r}, and is no saved model."
        raise FileExistsError(explain(rule, fix="Choose another name for the folder of the model."))


def _replace_parts(path: Path, new: Path) -> None:
    """Move parts into the folder of a model. The config, which makes it one, goes first and comes last."""
    (path / CONFIG).unlink(missing_ok=True)
    for name in (WEIGHTS_H5, WEIGHTS_SAFETENSORS):
        (path / name).unlink(missing_ok=True)
    if (path / ASSETS).exists():
        shutil.rmtree(path / ASSETS)
    for name in (METADATA, WEIGHTS_H5, WEIGHTS_SAFETENSORS, ASSETS, CONFIG):
        if (new / name).exists():
            os.replace(new / name, path / name)


def _copier(source: Path) -> Callable[[Any], object]:
    return lambda stream: stream.write(source.read_bytes())


def _writer(content: bytes) -> Callable[[Any], object]:
    return lambda stream: stream.write(content)


def _objects(model: Any, skip: Iterable[Any], include_optimizer: bool = True) -> dict[str, Any]:
    """What is saved of a model, by path."""
    found = keras_paths.saved_objects(model, skip)
    return {p: item for p, item in found.items() if include_optimizer or not isinstance(item, Optimizer)}


def load_model(
    filepath: FilePath,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Load a model that `save_model` or Keras wrote, compiled as it was, with its optimizer's state.

    Nothing that the file says is run: names stand for registered classes and functions only.

    Args:
        filepath: a `.keras` file, a folder written with zipped=False, or a `.h5` file of Keras 2 or 3.
        custom_objects: classes and functions of yours by the names in the file, beside those that
            `register_keras_serializable` registered.
        compile: whether to compile the model as it was compiled.
        safe_mode: as in Keras; nothing unsafe is ever loaded, so only True is taken.

    Returns:
        the model.

    Raises:
        ValueError: a name that is not known, weights that do not fit, or safe_mode=False.
        CorruptFileError: the file is damaged, of another kind, or of a newer version.
        OSError: it cannot be opened.

    Example:
        >>> model = load_model("model.keras")
    """
    path = Path(filepath)
    if kind_of_place(path) == "hdf5":
        return legacy.load_model(path, custom_objects, compile, safe_mode)
    with opened_parts(path) as parts:
        config = checked_config(parts)
        if not compile:
            config["compile_config"] = None
        held = parts.size(parts.weights_name())
        model = built(config, path, CONFIG, held, custom_objects, safe_mode)
        with parts.weights(most_stored(model)) as file:
            load_into(model, file, path, is_new=True)
        _load_assets(model, parts)
    return model


def checked_config(parts: PartReader) -> dict[str, Any]:
    """The config of a model, of a version that is known."""
    metadata = _json(parts, METADATA) if parts.holds(METADATA) else {}
    keras, own = str(metadata.get("keras_version", "3")), metadata.get("gputrain_format", FORMAT)
    major = keras.partition(".")[0]
    is_newer_keras = major.isdigit() and int(major) > _KERAS_MAJOR
    newer = "gputrain" if own != FORMAT else "Keras" if is_newer_keras else None
    if newer:
        version = metadata.get("gputrain_version") if newer == "gputrain" else keras
        rule = f"the file was written by a newer {newer}, whose files may look different"
        expected = f"format {FORMAT}" if newer == "gputrain" else f"Keras {_KERAS_MAJOR}"
        fix = "Install a newer gputrain: pip install --upgrade gputrain."
        raise CorruptFileError(parts.path, rule, expected, f"{newer} {version}", fix)
    config = _json(parts, CONFIG)
    kinds: dict[str, tuple[type, ...]] = {"class_name": (str,), "config": (dict,)}
    kinds |= {key: (dict, type(None)) for key in ("build_config", "compile_config")}
    for key, allowed in kinds.items():
        if not isinstance(config.get(key), allowed):
            received = f"{key!r} is {type(config[key]).__name__}" if key in config else f"no {key!r}"
            expected = f"{key!r} is {' or '.join(kind.__name__ for kind in allowed)}"
            raise CorruptFileError(parts.path, f"{CONFIG} describes a model", expected, received)
    return config


def _json(parts: PartReader, name: str) -> dict[str, Any]:
    """A JSON object out of a part."""
    return json_object(parts.read(name, MOST_TEXT), parts.path, name)


def _load_assets(model: Any, parts: PartReader) -> None:
    """Give each layer with `load_assets` the files that are kept for it, in a folder."""
    owners = {
        path: item for path, item in keras_paths.saved_objects(model).items() if hasattr(item, "load_assets")
    }
    all_names = parts.names() if owners else []
    for path, item in owners.items():
        start = "/".join((ASSETS, path, "")) if path else f"{ASSETS}/"
        names = [name for name in all_names if name.startswith(start)]
        if names:
            with tempfile.TemporaryDirectory() as folder:
                _copy_assets(parts, {name: name.removeprefix(start) for name in names}, Path(folder))
                item.load_assets(folder)


def _copy_assets(parts: PartReader, names: Mapping[str, str], folder: Path) -> None:
    """Write some parts into a folder, under the names given, and nothing beside it."""
    left, top = _MOST_ASSETS, folder.resolve()
    for name, inside in names.items():
        target = (top / inside).resolve()
        if not target.is_relative_to(top):
            raise CorruptFileError(parts.path, "assets stay in their folder", "a relative name", repr(name))
        content = parts.read(name, left)
        left -= len(content)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            rule = "a name is that of a file or of a folder"
            raise CorruptFileError(parts.path, rule, "one of them", f"{name!r} as both") from None


# ---------------------------------------------------------------------------------------------- weights alone

_FORMATS = {".weights.h5": hdf5, ".safetensors": safetensors, ".npz": npz}


def save_weights(
    model: Any, filepath: FilePath, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    """Save the weights of a model, and the state of its optimizer, without its layers.

    Args:
        model: a model that is built.
        filepath: ends in ".weights.h5" (Keras 3's format), ".safetensors" or ".npz".
        overwrite: whether a file that is there may be replaced.
        max_shard_size: of Keras; the file is always one, so only None is taken.
        kwargs: objects_to_skip: layers that are left out.

    Raises:
        ValueError: another ending, a model that is not built, or an unknown argument.
        FileExistsError: a file is there, and overwrite=False.
        OSError: the file cannot be written.

    Example:
        >>> save_weights(model, "model.weights.h5")
    """
    skip = kwargs.pop("objects_to_skip", None) or ()
    _no_others(kwargs, "save_weights", "overwrite, max_shard_size, objects_to_skip")
    if max_shard_size is not None:
        rule = "save_weights writes one file."
        raise ValueError(explain(rule, received=f"max_shard_size={max_shard_size!r}", fix="Leave it out."))
    path = Path(filepath)
    module = next((module for ending, module in _FORMATS.items() if path.name.endswith(ending)), None)
    if module is None:
        rule = f"{model.name}: the name of a file of weights says its format."
        expected = f"an ending of {', '.join(_FORMATS)}"
        fix = f"Write {str(path.with_suffix('.weights.h5'))!r}." if path.suffix == ".h5" else None
        raise ValueError(explain(rule, expected=expected, received=repr(str(path)), fix=fix))
    if not model.built:
        rule = f"{model.name}: weights are saved once they exist."
        raise ValueError(explain(rule, fix="Call the model on data first, or build(input_shape)."))
    _require_free(path, overwrite)
    require_folder(path, model.name)
    objects = _objects(model, skip)
    module.write(path, keras_paths.saved_arrays(objects), keras_paths.names_of(objects))


def load_weights(model: Any, filepath: FilePath, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Load weights, and the state of the optimizer, into a model of the same layers.

    Layers are found by their place in the model and not by name. Nothing is changed unless all fits. A `.h5`
    file of Keras 2, or of `model.save` in Keras 3, has the weights alone, in the order of the layers.

    Args:
        model: a model that is built.
        filepath: a file of `save_weights`, of Keras's `save_weights`, or a whole model in a `.keras` or `.h5`
            file.
        skip_mismatch: warn about what does not fit and leave it as it is.
        kwargs: objects_to_skip: layers that are left as they are; by_name=True, for a `.h5` file of Keras 2:
            layers are found by their names, and others left as they are.

    Raises:
        ValueError: weights are missing, too many or of other shapes; a model that is not built.
        CorruptFileError: the file is damaged or of another kind.
        OSError: it cannot be opened.

    Example:
        >>> load_weights(model, "model.weights.h5")
    """
    skip, by_name = kwargs.pop("objects_to_skip", None) or (), kwargs.pop("by_name", None)
    _no_others(kwargs, "load_weights", "skip_mismatch, objects_to_skip, by_name")
    path = Path(filepath)
    if not model.built:
        rule = f"{model.name} has no weights yet that those of a file could replace."
        raise ValueError(explain(rule, fix="Call the model on data first, or build(input_shape)."))
    with opened_weights(path, model) as file:
        if legacy.is_legacy(file):
            if skip:
                rule = f"{path}: objects_to_skip is not for .h5 files of Keras 2."
                fix = "by_name=True leaves layers as they are whose names are not in the file."
                raise ValueError(explain(rule, fix=fix))
            legacy.load_into(model, file, skip_mismatch, bool(by_name))
            return
        if by_name:
            rule = f"{path}: by_name=True is for .h5 files of Keras 2: layers have no names in it."
            raise ValueError(explain(rule, fix="Leave it out: layers are found by their places."))
        load_into(model, file, path, skip_mismatch, skip)


@contextmanager
def opened_weights(path: Path, model: Any) -> Iterator[ArrayFile]:
    """The arrays of a file of weights, or of a whole model."""
    kind = kind_of_place(path)
    formats: dict[str, Any] = {"hdf5": hdf5, "safetensors": safetensors, "npz": npz}
    if kind in ("keras", "folder"):
        with opened_parts(path) as parts, parts.weights(most_stored(model)) as file:
            yield file
    elif kind in formats:
        told = {"attributes": True} if kind == "hdf5" else {}
        with formats[kind].opened(path, **told) as file:
            yield file
    else:
        rule = "load_weights reads files of weights"
        raise foreign(path, kind, rule, "an HDF5 file (.weights.h5 or .h5), .safetensors, .npz or .keras")


def _require_free(path: Path, overwrite: bool) -> None:
    """Refuse to replace what is there, unless that is wanted."""
    if path.exists() and not overwrite:
        rule = f"{path} is there already."
        raise FileExistsError(explain(rule, fix="Choose another name, or pass overwrite=True."))


def _no_others(kwargs: Mapping[str, Any], where: str, known: str) -> None:
    if kwargs:
        rule = f"{where} has no such argument."
        raise ValueError(explain(rule, expected=known, received=", ".join(sorted(kwargs))))
