"""The results page shows every output, and a Markdown page's tables are those of the results."""

import html.parser
import json
import shutil
import subprocess

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from browser import ABSENT, CHROMIUM
from environment_file import ROOT
from playwright.sync_api import sync_playwright

from mic import cli, config
from mic.errors import ResultError
from mic.publishing import report, results
from mic.publishing.report import latex

FRAME = pd.DataFrame(
    {
        "method": ["MIC <b>", "-MI"],
        "accuracy": [0.91234, 0.5],
        "accuracy_low": [0.88, None],
        "accuracy_high": [0.94, None],
        "n": [327, 327],
    }
)
COLUMNS = {
    "method": "row of the paper's table",
    "accuracy": "share of clips",
    "accuracy_low": "lower end, 95 %",
    "accuracy_high": "upper end, 95 %",
    "n": "clips",
}


@pytest.fixture
def folder(tmp_path):
    for notebook in ("04_training", "07_speed"):
        name = notebook[3:]
        run = results.Run(
            notebook, config.load("smoke"), tables=(name,), figures=(f"{name}_curve",),
            folder=tmp_path / "results",
        )  # fmt: skip
        run.table(FRAME, name, caption=f"Scores of {name}.", columns=COLUMNS)
        figure, axis = plt.subplots()
        axis.plot([1, 2])
        run.figure(figure, f"{name}_curve")
        plt.close(figure)
        run.complete()
    return tmp_path / "results"


class _Page(html.parser.HTMLParser):
    """Checks that tags nest, and collects what the page holds and refers to."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.sources, self.text, self.hints = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        self.hints += [value for name, value in attrs if name == "title"]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_whole_and_refers_to_nothing_outside(folder, tmp_path):
    made = report.page(folder, tmp_path / "report.html")
    assert made.notebooks == ("04_training", "07_speed")
    assert (made.tables, made.figures, made.changed) == (2, 2, ())
    page = _Page(made.path.read_text())
    assert page.seen.count("table") == page.seen.count("img") == 2
    assert all(source.startswith(("#", "data:image/png")) for source in page.sources)
    assert "script" not in page.seen
    assert "b" not in page.seen  # a cell's text is text, whatever it holds
    text = "".join(page.text)
    assert "MIC <b>" in text
    assert "0.9123 [0.88, 0.94]" in text
    assert "accuracy low" not in text  # shown with the value it belongs to


@pytest.mark.browser
def test_a_browser_shows_it_and_asks_nobody_else(folder, tmp_path):
    assert CHROMIUM, ABSENT
    made = report.page(folder, tmp_path / "report.html")
    asked, said = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(made.path.as_uri(), wait_until="load")
        for figure in page.locator("img").all():
            figure.scroll_into_view_if_needed()
        drawn = page.evaluate(
            "Promise.all([...document.images].map(async image => (await image.decode(), 1)))"
        )
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        browser.close()
    assert [url for url in asked if not url.startswith("data:")] == [made.path.as_uri()]
    assert (drawn, said) == ([1, 1], [])
    assert wide <= 0


def test_the_same_results_give_the_same_bytes(folder, tmp_path):
    pages = [
        report.page(folder, tmp_path / name).path.read_bytes() for name in ("1.html", "2.html")
    ]
    assert pages[0] == pages[1]


def test_a_table_edited_by_hand_is_said(folder, tmp_path):
    table = folder / "07_speed" / "speed.csv"
    table.write_text(table.read_text().replace("0.91234", "0.99999"))
    made = report.page(folder, tmp_path / "report.html")
    assert made.changed == ("07_speed/speed.csv",)
    assert "changed since" in made.path.read_text()


def test_missing_and_damaged_results_are_named(folder, tmp_path):
    with pytest.raises(ResultError, match="holds no results"):
        report.page(tmp_path, tmp_path / "report.html")
    table = folder / "07_speed" / "speed.csv"
    whole = table.read_bytes()
    table.write_bytes(b"")
    with pytest.raises(ResultError, match=r"speed\.csv.*is no table"):
        report.page(folder, tmp_path / "report.html")
    table.write_bytes(whole)
    (folder / "07_speed" / "speed_curve.png").unlink()
    with pytest.raises(ResultError, match="is gone"):
        report.page(folder, tmp_path / "report.html")
    (folder / "07_speed" / "provenance.json").write_text(json.dumps({"notebook": "07_speed"}))
    with pytest.raises(ResultError, match="not a provenance record"):
        report.page(folder, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_marked_tables_are_renewed_and_nothing_else(folder):
    text = "# A\n\n<!-- table: speed -->\nold\n<!-- end of table -->\n\nB\n"
    new = report.filled(text, folder)
    assert new.startswith("# A\n\n<!-- table: speed -->\n\nScores of speed.\n\n| method |")
    assert new.endswith("|\n\n<!-- end of table -->\n\nB\n")
    assert report.filled(new, folder) == new
    assert report.names_in(new) == ["speed"]


def test_a_page_that_cannot_be_filled_is_said_and_left(folder, tmp_path, capsys):
    page = tmp_path / "page.md"
    command = ["report", "--results", str(folder), "--fill", str(page)]
    for content, fault in (
        (None, "cannot be read as a page"),
        (b"\xff\xfe\x00", "cannot be read as a page"),
        (b"# no table\n", "marks no table"),
        (b"<!-- table: speed -->\n", "misspelt or lacks its end"),
    ):
        if content is not None:
            page.write_bytes(content)
        assert cli.main(command) == 1
        assert fault in capsys.readouterr().err
        assert content is None or page.read_bytes() == content
    page.write_text("<!-- table: speed -->\n<!-- end of table -->\n")
    assert cli.main(command) == 0
    assert "Scores of speed." in page.read_text()


def test_run_times_are_those_that_the_notebooks_say(folder):
    made = report.filled("<!-- table: run_times -->\n<!-- end of table -->\n", folder)
    assert "| 00_workflow |" in made
    assert "| all |" in made


def test_the_record_of_the_campaigns_is_a_table_too(folder, tmp_path):
    record = folder / "reliability.csv"
    head = "campaign,unit,count,failures,seconds,commit\n"
    record.write_text(head + f"kills,processes killed,20937285,3,90.0,{'ab' * 20}+changes\n")
    text = "<!-- table: reliability -->\n<!-- end of table -->\n"
    assert "| kills | processes killed | 20,937,285 | 3 | 1.5 | abababa+changes |" in (
        report.filled(text, folder)
    )
    assert "20,937,285" in report.page(folder, tmp_path / "r.html").path.read_text()
    record.write_text(head + "kills,processes killed,many,3,90.0,ab\n")
    with pytest.raises(ResultError, match="not the record of campaigns"):
        report.filled(text, folder)


def test_published_numbers_stand_beside_ours_in_a_group_of_their_own():
    frame = pd.DataFrame(
        {
            "method": ["MIC <b>"],
            "accuracy": [0.91234],
            "accuracy_low": [0.88],
            "accuracy_high": [0.94],
            "published_accuracy": [0.9895],
            "remark": ["50 % & more_"],
        }
    )
    page = _Page(report.styled(frame, caption="CK+").data)
    assert [text for text in page.text if text.strip()] == [
        "CK+", "published", "ours", "method", "accuracy", "accuracy", "remark",
        "MIC <b>", "0.9895", "0.9123 ", "[0.88, 0.94]", "50 % & more_",
    ]  # fmt: skip


def test_pointing_at_a_column_of_a_written_table_says_what_it_means(tmp_path):
    run = results.Run("01_any", config.load("smoke"), tables=["found"], folder=tmp_path)
    frame = pd.DataFrame({"eer": [0.1], "n": [3]})
    meanings = {"eer": "equal error rate", "n": 'clips of "one" person'}
    table = run.table(frame, "found", caption="Found.", columns=meanings)
    assert _Page(report.styled(table.drop(columns="n")).data).hints == ["equal error rate"]
    assert 'title="clips of &quot;one&quot; person"' in report.styled(table).data


def test_tables_become_latex_that_a_reader_of_latex_understands(folder, tmp_path):
    written = report.export_latex(folder, tmp_path / "tex")
    assert [path.name for path in written] == ["training.tex", "speed.tex"]
    text = written[1].read_text()
    assert text.count("{") == text.count("}")
    assert r"\label{tab:speed}" in text
    assert r"\begin{tabular}{lrr}" in text
    assert r"MIC <b> & 0.9123 {\small [0.88, 0.94]} & 327 \\" in text
    assert latex.escaped("50 % & more_") == r"50 \% \& more\_"
    if shutil.which("pdflatex"):
        page = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{text}"
        (tmp_path / "page.tex").write_text(page + r"\end{document}")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(ResultError, match="holds no results"):
        report.export_latex(tmp_path, tmp_path / "tex")
    shutil.copytree(folder, tmp_path / "copy")
    (gone,) = (tmp_path / "copy").glob("*/speed.csv")
    gone.unlink()
    with pytest.raises(ResultError, match="is in the record and not there"):
        report.export_latex(tmp_path / "copy", tmp_path / "tex")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<!-- table: speed -->\nno end", "lacks its end"),
        ("<!-- table:speed -->\n<!-- end of table -->", "misspelt"),
        ("<!-- table: absent -->\n<!-- end of table -->", "no table 'absent'"),
    ],
)
def test_wrong_marks_are_errors(folder, text, fault):
    with pytest.raises(ResultError, match=fault):
        report.filled(text, folder)


def test_the_readme_shows_the_committed_results():
    text = (ROOT / "results" / "README.md").read_text()
    assert report.names_in(text)
    assert report.filled(text, ROOT / "results") == text, (
        "run `mic report --fill results/README.md`"
    )
