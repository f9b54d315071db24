"""The stages that get killed: what each reads, the command that runs it, what it publishes."""

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from mic import codec, synthface
from mic.manifest.manifest import Clip, Manifest
from mic.storage import atomic
from mic.storage.digest import sha256_of

CLASSES = ("up", "down", "left")
MOVES = {"up": (-2, 0), "down": (2, 0), "left": (0, -2)}
# One thread: what is tested is the way to resume, and other thread counts give other last bits.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join(
        [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    ),
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage of the pipeline as the campaign sees it.

    Attributes:
        name: For the record.
        prepare: Makes the inputs in an empty folder, once.
        arguments: Of the Python interpreter, given the folders of the inputs and of the work.
        published: Patterns below the work folder: files that must come out byte for byte.
    """

    name: str
    prepare: Callable[[Path], None]
    arguments: Callable[[Path, Path], list[str]]
    published: tuple[str, ...]

    def environment(self, work: Path) -> dict[str, str]:
        """All that is kept between runs lies in the work folder."""
        return os.environ | ENVIRONMENT | {"MIC_HOME": str(work / "home")}


def squares(folder: Path, *, people: int = 6, frames: int = 8, edge: int = 48) -> Manifest:
    """Clips of a bright square, its colour the person, its way the class."""
    draw = np.random.default_rng(0)
    clips = []
    for person in range(people):
        colour = draw.integers(90, 255, 3)
        for label in CLASSES:
            dy, dx = MOVES[label]
            pictures = []
            for step in range(frames):
                picture = draw.integers(30, 50, (edge, edge, 3)).astype(np.uint8)
                top, left = 20 + dy * step, 20 + dx * step
                picture[top : top + 10, left : left + 10] = colour
                pictures.append(picture)
            name = f"p{person}-{label}"
            codec.encode_frames(pictures, folder / f"{name}.mp4", frame_rate=25)
            np.savez(folder / f"{name}.npz", identity=(colour / 255).astype(np.float32))
            clips.append(
                Clip(
                    clip=f"{name}.mp4",
                    clip_id=name,
                    subject=f"p{person}",
                    label=label,
                    licence="CC0-1.0",
                    sha256=sha256_of(folder / f"{name}.mp4"),
                    frames=frames,
                    frame_rate=Fraction(25),
                    apex=frames - 1,
                    annotation=f"{name}.npz",
                )
            )
    manifest = Manifest(name="squares", root=folder, classes=CLASSES, clips=tuple(clips))
    manifest.save(folder / "manifest.csv")
    return manifest


def _videos(folder: Path) -> None:
    for label in ("one", "two"):
        for number in range(6):
            draw = np.random.default_rng(number)
            pictures = (draw.integers(0, 256, (144, 176, 3), np.uint8) for _ in range(40))
            codec.encode_frames(pictures, folder / label / f"{number}.avi", frame_rate=25)


def _faces(folder: Path) -> None:
    made = synthface.generate("synth-ck", folder / "made", subset=10, size=96)
    for number, clip in enumerate(made):
        target = folder / "videos" / ("calm", "moved")[number % 2] / f"{clip.subject}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made.path(clip), target)


def _notebooks(folder: Path) -> None:
    import notebook_factory  # a second to import, in every process of every stage

    figure = (
        "import time\ntime.sleep(0.5)\nimport matplotlib.pyplot as plt\n"
        "plt.plot([1, 2]);\nrun.table(frame + 1, 'numbers', caption='N.', columns={'x': 'a'})"
    )
    notebook_factory.write(folder / "notebooks", "01_first", value="1", sabotage=figure)


def reencode(source: Path, work: Path) -> None:
    """The re-encode stage, two processes."""
    codec.reencode_tree(source, work / "videos", jobs=2, progress=False)


def evaluate(source: Path, work: Path) -> None:
    """The experiments grid over squares, and its tables."""
    from mic import experiments
    from mic.inputs.tensors import Representation
    from mic.models.mic import Method
    from mic.training.train import Schedule

    small = {"width": 4, "feature_size": 16, "z_size": 16, "identity_size": 2, "critic_hidden": 8}
    data = experiments.Dataset(manifest=Manifest.load(source / "manifest.csv"), network="known")
    cells = experiments.grid(
        data,
        {"MIC": Method(**small), "MIC-MI": Method(regulariser="none", beta=0.0, **small)},
        schedule=Schedule(epochs=25, batch=12, flip=False, shift=0.0),
        representation=Representation(kind="raw", steps=4, scale=1),
        folds=2,
        parts=3,
    )
    outcomes = experiments.run(data, cells)
    for name, table in (
        ("accuracy", experiments.accuracy_table(outcomes, reference="MIC", resamples=200)),
        ("answers", experiments.answers(outcomes)),
    ):
        atomic.write_text(work / "tables" / f"{name}.csv", table.to_csv(index=False))


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "re-encode",
            _videos,
            lambda source, work: [__file__, "reencode", str(source), str(work)],
            ("videos/**/*.mp4", "videos/.reencode/**/*.json"),
        ),
        Stage(
            "extract",
            _videos,
            lambda source, work: [
                *("-m", "mic", "extract", str(source), "--method", "reencoded"),
                *("--what", "residual,motion,iframe", "--to", str(work / "arrays")),
            ],
            ("arrays/*.npz",),
        ),
        Stage(
            "train",
            _faces,
            lambda source, work: [
                *("-m", "mic", "train", str(source / "videos"), "--out", str(work / "model")),
                *("--epochs", "25", "--identity", "none"),
            ],
            ("model/model.safetensors", "model/*.csv", "model/*.json"),
        ),
        Stage(
            "evaluate",
            squares,
            lambda source, work: [__file__, "evaluate", str(source), str(work)],
            ("tables/*.csv", "home/cache/cells/**/*.safetensors"),
        ),
        Stage(
            "notebooks",
            _notebooks,
            lambda source, work: [
                *("-m", "mic", "run", "--profile", "smoke"),
                *("--notebooks", str(source / "notebooks"), "--results", str(work / "results")),
            ],
            ("results/tables/*", "results/figures/*"),
        ),
    )
}

if __name__ == "__main__":
    {"reencode": reencode, "evaluate": evaluate}[sys.argv[1]](*map(Path, sys.argv[2:]))
