"""z_I of clips: found, aligned and embedded once, then read from the cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mic import faces
from mic.faces import Status
from mic.identity.networks import IdentityNetwork
from mic.processes.workers import torch_threads
from mic.storage import cache

STAGE = cache.Stage(name="identity", version=1)


@dataclass(frozen=True, kw_only=True)
class ClipIdentity:
    """The identity feature of one clip.

    Attributes:
        embedding: float32 (D,), of length 1; NaN if there is no face.
        status: What `mic.faces` found on the I-frame.
        network: Name of the network.
    """

    embedding: np.ndarray
    status: Status
    network: str


def of_clip(
    path: str | Path, *, network: IdentityNetwork, folder: str | Path | None = None
) -> ClipIdentity:
    """z_I of a video's I-frame, cached by the video's content and the network's weights.

    Args:
        path: A video whose first frame is the I-frame.
        network: From `mic.identity.load`.
        folder: The cache; by default `MIC_HOME/cache`.

    Raises:
        CodecError: The video cannot be decoded.
    """
    using = faces.detector()

    def compute() -> dict[str, np.ndarray]:
        embedding = np.full(network.dimensions, np.nan, np.float32)
        # Trainings enlarge the last bits, in which sums differ where more threads share them.
        with torch_threads(1):
            frame, found = faces.detect_clip(path)
            if found.status is not Status.NO_FACE:
                embedding = network.embed(network.crop(frame, found.points)[None])[0]
        return {"embedding": embedding, "status": np.array(found.status, np.uint8)}

    arrays = cache.fetch(
        STAGE,
        inputs=[cache.digest(path), network.weights_sha256],
        parameters={
            "network": network.name,
            "size": network.size,
            "margin": network.margin,
            "smallest": using.smallest,
            "threshold": using.threshold,
        },
        compute=compute,
        folder=folder,
    )
    return ClipIdentity(
        embedding=arrays["embedding"],
        status=Status(int(arrays["status"])),
        network=network.name,
    )


def of_clips(
    paths: Iterable[str | Path],
    *,
    network: IdentityNetwork,
    folder: str | Path | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """z_I of many clips.

    Args:
        paths: The videos.
        network: From `mic.identity.load`.
        folder: The cache; by default `MIC_HOME/cache`.

    Returns:
        float32 (N, D) embeddings, NaN rows where there is no face; uint8 (N,) statuses.
    """
    found = [of_clip(path, network=network, folder=folder) for path in paths]
    embeddings = [identity.embedding for identity in found]
    stacked = np.stack(embeddings) if embeddings else np.empty((0, network.dimensions), np.float32)
    return stacked, np.array([identity.status for identity in found], np.uint8)
