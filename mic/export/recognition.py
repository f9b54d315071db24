"""The recogniser of `mic predict` as a file that others can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mic.errors import WeightsError
from mic.export.program import Program
from mic.export.session import Parity, Session, content, parity, suffix
from mic.recognition.recogniser import Recogniser
from mic.storage.atomic import write_bytes

_CLIPS = 4
# Residuals are mostly within this many steps of a sample.
_REACH = 40
# Of the largest logit: what folded weights and another order of sums may change.
_ROUNDING = 1e-3


def export_recogniser(recogniser: Recogniser, path: str | Path) -> Parity:
    """Writes a recogniser's network with its card, once it answers as the network does.

    Args:
        recogniser: On the CPU.
        path: Ends in `.onnx` or `.pt2`; see `mic.export.export`. The card, which names the classes
            and says what the network is to be fed, goes into the file as `format` and `card`;
            docs/guide/export.md explains it.

    Returns:
        How far the file's answers are from torch's, on random clips.

    Raises:
        ConfigError: The name has another suffix.
        WeightsError: What was made answers otherwise than the network, or no finite numbers.
        StorageError: The file cannot be written.
    """
    form = suffix(path)
    card, network = recogniser.card, recogniser.network
    seen = card.representation
    edge, blocks = -(-card.edge // seen.scale), 2 * -(-card.edge // 16)
    motion = network.motion_encoder is not None
    made = content(
        network,
        form,
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
    loaded = Session(made) if form == ".onnx" else Program(made)
    found = parity(network, loaded, [(clips, moved)])
    said = vars(loaded(clips, moved)).values()
    finite = all(np.isfinite(values).all() for values in said if values is not None)
    if not (finite and found.difference <= _ROUNDING * max(1.0, found.largest)):
        raise WeightsError(
            f"{found.same} of {found.clips} labels of random clips are the network's, logits "
            f"within {found.difference:.1e}{'' if finite else ', and some answer is no number'}",
            file=recogniser.name,
            remedy="the weights may be damaged: try them with `mic predict`, or train again",
        )
    write_bytes(path, made)
    return found
