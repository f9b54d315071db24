"""A run's outputs appear together, checked, or not at all."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mic import config
from mic.errors import ResultError
from mic.processes import owners
from mic.publishing import report, results
from mic.publishing.report import markdown

COLUMNS = {"method": "name", "accuracy": "share of clips, 0 to 1", "n": "clips"}
FRAME = pd.DataFrame({"method": ["a|b", "c"], "accuracy": [0.123456789, 1.0], "n": [7, 8]})


def _run(folder, **options):
    options = {"tables": ("scores",), "figures": ("curve",)} | options
    return results.Run("04_training", config.load("smoke"), folder=folder, **options)


def _fill(run):
    run.table(FRAME, "scores", caption="Scores.", columns=COLUMNS)
    figure, axis = plt.subplots()
    axis.plot([1, 2])
    run.figure(figure, "curve")
    plt.close(figure)


def test_a_table_beside_a_record_that_cannot_be_read_is_read(tmp_path):
    (tmp_path / "04_training").mkdir()
    (tmp_path / "04_training" / "scores.csv").write_text("x\n1\n")
    assert results.read_table("scores", folder=tmp_path).attrs == {}
    for text in ("{}", "{", '{"tables": {}}'):
        (tmp_path / "04_training" / "provenance.json").write_text(text)
        assert results.read_table("scores", folder=tmp_path)["x"].tolist() == [1]


def test_outputs_appear_only_on_completion(tmp_path, capsys):
    run = _run(tmp_path)
    _fill(run)
    assert not (tmp_path / "04_training").exists()
    run.complete()
    assert capsys.readouterr().out == "mic-complete: 04_training: 1 tables, 1 figures\n"
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*"))
    assert [name for name in names if not name.startswith(".")] == [
        "04_training/curve.png",
        "04_training/provenance.json",
        "04_training/scores.csv",
    ]
    assert (tmp_path / "04_training/scores.csv").read_text().splitlines()[1] == "a|b,0.123457,7"
    assert "| a\\|b | 0.1235 | 7 |" in markdown.to_markdown(FRAME)
    record = json.loads((tmp_path / "04_training/provenance.json").read_text())
    assert record["config_digest"] == config.load("smoke").digest()
    assert record["tables"]["scores"]["rows"] == 2


def test_the_same_run_writes_the_same_bytes(tmp_path):
    contents = []
    for name in ("first", "second"):
        run = _run(tmp_path / name)
        _fill(run)
        run.complete()
        files = (p for p in (tmp_path / name).rglob("*.*") if p.is_file())
        contents.append({p.name: p.read_bytes() for p in files})
    assert contents[0] == contents[1]


def test_a_caption_says_what_stands_behind_its_table(tmp_path):
    run = _run(tmp_path)
    text = run.caption("Scores.", "n 24", "12 people")
    assert text == "Scores. n 24; 12 people; seed 0; profile smoke."
    table = run.table(FRAME, "scores", caption=text, columns=COLUMNS)
    assert f"<caption>{text}</caption>" in report.styled(table.drop(columns="n")).data
    assert "<caption>Mine</caption>" in report.styled(table, caption="Mine").data


def test_a_missing_output_moves_nothing(tmp_path):
    run = _run(tmp_path)
    run.table(FRAME, "scores", caption="Scores.", columns=COLUMNS)
    with pytest.raises(ResultError, match=r"curve\.png"):
        run.complete()
    assert not (tmp_path / "04_training").exists()


@pytest.mark.parametrize(
    ("frame", "name", "word"),
    [
        (FRAME, "score", "not declared"),
        (FRAME[["method"]], "scores", "described"),
        (FRAME[:0], "scores", "no rows"),
    ],
)
def test_a_table_that_breaks_its_schema_is_refused(tmp_path, frame, name, word):
    with pytest.raises(ResultError, match=word):
        _run(tmp_path).table(frame, name, caption="Scores.", columns=COLUMNS)


def test_a_kill_between_two_renames_is_mended_by_the_next_run(tmp_path):
    code = f"""
        import os, signal
        from pathlib import Path
        import pandas as pd
        from mic import config
        from mic.publishing import results
        run = results.Run("04_training", config.load("smoke"), tables=("a", "b"),
                          folder={str(tmp_path)!r})
        for name in ("a", "b"):
            frame = pd.DataFrame({{"x": [1]}})
            run.table(frame, name, caption="A.", columns={{"x": "a number"}})
        real, moved = Path.replace, []
        def replace(self, target):
            if self.name.endswith(".csv") and not self.name.startswith("."):
                if len(moved) == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                moved.append(self)
            return real(self, target)
        Path.replace = replace
        run.complete()
    """
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "04_training").iterdir())) == 1
    assert results.read_table("b", folder=tmp_path)["x"].tolist() == [1]
    assert len(list((tmp_path / "04_training").iterdir())) == 3
    assert list(tmp_path.glob(".staging-*")) == []


def test_the_staging_folder_of_a_dead_run_is_cleared_and_of_a_live_one_kept(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    ours, *others = f".staging-01_x{owners.mark()}", ".staging-copy", ".staging-01_x-00000000.1"
    gone = ours.replace(f".{os.getpid()}", f".{dead.pid}")
    for name in (ours, gone, *others):
        (tmp_path / name).mkdir(parents=True)
    _run(tmp_path)
    # Nobody here knows of other machines' processes, nor of folders that are no run's.
    assert {p.name for p in tmp_path.glob(".staging-*")} == {ours, *others}
    long_ago = time.time() - 30 * 24 * 3600
    os.utime(tmp_path / others[1], (long_ago, long_ago))
    with pytest.raises(ResultError):
        results.read_table("scores", folder=tmp_path)
    assert {p.name for p in tmp_path.glob(".staging-*")} == {ours, others[0]}


def test_reading_a_table_that_nobody_wrote_names_the_remedy(tmp_path):
    with pytest.raises(ResultError, match="mic run"):
        results.read_table("scores", folder=tmp_path)


def test_what_a_later_run_leaves_out_does_not_stay(tmp_path):
    given = {"datasets": ("ckplus=x",), "show_people": True}
    run = _run(tmp_path, **given)
    _fill(run)
    run.complete()
    (tmp_path / "04_training" / "mine.txt").write_text("a reader's own")
    again = _run(tmp_path, **given | {"show_people": False})
    again.table(FRAME, "scores", caption="Scores.", columns=COLUMNS)
    figure, _ = plt.subplots()
    again.figure(figure, "curve", shows="CK+")
    again.complete()
    assert sorted(path.name for path in (tmp_path / "04_training").iterdir()) == [
        "mine.txt",
        "provenance.json",
        "scores.csv",
    ]


def test_a_record_that_cannot_be_read_does_not_end_the_next_run(tmp_path):
    for _ in range(2):
        run = _run(tmp_path)
        _fill(run)
        run.complete()
        (tmp_path / "04_training" / "provenance.json").write_text("{")
    assert (tmp_path / "04_training" / "curve.png").is_file()


def test_plots_are_written_with_a_palette_and_photographs_with_every_colour(tmp_path):
    photograph = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    figure, axes = plt.subplots(1, 2, figsize=(3, 1.5), dpi=100)
    axes[0].plot([1, 2], color="#d1651a")
    axes[1].imshow(np.full((4, 4, 3), 255, np.uint8))
    for name, shown in (("plot", None), ("photograph", photograph)):
        if shown is not None:
            axes[1].imshow(shown)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
        results.write_opaque(drawn, tmp_path / f"{name}.png")
        with Image.open(drawn) as whole, Image.open(tmp_path / f"{name}.png") as written:
            assert written.mode == ("P" if name == "plot" else "RGB")
            away = np.array(whole.convert("RGB"), int) - np.array(written.convert("RGB"), int)
            assert np.abs(away).max() <= (16 if name == "plot" else 0)
            assert written.info["dpi"] == whole.info["dpi"]
    plt.close(figure)
