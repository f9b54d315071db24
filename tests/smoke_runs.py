"""Runs notebooks as `make reproduce` does, in the smoke profile and a root of their own."""

import io
import json
from pathlib import Path

import nbformat
from environment_file import ROOT

from mic import config
from mic.publishing import results
from mic.publishing.notebooks import Runner, find

# Each file of `make test` runs a part, in order, beside the others; `make test-long` runs all in
# one root. A notebook is in the part of those whose tables it reads.
PARTS = {
    "data": ("00_workflow", "01_reencoding", "02_residuals", "03_mine"),
    "training": ("04_training", "05_ablations", "06_confusion_matrices", "08_low_bitrate"),
    "speed": ("07_speed", "09_paper_comparison", "10_real_people", "11_transfer"),
}


def all_notebooks() -> list[str]:
    """Names of the repository's notebooks, in order."""
    return [path.stem for path in find(ROOT / "notebooks")]


def compared(path: Path) -> dict[int, list[tuple[str, object]]]:
    """What the compared cells (`nbval-check-output`) of a notebook show, by number of the cell.

    Args:
        path: The notebook; as nbval has it, pieces of one stream count as one output.
    """
    shown: dict[int, list[tuple[str, object]]] = {}
    for number, cell in enumerate(nbformat.read(path, 4).cells):
        if "nbval-check-output" not in cell.metadata.get("tags", []):
            continue
        streams: dict[str, str] = {}
        others: list[tuple[str, object]] = []
        for output in cell.outputs:
            if output.output_type == "stream":
                streams[output.name] = streams.get(output.name, "") + output.text
            else:
                others.append((output.output_type, dict(output.get("data", {}))))
        shown[number] = [*sorted(streams.items()), *others]
    return shown


def run_twice(names: tuple[str, ...], root: Path) -> None:
    """Runs notebooks, looks at all they wrote, and runs them again, which must take seconds.

    What their compared cells show must be what is committed: it does not depend on the profile.
    """

    def runner() -> Runner:
        return Runner(
            ROOT / "notebooks",
            config.load("smoke"),
            folder=root / "results",
            progress=io.StringIO(),
        )

    only = [name[:2] for name in names]
    outcomes = runner().run(only=only)
    assert [outcome.name for outcome in outcomes] == list(names)
    assert all(outcome.ran for outcome in outcomes)
    for name in names:
        executed = root / "results" / "notebooks" / f"{name}.ipynb"
        committed = compared(ROOT / "notebooks" / f"{name}.ipynb")
        assert committed
        assert compared(executed) == committed
        record = json.loads((root / "results" / name / "provenance.json").read_text())
        assert record["config"]["name"] == "smoke"
        for output in record["outputs"]:
            assert (root / "results" / name / output).stat().st_size > 0
        for table in record["tables"]:
            frame = results.read_table(table, folder=root / "results")
            assert len(frame) == record["tables"][table]["rows"]
    assert not any(outcome.ran for outcome in runner().run(only=only))
