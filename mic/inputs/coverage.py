"""Clips that cannot be read: listed with the reason, left out while few, an error when many."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mic.errors import BitstreamError, CodecError, ConfigError, DatasetError, FaceError
from mic.manifest.manifest import Clip
from mic.storage import cache

# What a broken clip causes; a full disk, say, is no clip's fault.
UNREADABLE = (BitstreamError, CodecError, ConfigError, DatasetError, FaceError)
# More broken clips than this share mean that the dataset is at fault, not a clip.
MOST_BROKEN = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A video that could not be used.

    Attributes:
        path: The file.
        reason: Why.
        clip: Its name in the manifest, where there is one.
    """

    path: Path
    reason: str
    clip: str = ""


def check_share(broken: Sequence[LeftOut], total: int, *, most: float = MOST_BROKEN) -> None:
    """Lets a few broken clips pass, one at least.

    Args:
        broken: Those that cannot be read.
        total: All clips, they included.
        most: The largest share of them that may be left out.

    Raises:
        DatasetError: There are more.
    """
    if len(broken) <= max(1, most * total):
        return
    first = "; ".join(f"{one.path.name}: {one.reason}" for one in broken[:3])
    raise DatasetError(
        f"{len(broken)} of {total} clips cannot be read, more than {most:.0%}: {first}",
        file=broken[0].path.parent,
        remedy="get the dataset again, or take the broken clips out of it",
    )


def check_content(path: Path, clip: Clip) -> None:
    """Refuses a file that is not the one of the manifest: results are kept under its digest.

    Raises:
        DatasetError: The file is missing or has another SHA-256.
    """
    if cache.digest(path) != clip.sha256:
        raise DatasetError(
            "is not the file that the manifest names: it has another SHA-256",
            file=path,
            remedy="restore it, or make the manifest again with `mic fetch`",
        )
