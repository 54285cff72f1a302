"""Testing a stored run: on its own test part as when it was trained, and on other data."""

import numpy as np
import pytest

from gputrain.app.recipes import evaluate, open_run
from gputrain.errors import DataError
from tests.app.recipes.material import flowers, houses, pictures, write_csv, write_idx, write_image_folder


@pytest.mark.parametrize("kind", ["table", "missing", "houses", "arrays", "binary", "photos"])
def test_its_own_test_part_gives_the_figures_of_the_run(trained, kind):
    if kind == "photos":
        pytest.importorskip("PIL")
    run = open_run(trained(kind))
    own = {name: value for name, value in run.metrics.items() if name.startswith("test_")}
    assert evaluate(run).metrics == own


def test_the_same_data_in_other_files_gives_the_same_figures(trained, tmp_path):
    run = open_run(trained("arrays"))
    x, y = pictures(90)
    own = evaluate(run).metrics
    np.savez(tmp_path / "a.npz", x=x[60:], y=y[60:])
    np.save(tmp_path / "x.npy", x[60:].astype(np.int32))
    np.save(tmp_path / "y.npy", y[60:].astype(np.float32))
    write_idx(tmp_path / "x.idx", x[60:])
    write_idx(tmp_path / "y.idx", y[60:])
    assert evaluate(run, trained("arrays").parent / "arrays.npz").metrics == own
    assert evaluate(run, tmp_path / "a.npz").metrics == own
    assert evaluate(run, tmp_path / "x.npy", str(tmp_path / "y.npy")).metrics == own
    assert evaluate(run, tmp_path / "x.idx", str(tmp_path / "y.idx")).metrics == own


def test_tables_in_memory(trained, tmp_path):
    run, columns = open_run(trained("table")), flowers(40, seed=4)
    expected = evaluate(run, write_csv(tmp_path / "a.csv", columns)).metrics
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    for data in (columns, rows, str(tmp_path / "a.csv")):
        assert evaluate(run, data).metrics == expected
    with pytest.raises(DataError, match=r"evaluate\(data\): there is no column 'species' to predict"):
        evaluate(run, {name: cells for name, cells in columns.items() if name != "species"})


def test_frames_of_pandas(trained, tmp_path):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    for kind, columns in (("table", flowers(40, seed=4)), ("houses", houses(40, seed=4))):
        run = open_run(trained(kind))
        expected = evaluate(run, write_csv(tmp_path / "a.csv", columns)).metrics
        frame = pd.DataFrame(columns)
        for data in (frame, frame.convert_dtypes(), frame[frame.columns[::-1]]):
            assert evaluate(run, data).metrics == expected
    frame = frame.astype({"price": "Float64"})
    frame.loc[len(frame)] = [100.0, 3, pd.NA, 5.0]
    assert evaluate(run, frame).metrics == expected  # a row without a target is left out


def test_arrays_in_memory(trained):
    run = open_run(trained("arrays"))
    x, y = pictures(90)
    assert evaluate(run, (x[60:], y[60:])).metrics == evaluate(run).metrics
    with pytest.raises(DataError, match=r"given as \(inputs, targets\)\. Received: ndarray"):
        evaluate(run, x)
    with pytest.raises(DataError, match="must be as many"):
        evaluate(run, (x, y[:3]))


def test_a_folder_of_images(trained, tmp_path):
    pytest.importorskip("PIL")
    run = open_run(trained("photos"))
    x, y = pictures(12, seed=5)
    folder = write_image_folder(tmp_path / "more", x, y, ["ant", "bee", "cow"])
    tested = evaluate(run, folder)
    shares = run.model().predict(x[..., None] / np.float32(255), verbose=0)
    assert tested.metrics["test_accuracy"] == pytest.approx(np.mean(shares.argmax(axis=1) == y))
    (folder / "ant").rename(folder / "dog")
    with pytest.raises(
        DataError, match=r"named as the classes of the run\. Expected: ant, bee, cow\. Received: dog"
    ):
        evaluate(run, folder)


def test_images_of_some_of_the_classes(trained, tmp_path):
    pytest.importorskip("PIL")
    run = open_run(trained("photos"))
    x, y = pictures(8, classes=2, seed=5)
    folder = write_image_folder(tmp_path / "more", x, y, ["cow", "bee"])
    shares = run.model().predict(x[..., None] / np.float32(255), verbose=0)
    assert evaluate(run, folder).metrics["test_accuracy"] == pytest.approx(
        np.mean(shares.argmax(axis=1) == 2 - y)
    )


WRONG = [
    (
        "table",
        "a.npz",
        lambda p: np.savez(p, x=np.ones((3, 2)), y=np.ones(3)),
        None,
        r"trained on tables\. Expected: a CSV",
    ),
    (
        "arrays",
        "a.csv",
        lambda p: write_csv(p, flowers()),
        None,
        r"trained on arrays\. Expected: npz, npy or IDX",
    ),
    (
        "table",
        "a.csv",
        lambda p: write_csv(p, {**flowers(), "species": ["rose"] * 60}),
        None,
        r"none of the classes.*'rose'",
    ),
    (
        "table",
        "a.csv",
        lambda p: write_csv(p, {"species": ["iris"], "width": [1]}),
        None,
        r"also 'length', 'colour'",
    ),
    ("table", "a.csv", lambda p: write_csv(p, {"width": [1]}), None, r"no column 'species' to predict"),
    (
        "table",
        "a.csv",
        lambda p: write_csv(p, flowers()),
        "y.npy",
        r"holds its targets, so there is no other file",
    ),
    (
        "arrays",
        "a.npy",
        lambda p: np.save(p, np.ones((2, 4, 4))),
        None,
        r"the targets are in another.*--targets",
    ),
    (
        "missing",
        "a.csv",
        lambda p: write_csv(p, {**flowers(), "length": [None] * 60}),
        None,
        r"No sample is left",
    ),
    (
        "table",
        "photos",
        lambda p: p.mkdir(),
        None,
        r"photos: the model of .* was not trained on images of classes",
    ),
    (
        "houses",
        "photos",
        lambda p: p.mkdir(),
        None,
        r"photos: the model of .* was not trained on images of classes",
    ),
]


@pytest.mark.cpu_only("files on the host")
@pytest.mark.parametrize(("kind", "name", "write", "targets", "message"), WRONG)
def test_data_that_does_not_fit(trained, tmp_path, kind, name, write, targets, message):
    write(tmp_path / name)
    with pytest.raises(DataError, match=message):
        evaluate(open_run(trained(kind)), tmp_path / name, targets)


def test_targets_without_inputs(trained):
    with pytest.raises(DataError, match=r"Targets belong to inputs\. Name the file of inputs as well"):
        evaluate(open_run(trained("arrays")), None, "y.npy")


def test_a_run_without_a_test_part(trained, tmp_path):
    folder = trained.copy("table", tmp_path)
    path = folder / "config.toml"
    path.write_text(
        path.read_text().replace('task = "classification"', 'task = "classification"\ntest_fraction = 0')
    )
    with pytest.raises(
        DataError, match=r"copied: the run kept no part of its data to test on\. Name a file or folder"
    ):
        evaluate(open_run(folder))
