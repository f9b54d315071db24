"""Committed against reproduced: what counts as the same."""

import io
import json
import shutil
import subprocess

import notebook_factory
import pandas as pd
import pytest

from mic import cli, config
from mic.errors import ConfigError, ResultError
from mic.publishing import reproduction
from mic.publishing.notebooks import Runner
from mic.storage import provenance

COMMITTED = pd.DataFrame(
    {
        "row": ["MIC", "raw"],
        "accuracy": [0.90, 0.50],
        "accuracy_low": [0.85, 0.40],
        "accuracy_high": [0.95, 0.60],
        "fit_seconds": [10.0, 11.0],
    }
)


def test_the_same_table_is_equal_in_every_cell():
    counts = reproduction.compare(COMMITTED, COMMITTED.copy())
    assert counts == dict.fromkeys(counts, 0) | {"equal": 10}


def test_a_number_inside_the_committed_interval_is_told_from_one_outside():
    other = COMMITTED.assign(accuracy=[0.93, 0.75], fit_seconds=[12.0, 11.0])
    counts = reproduction.compare(COMMITTED, other)
    found = {"equal": 7, "inside": 1, "outside": 1, "timing": 1}
    assert counts == dict.fromkeys(counts, 0) | found


@pytest.mark.parametrize(
    ("accuracy", "state", "widest"),
    [
        ([0.909, 0.492], "reproduced", float("nan")),
        ([0.905, 0.58], "inside intervals", 0.2),
        ([0.93, 0.50], "inside intervals", 0.1),
        ([0.90, 0.61], "differs", float("nan")),
        ([0.90, 0.50], "same", float("nan")),
    ],
)
def test_reproduced_is_told_from_merely_inside_a_wide_interval(
    tmp_path, monkeypatch, accuracy, state, widest
):
    monkeypatch.setattr(reproduction, "committed_tables", lambda only: {"accuracy": COMMITTED})
    (tmp_path / "04_training").mkdir()
    again = COMMITTED.assign(accuracy=accuracy)
    again.to_csv(tmp_path / "04_training/accuracy.csv", index=False)
    (line,) = reproduction.report(tmp_path).to_dict("records")
    assert line["state"] == state
    assert line["widest"] == pytest.approx(widest, nan_ok=True)


def test_an_end_of_an_interval_may_move_by_the_margin():
    counts = reproduction.compare(COMMITTED, COMMITTED.assign(accuracy_high=[0.951, 0.5999]))
    assert counts == dict.fromkeys(counts, 0) | {"equal": 8, "reproduced": 2}
    counts = reproduction.compare(COMMITTED, COMMITTED.assign(accuracy_low=[0.83, 0.45]))
    assert counts == dict.fromkeys(counts, 0) | {"equal": 8, "outside": 1, "inside": 1}


@pytest.mark.parametrize(
    ("committed", "again", "state"),
    [
        ([0.90, -2.5], [0.909, -2.52], "reproduced"),
        ([0.90, -2.5], [0.911, -2.5], "outside"),
        ([0.90, -2.5], [0.90, -2.53], "outside"),
        ([0.001, 0.002], [0.001, 0.00201], "reproduced"),
        ([0.001, 0.002], [0.0011, 0.002], "outside"),
        ([3, 4], [3, 5], "outside"),
        (["a", "b"], ["a", "c"], "outside"),
    ],
)
def test_a_number_without_an_interval_may_be_off_by_the_margin(committed, again, state):
    counts = reproduction.compare(pd.DataFrame({"x": committed}), pd.DataFrame({"x": again}))
    changed = sum(old != new for old, new in zip(committed, again, strict=True))
    assert counts == dict.fromkeys(counts, 0) | {"equal": 2 - changed, state: changed}


def test_rows_and_columns_that_one_has_alone_are_counted():
    assert reproduction.compare(COMMITTED, COMMITTED[:1])["missing"] == 5
    assert reproduction.compare(COMMITTED, COMMITTED.assign(extra=1))["missing"] == 2


def test_the_report_reads_the_commit_and_not_the_working_tree(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    tables = tmp_path / "results" / "04_training"
    tables.mkdir(parents=True)
    COMMITTED.to_csv(tables / "accuracy.csv", index=False)
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-qm", "tables")
    COMMITTED.assign(accuracy=[0.1, 0.2]).to_csv(tables / "accuracy.csv", index=False)
    committed = reproduction.committed_tables(tmp_path)
    assert committed["accuracy"]["accuracy"].tolist() == [0.9, 0.5]
    with pytest.raises(ResultError, match="is no Git checkout"):  # one above is another's
        reproduction.committed_tables(tables)
    with pytest.raises(ResultError, match="git: "):
        reproduction.committed_tables(tmp_path / "nowhere")
    assert list(reproduction.committed_tables(tmp_path, only=["04_training"])) == ["accuracy"]
    assert reproduction.committed_tables(tmp_path, only=["05_ablations"]) == {}


def test_without_git_the_tables_that_no_run_replaced_stand_for_the_committed_ones(tmp_path):
    for name in ("04_training", "05_ablations"):
        folder = tmp_path / "results" / name
        folder.mkdir(parents=True)
        (folder / "provenance.json").write_text("{}")
        COMMITTED.to_csv(folder / f"{name[3:]}.csv", index=False)
    stamps = tmp_path / "results" / "notebooks"
    stamps.mkdir()
    (stamps / "05_ablations.json").write_text("{}")  # `mic run` has been here
    found = reproduction.tables_at_rest(tmp_path)
    assert list(found) == ["training"]
    made = tmp_path / "made" / "04_training"
    made.mkdir(parents=True)
    COMMITTED.assign(accuracy=[0.909, 0.492]).to_csv(made / "training.csv", index=False)
    line = reproduction.report(tmp_path / "made", only=["04_training"], committed=found)
    assert line["state"].tolist() == ["reproduced"]
    assert reproduction.report(tmp_path / "made", only=["05_ablations"], committed=found).empty


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """A results folder as a run with a parameter of its own wrote it."""
    root = tmp_path_factory.mktemp("committed")
    notebook_factory.write(root / "notebooks")
    preset = config.load("smoke", epochs=7)
    folder = root / "results"
    Runner(
        root / "notebooks", preset, folder=folder, parameters={"epochs": 7}, progress=io.StringIO()
    ).run()
    return root


def test_a_record_is_repeated_cell_by_cell_elsewhere(committed, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    record = committed / "results/01_probe/provenance.json"
    stored = json.loads(record.read_text())
    assert stored["parameters"] == {"epochs": 7, "profile": "smoke"}
    before = {p: p.read_bytes() for p in committed.rglob("*") if p.is_file()}
    command = ["run", "--from-provenance", str(record)]
    command += ["--notebooks", str(committed / "notebooks")]
    assert cli.main(command) == 0
    said = capsys.readouterr()
    assert "not as recorded" not in said.err
    assert said.out.splitlines()[2].split() == ["numbers", "1", "0", "0", "0", "0", "0", "same"]
    assert {p: p.read_bytes() for p in committed.rglob("*") if p.is_file()} == before
    (repeated,) = (tmp_path / "home/repeated").glob("01_probe-*/01_probe/numbers.csv")
    assert repeated.read_text() == "x\n7\n"
    for ignored in (
        ["--profile", "smoke"],
        ["--data", "mine=/nowhere"],
        ["--show-people"],
        ["--compare"],
        ["--force"],
    ):
        assert cli.main([*command, *ignored]) == 1
        assert "the record decides" in capsys.readouterr().err


def _altered(committed, tmp_path, content):
    folder = tmp_path / "results"
    shutil.copytree(committed / "results", folder)
    (folder / "01_probe/numbers.csv").write_bytes(content)
    return reproduction.repeat(
        folder / "01_probe/provenance.json",
        notebooks=committed / "notebooks",
        folder=tmp_path / "again",
        progress=io.StringIO(),
    )


def test_a_table_that_was_altered_is_not_reproduced(committed, tmp_path):
    done = _altered(committed, tmp_path, b"x\n7.0\n")
    assert done.tables["state"].tolist() == ["same"]
    assert not done.holds


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81"])
def test_a_table_that_is_none_is_named(committed, tmp_path, content):
    with pytest.raises(ResultError, match=r"numbers\.csv"):
        _altered(committed, tmp_path, content)


def test_a_repository_that_a_copy_lies_in_is_not_its_own(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    commit = ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--allow-empty"]
    subprocess.run(["git", "-C", str(tmp_path), *commit, "-qm", "x"], check=True)
    inner = tmp_path / "third" / "mic"
    inner.mkdir(parents=True)
    monkeypatch.setattr(provenance, "repository", lambda: inner)
    provenance.commit.cache_clear()
    assert provenance.commit() == "unknown"
    monkeypatch.setattr(provenance, "repository", lambda: tmp_path)
    provenance.commit.cache_clear()
    assert len(provenance.commit()) == 40
    provenance.commit.cache_clear()


def test_what_is_not_as_recorded_is_said(committed, tmp_path):
    stored = json.loads((committed / "results/01_probe/provenance.json").read_text())
    stored |= {"code_digest": "0" * 16, "commit": "a" * 40, "data": {"clips": "b" * 64}}
    stored["versions"] = stored["versions"] | {"torch": "1.0"}
    (tmp_path / "01_probe").mkdir()
    record = tmp_path / "01_probe/provenance.json"
    record.write_text(json.dumps(stored))
    (tmp_path / "01_probe/numbers.csv").write_text("x\n8\n")
    done = reproduction.repeat(
        record,
        notebooks=committed / "notebooks",
        folder=tmp_path / "again",
        progress=io.StringIO(),
    )
    assert not done.holds
    assert done.tables["outside"].tolist() == [1]
    said = "\n".join(done.differences)
    for words in ("numbers.csv is not the file", "code: then aaaa", "data, clips: then bbbb"):
        assert words in said
    assert "versions, torch: then 1.0, now " in said


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("{", ResultError, "is not a provenance record"),
        ("[" * 100_000, ResultError, "is not a provenance record"),
        ({"notebook": 3}, ResultError, "is not a provenance record"),
        ({"tables": {"../../secret": {}}}, ResultError, "names other tables"),
        ({"tables": {}}, ResultError, "names other tables"),
        ({"tables": {}, "outputs": {}}, ResultError, "names other tables"),
        ({"tables": {"numbers": 3}}, ResultError, "is not a provenance record: numbers"),
        ({"config": {"name": []}}, ResultError, "is not a provenance record: config.name"),
        ({"parameters": ["a"]}, ResultError, "is not a provenance record: parameters"),
        ({"inputs": 3}, ResultError, "is not a provenance record: inputs"),
        ({"notebook": "../01_probe"}, ConfigError, "no notebook"),
        ({"config": {"name": "smoke", "colour": 1}}, ConfigError, "git checkout [0-9a-f]+$"),
        ({"config": {"name": "gone"}}, ConfigError, "other settings"),
        ({"config": {"name": "smoke", "steps": 3}}, ConfigError, "given now: steps"),
        ({"parameters": {"clip": "x"}}, ConfigError, "given now: clip"),
    ],
)
def test_what_is_no_record_of_a_run_is_refused(committed, tmp_path, change, error, words):
    folder = tmp_path / "results"
    shutil.copytree(committed / "results", folder)
    path = folder / "01_probe/provenance.json"
    text = change
    if isinstance(change, dict):
        text = json.dumps(json.loads(path.read_text()) | change)
    path.write_text(text)
    with pytest.raises(error, match=words):
        reproduction.repeat(path, notebooks=committed / "notebooks", folder=tmp_path / "again")
    assert not (tmp_path / "again").exists()
    with pytest.raises(ResultError, match="cannot be read"):
        reproduction.repeat(tmp_path / "none.json")
