"""Predictions: for every kind of file, portion by portion, equal to those of the model on all of it."""

import shutil
import tracemalloc

import numpy as np
import pytest

from gputrain.app.recipes import open_run, predict, predicting
from gputrain.data.tabular import Table
from gputrain.datasets import CorruptFileError
from gputrain.errors import DataError
from tests.app.recipes.material import flowers, houses, pictures, write_csv, write_idx, write_image_folder


def gathered(run, data, array=None):
    """All portions as one: names, answers and values."""
    found = list(predict(run, data, array))
    names = [name for portion in found for name in portion.names]
    answers = [answer for portion in found for answer in portion.answers]
    return names, answers, np.concatenate([portion.values for portion in found])


@pytest.fixture
def arrays(trained):
    return open_run(trained("arrays"))


def expected(run, x):
    """What the model says of all pictures at once."""
    return run.model().predict(x.astype(np.float32) / np.float32(255), batch_size=256, verbose=0)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.idx"])
def test_files_of_arrays(arrays, tmp_path, name):
    x, y = pictures(40, seed=1)
    path = tmp_path / name
    if name == "x.idx":
        write_idx(path, x)
    elif name == "x.npz":
        np.savez(path, x=x, y=y)
    else:
        np.save(path, x)
    names, answers, values = gathered(arrays, path)
    shares = expected(arrays, x).astype(np.float64)
    np.testing.assert_array_equal(values, shares / shares.sum(axis=1, keepdims=True))
    assert names == [str(number) for number in range(40)]
    assert answers == [str(number) for number in shares.argmax(axis=1)]


def test_arrays_of_another_type_and_order(arrays, tmp_path):
    x, _ = pictures(40)
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", np.asfortranarray(x.astype(">i4")))
    np.save(tmp_path / "c.npy", x.reshape(40, 16).astype(np.float64))
    first, *others = [gathered(arrays, tmp_path / f"{name}.npy")[2] for name in "abc"]
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_which_array_of_an_npz_file(arrays, tmp_path):
    x, _ = pictures(6)
    np.savez(tmp_path / "a.npz", first=x, second=x[:2])
    assert len(gathered(arrays, tmp_path / "a.npz", "second")[0]) == 2
    with pytest.raises(
        DataError, match=r"which array holds the inputs\? Received: first, second\. Name it with --arr"
    ):
        gathered(arrays, tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"there is no array 'third'\. Received: first, second"):
        gathered(arrays, tmp_path / "a.npz", "third")
    np.savez(tmp_path / "b.npz", only=x)
    assert len(gathered(arrays, tmp_path / "b.npz")[0]) == 6
    np.save(tmp_path / "c.npy", x)
    with pytest.raises(
        DataError, match=r"c\.npy: only an npz file has arrays to choose from\. Leave --array out"
    ):
        gathered(arrays, tmp_path / "c.npy", "x")


def test_image_files_for_a_model_of_arrays(arrays, tmp_path):
    pytest.importorskip("PIL")
    x, y = pictures(6, seed=3)
    folder = write_image_folder(tmp_path / "photos", x, y, ["ant", "bee", "cow"])
    names, _, values = gathered(arrays, folder)
    order = np.argsort(y, kind="stable")
    assert names[0] == str(folder / "ant" / "000.png")
    shares = expected(arrays, x[order]).astype(np.float64)
    np.testing.assert_array_equal(values, shares / shares.sum(axis=1, keepdims=True))
    one = gathered(arrays, folder / "ant" / "000.png")
    np.testing.assert_allclose(one[2], values[:1], rtol=1e-6)


def test_images_of_any_size_and_colour(trained, tmp_path):
    image = pytest.importorskip("PIL.Image")
    run = open_run(trained("photos"))
    image.new("RGB", (9, 7), (250, 3, 3)).save(tmp_path / "a.jpg")
    _, answers, values = gathered(run, tmp_path / "a.jpg")
    assert answers[0] in ("ant", "bee", "cow")
    assert values.sum() == pytest.approx(1)


def test_a_table(trained, tmp_path):
    run = open_run(trained("table"))
    columns = flowers(50, seed=4)
    path = write_csv(tmp_path / "a.csv", columns)
    _, answers, values = gathered(run, path)
    x = run.preparation.inputs(Table({name: list(map(str, cells)) for name, cells in columns.items()}))
    shares = run.model().predict(x, batch_size=256, verbose=0).astype(np.float64)
    np.testing.assert_array_equal(values, shares / shares.sum(axis=1, keepdims=True))
    assert answers == [run.preparation.class_names[number] for number in shares.argmax(axis=1)]
    assert np.mean(np.array(answers) == np.array(columns["species"])) > 0.9
    write_csv(
        path, {"more": columns["species"], **{name: columns[name] for name in ("colour", "width", "length")}}
    )
    np.testing.assert_array_equal(gathered(run, path)[2], values)


def test_a_table_in_memory(trained, tmp_path):
    run = open_run(trained("table"))
    columns = flowers(50, seed=4)
    expected = gathered(run, write_csv(tmp_path / "a.csv", columns))
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    for data in (columns, rows, Table(columns), str(tmp_path / "a.csv")):
        names, answers, values = gathered(run, data)
        assert (names, answers) == expected[:2]
        np.testing.assert_array_equal(values, expected[2])
    with pytest.raises(DataError, match=r"A table is a Table, a DataFrame.*Received: ndarray of shape"):
        gathered(run, np.ones((3, 3)))
    with pytest.raises(DataError, match=r"every column that the model was trained on .*also 'width'"):
        gathered(run, [{"length": 1.0, "colour": "red"}])


def test_a_frame_of_pandas(trained, tmp_path):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    run = open_run(trained("table"))
    columns = flowers(30, seed=4)
    expected = gathered(run, write_csv(tmp_path / "a.csv", columns))
    frame = pd.DataFrame(columns)
    for data in (
        frame,
        frame.convert_dtypes(),
        frame.astype({"colour": "category"}),
        frame[frame.columns[::-1]],
    ):
        np.testing.assert_array_equal(gathered(run, data)[2], expected[2])
    frame = frame.astype({"length": "Float64"})
    frame.loc[3, "length"] = pd.NA
    assert len(gathered(run, frame)[1]) == 30


def test_arrays_in_memory(arrays, tmp_path):
    x, _ = pictures(40, seed=1)
    np.save(tmp_path / "x.npy", x)
    expected = gathered(arrays, tmp_path / "x.npy")
    for data in (x, x.astype("float64"), x.tolist()):
        names, answers, values = gathered(arrays, data)
        assert (names, answers) == expected[:2]
        np.testing.assert_array_equal(values, expected[2])


def test_a_table_without_a_column(trained, tmp_path):
    run = open_run(trained("table"))
    columns = flowers()
    del columns["width"]
    with pytest.raises(DataError, match=r"a\.csv: every column that the model was trained on .*also 'width'"):
        gathered(run, write_csv(tmp_path / "a.csv", columns))


def test_numbers_in_the_units_of_the_data(trained, tmp_path):
    run = open_run(trained("houses"))
    _, answers, values = gathered(run, write_csv(tmp_path / "a.csv", houses(30, seed=2)))
    assert values.shape == (30, 2)
    assert answers == values.tolist()
    assert abs(values[:, 0].mean() - 150_000) < 75_000


def test_one_output_of_two_classes(trained, tmp_path):
    run = open_run(trained("binary"))
    x, _ = pictures(20, classes=2)
    np.save(tmp_path / "x.npy", x)
    _, answers, values = gathered(run, tmp_path / "x.npy")
    logits = expected(run, x).astype(np.float64)[:, 0]
    np.testing.assert_allclose(values[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-12)
    assert answers == [str(int(logit > 0)) for logit in logits]


def test_rows_with_missing_cells_get_no_answer_where_they_are_dropped(trained, tmp_path, caplog):
    run = open_run(trained("missing"))
    columns = flowers(10)
    columns["length"][3] = None
    _, answers, values = gathered(run, write_csv(tmp_path / "a.csv", columns))
    assert [number for number, answer in enumerate(answers) if answer is None] == [3]
    assert np.isnan(values[3]).all()
    assert np.isfinite(np.delete(values, 3, 0)).all()
    assert "Rows with missing cells get no prediction" in caplog.text
    columns["length"] = [None] * 10
    assert gathered(run, write_csv(tmp_path / "b.csv", columns))[1] == [None] * 10


@pytest.mark.parametrize("rows", [256, 512])
@pytest.mark.parametrize("kind", ["npy", "npz", "csv"])
def test_the_size_of_a_portion_does_not_show(trained, tmp_path, monkeypatch, rows, kind):
    run = open_run(trained("table" if kind == "csv" else "arrays"))
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        write_csv(path, flowers(1000))
    elif kind == "npz":
        np.savez_compressed(path, x=pictures(1000)[0])
    else:
        np.save(path, pictures(1000)[0])
    whole = gathered(run, path)
    monkeypatch.setattr(predicting, "ROWS", rows)
    portions = list(predict(run, path))
    assert [len(portion.names) for portion in portions] == [rows] * (1000 // rows) + [1000 % rows]
    again = gathered(run, path)
    assert again[:2] == whole[:2]
    np.testing.assert_array_equal(again[2], whole[2])


def test_portions_of_large_samples_are_small():
    inputs = predicting.ArrayInputs((1000, 1000, 3), (1000, 1000, 3), 255.0, 255.0)
    assert predicting._rows(inputs) == 5
    assert predicting._rows(predicting.ArrayInputs((50_000,), (50_000,), 1.0, 1.0)) == 256
    assert predicting._rows(predicting.ArrayInputs((30_000_000,), (30_000_000,), 1.0, 1.0)) == 1


@pytest.mark.cpu_only("memory of the host")
@pytest.mark.parametrize("kind", ["npy", "npz", "csv"])
def test_memory_holds_a_portion_and_not_the_file(trained, tmp_path, monkeypatch, kind):
    run = open_run(trained("table" if kind == "csv" else "arrays"))
    path, rows = tmp_path / f"a.{kind}", 40_000
    if kind == "csv":
        path.write_text("length,width,colour,note\n" + f"1.5,2.5,red,{'x' * 200}\n" * rows)
    else:
        x = np.zeros((rows, 4, 4))
        np.save(path, x) if kind == "npy" else np.savez(path, x=x)
    monkeypatch.setattr(predicting, "ROWS", 512)
    next(predict(run, path))
    tracemalloc.start()
    count = sum(len(portion.names) for portion in predict(run, path))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == rows
    assert most < path.stat().st_size / 2, most


WRONG = [
    (
        "table",
        "a.npy",
        lambda p: np.save(p, np.ones((3, 4))),
        DataError,
        r"was trained on tables\. Expected: a CSV",
    ),
    ("table", "photos", lambda p: p.mkdir(), DataError, r"was trained on tables\. Expected: a CSV file"),
    (
        "table",
        "a.csv",
        lambda p: p.write_text("length,width,colour\n1,2,red\n1,many,red\n"),
        DataError,
        "'many' in li",
    ),
    (
        "arrays",
        "a.csv",
        lambda p: write_csv(p, flowers()),
        DataError,
        r"trained on images\. Expected: npy, npz, IDX",
    ),
    (
        "arrays",
        "a.npy",
        lambda p: np.save(p, np.ones((3, 5))),
        DataError,
        r"Expected: \(n, 4, 4\)\. Received: shape",
    ),
    (
        "arrays",
        "a.npy",
        lambda p: np.save(p, np.full((2, 4, 4), np.nan)),
        DataError,
        r"finite numbers.*nan in sample",
    ),
    ("arrays", "a.npy", lambda p: np.save(p, np.array(3.0)), ValueError, r"rows of numbers"),
    (
        "arrays",
        "a.npy",
        lambda p: p.write_text("hello"),
        CorruptFileError,
        r"a\.npy: .*Received: a text file",
    ),
    ("arrays", "a.npz", lambda p: p.write_bytes(b""), CorruptFileError, r"a\.npz: .*Received: an empty file"),
    ("arrays", "a.png", lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n"), CorruptFileError, r"a\.png"),
    ("arrays", "photos", lambda p: p.mkdir(), DataError, r"photos has no images"),
    ("arrays", "a.npy", lambda p: None, FileNotFoundError, r"a\.npy"),
]


@pytest.mark.cpu_only("files on the host")
@pytest.mark.parametrize(("kind", "name", "write", "error", "message"), WRONG)
def test_files_that_do_not_fit(trained, tmp_path, kind, name, write, error, message):
    pytest.importorskip("PIL")
    path = tmp_path / name
    write(path)
    with pytest.raises(error, match=message):
        gathered(open_run(trained(kind)), path)


def test_pictures_for_a_model_of_none(trained, tmp_path):
    folder = trained.copy("arrays", tmp_path)
    path = folder / "preparation.json"
    path.write_text(path.read_text().replace('"sample": [\n   4,\n   4\n  ]', '"sample": [16]'))
    assert '"sample": [16]' in path.read_text()
    shutil.copy(folder / "weights.npz", tmp_path / "a.png")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"photos: the model was not trained on images"):
        gathered(open_run(folder), tmp_path / "photos")
