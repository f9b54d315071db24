"""Does the exported network say what the trained one says, over a whole test fold?"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mic import export
from mic.config import Profile
from mic.experiments import plan
from mic.experiments.cells import splits
from mic.experiments.data import Dataset
from mic.inputs.tensors import ClipTensors
from mic.models.mic import Mic
from mic.training.initial import initial_network
from mic.training.train import Training

EIGHT_BITS = "ONNX Runtime, int8"
ROWS = ("MIC", "MIC-fast")
COLUMNS: Mapping[str, str] = {
    "method": "row",
    "engine": "what runs the network",
    "difference": "largest difference of a logit from torch's",
    "same": "clips with torch's label",
    "n": "clips of the test people",
    "accuracy": "share of right labels after a few epochs",
    "classes": "classes that were answered at least once",
    "file_mb": "size of the file, MiB",
}


def parity_table(
    data: Dataset,
    config: Profile,
    folder: str | Path,
    *,
    rows: Sequence[str] = ROWS,
    epochs: int = 6,
) -> pd.DataFrame:
    """Trains rows of MIC briefly, and compares engines on every clip of the test fold.

    The networks need not be good for this, but they must use all of their classes.

    Args:
        data: The dataset.
        config: As of the other notebooks.
        folder: For the exported files.
        rows: Of `mic.experiments.plan.SPEED_ROWS`.
        epochs: Of the training.

    Returns:
        One row a method and engine; columns: `COLUMNS`.
    """
    split = splits(data.manifest, parts=config.parts)[0]
    lines = []
    for row in rows:
        variant = plan.SPEED_ROWS[row]
        seen = variant.representation(plan.representation(config))
        clips = data.tensors(seen)
        fitted = [*split.train, *split.validation]
        network = _trained(variant, clips, fitted, config, epochs)
        path = Path(folder) / f"{row}.onnx"
        written = functools.partial(
            export.export,
            network,
            size=(clips.residual.shape[-2], clips.residual.shape[-1]),
            steps=seen.steps,
        )
        calibration = [
            (clips.residual[part].numpy(), None)
            for part in torch.tensor(split.train[:32]).split(8)
        ]
        written(path)
        files = {
            "ONNX Runtime": path,
            EIGHT_BITS: export.quantise(path, path.with_suffix(".int8.onnx"), calibration),
            "torch.export": written(path.with_suffix(".pt2")),
        }
        tested = torch.tensor(split.test)
        batches = [(clips.residual[part].numpy(), None) for part in tested.split(16)]
        truth = clips.labels[tested].numpy()
        for engine, file in files.items():
            program = file.suffix == ".pt2"
            session = export.Program(file) if program else export.Session(file)
            found = export.parity(network, session, batches)
            answers = np.concatenate([session(x, m).logits.argmax(1) for x, m in batches])
            lines.append(
                {
                    "method": row,
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


def _trained(
    variant: plan.Variant, clips: ClipTensors, rows: list[int], config: Profile, epochs: int
) -> Mic:
    method = dataclasses.replace(variant.method(config), regulariser="none", beta=0.0)
    model = initial_network(method, clips, rows, seed=config.seed)
    schedule = dataclasses.replace(plan.schedule(config), epochs=epochs)
    Training(model, clips, rows, schedule=schedule, seed=config.seed).finish()
    return model.eval()
