"""The study on trees of published size, dataset by dataset; what is done already is kept.

    python -m campaigns.copies FOLDER mmi recola --profile smoke
    python -m campaigns.copies FOLDER mmi --profile default --only 04 06 --beside

For each dataset a tree of generated faces in its published layout is written into FOLDER/trees,
its counts are held against the published ones, and the notebooks run on it into
FOLDER/NAME-PROFILE. With `--beside` the generated protocol of its shape runs, too, and rows that
differ beyond their intervals are printed. FOLDER/times.csv has a line a step: the processor time
of all its processes, and the wall-clock time. A campaign that was stopped goes on where it was:
clips, trainings and notebooks are kept.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from agreement import apart

from mic import config, datasets
from mic.config import Profile
from mic.datasets import published
from mic.experiments import given
from mic.publishing import results
from mic.publishing.notebooks import Runner
from mic.storage import provenance
from mic.synthface.tools import published_layouts

# The generated protocol of a dataset's shape.
ORIGINS = {"ckplus": "synth-ck", "mmi": "synth-mmi", "afew": "synth-afew"}
LABELLED, RATED = ("04", "05", "06", "07", "09"), ("08",)
_TIMES = ("dataset", "profile", "clips", "step", "processor_s", "wall_s")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copy:
    """A dataset's tree and where what is made of it lies.

    Attributes:
        name: The dataset or variant.
        folder: Holds trees, results and times.
        profile: Of the notebooks.
        clips: About how many; None: the published number.
        size: Edge of the faces' pictures in samples; frames are wider and higher.
        distinct: See `mic.synthface.tools.published_layouts.write`.
        jobs: Processes that draw; the profile's build, and the notebooks' own train.
        beside: Whether the generated protocol runs, too.
    """

    name: str
    folder: Path
    profile: Profile
    clips: int | None = None
    size: int = 128
    distinct: int | None = None
    jobs: int = 1
    beside: bool = False

    @property
    def tree(self) -> Path:
        """The tree, shared by the variants of a dataset."""
        base = datasets.DATASETS[self.name].folder_name
        parts = (base, self.size, self.clips and f"{self.clips}-clips")
        return self.folder / "trees" / "-".join(str(part) for part in parts if part)

    @property
    def results(self) -> Path:
        """The results of the notebooks."""
        return self.folder / f"{self.name}-{self.profile.name}"

    @property
    def texts(self) -> list[str]:
        """What the notebooks are given."""
        origin = [ORIGINS[self.name]] if self.beside and self.name in ORIGINS else []
        return [f"{self.name}={self.tree}", *origin]

    @property
    def studies(self) -> tuple[str, ...]:
        """Numbers of the notebooks that take such data."""
        return LABELLED if datasets.DATASETS[self.name].classes else RATED

    def write(self) -> None:
        """Draws what of the tree is not there."""
        with self._timed("drawing"):
            published_layouts.write(
                datasets.DATASETS[self.name].folder_name,
                self.tree,
                clips=self.clips,
                size=self.size,
                jobs=self.jobs,
                distinct=self.distinct,
            )

    def fetch(self) -> published.Report:
        """Builds the clips at the profile's size, and counts."""
        size = self.profile.size if self.studies == LABELLED else self.profile.size * 3 // 2
        with self._timed("building"):
            return datasets.fetch(
                self.name, path=self.tree, size=size, jobs=self.profile.worker_count()
            )

    def run(self, only: Sequence[str] = ()) -> None:
        """Runs the notebooks that have not run yet."""
        runner = Runner(
            provenance.repository() / "notebooks",
            self.profile,
            folder=self.results,
            datasets=self.texts,
            progress=io.StringIO(),
        )
        for number in only or self.studies:
            with self._timed(number):
                runner.run([number])

    def table(self, name: str) -> pd.DataFrame:
        """A table of the results."""
        return results.read_table(name, folder=self.results)

    def differing(self) -> dict[str, pd.DataFrame]:
        """The rows in which tree and generated protocol differ beyond their intervals, by table.

        Rows that one of the two alone has, as peers that ran on one dataset, are passed over.
        """
        found = {}
        for name in ("training_accuracy", "ablation_rows", "ablation_representations"):
            if results.table_path(name, folder=self.results) is None:
                continue
            table = self.table(name)
            table = table if "row" in table else table.assign(row="MIC")
            shared = table[table.groupby("row")["protocol"].transform("nunique") == 2]
            found[name] = apart(shared, self.name, ORIGINS[self.name])
        return found

    def coverage(self) -> float:
        """Share of the published clips that a run uses."""
        one = given.Given(name=self.name, path=self.tree)
        return given.load(one, self.profile).coverage

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        spent, began = _processor_time(), time.monotonic()
        yield
        path = self.folder / "times.csv"
        new = not path.is_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        line = (
            *(self.name, self.profile.name, self.clips or datasets.DATASETS[self.name].clips),
            *(step, f"{_processor_time() - spent:.1f}", f"{time.monotonic() - began:.1f}"),
        )
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([_TIMES, line] if new else [line])
        print(*line, flush=True)


def _processor_time() -> float:
    """Seconds of processor time of this process and of all that it started and waited for."""
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in own)


def main() -> int:
    """Runs the campaign; 1 where a count or a row is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--profile", default="smoke", choices=sorted(config.PROFILES))
    parser.add_argument("--only", nargs="+", default=[], metavar="NN")
    parser.add_argument("--clips", type=int, help="by default the published number")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--distinct", type=int, help="performances of a person and expression")
    parser.add_argument("--jobs", type=int, default=1, help="processes that draw and build")
    parser.add_argument("--beside", action="store_true", help="run the generated protocol, too")
    options = parser.parse_args()
    wrong = 0
    for name in options.names:
        copy = Copy(
            name=datasets.published.canonical(name),
            folder=options.folder.resolve(),
            profile=config.load(options.profile, jobs=options.jobs),
            clips=options.clips,
            size=options.size,
            distinct=options.distinct,
            jobs=options.jobs,
            beside=options.beside,
        )
        copy.write()
        report = copy.fetch()
        print("\n".join(report.lines()), flush=True)
        wrong += not report.sound
        copy.run(options.only)
        if copy.beside and copy.name in ORIGINS:
            for table, rows in copy.differing().items():
                print(f"{table}: {len(rows)} rows differ beyond their intervals")
                print(rows.to_string(index=False) if len(rows) else "", flush=True)
                wrong += len(rows)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
