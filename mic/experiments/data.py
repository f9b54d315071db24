"""A dataset as the grid uses it: clips, their identity features, and which of them can be read."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from mic import identity
from mic.datasets import synth
from mic.experiments.privacy import placebos
from mic.inputs import apex, tensors
from mic.inputs.coverage import LeftOut, check_content
from mic.inputs.tensors import ClipTensors, Representation
from mic.manifest import side_files
from mic.manifest.manifest import SPLITS, Clip, Manifest
from mic.synthface.identity import sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset and its identity features.

    Attributes:
        manifest: The clips.
        network: Name of the identity network that gives z_I, or `known` for the generator's own
            identity coefficients (generated datasets only).
        folder: Cache and store; by default `MIC_HOME/cache`.
        left_out: Clips that are neither trained on nor tested because they cannot be read. They
            keep their rows and their parts, so that what is left is compared like with like.
        absent: Clips of the dataset that are not even in the manifest, because they are missing
            in the folder, damaged or without a label that can be read.
        published: Clips that the published protocol has; 0 where nothing is published.
        placebo: What a network is given in place of z_I: `stranger`, the z_I of another person's
            clip, drawn for each clip; `noise`, numbers of the same variance; empty: z_I.
    """

    manifest: Manifest
    network: str = "mobilefacenet"
    folder: Path | None = None
    left_out: tuple[LeftOut, ...] = ()
    absent: tuple[LeftOut, ...] = ()
    published: int = 0
    placebo: Literal["", "stranger", "noise"] = ""

    @property
    def generated(self) -> bool:
        """Whether the generator made it, so that each person's coefficients are known."""
        return self.name in synth.SIZES

    @property
    def coverage(self) -> float:
        """Share of the dataset's clips, of all that were published, that can be used."""
        total = max(self.published, len(self.manifest) + len(self.absent))
        return len(self.kept()) / total

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.manifest.name

    def summary(self, parts: int = 10) -> str:
        """What it is, in words: clips, people, how it is divided, how much; then its classes."""
        split = any(self.manifest.column("split"))
        people = len(set(self.manifest.column("subject")))
        parts_given = [part for part in SPLITS if part and part in self.manifest.column("split")]
        by_whom = "published" if self.published or self.generated else "given"
        divided = f"the {by_whom} parts {', '.join(parts_given)}"
        if not split:
            divided = f"{min(parts, people)} subject-disjoint parts"
            given = {*self.manifest.column("fold")}
            if not self.generated and None not in given and len(given) != min(parts, people):
                divided += f" (not the {len(given)} of its column fold: another number of them)"
        whole = f"{self.coverage:.1%} of {'what was published' if self.published else 'its clips'}"
        kept = self.kept()
        first = f"{len(kept)} clips of {people} people of {self.name} ({whole}), {divided}"
        shown = Counter(self.manifest.clips[row].label for row in kept)
        counts = ", ".join(f"{label} {shown[label]}" for label in self.manifest.classes)
        return f"{first}\n  {counts}" if counts else first

    def sources(self) -> dict[str, str]:
        """What results of it depend on, with SHA-256: the clips and the identity network.

        For `mic.publishing.results.Run.uses`. The generator's own coefficients come with the
        clips.
        """
        found = {self.name: self.manifest.digest()}
        if self.network != "known":
            weights = identity.load(self.network).weights_sha256
            found[f"{self.name}, z_I by {self.network}"] = weights
        return found

    def identities(self) -> np.ndarray:
        """(N, d) z_I, or its placebo, in the manifest's order; NaN: no face, or nothing read."""
        if self.placebo:
            own = dataclasses.replace(self, placebo="").identities()
            people = np.array(self.manifest.column("subject"))
            return placebos.DRAWS[self.placebo](own, people, 0).astype(np.float32)
        if self.network == "known":
            return self.coefficients()
        network = identity.load(self.network)
        kept = self.kept()
        paths = [self.manifest.path(self.manifest.clips[row]) for row in kept]
        table = np.full((len(self.manifest), network.dimensions), np.nan, np.float32)
        table[kept] = identity.of_clips(paths, network=network, folder=self.folder)[0]
        return table

    def kept(self) -> list[int]:
        """Rows of the manifest that are not left out."""
        out = {one.clip for one in self.left_out}
        return [row for row, clip in enumerate(self.manifest) if clip.clip_id not in out]

    def factors(self) -> np.ndarray:
        """(N, k) what is known of who is seen: the generator's coefficients, else z_I."""
        return self.coefficients() if self.generated else self.identities()

    def coefficients(self) -> np.ndarray:
        """(N, k) the generator's identity coefficients; z-scored, so that all weigh alike.

        Raises:
            DatasetError: A clip's side file is missing or damaged.
        """
        kept = self.kept()
        table = np.stack([self._coefficients(self.manifest.clips[row]) for row in kept])
        spread = table.std(0)
        scaled = (table - table.mean(0))[:, spread > 0] / spread[spread > 0]
        whole = np.full((len(self.manifest), scaled.shape[1]), np.nan, np.float32)
        whole[kept] = scaled
        return whole

    def gains(self) -> np.ndarray:
        """(N, units) how strongly each person moves each unit of the face; z-scored.

        The factor of identity that acts in motion. It is none of `coefficients`, which describe a
        face at rest, and is drawn again from the seeds that the side files hold.

        Raises:
            DatasetError: A clip's side file is missing or damaged.
        """
        known: dict[tuple[int, int], np.ndarray] = {}
        table = []
        for clip in self.manifest:
            seeds = int(self._stored(clip, "person")), int(self._stored(clip, "family"))
            if seeds not in known:
                family = None if seeds[1] < 0 else seeds[1]
                known[seeds] = sample(seeds[0], family=family).gain
            table.append(known[seeds])
        stacked = np.stack(table)
        scaled: np.ndarray = (stacked - stacked.mean(0)) / stacked.std(0)
        return scaled.astype(np.float32)

    def action_units(self, clip: Clip) -> np.ndarray:
        """(frames, units) float32, how far each unit of the face is moved, as it was drawn.

        Raises:
            DatasetError: The clip has no side file that can be read.
        """
        found: np.ndarray = self._stored(clip, "action_units").astype(np.float32)
        return found

    def _coefficients(self, clip: Clip) -> np.ndarray:
        found: np.ndarray = self._stored(clip, "identity").astype(np.float32)
        return found

    def _stored(self, clip: Clip, name: str) -> np.ndarray:
        return side_files.array(self.manifest.annotation_path(clip), name)

    def check(self, clip: Clip, representations: Iterable[Representation]) -> None:
        """Reads one clip as the cells will.

        Raises:
            MicError: It cannot be used.
        """
        path = self.manifest.path(clip)
        check_content(path, clip)
        for representation in representations:
            tensors.clip_arrays(path, representation, folder=self.folder)
        if clip.apex is not None:
            apex.target(path, clip.apex, folder=self.folder)
        if self.network == "known":
            self._coefficients(clip)
        else:
            identity.of_clip(path, network=_network(self.network), folder=self.folder)

    def tensors(self, representation: Representation, *, device: str = "cpu") -> ClipTensors:
        """All clips in a device's memory; kept for the next cell of the same representation."""
        return _tensors(self, self.manifest.digest(), representation, device)

    def __hash__(self) -> int:
        return hash((self.manifest.digest(), self.network, self.placebo))


@functools.lru_cache(maxsize=1)
def _network(name: str) -> identity.IdentityNetwork:
    # Clips are checked one by one; the network's file is not read again for each.
    return identity.load(name)


@functools.lru_cache(maxsize=3)
def _tensors(
    data: Dataset, digest: str, representation: Representation, device: str
) -> ClipTensors:
    del digest  # part of the key
    found = tensors.load(
        data.manifest,
        representation,
        identity=data.identities(),
        left_out=set(range(len(data.manifest))) - set(data.kept()),
        folder=data.folder,
    )
    return found.to(device)
