"""report.html: one page that needs nothing but itself."""

from __future__ import annotations

import re
from pathlib import Path

from gputrain.app.reporting.heading import heading
from gputrain.app.reporting.markup import text
from gputrain.app.reporting.report import Report
from gputrain.app.reporting.sections import sections_of
from gputrain.app.reporting.style import STYLE
from gputrain.release import __version__
from gputrain.utils.files import write_text

_HEADING = re.compile(r'<section id="(\w+)"[^>]*><h2>([^<]*)</h2>')
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_html(path: Path, report: Report) -> None:
    """Write all that is known of a run as one page.

    The page holds its pictures and its style, runs no script, and asks the network for nothing; its content
    security policy forbids both. All text of the report is escaped. Without matplotlib (the extra `plot`) it
    has the tables and no pictures, and says how to get them. The file is written whole or not at all; equal
    reports give equal bytes.

    Args:
        path: the file; its folder must exist.
        report: what is known of the run.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> write_html(run_folder / "report.html", report)
    """
    write_text(Path(path), _page(report))


def _page(report: Report) -> str:
    body = "\n".join(sections_of(report))
    links = "".join(f'<a href="#{identity}">{words}</a>' for identity, words in _HEADING.findall(body))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(report.name)} · gputrain</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
{heading(report)}
<nav aria-label="Sections">{links}</nav>
<main>
{body}
</main>
<footer>Written by gputrain {text(__version__)}. Epochs are
counted from 1, as while training; history.csv counts them from 0, as Keras does.</footer>
</body>
</html>
"""
