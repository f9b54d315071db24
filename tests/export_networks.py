"""Small networks to export, their normalisations as training leaves them, and input for them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from mic import peers
from mic.models.expression import ExpressionNetwork

CLASSES, STEPS, EDGE = 7, 5, 40
MIC = ("mic", "mic-mean", "mic-attention", "mic-concat", "mic+T", "mic+resnet6")
WITH_MOTION = ("mic+T", "coviar", "compressed-transformer")
# The first frame is a row of its own.
WITH_FIRST = ("coviar", "flow-cnn", "compressed-transformer")


def network(kind: str) -> nn.Module:
    """A small network of MIC's or a peer, its weights always the same."""
    torch.manual_seed(0)
    if kind in peers.PEERS:
        return _disturbed(peers.PeerModel(peers.PeerMethod(peer=kind, width=4), classes=CLASSES))
    options: dict = {
        "mic": {},
        "mic-mean": {"pooling": "mean"},
        "mic-attention": {"pooling": "attention"},
        "mic-concat": {"pooling": "concat", "steps": STEPS},
        "mic+T": {"motion": True},
        "mic+resnet6": {"backbone": "resnet6"},
    }[kind]
    return _disturbed(ExpressionNetwork(CLASSES, width=4, feature_size=24, z_size=20, **options))


def _disturbed(made: nn.Module) -> nn.Module:
    """Trained-looking normalisations: fresh ones would hide a wrong folding."""
    generator = torch.Generator().manual_seed(5)
    norms = [m for m in made.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for module in norms:
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
            ):
                tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))
        # Integers of the size of residuals come in.
        norms[0].running_var.mul_(400)
    return made.eval()


def clips(
    count: int, steps: int = STEPS, *, motion: bool = False, seed: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """int16 `clips` (count, steps, 3, EDGE, EDGE) and, if asked for, `motion`."""
    random = np.random.default_rng(seed)
    planes = random.integers(-60, 60, (count, steps, 3, EDGE, EDGE), dtype=np.int16)
    moved = random.integers(-9, 9, (count, steps, 2, 8, 8), dtype=np.int16) if motion else None
    return planes, moved


def batches(kind: str, lengths: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """One clip and four, of each length."""
    motion = kind in WITH_MOTION
    return [
        clips(count, steps, motion=motion, seed=count + steps)
        for steps in lengths
        for count in (1, 4)
    ]
