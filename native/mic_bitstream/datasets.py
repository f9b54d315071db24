"""Compressed clips as training samples: a dataset of residuals, motion and bits, and its collate.

    clips = mic_bitstream.datasets.CompressedClips(paths, labels, frames=8, scale=2)
    loader = torch.utils.data.DataLoader(
        clips, batch_size=16, shuffle=True, collate_fn=mic_bitstream.datasets.collate,
        num_workers=4, persistent_workers=True, pin_memory=True)
    for epoch in range(30):
        clips.set_epoch(epoch)                   # other frames, the same on any number of workers
        for batch in loader:
            batch["residual"]                    # int16 (N, 8, 3, H / 2, W / 2)

It needs torch (the extra `torch`).
"""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mic_bitstream.arrays import check_common, check_whole, parts_of
from mic_bitstream.errors import ConfigError, MicError
from mic_bitstream.extras import needed
from mic_bitstream.records import MISSING
from mic_bitstream.stream import Stream

with needed("training samples need"):
    import torch
    from torch.nn.functional import pad
    from torch.utils.data import Dataset

PARTS = ("residual", "motion", "bits")
Sample = dict[str, torch.Tensor]


class CompressedClips(Dataset[Sample]):
    """MPEG-4 Part 2 videos, of each some predicted frames; nothing is decoded.

    A clip's predicted frames (P- and B-VOPs, in coding order) are cut into as many parts of equal
    length as frames are wanted, and each part gives one: its middle, or, with `jitter`, any, by a
    generator of (seed, epoch, index of the clip). So a sample depends on no worker and no order.
    Objects can be pickled: they hold names, and open a file when a sample of it is asked for.

    Args:
        paths: The videos.
        labels: A whole number for each, or None.
        frames: Frames T of a sample. Clips with fewer predicted ones repeat some.
        what: Any of "residual", "motion", "bits".
        scale: 1, 2, 4 or 8: residuals of 1/scale size.
        jitter: Whether frames are drawn anew each epoch.
        seed: Of that.
        on_error: "raise" at a damaged frame, or "mask": its macroblocks have the type `MISSING`
            and zeros.

    Raises:
        ConfigError: An argument is out of its range.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        labels: Sequence[int] | None = None,
        *,
        frames: int = 8,
        what: Sequence[str] = PARTS,
        scale: int = 1,
        jitter: bool = True,
        seed: int = 0,
        on_error: str = "raise",
    ) -> None:
        what = parts_of(what, PARTS)
        check_common(scale, "rgb", 1, on_error)
        check_whole("frames", frames)
        check_whole("seed", seed, least=0, most=2**128)
        if isinstance(paths, str | os.PathLike):
            raise ConfigError(f"{paths} is one path", remedy="give a list of them")
        if labels is not None and len(labels) != len(paths):
            raise ConfigError(
                f"{len(labels)} labels for {len(paths)} videos", remedy="give one for each"
            )
        try:
            numbers = None if labels is None else tuple(operator.index(one) for one in labels)
        except TypeError as error:
            raise ConfigError(
                f"a label is no whole number: {error}", remedy="number the classes from 0"
            ) from error
        self.paths = tuple(Path(path) for path in paths)
        self.labels = numbers
        self.frames = frames
        self.what = what
        self.scale = scale
        self.jitter = jitter
        self.seed = seed
        self.on_error = on_error
        # In shared memory: workers that persist see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self.paths)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a copy: its workers, too, shall see its epoch change."""
        self.__dict__ |= state
        self._epoch.share_memory_()  # does nothing to what is shared already

    def set_epoch(self, epoch: int) -> None:
        """Lets the frames of the next samples be drawn for another epoch.

        Raises:
            ConfigError: It is no whole number from 0 on.
        """
        check_whole("epoch", epoch, least=0)
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> Sample:
        """One clip's sample.

        Returns:
            "residual": int16 (T, 3, ceil(H / scale), ceil(W / scale)), RGB differences.
            "motion": int16 (T, 2, 2 h, 2 w), (x, y) of each 8x8 block in quarter samples; of
                B-VOPs into the reference that is shown before.
            "backward": As "motion", into the one that is shown after; zeros but in B-VOPs.
            "bits": int32 (T, h, w), of each macroblock.
            "types": uint8 (T, h, w), as `mic_bitstream.Residuals.types`.
            "frames": int64 (T,), their numbers in coding order.
            "shown": int64 (T,), their places in the order in which they are shown.
            "size": int64 (2,), (H, W) of the video.
            "label": int64 (), where there are labels.

        Raises:
            CodecError: The file cannot be opened.
            UnsupportedSyntaxError: It is not MPEG-4 Part 2, or outside the supported profile.
            BitstreamError: It is damaged.
            ConfigError: No frame of it is predicted.
        """
        index = range(len(self.paths))[index]  # counts from the end below zero; IndexError
        parts = {"bits": "macroblocks"}
        with Stream(self.paths[index], on_error=self.on_error) as stream:
            clip = stream.read(
                what=[parts.get(name, name) for name in self.what],
                frames=self._chosen(index, stream),
                scale=self.scale,
                space="rgb",
                on_error=self.on_error,
            )
            size = (stream.height, stream.width)
        sample: Sample = {}
        for rows in (clip.residual, clip.motion, clip.macroblocks):
            if rows is not None:
                sample["types"] = torch.from_numpy(rows.types)
                sample["frames"] = torch.from_numpy(rows.frames)
                sample["shown"] = torch.from_numpy(rows.shown)
        if clip.residual is not None:
            sample["residual"] = torch.from_numpy(clip.residual.pixels).permute(0, 3, 1, 2)
        if clip.motion is not None:
            motion = torch.from_numpy(clip.motion.blocks).permute(0, 3, 1, 2)
            back = clip.motion.backward
            sample["motion"] = motion
            sample["backward"] = (
                torch.zeros_like(motion)
                if back is None
                else torch.from_numpy(back).permute(0, 3, 1, 2)
            )
        if clip.macroblocks is not None:
            # A macroblock of 2^31 bits does not fit the largest packet.
            sample["bits"] = torch.from_numpy(clip.macroblocks.bits.view(np.int32))
        sample["size"] = torch.tensor(size)
        if self.labels is not None:
            sample["label"] = torch.tensor(self.labels[index])
        return sample

    def unusable(self) -> dict[int, MicError]:
        """Which clips no sample can be made of, by index, and why: for a look before an epoch.

        Opens every file and reads its index, not its pictures.
        """
        found: dict[int, MicError] = {}
        for index, path in enumerate(self.paths):
            try:
                with Stream(path, on_error=self.on_error) as stream:
                    self._chosen(index, stream)
            except MicError as error:
                found[index] = error
        return found

    def _chosen(self, index: int, stream: Stream) -> np.ndarray:
        predicted = np.array(
            [number for number, kind in enumerate(stream.vop_types) if kind in "PB"], np.int64
        )
        if not len(predicted):
            raise ConfigError(
                "no frame of the clip is predicted: there is neither residual nor motion",
                file=self.paths[index],
                remedy="leave it out, or code it again with longer groups of pictures",
            )
        bounds = np.linspace(0, len(predicted), self.frames + 1)
        place = np.full(self.frames, 0.5)
        if self.jitter:
            key = (self.seed, int(self._epoch), index)
            place = np.random.default_rng(key).random(self.frames)
        found = (bounds[:-1] + place * np.diff(bounds)).astype(np.int64)
        return predicted[found.clip(max=len(predicted) - 1)]


def collate(samples: Sequence[Sample]) -> Sample:
    """One batch of samples, which may be of several sizes.

    Smaller pictures get zeros at their right and lower edges, and the macroblocks there the type
    `MISSING`: `batch["types"] == 255` masks what is no picture, and `batch["size"]` says where
    each ends.

    Args:
        samples: Of one `CompressedClips`.

    Returns:
        The samples' tensors with one more dimension in front, all contiguous, so that
        `pin_memory=True` and `non_blocking=True` work on them.

    Raises:
        ConfigError: There are none, or some have what others lack, as a label.
    """
    samples = list(samples)
    if not samples or any(sample.keys() != samples[0].keys() for sample in samples):
        raise ConfigError(
            f"{len(samples)} samples that do not hold the same",
            remedy="take those of one `CompressedClips`",
        )
    batch = {}
    for name in samples[0]:
        tensors = [sample[name] for sample in samples]
        if name in ("residual", "motion", "backward", "bits", "types"):
            height = max(tensor.shape[-2] for tensor in tensors)
            width = max(tensor.shape[-1] for tensor in tensors)
            filling = MISSING if name == "types" else 0
            tensors = [
                pad(
                    tensor,
                    (0, width - tensor.shape[-1], 0, height - tensor.shape[-2]),
                    value=filling,
                )
                for tensor in tensors
            ]
        batch[name] = torch.stack(tensors).contiguous()
    return batch
