"""The recogniser of `mic predict` as a file that others can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mic.export.program import Program
from mic.export.session import Parity, Session, export, parity
from mic.recognition.recogniser import Recogniser

_CLIPS = 4
# Residuals are mostly within this many steps of a sample.
_REACH = 40


def export_recogniser(recogniser: Recogniser, path: str | Path) -> Parity:
    """Writes a recogniser's network with its card, and compares file and network.

    Args:
        recogniser: On the CPU.
        path: Ends in `.onnx` or `.pt2`; see `mic.export.export`. The card, which names the classes
            and says what the network is to be fed, goes into the file as `format` and `card`.

    Returns:
        How far the file's answers are from torch's, on random clips.

    Raises:
        ConfigError: The name has another suffix.
        StorageError: The file cannot be written.
    """
    card, network = recogniser.card, recogniser.network
    seen = card.representation
    edge, blocks = -(-card.edge // seen.scale), 2 * -(-card.edge // 16)
    motion = network.motion_encoder is not None
    export(
        network,
        path,
        size=(edge, edge),
        steps=seen.steps,
        motion_size=(blocks, blocks) if motion else None,
        facts=card.to_metadata(),
    )
    random = np.random.default_rng(0)

    def planes(*shape: int) -> np.ndarray:
        return random.integers(-_REACH, _REACH, (_CLIPS, seen.steps, *shape), dtype=np.int16)

    clips = planes(3, edge, edge)
    moved = planes(2, blocks, blocks) if motion else None
    loaded = Session(path) if Path(path).suffix.lower() == ".onnx" else Program(path)
    return parity(network, loaded, [(clips, moved)])
