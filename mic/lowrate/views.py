"""The same faces as every channel delivers them, computed once and shared by all processes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mic.errors import StorageError
from mic.lowrate.sequences import FaceSequence
from mic.lowrate.transmission import Channel, send
from mic.storage import cache

_FACES = cache.Stage(name="lowrate-faces", version=1)
_RECEIVED = cache.Stage(name="lowrate-received", version=2)


@dataclass(frozen=True)
class View:
    """What a channel delivered.

    Attributes:
        frames: uint8, (N, S, S), of all sequences, one after the other, thinned.
        bits: int64, (sequences,), coded bits of each whole sequence, all its frames.
        pixels: int64, (sequences,), samples of each whole sequence before down-sampling.
        seconds: float64, (sequences,), duration.
    """

    frames: NDArray[np.uint8]
    bits: NDArray[np.int64]
    pixels: NDArray[np.int64]
    seconds: NDArray[np.float64]

    @property
    def bits_per_pixel(self) -> float:
        """Bits divided by the samples of the faces before they were made smaller."""
        return float(self.bits.sum() / self.pixels.sum())

    @property
    def bit_rate(self) -> float:
        """Bits a second."""
        return float(self.bits.sum() / self.seconds.sum())


class Corpus:
    """Sequences on disk, cheap to hand to another process; create one with `store`.

    Args:
        digest: Of frames, labels and thinning.
        path: The cache entry that holds them.
    """

    def __init__(self, digest: str, path: Path) -> None:
        self.digest = digest
        self._path = path

    @classmethod
    def store(cls, sequences: Sequence[FaceSequence], *, step: int) -> Corpus:
        """Puts sequences into the cache.

        Args:
            sequences: Labelled faces; all frames are coded, but only every `step`-th is used for
                training and scoring, because neighbours are nearly the same.
            step: Every how many frames one is trained on and scored; at least 1.
        """
        arrays = {
            "frames": np.concatenate([sequence.frames for sequence in sequences]),
            "valence": np.concatenate([sequence.valence for sequence in sequences]),
            "lengths": np.array([len(sequence.valence) for sequence in sequences]),
            "rates": np.array([sequence.frame_rate for sequence in sequences]),
            "step": np.array([step]),
        }
        hasher = hashlib.sha256("/".join(sequence.subject for sequence in sequences).encode())
        for name, array in arrays.items():
            hasher.update(name.encode() + str(array.shape).encode() + array.tobytes())
        digest = hasher.hexdigest()
        _, numbers = np.unique([sequence.subject for sequence in sequences], return_inverse=True)
        cache.fetch(_FACES, inputs=[digest], compute=lambda: arrays | {"subjects": numbers})
        return cls(digest, cache.entry_path(_FACES, inputs=[digest]))

    @property
    def valence(self) -> NDArray[np.float32]:
        """(N,) labels of the frames in `received`."""
        lengths, step = self._labels["lengths"], int(self._labels["step"][0])
        parts = np.split(self._labels["valence"], np.cumsum(lengths)[:-1])
        return np.concatenate([part[::step] for part in parts])

    @property
    def subjects(self) -> NDArray[np.int64]:
        """(N,) number of the subject of each frame in `received`."""
        return np.repeat(self._labels["subjects"], self.lengths)

    @property
    def sequence_subjects(self) -> NDArray[np.int64]:
        """(sequences,) number of the subject of each."""
        return self._labels["subjects"]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(sequences,) frames of each in `received`."""
        return -(-self._labels["lengths"] // self._labels["step"])

    @property
    def frame_rate(self) -> float:
        """Frames a second of `received`."""
        return float(self._labels["rates"][0] / self._labels["step"][0])

    def received(self, channel: Channel) -> View:
        """What the channel delivers of all sequences."""
        entry = self._entry(channel)
        arrays = cache.fetch(_RECEIVED, **entry, compute=lambda: self._send(channel))
        return View(arrays["frames"], arrays["bits"], arrays["pixels"], arrays["seconds"])

    def has(self, channel: Channel) -> bool:
        """Whether `received` finds the channel in the cache."""
        return cache.entry_path(_RECEIVED, **self._entry(channel)).is_file()

    def _entry(self, channel: Channel) -> dict[str, Any]:
        return {"inputs": [self.digest], "parameters": {"channel": channel}}

    def _send(self, channel: Channel) -> dict[str, np.ndarray]:
        arrays = self._arrays()
        step = int(arrays["step"][0])
        parts, bits = [], []
        sequences = np.split(arrays["frames"], np.cumsum(arrays["lengths"])[:-1])
        for frames, rate in zip(sequences, arrays["rates"], strict=True):
            got = send(frames, channel, frame_rate=float(rate))
            parts.append(got.frames[::step])
            bits.append(got.bits)
        return {
            "frames": np.concatenate(parts),
            "bits": np.array(bits, np.int64),
            "pixels": np.array([frames.size for frames in sequences], np.int64),
            "seconds": arrays["lengths"] / arrays["rates"],
        }

    @functools.cached_property
    def _labels(self) -> dict[str, np.ndarray]:
        # Every score asks for these, and the entry that they are in is checked whole when read.
        return {name: array for name, array in self._arrays().items() if name != "frames"}

    def _arrays(self) -> dict[str, np.ndarray]:
        found = cache.read(self._path)
        if found is None:
            raise StorageError(
                "the stored faces are gone", file=self._path, remedy="run the same command again"
            )
        return found
