"""What each process of `torchrun` does in `test_parallel.py`: a small training, and its record.

torchrun --nproc-per-node 2 campaigns/ranks.py FOLDER REGULARISER
"""

import json
import sys
from pathlib import Path

import torch

from mic.models.mic import Method
from mic.training import parallel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_train import SMALL, clips, training


def record(folder: Path | None, regulariser: str) -> list[dict]:
    """Trains four epochs without dropout; the epochs' records."""
    torch.set_num_threads(1)
    method = Method(regulariser=regulariser, motion=True, dropout=0.0, **SMALL)
    run = training(clips(motion=True), folder, method=method)
    return [{"loss": r.loss, "accuracy": r.train_accuracy, **r.parts} for r in run.fit()]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    with parallel.joined():
        found = record(target, sys.argv[2])
        name = f"rank{torch.distributed.get_rank()}.json"
    (target / name).write_text(json.dumps(found))
