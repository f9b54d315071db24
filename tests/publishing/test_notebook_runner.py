"""The notebook runner: what it runs, what it skips, what it hands over and what it tells."""

import io
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import notebook_factory
import pytest

from mic import cli, config
from mic.errors import ConfigError, NotebookError, ResultError, StorageError
from mic.publishing import results
from mic.publishing.notebooks import find
from mic.storage import provenance


def test_fonts_are_found_before_a_kernel_draws(tmp_path):
    # matplotlib's first run warns of the search, where it is slow; on a kernel's stderr it would
    # end a newcomer's first notebook.
    looked = (
        "import os, pathlib, sys\n"
        "assert 'matplotlib.font_manager' not in sys.modules\n"
        "assert list(pathlib.Path(os.environ['MPLCONFIGDIR']).glob('fontlist-*.json'))"
    )
    notebook_factory.write(tmp_path / "notebooks", sabotage=looked)
    command = [sys.executable, "-m", "mic", "run", "--profile", "smoke"]
    command += ["--notebooks", str(tmp_path / "notebooks"), "--results", str(tmp_path / "results")]
    empty = os.environ | {"MPLCONFIGDIR": str(tmp_path / "empty")}
    done = subprocess.run(command, env=empty, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert notebook_factory.numbers(tmp_path) == [2]


def test_a_good_notebook_runs_once_and_again_only_when_it_changed(tmp_path):
    notebook_factory.write(tmp_path / "notebooks")
    (first,) = notebook_factory.runner(tmp_path).run()
    assert first.ran
    assert first.cells == 5  # papermill's injected cell counts as one
    assert notebook_factory.numbers(tmp_path) == [2]
    (second,) = notebook_factory.runner(tmp_path).run()
    assert not second.ran
    notebook_factory.write(tmp_path / "notebooks", value="config.epochs + 1")
    (third,) = notebook_factory.runner(tmp_path).run()
    assert third.ran
    assert notebook_factory.numbers(tmp_path) == [3]


def test_a_result_that_was_tampered_with_is_made_again(tmp_path):
    notebook_factory.write(tmp_path / "notebooks")
    notebook_factory.runner(tmp_path).run()
    (tmp_path / "results/01_probe/numbers.csv").write_text("x\n99\n")
    (again,) = notebook_factory.runner(tmp_path).run()
    assert again.ran
    assert notebook_factory.numbers(tmp_path) == [2]
    # Another program runs the same notebook with other settings into the same place: whole, too.
    kept = tmp_path / "results/01_probe"
    former = {path: path.read_bytes() for path in kept.iterdir()}
    notebook_factory.write(tmp_path / "notebooks", value="99")
    notebook_factory.runner(tmp_path).run()
    other = {path: path.read_bytes() for path in kept.iterdir()}
    notebook_factory.write(tmp_path / "notebooks")
    (again,) = notebook_factory.runner(tmp_path).run()
    assert {path: path.read_bytes() for path in kept.iterdir()}.keys() == former.keys()
    for path, data in other.items():
        path.write_bytes(data)
    (again,) = notebook_factory.runner(tmp_path).run()
    assert again.ran
    assert notebook_factory.numbers(tmp_path) == [2]
    (stamp,) = (tmp_path / "results" / "notebooks").glob("01_probe*.json")
    stamp.write_text(stamp.read_text()[:20])
    (anew,) = notebook_factory.runner(tmp_path).run()
    assert anew.ran


@pytest.mark.parametrize("place", ["results/a.csv", "results/study/b.csv", "a.mp4"])
def test_what_it_reads_of_the_repository_or_of_a_user_decides_too(tmp_path, monkeypatch, place):
    checkout = tmp_path / "checkout"
    monkeypatch.setattr("mic.storage.provenance.repository", lambda: checkout)
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    notebook_factory.write(
        tmp_path / "notebooks",
        inputs="`results/a.csv`; the tables of `results/study`",
        parameters='clip = "generated"\n',
    )
    for name in ("results/a.csv", "results/study/b.csv", "a.mp4"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("1")

    def ran():
        return notebook_factory.runner(tmp_path, parameters={"clip": "a.mp4"}).run()[0].ran

    assert ran()
    assert not ran()
    (checkout / place).write_text("2")
    assert ran()
    record = provenance.read(tmp_path / "results/01_probe/provenance.json")
    assert sorted(record["inputs"]) == ["clip", "results/a.csv", "results/study"]
    assert record["parameters"]["clip"] == str(checkout / "a.mp4")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("profile", "--profile"),
        ("results_folder", "--results"),
        ("datasets", "--data"),
        ("show_people", "--show-people"),
    ],
)
def test_what_has_an_option_is_not_taken_for_a_parameter(name, option, capsys):
    assert cli.main(["run", "--only", "04", "-p", name, "smoke"]) == 1
    assert option in capsys.readouterr().err


def test_a_file_in_the_place_of_the_results_is_not_called_a_full_disk(tmp_path):
    notebook_factory.write(tmp_path / "notebooks")
    (tmp_path / "results").write_text("")
    with pytest.raises(StorageError, match="can be written"):
        notebook_factory.runner(tmp_path).run()


def test_the_committed_results_are_replaced_by_the_default_profile_alone(tmp_path, capsys):
    base = provenance.repository() / "results"
    default, other = config.load("default"), config.load("default", seed=3)
    assert results.folder_of(default) == base
    assert results.folder_of(other) == base / "own" / f"default-{other.digest()[:8]}"
    for profile in (other, config.load("smoke")):
        with pytest.raises(ResultError, match="holds the committed results"):
            results.folder_of(profile, str(base))
    assert results.folder_of(other, "~/out") == Path.home() / "out"
    for address in ("s3://bucket/x", "smb://host/share"):
        with pytest.raises(ResultError, match="is an address"):
            results.folder_of(default, address)
    assert cli.main(["run", "--profile", "default", "--only", "02", "-p", "clip", "x"]) == 1
    assert "would replace the committed results" in capsys.readouterr().err
    assert cli.main(["run", "--profile", "default", "--only", "02", "-p", "nothing", "1"]) == 1
    assert "has no parameter nothing" in capsys.readouterr().err


def test_what_cannot_be_compared_is_refused_before_it_runs(tmp_path, capsys):
    command = ["run", "--compare", "--results", str(tmp_path / "results")]
    for arguments, words in (
        (["--profile", "default", "-p", "seed", "3"], "are of the default profile"),
        (["--profile", "default", "--data", "mine=/nowhere"], "are of generated data"),
    ):
        assert cli.main([*command, *arguments]) == 1
        assert words in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert cli.main(["run", "--results", str(tmp_path / "file"), "--data", "ckplus=/no"]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err  # before anything is built


def test_a_profile_of_which_nothing_is_committed_runs_without_a_comparison(tmp_path, capsys):
    notebook_factory.write(tmp_path / "notebooks")
    command = ["run", "--profile", "smoke", "--compare"]  # as `make reproduce PROFILE=smoke`
    command += ["--notebooks", str(tmp_path / "notebooks")]
    assert cli.main([*command, "--results", str(tmp_path / "results")]) == 0
    assert "smoke has none to compare" in capsys.readouterr().out
    assert notebook_factory.numbers(tmp_path) == [2]


def test_a_table_that_no_notebook_has_written_is_missed_before_any_runs(tmp_path):
    notebook_factory.write(tmp_path / "notebooks")
    notebook_factory.write(
        tmp_path / "notebooks", "02_reader", inputs="table `numbers`", outputs="none"
    )
    with pytest.raises(NotebookError, match="reads the table numbers, which is not in") as caught:
        notebook_factory.runner(tmp_path).run(["02"])
    assert "run 01_probe as well" in caught.value.remedy
    assert len(notebook_factory.runner(tmp_path).run()) == 2
    assert notebook_factory.runner(tmp_path).run(["02"])


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path):
    notebook_factory.write(tmp_path / "notebooks")
    with pytest.raises(NotebookError, match="epochz"):
        notebook_factory.runner(tmp_path, parameters={"epochz": 3}).run()
    assert not (tmp_path / "results").exists()


def test_a_parameter_reaches_the_notebook(tmp_path):
    notebook_factory.write(tmp_path / "notebooks")
    arguments = ["run", "--profile", "smoke", "--notebooks", str(tmp_path / "notebooks")]
    arguments += ["--results", str(tmp_path / "results"), "-p", "epochs", "7"]
    assert cli.main(arguments) == 0
    assert notebook_factory.numbers(tmp_path) == [7]


def test_plain_papermill_refuses_a_mistyped_parameter_too(tmp_path):
    path = notebook_factory.write(tmp_path / "notebooks")
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb")]
    environment = os.environ | {"MIC_PROFILE": "smoke"}
    folder = ["-p", "results_folder", str(tmp_path / "results")]
    good = subprocess.run(
        [*command, *folder, "-p", "epochs", "4"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert good.returncode == 0, good.stderr
    assert notebook_factory.numbers(tmp_path) == [4]
    bad = subprocess.run(
        [*command, *folder, "-p", "epochz", "4"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert bad.returncode != 0
    assert "epochz" in bad.stderr
    assert notebook_factory.numbers(tmp_path) == [4]


def test_in_place_writes_outputs_and_the_measured_time(tmp_path):
    path = notebook_factory.write(tmp_path / "notebooks")
    notebook_factory.runner(tmp_path, in_place=True).run()
    notebook = nbformat.read(path, 4)
    assert "**Run time:** not measured" not in notebook.cells[0].source
    assert " s (smoke profile, " in notebook.cells[0].source
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert all("injected-parameters" not in cell.metadata.get("tags", []) for cell in code)
    (again,) = notebook_factory.runner(tmp_path).run()
    assert not again.ran


def test_a_terminal_gets_a_live_line(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    notebook_factory.write(tmp_path / "notebooks")
    terminal = Terminal()
    runner = notebook_factory.runner(tmp_path)
    runner.progress = terminal
    runner.run()
    assert "01_probe: cell 3" in terminal.getvalue()


def test_choosing_a_notebook_that_is_not_there_names_those_that_are(tmp_path):
    notebook_factory.write(tmp_path, "01_probe")
    notebook_factory.write(tmp_path, "02_other")
    assert [path.stem for path in find(tmp_path, ["02"])] == ["02_other"]
    with pytest.raises(ConfigError, match="01_probe, 02_other"):
        find(tmp_path, ["07"])


def test_what_shows_people_needs_people(capsys):
    assert cli.main(["run", "--only", "04", "--show-people"]) == 1
    assert "--show-people is of given data" in capsys.readouterr().err


def test_a_folder_without_notebooks_is_no_checkout(tmp_path, capsys):
    command = ["run", "--notebooks", str(tmp_path), "--results", str(tmp_path / "results")]
    assert cli.main([*command, "--only", "00"]) == 1
    assert "run from a checkout" in capsys.readouterr().err
