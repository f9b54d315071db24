"""How long a study takes on a copy of published size: trainings counted, each kind timed once.

    python -m campaigns.expected OUT.csv --profile paper --data ckplus mmi

Nothing of the dataset is needed: its clips, people and parts are those of the tree of generated
faces in its layout, whose plan is read without drawing a picture. Each kind of training (a method
on a representation) is timed for an epoch on a batch of clips of `synth-ck`, one thread, processor
time. Peers that are given every frame cost more on longer clips than these, which have 19 frames.
Building and parsing clips, tables and figures come on top.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import pandas as pd

from mic.config import Profile, load
from mic.datasets import DATASETS, synth
from mic.datasets.readers.cremad import KNOWN_BAD
from mic.experiments.cells import Cell
from mic.experiments.data import Dataset
from mic.experiments.forecast import fitted_clips, trainings
from mic.manifest import Clip, Manifest
from mic.processes.workers import torch_threads
from mic.synthface.tools.layouts import LAYOUTS
from mic.training.initial import initial_network
from mic.training.train import Training

NOTEBOOKS = {"04", "05", "06", "07", "09"}


def planned(name: str) -> Dataset:
    """A dataset of published size, whose clips are named and nowhere."""
    with tempfile.TemporaryDirectory() as folder:
        takes = list(LAYOUTS[DATASETS[name].folder_name](Path(folder), None, 8))
    # What the readers leave out: songs, and the recording that CREMA-D's makers call wrong.
    takes = [
        one
        for one in takes
        if one.files.stem not in KNOWN_BAD
        and (name != "ravdess" or one.files.stem.startswith("01-01-"))
    ]
    clips = tuple(
        Clip(
            clip=f"clips/{number}.mp4",
            clip_id=str(number),
            subject=one.plan.subject if name != "afew" else str(number),
            label=one.plan.label,
            licence="",
            sha256=f"{number:064x}",
            frames=one.plan.frames,
            frame_rate=Fraction(25),
            split=one.plan.split,
        )
        for number, one in enumerate(takes)
    )
    classes = tuple(sorted({clip.label for clip in clips}))
    manifest = Manifest(name=name, root=Path(), classes=classes, clips=clips)
    return Dataset(manifest=manifest, published=DATASETS[name].clips)


def kind_of(cell: Cell) -> str:
    """What decides the cost of an epoch on a clip: all but fold, seed, rates and dataset."""
    parts = (cell.method, cell.representation, cell.schedule.frames, cell.schedule.batch)
    return json.dumps(
        [dataclasses.asdict(one) if dataclasses.is_dataclass(one) else one for one in parts],
        sort_keys=True,
        default=str,
    )


def seconds(cell: Cell, config: Profile) -> float:
    """Processor time of an epoch a clip, after one epoch to warm up."""
    few = dataclasses.replace(config, ck_clips=cell.schedule.batch)
    data = Dataset(manifest=synth.load("synth-ck", few))
    schedule = dataclasses.replace(cell.schedule, epochs=2)
    with torch_threads(1):
        clips = data.tensors(cell.representation)
        rows = range(len(data.manifest))
        model = initial_network(cell.method, clips, rows, seed=0)
        records = Training(model, clips, rows, schedule=schedule).fit()
        next(records)
        began = time.process_time()
        next(records)
    return (time.process_time() - began) / len(rows)


def main() -> None:
    """Writes a row a dataset: clips, people, trainings, hours of one core, ms of MIC."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--data", nargs="+", default=["ckplus", "mmi", "afew"])
    options = parser.parse_args()
    config = load(options.profile, jobs=1)
    known: dict[str, float] = {}
    lines = []
    for name in options.data:
        data = planned(name)
        cells = {
            json.dumps(cell.facts(), sort_keys=True): cell
            for _, cell in trainings({name: data}, config, NOTEBOOKS)
        }
        work = [(data, cell) for cell in cells.values()]
        spent = 0.0
        for cell, fitted in zip(cells.values(), fitted_clips(work), strict=True):
            kind = kind_of(cell)
            if kind not in known:
                known[kind] = seconds(cell, config)
                print(f"{cell.row}: {1e3 * known[kind]:.1f} ms a clip and epoch", flush=True)
            spent += fitted * cell.schedule.epochs * known[kind]
        lines.append(
            {
                "data": name,
                "profile": config.name,
                "clips": len(data.manifest),
                "people": len(set(data.manifest.column("subject"))),
                "trainings": len(cells),
                "kinds": len(known),
                "core_hours": spent / 3600,
            }
        )
        print(lines[-1], flush=True)
        pd.DataFrame(lines).to_csv(options.out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
