"""Does the exported network say what the trained one says, over a whole test fold?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mic import export
from mic.config import Profile
from mic.datasets.tensors import ClipTensors
from mic.experiments import plan
from mic.experiments.cells import Dataset, splits
from mic.models.mic import Mic
from mic.train import Training


def parity_table(
    data: Dataset, config: Profile, folder: str | Path, *, epochs: int = 6
) -> pd.DataFrame:
    """Trains MIC briefly, exports it, and compares the engines on every clip of the test fold.

    The network need not be good for this, but it must use all of its classes.

    Args:
        data: The dataset.
        config: As of the other notebooks.
        folder: For the exported files.
        epochs: Of the training.

    Returns:
        Columns engine, difference (largest of a logit, from torch), same (clips with torch's
        label), n (clips), accuracy, classes (that are ever answered), file_mb.
    """
    split = splits(data.manifest, parts=config.parts)[0]
    clips = data.tensors(plan.representation(config))
    network = _trained(clips, [*split.train, *split.validation], config, epochs)
    rows = torch.tensor(split.test)
    path = Path(folder) / "mic.onnx"
    size = clips.residual.shape[-2:]
    files = {"ONNX Runtime": export.export(network, path, size=size, steps=config.steps)}
    calibration = [
        (clips.residual[part].numpy(), None) for part in torch.tensor(split.train[:32]).split(8)
    ]
    files["ONNX Runtime, int8"] = export.quantise(
        path, path.with_suffix(".int8.onnx"), calibration
    )
    batches = [(clips.residual[part].numpy(), None) for part in rows.split(16)]
    truth = clips.labels[rows].numpy()
    lines = []
    for engine, file in files.items():
        session = export.Session(file)
        found = export.parity(network, session, batches)
        answers = np.concatenate([session(x, m).logits.argmax(1) for x, m in batches])
        lines.append(
            {
                "engine": engine,
                "difference": found.difference,
                "same": found.same,
                "n": found.clips,
                "accuracy": float((answers == truth).mean()),
                "classes": len(np.unique(answers)),
                "file_mb": file.stat().st_size / 2**20,
            }
        )
    return pd.DataFrame(lines)


def _trained(clips: ClipTensors, rows: list[int], config: Profile, epochs: int) -> Mic:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Mic(
            plan.method(config, regulariser="none", beta=0.0),
            classes=len(clips.classes),
            identity=clips.identity[rows],
            steps=config.steps,
            seed=config.seed,
        )
        schedule = dataclasses.replace(plan.schedule(config), epochs=epochs)
        for _ in Training(model, clips, rows, schedule=schedule, seed=config.seed).fit():
            pass
    return model.eval()
