"""How long a study's trainings will take where nobody measured: counted, and one timed here.

The trainings of the notebooks 04, 05, 06, 07 and 09 are the same cells that these ask for, each
counted once; what lies in the store is not counted. One training of the row MIC is timed on as
many clips as its batch has. Rows cost more or less than that, and parsing, tables and timings come
on top, so this is a measured order of magnitude and says what it is made of.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping

from mic.config import Profile
from mic.experiments import ablations, peers, plan
from mic.experiments.cells import Cell, is_stored, splits
from mic.experiments.data import Dataset
from mic.inputs.coverage import UNREADABLE
from mic.peers import PEERS
from mic.processes.workers import torch_threads
from mic.publishing.run_times import in_words
from mic.training.initial import initial_network
from mic.training.train import Training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is left to train.

    Attributes:
        trainings: How many.
        stored: How many more are in the store already.
        clip_epochs: Clips times epochs of all that are left.
        seconds: Processor time of the row MIC a clip and epoch, measured here, one thread; NaN
            where a clip of those that were to be timed cannot be read.
        cores: That the trainings will be shared by.
    """

    trainings: int
    stored: int
    clip_epochs: int
    seconds: float
    cores: int

    @property
    def hours(self) -> float:
        """Wall-clock hours if every row cost what MIC costs, and every core were free."""
        return self.clip_epochs * self.seconds / self.cores / 3600

    def __str__(self) -> str:
        if not self.trainings:
            return f"all {self.stored} trainings are stored"
        todo = f"{self.trainings} trainings to do, {self.stored} stored"
        if math.isnan(self.seconds):
            return f"{todo}; not timed, because a clip cannot be read"
        shared = "one core" if self.cores == 1 else f"{self.cores} cores"
        return (
            f"{todo}; one of MIC just took {1e3 * self.seconds:.3g} ms a clip and epoch on one "
            f"core here: about {in_words(3600 * self.hours)} on {shared}, other rows cost more "
            "or less"
        )


def forecast(
    data: Mapping[str, Dataset], config: Profile, notebooks: Iterable[str]
) -> Forecast | None:
    """Counts what is left to train, and times MIC on a batch of clips of the first dataset.

    Args:
        data: Datasets with classes.
        config: The profile.
        notebooks: Names or numbers; others than those above train nothing that is counted here.

    Returns:
        None where nothing is trained.
    """
    found: dict[str, tuple[Dataset, Cell]] = {}
    numbers = {name[:2] for name in notebooks}
    for one, cell in trainings(data, config, numbers):
        facts = json.dumps(cell.facts(), sort_keys=True)
        found[f"{one.name} {one.manifest.digest()} {facts}"] = (one, cell)
    first = next(iter(data.values()), None)
    if not found or first is None:
        return None
    left = [(one, cell) for one, cell in found.values() if not is_stored(one, cell)]
    fitted = fitted_clips(left)
    sizes = [n * cell.schedule.epochs for n, (_, cell) in zip(fitted, left, strict=True)]
    return Forecast(
        trainings=len(left),
        stored=len(found) - len(left),
        clip_epochs=sum(sizes),
        seconds=_timed(first, config) if left else 0.0,
        cores=config.worker_count(),
    )


def trainings(
    data: Mapping[str, Dataset], config: Profile, numbers: set[str]
) -> Iterator[tuple[Dataset, Cell]]:
    """The trainings that notebooks ask for, some more than once.

    Args:
        data: Datasets with classes.
        config: The profile.
        numbers: The notebooks' numbers.
    """
    first = next(iter(data.values()))
    work: ablations.Work = []
    mic = plan.methods(config, {"MIC": {}})
    work += [(one, plan.cells(one, config, mic)) for one in data.values()]
    if "09" in numbers:
        for one in data.values():  # given data have no search: see `peers.settings`
            rows = plan.methods(config, plan.PAPER_ROWS, searched=not one.generated)
            work.append((one, plan.cells(one, config, rows)))
    if "05" in numbers:
        work += ablations.rows_work(data, config)
        work += ablations.inputs_work(data, config)
        work += ablations.regularisers_work(first, config)
    if "07" in numbers:
        few = dataclasses.replace(config, folds=peers.folds(config))
        work.append((first, plan.variant_cells(first, few, plan.rows(config, plan.SPEED_ROWS))))
    if numbers & {"07", "09"}:
        whole = peers.folds(config) == config.folds
        for one in data.values() if "09" in numbers and whole else [first]:
            who = tuple(PEERS)
            work.append((one, peers.peer_cells(one, config, folds=peers.folds(config), peers=who)))
    if numbers & {"04", "05", "06", "07", "09"}:
        yield from ((one, cell) for one, cells in work for cell in cells)


def fitted_clips(work: Iterable[tuple[Dataset, Cell]]) -> list[int]:
    """How many clips each training sees an epoch."""
    known: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
    found = []
    for data, cell in work:
        key = data.manifest.digest(), cell.parts
        if key not in known:  # dealing thousands of clips out takes a second
            known[key] = {
                split.name: (len(split.train), len(split.validation))
                for split in splits(data.manifest, parts=cell.parts)
            }
        train, validation = known[key][cell.split]
        found.append(train + (validation if cell.target == "test" else 0))
    return found


def _timed(data: Dataset, config: Profile) -> float:
    """Seconds of processor time that an epoch of MIC takes a clip, after one to warm up."""
    schedule = dataclasses.replace(plan.schedule(config, data=data.name), epochs=2)
    some = dataclasses.replace(data.manifest, clips=data.manifest.clips[: schedule.batch])
    try:
        clips = dataclasses.replace(data, manifest=some).tensors(plan.representation(config))
    except UNREADABLE:  # the run leaves such clips out, or says why it cannot
        return math.nan
    rows = range(len(some))
    with torch_threads(1):
        model = initial_network(plan.method(config), clips, rows, seed=config.seed)
        records = Training(model, clips, rows, schedule=schedule).fit()
        next(records)
        began = time.process_time()
        next(records)
        return (time.process_time() - began) / len(some)
