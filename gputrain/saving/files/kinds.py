"""What somebody gave instead of a file that can be read, and what to do with it."""

from __future__ import annotations

from pathlib import Path
from zipfile import is_zipfile

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.sniff import describe, kind_of

_AGAIN = "Save it where it was made: model.save('model.keras') in Keras 3."
_WHAT_TO_DO = {
    "git-lfs": "Fetch the file that it points to: git lfs pull.",
    "html": "The download gave a web page: download the file itself.",
    "empty": "Download or save it again.",
    "pickle": _AGAIN,
    "tflite": "It is made for running, and has no layers. " + _AGAIN,
    "torch": "Save the tensors with safetensors.torch.save_file(model.state_dict(), 'weights.safetensors').",
    "hdf5": "A file of weights alone goes to model.load_weights().",
    "safetensors": "A file of weights alone goes to model.load_weights().",
    "npz": "A file of weights alone goes to model.load_weights().",
    "keras": "A whole model goes to gputrain.models.load_model().",
    "gzip": "Unpack it first.",
    "zip": "If a model was packed once more, unpack it first.",
    "tar": "Unpack it first.",
}
_SAVED_MODEL = "a TensorFlow SavedModel"
_DAMAGED = "The file is damaged or not what its name says: replace it with a good copy."


def kind_of_place(path: Path) -> str:
    """What lies at a path: as `kind_of` says, or "folder" for a model that was saved unzipped.

    Raises:
        CorruptFileError: another folder, such as a TensorFlow SavedModel.
        FileNotFoundError: nothing is there.
    """
    if path.is_dir():
        if (path / "config.json").is_file():
            return "folder"
        is_tensorflow = (path / "saved_model.pb").is_file() or (path / "keras_metadata.pb").is_file()
        what, fix = (_SAVED_MODEL, _AGAIN) if is_tensorflow else ("another folder", "Name the file in it.")
        if (path / "config.toml").is_file():
            what = "the folder of a run that gputrain train made"
            fix = f"gputrain.recipes.open_run({str(path)!r}).model() loads its model."
        raise CorruptFileError(
            path, "a model is a .keras file, or a folder with config.json", "one", what, fix
        )
    if not path.exists() and Path(f"{path}.index").is_file():
        rule = "a file of weights is .weights.h5, .safetensors or .npz"
        raise CorruptFileError(path, rule, "one", "a checkpoint of TensorFlow", _AGAIN)
    return kind_of(path)


def foreign(path: Path, kind: str, rule: str, expected: str) -> CorruptFileError:
    """The error about a file of another kind.

    Args:
        path: the file.
        kind: as `kind_of` says.
        rule: what had to hold, as a clause.
        expected: the kind of file that is read.
    """
    if kind == "binary" or (kind == "zip" and not is_zipfile(path)):
        return CorruptFileError(path, rule, expected, "a file that is cut off, or not one", _DAMAGED)
    return CorruptFileError(path, rule, expected, describe(kind), _WHAT_TO_DO.get(kind, _DAMAGED))
