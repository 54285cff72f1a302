"""report.html: whole, self-contained, and safe to open whatever the names in it are."""

import os
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from gputrain.app import reporting
from tests.app.reporting.reports import SUMMARY, classifier_report, history, images, regression_report

HOSTILE = "<script>alert('x')</script>\"'><img src=https://example.com/x.png onerror=alert(1)>&amp;\x00\ud800"
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """A page as tags with attributes and the text within, checked to be well nested."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags, self.open, self.texts = [], [], []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def sections(self):
        return [attributes["id"] for attributes in self.all("section")]


def page_of(folder, report):
    reporting.write_html(folder / "report.html", report)
    return Page(folder / "report.html")


@pytest.fixture
def plain(monkeypatch):
    """As where matplotlib is not installed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


# Every element and attribute that a page may have, with what an attribute may say.
ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main", "nav", "footer"),
    *("section", "article", "h1", "h2", "h3", "p", "b", "code", "pre", "ul", "li", "dl", "dt", "dd", "div"),
    *("span", "a", "br", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption"),
    *("img", "details", "summary"),
}
ATTRIBUTES = {
    "src": r"data:image/png;base64,[A-Za-z0-9+/=]+",
    "href": r"#\w+|data:,",
    "style": r"--part:[01]\.\d+",
    "http-equiv": r"Content-Security-Policy",
    **dict.fromkeys(["alt", "title", "aria-label", "content", "name", "lang", "charset", "rel"], r"[^\0]*"),
    **dict.fromkeys(["id", "class", "scope", "role", "tabindex"], r"[\w ]+"),
}


def check_self_contained(page):
    assert {name for name, _ in page.tags} <= ELEMENTS
    for key, value in (pair for _, given in page.tags for pair in given.items()):
        assert re.fullmatch(ATTRIBUTES[key], value), (key, value)
    style = page.source[page.source.index("<style>") : page.source.index("</style>")]
    assert not re.search(r"url\s*\(|@import|//", style)
    policy = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def check_accessible(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all(heading["scope"] in ("row", "col") for heading in page.all("th"))
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    targets = {link["href"][1:] for link in page.all("a")}
    assert targets <= set(page.sections)
    assert len(page.sections) == len(set(page.sections))
    scrolling = [given for tag, given in page.tags if tag == "div" and given.get("class") == "scroll"]
    assert all(given["tabindex"] == "0" and given["aria-label"] for given in scrolling)


ALL_OF_A_CLASSIFIER = [
    *["results", "advice", "curves", "confusion", "classes", "worst"],
    *["history", "model", "settings", "metrics", "versions", "log"],
]


def test_classifier(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra plot")
    report = classifier_report(samples={"images": images(5)})
    page = page_of(tmp_path, report)
    check_self_contained(page)
    check_accessible(page)
    assert page.sections == ALL_OF_A_CLASSIFIER
    assert "<title>digits_cnn-3 · gputrain</title>" in page.source
    assert len(page.all("img")) == 3 + 5
    assert "Device NumPy on 2 threads Time 1 min 23 s Epochs 30 Parameters 67,370 Seed 1" in page.text
    assert f"Accuracy {report.assessment.accuracy:.4f} Balanced accuracy" in page.text
    assert "Overfitting · epoch 21 val_loss has risen for 6 epochs" in page.text
    assert "model.layers[1].units 10 optimizer.name" in page.text.replace('"', "")
    assert " ".join(SUMMARY.split()) in page.text
    assert os.listdir(tmp_path) == ["report.html"]
    before = (tmp_path / "report.html").read_bytes()
    assert page_of(tmp_path, report).source.encode() == before


def test_regression(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra plot")
    page = page_of(tmp_path, regression_report(2))
    check_self_contained(page)
    check_accessible(page)
    assert page.sections[:5] == ["results", "advice", "curves", "errors", "worst"]
    assert len(page.all("img")) == 2 + 4
    assert "Sample True price Predicted price Error price True area" in page.text
    assert "Error area rooms city price " in page.text
    tiles = page.text[: page.text.index("Settings")]
    assert "MAE price" not in tiles
    assert "No sign of trouble was seen while training." in page.text


@pytest.mark.usefixtures("plain")
def test_without_matplotlib_there_are_tables_and_the_line_for_pip(tmp_path):
    page = page_of(tmp_path, classifier_report())
    check_self_contained(page)
    check_accessible(page)
    assert page.sections == [name for name in ALL_OF_A_CLASSIFIER if name != "curves"]
    assert page.all("img") == []
    assert 'To have pictures here: pip install "gputrain[plot]"' in page.text
    assert "Sample True Predicted Probability" in page.text


@pytest.mark.usefixtures("plain")
def test_confusion_matrix_is_shaded_by_share(tmp_path):
    confusion = np.repeat(np.eye(3)[[0, 0, 0, 1, 1, 2]], 1, axis=0)
    assessment = reporting.assess_classifier(confusion, [0, 0, 0, 0, 1, 2], ["ant", "bee", "cat"])
    page = page_of(tmp_path, reporting.Report("a", assessment=assessment))
    assert '<td class="hit" style="--part:0.750">3</td><td class="miss" style="--part:0.250">1</td>' in (
        page.source
    )
    assert '<td class="zero">0</td>' in page.source
    assert "ant 3 1 0 bee 0 1 0 cat 0 0 1" in page.text


@pytest.mark.usefixtures("plain")
def test_many_classes_become_the_most_confused_pairs(tmp_path):
    names = [f"kind {i}" for i in range(40)]
    labels = np.repeat(np.arange(40), 3)
    said = labels.copy()
    said[[0, 1, 9]] = [7, 7, 8]
    assessment = reporting.assess_classifier(np.eye(40)[said], labels, names)
    page = page_of(tmp_path, reporting.Report("a", assessment=assessment))
    words = "Samples Share of the true class kind 0 kind 7 2 0.6667 kind 3 kind 8 1 0.3333"
    assert words in page.text
    assert "--part" not in page.source[page.source.index("<body") :]


@pytest.mark.usefixtures("plain")
def test_ratios_that_do_not_exist_are_dashes(tmp_path):
    assessment = reporting.assess_classifier(np.eye(3)[[0, 0]], [0, 1], ["a", "b", "c"])
    page = page_of(tmp_path, reporting.Report("a", assessment=assessment))
    assert "a 0.5000 1.000 0.6667 1 b – 0 0 1 c – – – 0" in page.text


@pytest.mark.usefixtures("plain")
def test_no_mistakes_are_told(tmp_path):
    assessment = reporting.assess_classifier(np.eye(2), [0, 1], ["a", "b"])
    page = page_of(tmp_path, reporting.Report("a", assessment=assessment))
    assert "Every test sample was decided rightly." in page.text


def hostile_report():
    assessment = reporting.assess_classifier([[0.3, 0.7], [0.2, 0.8]], [0, 0], [HOSTILE, "b" + HOSTILE])
    return reporting.Report(
        name=HOSTILE,
        settings={HOSTILE: {"inner": HOSTILE}, "layers": [{HOSTILE: HOSTILE}]},
        metrics={HOSTILE: HOSTILE, "parameters": HOSTILE, "test_" + HOSTILE: HOSTILE},
        history=[{"epoch": 0, "loss": 1.0, HOSTILE: 1.0, "note": HOSTILE}],
        summary=HOSTILE,
        advice=[{"key": HOSTILE, "epoch": HOSTILE, "sign": HOSTILE, "tries": [HOSTILE]}],
        assessment=assessment,
        samples={"rows": [{HOSTILE: HOSTILE}]},
        versions={HOSTILE: HOSTILE},
        device=HOSTILE,
        log=f"first\x1b[31m red\x1b[0m {HOSTILE}\nlast",
    )


def test_text_of_any_kind_stays_text(tmp_path):
    page = page_of(tmp_path, hostile_report())
    check_self_contained(page)
    check_accessible(page)
    assert page.sections == [name for name in ALL_OF_A_CLASSIFIER if name in page.sections]
    shown = HOSTILE.replace("\x00\ud800", "\ufffd\ufffd")
    assert page.text.count(shown) > 20
    assert "first red <script>" in page.text
    assert "\x00" not in page.source
    assert "\x1b" not in page.source


@pytest.mark.usefixtures("plain")
def test_interrupted_run_shows_its_last_epoch(tmp_path):
    metrics = {"train_loss": 0.5, "val_loss": 0.7, "epochs": 3, "seconds": 2.0, "interrupted": True}
    page = page_of(tmp_path, reporting.Report("a", metrics=metrics, history=history(3)))
    assert page.sections == ["results", "advice", "history", "metrics"]
    assert "The run was interrupted" in page.text
    assert "Results of the last epoch Train loss 0.5000 Val loss 0.7000 " in page.text


@pytest.mark.usefixtures("plain")
def test_history_marks_the_best_epoch_and_shows_what_is_missing(tmp_path):
    logs = [{"epoch": 0, "loss": 3.0}, {"epoch": 1, "loss": 2.0, "val_loss": 2.5}, {"epoch": 2, "loss": 1.0}]
    page = page_of(tmp_path, reporting.Report("a", history=logs))
    words = "val_loss is lowest in epoch 2: 2.500. Values of each epoch epoch loss val_loss "
    assert words + "1 3.000 – 2 (best) 2.000 2.500 3 1.000 –" in page.text


@pytest.mark.usefixtures("plain")
def test_of_a_long_log_the_end_is_kept(tmp_path):
    page = page_of(tmp_path, reporting.Report("a", log="\n".join(f"line {i}" for i in range(9000))))
    assert "The last 2,000 of 9,000 lines. line 7000 line 7001" in page.text
    assert "line 6999" not in page.text


@pytest.mark.usefixtures("plain")
def test_report_of_nothing_is_a_page(tmp_path):
    page = page_of(tmp_path, reporting.Report("empty"))
    check_accessible(page)
    assert page.sections == ["advice"]


@pytest.mark.usefixtures("plain")
def test_failed_write_keeps_the_older_page(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("old")

    def fail(*paths):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        reporting.write_html(tmp_path / "report.html", reporting.Report("a"))
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"
