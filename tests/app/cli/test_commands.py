"""Every command: its help, what goes to stdout, its JSON, and its exit codes."""

import csv
import io
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from gputrain.app.cli.parser import make_parser
from gputrain.app.recipes import load, open_run, predict
from gputrain.app.recipes.errors import Source
from gputrain.app.recipes.recipe import check
from gputrain.app.reporting import plotting
from tests.app.recipes.material import flowers, houses, pictures, write_csv, write_recipe
from tests.subprocesses import environment

pytestmark = pytest.mark.cpu_only("what is computed is shown elsewhere")
NAMES = ["train", "sweep", "find-lr", "evaluate", "predict", "compare", "summary", "convert",
         "config", "config show", "datasets", "run", "doctor", "completion"]  # fmt: skip


def one_document(text):
    """The value of the one JSON document that `text` is."""
    value, end = json.JSONDecoder().raw_decode(text)
    assert text[end:] == "\n"
    return value


def as_table(text):
    """The cells of a printed table."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


# ---------------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize(
    ("arguments", "imported"),
    [
        (["--help"], False),
        (["--version"], False),
        (["completion", "bash"], False),
        (["train", "--help"], True),
    ],
)
def test_only_the_command_that_is_typed_is_imported(arguments, imported):
    code = (
        "import sys; from gputrain.app.cli import main; main(sys.argv[1:]); "
        "print('gputrain.app.recipes' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment(), capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == str(imported)


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples_and_exit_codes(gputrain, name):
    done = gputrain(*name.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert f"usage: gputrain {name}" in done.out
    assert "exit codes: " in done.out
    assert "130 interrupted" in done.out
    examples = done.out.partition("examples:\n")[2]
    assert re.search(rf"^ +(\S+=\S+ |eval \"\$\()?gputrain {name.split()[0]}", examples, re.MULTILINE)


def test_help_lists_all_commands_and_the_exit_codes(gputrain):
    done = gputrain("--help")
    assert "1 failed, also with data that cannot be used, 2 wrong usage" in " ".join(done.out.split())
    for name in NAMES:
        assert name.split()[0] in done.out


def commands_in(text):
    """The lines of examples that are commands, without what follows them."""
    for line in text.splitlines():
        found = re.match(r'^ +(?:\S+=\S+ )?(gputrain [^#|>)"]*(?:"[^"]*"[^#|>)"]*)*)', line)
        if found:
            yield found[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_help_text_are_right_usage(gputrain, name):
    import shlex

    found = list(commands_in(gputrain(*name.split(), "--help").out.partition("examples:\n")[2]))
    assert found or name == "completion"
    for line in found:
        args, unknown = make_parser().parse_known_args(shlex.split(line)[1:])
        assert unknown == [], line
        assert callable(args.command)


# ------------------------------------------------------------------------------------------------ evaluate


@pytest.mark.parametrize("kind", ["table", "houses", "arrays"])
def test_evaluate(gputrain, trained, kind):
    folder = trained(kind)
    done = gputrain("evaluate", folder)
    assert done.code == 0
    own = {name: value for name, value in open_run(folder).metrics.items() if name.startswith("test_")}
    fields = dict(line.split(maxsplit=1) for line in done.out.split("\n\n")[0].splitlines())
    assert fields.pop("run") == str(folder)
    assert set(fields) == set(own)
    if kind == "table":
        table = as_table(done.out.split("\n\n")[1])
        assert [row[0] for row in table] == ["class", "iris", "setosa", "virginica"]
    found = one_document(gputrain("evaluate", folder, "--json").out)
    assert {name: found[name] for name in own} == own
    assert ("per_class" in found) == ("confusion" in found) == (kind != "houses")
    if kind != "houses":
        assert np.array(found["confusion"]).sum() == sum(row["support"] for row in found["per_class"])


def test_evaluate_on_other_data(gputrain, trained, tmp_path):
    write_csv(tmp_path / "more.csv", flowers(30, seed=9))
    done = gputrain("evaluate", trained("table"), "more.csv", "--json")
    assert one_document(done.out)["test_accuracy"] > 0.9
    x, y = pictures(12)
    np.save("x.npy", x)
    np.save("y.npy", y)
    assert gputrain("evaluate", trained("arrays"), "x.npy", "--targets", "y.npy").code == 0


# ------------------------------------------------------------------------------------------------- predict


def test_predict_prints_csv(gputrain, trained, tmp_path):
    folder = trained("table")
    path = write_csv(tmp_path / "more.csv", flowers(7, seed=9))
    done = gputrain("predict", folder, path)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    (portion,) = predict(open_run(folder), path)
    assert list(rows[0]) == ["sample", "prediction", "p(iris)", "p(setosa)", "p(virginica)"]
    assert [row["sample"] for row in rows] == [str(number) for number in range(7)]
    assert [row["prediction"] for row in rows] == list(portion.answers)
    np.testing.assert_allclose([float(row["p(iris)"]) for row in rows], portion.values[:, 0], rtol=1e-5)


def test_predict_as_json_lines(gputrain, trained, tmp_path):
    path = write_csv(tmp_path / "more.csv", flowers(7, seed=9))
    done = gputrain("predict", trained("table"), path, "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    (portion,) = predict(open_run(trained("table")), path)
    assert [row["prediction"] for row in rows] == list(portion.answers)
    assert rows[2]["probabilities"] == dict(
        zip(["iris", "setosa", "virginica"], portion.values[2].tolist(), strict=True)
    )
    assert rows[2]["sample"] == "2"


def test_predict_numbers(gputrain, trained, tmp_path):
    path = write_csv(tmp_path / "more.csv", houses(4, seed=9))
    lines = gputrain("predict", trained("houses"), path).out.splitlines()
    assert lines[0] == "sample,price,rent"
    assert len(lines) == 5
    row = json.loads(gputrain("predict", trained("houses"), path, "--json").out.splitlines()[0])
    assert list(row) == ["sample", "prediction"]
    assert list(row["prediction"]) == ["price", "rent"]
    assert f"{row['prediction']['price']:.6g}" == lines[1].split(",")[1]


def test_predict_leaves_cells_empty_where_it_cannot(gputrain, trained, tmp_path, caplog):
    columns = flowers(4)
    columns["length"][1] = None
    path = write_csv(tmp_path / "more.csv", columns)
    done = gputrain("predict", trained("missing"), path)
    assert done.out.splitlines()[2] == "1,,,,"
    assert "Rows with missing cells get no prediction" in caplog.text
    rows = [
        json.loads(line) for line in gputrain("predict", trained("missing"), path, "--json").out.splitlines()
    ]
    assert rows[1] == {"sample": "1", "prediction": None, "probabilities": None}


def test_predict_into_a_file(gputrain, trained, tmp_path):
    path = write_csv(tmp_path / "more.csv", flowers(7, seed=9))
    printed = gputrain("predict", trained("table"), path).out
    done = gputrain("predict", trained("table"), path, "--output", "out.csv")
    assert (done.code, done.out) == (0, "")
    assert Path("out.csv").read_text() == printed


def test_predict_into_a_file_is_all_or_nothing(refused, trained, tmp_path):
    columns = flowers(6000, seed=9)
    columns["length"][5500] = "long"
    path = write_csv(tmp_path / "more.csv", columns)
    Path("out.csv").write_text("old")
    told = refused(1, "predict", trained("table"), path, "--output", "out.csv")
    assert "'long' in line 5502" in told
    assert Path("out.csv").read_text() == "old"
    assert not list(Path().glob(".out*"))
    Path("folder").mkdir()
    assert refused(1, "predict", trained("table"), path, "--output", "no/out.csv") == (
        "gputrain: no/out.csv: No such file or directory"
    )
    write_csv(path, flowers(4))
    assert "folder: Is a directory" in refused(1, "predict", trained("table"), path, "--output", "folder")
    assert not list(Path().glob(".folder*"))


# ------------------------------------------------------------------------------------------------- compare


def test_compare(gputrain):
    gputrain("train", "small.toml")
    gputrain("train", "small.toml", "--set", "optimizer.name=sgd", "--epochs", 1)
    done = gputrain("compare", "runs/small-1", "runs/small-2")
    assert done.err == ""
    table = as_table(done.out)
    assert table[0][:2] == ["run", "optimizer.name"]
    assert {"training.epochs", "test_accuracy"} <= set(table[0])
    assert [row[1] for row in table[1:]] == ["adam", "sgd"]
    found = one_document(
        gputrain("compare", "runs/small-1", "runs/small-2", "--sort", "test_loss", "--json").out
    )
    losses = [line["metrics"]["test_loss"] for line in found]
    assert losses == sorted(losses)
    assert {line["settings"]["optimizer.name"] for line in found} == {"adam", "sgd"}


def test_compare_what_is_no_run(refused):
    assert "nothing: A run folder holds a config.toml. Received: no such folder." in refused(
        2, "compare", "nothing"
    )


# --------------------------------------------------------------------------------------------------- sweep


def test_sweep(gputrain):
    options = ["--set", "optimizer.name=sgd,adam", "--set", "training.epochs=1", "--seeds", 2]
    done = gputrain("sweep", "small.toml", *options)
    assert done.code == 0
    table = as_table(done.out)
    assert table[0][:3] == ["optimizer.name", "runs", "test_loss"]
    assert [row[:2] for row in table[1:]] == [["sgd", "2"], ["adam", "2"]]
    assert " +- " in table[1][2]
    assert "[4/4] optimizer.name=adam seed=4: test_loss" in done.err
    found = one_document(gputrain("sweep", "runs/small-sweep-1", "--json").out)
    assert found["sweep"] == "runs/small-sweep-1"
    assert [group["settings"] for group in found["results"]] == [
        {"optimizer.name": "sgd"},
        {"optimizer.name": "adam"},
    ]
    best = as_table(gputrain("sweep", "runs/small-sweep-1", "--metric", "test_loss").out)
    assert best[0][2] == "test_loss"
    losses = [float(row[2].partition(" ")[0]) for row in best[1:]]
    assert losses == sorted(losses)
    compared = one_document(gputrain("compare", "runs/small-sweep-1", "--json").out)
    assert len(compared) == 4


def test_a_sweep_with_a_failed_point_is_told_by_its_exit_code(gputrain):
    done = gputrain("sweep", "small.toml", "--set", "data.train_samples=24,1000", "--epochs", 1)
    assert done.code == 1
    table = as_table(done.out)
    assert table[0][:4] == ["data.train_samples", "runs", "failed", "test_loss"]
    assert [row[:3] for row in table[1:]] == [["24", "1", "0"], ["1000", "0", "1"]]


@pytest.mark.parametrize(
    "option",
    [
        ["--set", "seed=3"],
        ["--epochs", "3"],
        ["--seed", "3"],
        ["--seeds", "3"],
        ["--out", "x"],
        ["--backend", "numpy"],
    ],
)
def test_a_sweep_goes_on_as_it_was_begun(gputrain, option):
    Path("runs/a").mkdir(parents=True)
    Path("runs/a/sweep.json").write_text("{}")
    done = gputrain("sweep", "runs/a", *option)
    assert (done.code, done.out) == (2, "")
    assert "a sweep goes on as it was begun; leave out what changes it" in done.err


def test_seeds_out_of_range(gputrain):
    assert (
        "--seeds must be a number from 1 to 1000, not 0" in gputrain("sweep", "small.toml", "--seeds", 0).err
    )


def test_an_unknown_metric(refused, gputrain):
    gputrain("sweep", "small.toml", "--epochs", 1)
    told = gputrain("sweep", "runs/small-sweep-1", "--metric", "test_acuracy")
    assert (told.code, told.out) == (2, "")
    assert "No run has a figure 'test_acuracy'. Did you mean 'test_accuracy'?" in told.err


# ------------------------------------------------------------------------------------------------- find-lr


def test_find_lr(gputrain):
    done = gputrain("find-lr", "small.toml", "--low", "1e-4", "--high", 1, "--steps", 30)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["learning", "rate", "loss"]
    assert len(lines) == 15 + 1 + 3
    assert lines[-2].startswith("suggested learning rate: ")
    assert "range test: 30/30 steps" in done.err
    found = one_document(
        gputrain("find-lr", "small.toml", "--low", "1e-4", "--high", 1, "--steps", 30, "--json").out
    )
    assert set(found) == {"rates", "losses", "smoothed", "suggestion", "largest"}
    assert len(found["rates"]) == 30
    assert f"{found['suggestion']:.2e}" in lines[-2]


@pytest.mark.parametrize(
    "options", [["--low", "nan"], ["--high", "inf"], ["--steps", "3"], ["--steps", str(10**12)]]
)
def test_find_lr_within_bounds(refused, options):
    assert "rates from 1e-12 to 1e6, 10 to 100000 steps" in refused(2, "find-lr", "small.toml", *options)


def test_find_lr_draws(gputrain, refused, monkeypatch):
    told = refused(1, "find-lr", "small.toml", "--steps", 10, "--plot", "curve.png")
    assert "Pictures need matplotlib, which is not installed." in told
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(plotting, "has_plot", lambda: True)
    assert gputrain("find-lr", "small.toml", "--steps", 10, "--plot", "curve.png").code == 0
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")
    told = refused(1, "find-lr", "small.toml", "--steps", 10, "--plot", "no/curve.png")
    assert told == "gputrain: no/curve.png: No such file or directory"


# --------------------------------------------------------------------------- summary, config, datasets, run


def test_summary(gputrain):
    done = gputrain("summary", "small.toml")
    assert done.code == 0
    assert "Total params: 18" in done.out
    assert "Memory of a train step, batch size 16:" in done.out
    found = one_document(gputrain("summary", "small.toml", "--json", "--set", "training.batch_size=8").out)
    assert found["parameters"] == 18
    assert [layer["type"] for layer in found["layers"]] == ["Flatten", "Dense"]
    assert found["batch_size"] == 8
    assert found["memory_bytes"]["weights"] == 18 * 4


def test_summary_of_a_run_whose_data_is_gone(gputrain):
    gputrain("train", "small.toml", "--epochs", 1)
    Path("flowers.csv").unlink()
    done = gputrain("summary", "runs/small-1")
    assert done.code == 0
    assert "Total params: 18" in done.out


@pytest.mark.parametrize("options", [[], ["--set", "optimizer.name=sgd", "--epochs", "3", "--seed", "7"]])
def test_config_show_prints_a_recipe_of_the_same_settings(gputrain, options):
    done = gputrain("config", "show", "small.toml", *options)
    assert (done.code, done.err) == (0, "")
    again = check(tomllib.loads(done.out), Source("a.toml")).settings
    assert one_document(gputrain("config", "show", "small.toml", *options, "--json").out) == json.loads(
        json.dumps(again)
    )
    Path("again.toml").write_text(done.out)
    assert gputrain("config", "show", "again.toml").out == done.out
    assert load("again.toml").settings == again


def test_config_show_of_a_run(gputrain):
    gputrain("train", "small.toml", "--epochs", 1)
    shown = tomllib.loads(gputrain("config", "show", "runs/small-1").out)
    assert shown["model"]["layers"][1]["units"] == 3


def test_datasets(gputrain):
    done = gputrain("datasets")
    assert (done.code, done.err) == (0, "")
    assert as_table(done.out)[0] == ["name", "about", "place"]
    found = one_document(gputrain("datasets", "--json").out)
    places = {row["name"]: row["place"] for row in found}
    assert set(places) >= {"digits", "mnist", "wine"}
    assert places["digits"].endswith("digits.npz")


def test_run_names_a_wrong_backend(gputrain):
    done = gputrain("run", "--backend", "gpu", "a.py")
    assert (done.code, done.out) == (2, "")
    assert "argument --backend: " in done.err
    assert "Did you mean 'cupy'?" in done.err


# -------------------------------------------------------------------------------------------------- doctor


def test_doctor_tells_of_wrong_settings(gputrain, monkeypatch):
    monkeypatch.setenv("GPUTRAIN_SEED", "many")
    monkeypatch.setenv("GPUTRAIN_FLOATX", "float31")
    done = gputrain("doctor", "--json")
    assert done.code == 1
    checks = {check["name"]: check for check in one_document(done.out)["checks"]}
    assert checks["seed"]["state"] == checks["floatx"]["state"] == "problem"
    assert "environment variable GPUTRAIN_SEED gives 'many'" in checks["seed"]["found"]
    assert "Did you mean 'float32'?" in checks["floatx"]["found"]
    assert "epsilon" not in checks


def test_doctor_tells_once_of_a_wrong_config_file(gputrain, monkeypatch, tmp_path):
    (tmp_path / "config.toml").write_text("sed = 3")
    monkeypatch.setenv("GPUTRAIN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("GPUTRAIN_DEVICE", "cuda:0")
    done = gputrain("doctor", "--json")
    assert done.code == 1
    wrong = [check for check in one_document(done.out)["checks"] if check["state"] == "problem"]
    assert len(wrong) == 1
    assert "Unknown setting 'sed'" in wrong[0]["found"]


# ---------------------------------------------------------------------------------------------- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(gputrain, shell):
    pytest.importorskip("argcomplete")
    done = gputrain("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "gputrain" in done.out


def asked_by_a_shell(line: str) -> list[str]:
    """What may stand at the end of a line, as argcomplete tells the shell."""
    code = """
import os, sys
os.dup2(1, 8)  # where argcomplete answers
from gputrain.app.cli import main
main([])
"""
    variables = {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_IFS": " ",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment(), **variables}, capture_output=True, text=True
    )
    return done.stdout.split()


def test_commands_and_their_options_are_completed():
    pytest.importorskip("argcomplete")
    assert asked_by_a_shell("gputrain s") == ["sweep", "summary"]
    assert "--seeds" in asked_by_a_shell("gputrain sweep digits_mlp --se")
    assert "show" in asked_by_a_shell("gputrain config ")


def test_completion_without_its_extra(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    told = refused(1, "completion", "bash")
    assert told == 'gputrain: Completion needs the extra "completion": pip install "gputrain[completion]".'


def test_an_unknown_shell(gputrain):
    assert gputrain("completion", "tcsh").code == 2


# ------------------------------------------------------------------------------------------- a closed pipe


@pytest.mark.parametrize("kind", ["predict", "sweep"])
def test_a_reader_that_goes_away_is_no_error_message(gputrain, trained, tmp_path, kind):
    if kind == "predict":
        argv = ["predict", str(trained("table")), str(write_csv(tmp_path / "more.csv", flowers(9000)))]
    else:
        gputrain("sweep", "small.toml", "--epochs", 1)
        argv = ["sweep", "runs/small-sweep-1"]
    command = [sys.executable, "-m", "gputrain", *argv]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    if kind == "predict":
        assert process.stdout.readline().startswith("sample,prediction")
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (0, 1)
    assert "Traceback" not in told
    assert "roken pipe" not in told
    assert "Exception ignored" not in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "argv", [["train", "small.toml", "--epochs", "1"], ["datasets"], ["config", "show", "small.toml"]]
)
def test_a_stdout_that_is_full(argv):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "gputrain", *argv]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment()
        )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("gputrain: ")]
    assert len(lines) == 1
    assert "No space left on device" in lines[0]
    assert done.stderr.endswith(lines[0] + "\n")
    if argv[0] == "train":
        assert lines[0].endswith("It is in runs/small-1.")


def test_a_recipe_that_is_not_there_for_each_command(refused):
    for argv in (["train"], ["sweep"], ["find-lr"], ["summary"], ["config", "show"]):
        assert "absent.toml: There is no such recipe file." in refused(2, *argv, "absent.toml")
    for argv in (["evaluate", "absent"], ["predict", "absent", "x.csv"], ["compare", "absent"]):
        assert "absent: A run folder holds a config.toml." in refused(2, *argv)
    write_recipe(Path("gone.toml"), data={"file": "gone.csv"})
    for argv in (["train"], ["find-lr"], ["summary"]):
        assert refused(1, *argv, "gone.toml").endswith("gone.csv: No such file or directory")
