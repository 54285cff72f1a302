"""Where data comes from: known sets, CSV, npz, npy, IDX and folders of images, and files that are none."""

import gzip
import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from gputrain import config, losses
from gputrain.app.recipes import data
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.datasets import CorruptFileError
from gputrain.errors import DataError
from tests.app.recipes.material import flowers, pictures, write_csv, write_idx, write_image_folder

CLASSES, NUMBERS = losses.SparseCategoricalCrossentropy, losses.MeanSquaredError
NAMES = ["ant", "bee", "cow"]


def resolved(loss=CLASSES, **section):
    return data.resolve(
        {k: str(v) if hasattr(v, "parts") else v for k, v in section.items()}, loss, Source("a.toml")
    )


def loaded(loss=CLASSES, **section):
    return data.load(resolved(loss, **section))


def everything(found, name="x"):
    """All samples of a data set whose order was not kept, sorted by their numbers."""
    parts = [getattr(part, name) for part in (found.train, found.validation, found.test) if part is not None]
    flat = np.concatenate([part.reshape(len(part), -1) for part in parts])
    return flat[np.lexsort(flat.T)]


def in_order(array):
    flat = array.reshape(len(array), -1)
    return flat[np.lexsort(flat.T)]


# ----------------------------------------------------------------------------------------------- known sets


def test_a_known_set_of_images():
    found = loaded(dataset="digits", reshape=[64])
    assert found.train.x.shape == (1437, 64)
    assert found.preparation.class_names == tuple("0123456789")
    assert found.settings["scale"] == 16.0


@pytest.mark.parametrize(
    ("name", "rows", "columns", "loss", "outputs"),
    [
        ("breast_cancer", 569, 30, CLASSES, 2),
        ("wine", 178, 13, CLASSES, 3),
        ("diabetes", 442, 10, NUMBERS, 1),
    ],
)
def test_known_tables(name, rows, columns, loss, outputs):
    pytest.importorskip("sklearn")
    found = loaded(loss, dataset=name)
    assert len(found.train) + len(found.test) == rows
    assert found.train.x.shape[1] == columns
    assert found.outputs == outputs


@pytest.mark.parametrize(
    ("section", "loss", "message"),
    [
        ({"dataset": "digits"}, NUMBERS, r"a\.toml: loss: digits is for classification.*Or say data\.task"),
        ({"dataset": "diabetes"}, CLASSES, r"a\.toml: loss: diabetes is for regression"),
        ({"dataset": "digits", "task": "regression"}, CLASSES, r"data\.task: digits is for classification"),
        (
            {"dataset": "digits", "test_fraction": 0.1},
            CLASSES,
            r"data\.test_fraction: .* brings a test part of its",
        ),
        (
            {"dataset": "digits", "target": "x"},
            CLASSES,
            r"data\.target: This key says nothing about the data set di",
        ),
        (
            {"dataset": "wine", "scale": 2},
            CLASSES,
            r"data\.scale: This key says nothing about the data set wine",
        ),
        ({"folder": "x", "target": "x"}, CLASSES, r"data\.target: This key says nothing about data\.folder"),
        (
            {"file": "x", "image_size": [2, 2]},
            CLASSES,
            r"data\.image_size: This key says nothing about data\.file",
        ),
        ({"file": "x", "test_target_file": "y"}, CLASSES, r"targets of data\.test_file, which is not given"),
        (
            {"file": "x", "dataset": "digits"},
            CLASSES,
            r"data: The data comes from one place\..*dataset and file",
        ),
        ({}, CLASSES, r"data: The data comes from one place\..* Received: none of them"),
        ({"file": "x", "one_hot": True}, NUMBERS, r"data\.one_hot: This key is for classes"),
        ({"file": "x", "balance": "oversample"}, NUMBERS, r"data\.balance: This key is for classes"),
        (
            {"file": "x", "cost_matrix": [[0, 1], [1, 0]]},
            NUMBERS,
            r"data\.cost_matrix: This key is for classes",
        ),
    ],
)
def test_keys_that_do_not_go_together(section, loss, message):
    with pytest.raises(RecipeError, match=message):
        resolved(loss, **section)


# ---------------------------------------------------------------------------------------------------- files


def test_an_npz_file(tmp_path):
    x, y = pictures()
    np.savez(tmp_path / "a.npz", x=x, y=y)
    found = loaded(file=tmp_path / "a.npz")
    assert found.settings["scale"] == 255.0
    assert found.settings["reshape"] == [4, 4]
    np.testing.assert_array_equal(everything(found), in_order(x.astype(np.float32) / np.float32(255)))
    assert len(found.test) == 6


def test_an_npz_file_with_a_test_part(tmp_path):
    x, y = pictures()
    np.savez(tmp_path / "a.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    found = loaded(file=tmp_path / "a.npz", reshape=[16], scale=1)
    np.testing.assert_array_equal(found.train.x, x[:20].reshape(20, 16))
    np.testing.assert_array_equal(found.test.x, x[20:].reshape(10, 16))
    np.testing.assert_array_equal(found.test.truth, y[20:])
    with pytest.raises(DataError, match=r"The data brings a test part\. Leave out data\.test_fraction"):
        loaded(file=tmp_path / "a.npz", test_fraction=0.5)


def test_arrays_of_an_npz_file_by_name(tmp_path):
    x, y = pictures()
    np.savez(tmp_path / "a.npz", pixels=x, kind=y, more=y)
    found = loaded(file=tmp_path / "a.npz", inputs="pixels", target="kind")
    assert len(found.train) == 24
    with pytest.raises(
        DataError, match=r"received|Received: the arrays pixels, kind, more\. Say which they are"
    ):
        loaded(file=tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"Expected: pixel and \?\."):
        loaded(file=tmp_path / "a.npz", inputs="pixel")


def test_npy_files(tmp_path):
    x, y = pictures()
    for name, array in (("x", x[:20]), ("y", y[:20]), ("xt", x[20:]), ("yt", y[20:])):
        np.save(tmp_path / f"{name}.npy", array)
    files = {"file": tmp_path / "x.npy", "target_file": tmp_path / "y.npy"}
    found = loaded(**files, test_file=tmp_path / "xt.npy", test_target_file=tmp_path / "yt.npy")
    np.testing.assert_array_equal(found.train.truth, y[:20])
    np.testing.assert_array_equal(found.test.x, x[20:].astype(np.float32) / np.float32(255))
    assert len(loaded(**files).test) == 3
    with pytest.raises(DataError, match=r"x\.npy: the file holds one array, the inputs.*data\.target_file"):
        loaded(file=tmp_path / "x.npy")


def test_several_numbers_to_predict_in_arrays(tmp_path):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(20, 3)), y=rng.normal(size=(20, 2)))
    found = loaded(NUMBERS, file=tmp_path / "a.npz")
    assert found.preparation.targets.names == ("target 0", "target 1")
    assert found.train.y.shape == (16, 2)


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files(tmp_path, zipped):
    x, y = pictures()
    files = [write_idx(tmp_path / "x-idx3-ubyte", x), write_idx(tmp_path / "y-idx1-ubyte", y)]
    if zipped:
        for number, file in enumerate(files):
            files[number] = file.with_name(file.name + ".gz")
            files[number].write_bytes(gzip.compress(file.read_bytes()))
    found = loaded(file=files[0], target_file=files[1])
    np.testing.assert_array_equal(everything(found), in_order(x.astype(np.float32) / np.float32(255)))


def test_a_csv_file_with_a_test_file(tmp_path):
    write_csv(tmp_path / "a.csv", flowers(60))
    write_csv(tmp_path / "b.csv", flowers(9, seed=1))
    found = loaded(file=tmp_path / "a.csv", test_file=tmp_path / "b.csv", target="species")
    assert (len(found.train), len(found.test)) == (60, 9)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(tmp_path, delimiter):
    text = write_csv(tmp_path / "a.csv", flowers()).read_text().replace(",", delimiter)
    (tmp_path / "a.csv").write_text(text)
    assert loaded(file=tmp_path / "a.csv", target="species").train.raw.x.names == (
        "length",
        "width",
        "colour",
    )


def test_paths_count_from_the_recipe(tmp_path):
    section = data.resolve({"file": "a.csv"}, CLASSES, Source("a.toml", base=tmp_path))
    assert section["file"] == str(tmp_path / "a.csv")
    given = Source("a.toml", {"data.file": "--set"}, tmp_path)
    assert data.resolve({"file": "a.csv"}, CLASSES, given)["file"] == str(tmp_path.cwd() / "a.csv")


# -------------------------------------------------------------------------------------------- image folders


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("PIL")
    return write_image_folder(tmp_path / "photos", *pictures(), NAMES)


def test_a_folder_of_images(folder):
    found = loaded(folder=folder, validation_fraction=0.25)
    assert found.train.x.shape[1:] == (4, 4, 1)
    assert found.preparation.class_names == tuple(NAMES)
    assert found.settings["scale"] == 255.0
    np.testing.assert_array_equal(everything(found), in_order(pictures()[0] / np.float32(255)))


def test_images_of_another_size_and_colour(folder):
    found = loaded(folder=folder, image_size=[8, 6], image_channels=3)
    assert found.train.x.shape[1:] == (8, 6, 3)


def test_a_folder_of_test_images(folder, tmp_path):
    x, y = pictures(6, seed=2)
    write_image_folder(tmp_path / "held", x, y, NAMES)
    found = loaded(folder=folder, test_folder=tmp_path / "held")
    assert len(found.train) == 30
    order = np.argsort(y, kind="stable")
    np.testing.assert_array_equal(found.test.x[..., 0], x[order] / np.float32(255))
    (tmp_path / "held" / "cow").rename(tmp_path / "held" / "dog")
    with pytest.raises(
        DataError, match=r"classes of the other one\. Expected: ant, bee, cow\. Received: ant, bee, d"
    ):
        loaded(folder=folder, test_folder=tmp_path / "held")


def test_images_of_several_sizes(folder):
    write_image_folder(folder, *pictures(3, size=5), ["ant", "ant", "ant"])
    with pytest.raises(DataError, match=r"one size.*4x4.*5x5.*Set data\.image_size = \[4, 4\]"):
        loaded(folder=folder)


def test_folders_that_hold_no_classes(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for name, message in (("empty", "class"), ("photos/ant", "class"), ("absent", "There is no folder")):
        with pytest.raises((DataError, OSError), match=message):
            loaded(folder=tmp_path / name)
    (folder / "dog").mkdir()
    with pytest.raises(DataError, match="dog"):
        loaded(folder=folder)


def test_a_class_of_one_image(folder):
    write_image_folder(folder, *pictures(1), ["dog"])
    with pytest.raises(
        DataError, match=r"test need a sample of each class\. Received: a single one of 'dog'"
    ):
        loaded(folder=folder)


def test_an_image_that_is_none(folder):
    (folder / "ant" / "broken.png").write_text("no image")
    with pytest.raises(CorruptFileError, match=r"broken\.png"):
        loaded(folder=folder)


# ------------------------------------------------------------------------------------- files that are none


def png(path):
    image = pytest.importorskip("PIL.Image", reason="a PNG file is made with Pillow")
    image.fromarray(pictures(1)[0][0]).save(path, "png")


def npy_of(array):
    def write(path):
        with path.open("wb") as stream:
            np.lib.format.write_array(stream, array)

    return write


def zip_of(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "text")

    return write


def truncated(path):
    np.save(path, np.ones((50, 4)))
    path.write_bytes(path.read_bytes()[:300])


NOT_WHAT_THEY_SAY = [
    ("a.csv", png, "a PNG image"),
    ("a.csv", lambda path: path.write_text("<!DOCTYPE html><html></html>"), "web page"),
    ("a.csv", lambda path: path.write_text(""), "an empty file"),
    ("a.csv", lambda path: path.write_text("\n \n"), "begins with a line of column names"),
    ("a.csv", lambda path: path.write_text("x,target\n"), "A table has rows below its header"),
    ("a.csv", lambda path: path.write_text("1,2\n3,4\n"), "The first line names the columns"),
    ("a.csv", lambda path: path.write_text("x,target\n1,a\n2\n"), r"line 3: Every row has as many cells"),
    ("a.csv", lambda path: path.write_bytes("x,target\n1,gr\xfc\n".encode("latin-1")), "UTF-8"),
    ("a.csv", lambda path: path.write_text("x,target\n1,a\n", "utf-16"), "UTF-16"),
    ("a.csv", lambda path: path.write_bytes(b"x,target\n1,\0\n"), "binary|NUL"),
    ("a.csv", npy_of(np.ones(3)), "an npy file"),
    ("a.npy", zip_of("a.txt"), r"Expected: NPY as its name says\. Received: a zip archive"),
    (
        "a.npy",
        lambda path: path.write_text("hello"),
        r"Expected: NPY as its name says\. Received: a text file",
    ),
    ("a.npy", truncated, "the header declares float64 of shape"),
    ("a.npy", lambda path: path.write_bytes(pickle.dumps([1])), "pickle"),
    ("a.npy", npy_of(np.array([{}], object)), "(?i)object|pickle"),
    (
        "a.npz",
        lambda path: path.write_text("hello"),
        r"Expected: NPZ as its name says\. Received: a text file",
    ),
    ("a.npz", zip_of("a.npy", "a.npy"), "unique|whole"),
    ("a.npz", zip_of("../a.npy"), "plain relative names"),
    (
        "a.dat",
        lambda path: path.write_bytes(bytes(range(1, 32))),
        r"CSV, npz, npy or IDX\. Received: binary data",
    ),
    ("a.npz", lambda path: path.mkdir(), r"a file is needed here\. Received: a folder\..*data\.folder"),
    ("a.csv", lambda path: os.mkfifo(path), "only regular files are read"),
]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(("name", "write", "message"), NOT_WHAT_THEY_SAY)
def test_files_that_are_not_what_they_say(tmp_path, name, write, message):
    path = tmp_path / name
    write(path)
    beside = {"target_file": path} if name == "a.npy" else {}
    with pytest.raises((CorruptFileError, DataError), match=message) as caught:
        loaded(file=path, **beside)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.csv"):
        loaded(file=tmp_path / "a.csv")


def test_inputs_and_targets_of_different_lengths(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(4))
    with pytest.raises(
        DataError, match=r"x: inputs and targets must be as many.*\(3, 2\), targets y of shape \(4,\)"
    ):
        loaded(file=tmp_path / "a.npz")


def test_labels_of_two_dimensions(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((4, 2)), y=np.eye(4))
    with pytest.raises(
        DataError, match=r"A classifier has one label.*shape \(n,\)\. Received: shape \(4, 4\)"
    ):
        loaded(file=tmp_path / "a.npz")


def test_targets_beside_a_file_that_holds_its_own(tmp_path):
    write_csv(tmp_path / "a.csv", flowers())
    with pytest.raises(
        DataError, match=r"holds its targets, so there is no other file.*y\.npy\. Leave it out"
    ):
        loaded(file=tmp_path / "a.csv", target="species", target_file="y.npy")


def test_a_test_file_of_another_form(tmp_path):
    write_csv(tmp_path / "a.csv", flowers())
    np.savez(tmp_path / "b.npz", x=np.ones((3, 2)), species=np.arange(3))
    with pytest.raises(DataError, match=r"b\.npz: the test file must be of the form of .*a\.csv"):
        loaded(file=tmp_path / "a.csv", test_file=tmp_path / "b.npz", target="species")


def test_a_shape_that_does_not_fit(tmp_path):
    x, y = pictures()
    np.savez(tmp_path / "a.npz", x=x, y=y)
    with pytest.raises(
        DataError, match=r"data\.reshape must hold as many .*product is 16, .*Received: \[5\], product 5"
    ):
        loaded(file=tmp_path / "a.npz", reshape=[5])


# ------------------------------------------------------------------------------------ what a recipe may name

SECRET = "-----BEGIN KEY-----\nhunter2hunter2hunter2\n"


@pytest.mark.parametrize("name", ["id_rsa", "passwd", ".env", "settings.json", "key.pem"])
@pytest.mark.parametrize("key", ["file", "test_file"])
def test_a_file_of_text_that_is_not_named_as_a_table_is_not_told(tmp_path, name, key):
    write_csv(tmp_path / "a.csv", flowers())
    (tmp_path / name).write_text(SECRET)
    files = {"file": tmp_path / "a.csv", key: tmp_path / name}
    with pytest.raises(DataError, match=r"only from a file that is named so\. Expected: .*\.csv") as caught:
        loaded(**files, target="species")
    assert "BEGIN" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_link_that_is_named_as_a_table(tmp_path):
    (tmp_path / "id_rsa").write_text(SECRET)
    (tmp_path / "a.csv").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(DataError, match=r"a\.csv: .* named so\. .*Received: id_rsa"):
        loaded(file=tmp_path / "a.csv", target="species")


def test_rows_that_are_uneven_are_not_told(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\nhunter2hunter2\n")
    with pytest.raises(DataError, match="Received: 1 cell") as caught:
        loaded(file=tmp_path / "a.csv", target="y")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "iris.data", "adult.test", "A.CSV"])
def test_names_of_tables(tmp_path, name):
    assert loaded(file=write_csv(tmp_path / name, flowers()), target="species").outputs == 3


# ------------------------------------------------------------------------------------------------------ memor


@pytest.fixture
def budget():
    """A small one for the data of a run."""
    config.set_file_memory(24 << 20)
    yield config.file_memory()
    config.set_file_memory(None)


def zeros(folder, kind, numbers, dtype):
    """A file that is small for the numbers that it holds; the arguments that name it."""
    x = np.zeros((60, numbers // 60), dtype)
    if kind == "npz":
        np.savez_compressed(folder / "a.npz", x=x, y=np.arange(60) % 3)
        return {"file": folder / "a.npz"}
    (folder / "x.idx.gz").write_bytes(gzip.compress(write_idx(folder / "x.idx", x).read_bytes()))
    write_idx(folder / "y.idx", np.arange(60) % 3)
    return {"file": folder / "x.idx.gz", "target_file": folder / "y.idx"}


BOMBS = [
    ("npz", "uint8", 6), ("npz", "bool", 6), ("npz", "float32", 12), ("npz", "float64", 20),
    ("idx.gz", "uint8", 6),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "dtype", "bytes_of_each"), BOMBS)
def test_a_small_file_takes_its_budget_with_all_copies(tmp_path, budget, kind, dtype, bytes_of_each):
    files = zeros(tmp_path, kind, budget // bytes_of_each - 100, dtype)
    tracemalloc.start()
    try:
        loaded(**files)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * budget
    finally:
        tracemalloc.stop()
    told = r"with the copies that a run makes\. Expected: at most 25165824 bytes\. .*set_file_memory\(\d+\)"
    with pytest.raises(DataError, match=told):
        loaded(**zeros(tmp_path, kind, budget // bytes_of_each + 100, dtype))
    with pytest.raises(CorruptFileError, match=r"memory allowed.* Expected: at most 25165824 bytes\."):
        loaded(**zeros(tmp_path, kind, budget + 100, dtype))


def test_a_large_file_may_take_more(tmp_path, budget):
    x = np.random.default_rng(0).integers(0, 255, (60, budget // 100)).astype(np.uint8)  # 15 MB
    np.savez_compressed(tmp_path / "a.npz", x=x, y=np.arange(60) % 3)
    assert 6 * x.size > budget
    assert loaded(file=tmp_path / "a.npz").train.x.shape == (48, budget // 100)


def test_pictures_that_are_made_large(tmp_path, budget):
    pytest.importorskip("PIL")
    x, y = pictures(30)
    write_image_folder(tmp_path / "photos", x, y, NAMES)
    with pytest.raises(DataError, match=r"30 images of 400x400x1 must fit the memory allowed\."):
        loaded(folder=tmp_path / "photos", image_size=[400, 400])
