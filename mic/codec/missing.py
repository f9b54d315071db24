"""Pictures that never come: some decoders pass over what they cannot decode, without a word.

Or make them up of others, where a reference picture is missing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from mic.codec.display import Display
from mic.codec.index import Index
from mic.errors import CodecError

# Whose decoders hand out nothing from a missing reference to the next key picture.
_PASS_OVER = frozenset({"h264", "mpeg1video", "mpeg2video"})
# So many pictures later a decoder may still hand one out: the largest reorder depth of H.264.
_LATE = 16


def complete(
    found: Iterable[tuple[av.VideoFrame, Display]],
    index: Index,
    *,
    codec: str,
    path: Path,
    wanted: Container[int] | None = None,
) -> Iterator[tuple[av.VideoFrame, Display]]:
    """A video's pictures as its decoder hands them out, up to one behind which some never come.

    Only time stamps tell that: streams without are passed on as they are, up to the first picture
    that may refer to one that is missing.

    Args:
        found: Pictures, from anywhere on: what comes before the first is not missed.
        index: Knows the pictures by their time stamps.
        codec: libavcodec's name.
        path: Named in errors.
        wanted: Numbers of pictures that must come; None: all.

    Raises:
        CodecError: One did not.
    """
    if codec not in _PASS_OVER:
        yield from found
        return
    if not index.by_stamp:
        for count, one in enumerate(found):
            if index.unsound[count : count + 1].any():
                raise lost_reference(count, _last_of(index.unsound, count), index, path)
            yield one
        return

    def is_missed(number: int) -> bool:
        return wanted is None or number in wanted or bool(index.unsound[number])

    number, missing = -1, list[int]()
    held: list[tuple[av.VideoFrame, Display]] = []  # behind what did not come yet
    for frame, display in found:
        known = index.number(frame.pts)
        if known is not None and index.unsound[known]:
            continue  # made up in part
        held.append((frame, display))
        if not missing and known is not None and number >= 0:
            missing = [n for n in range(number + 1, known) if is_missed(n)]
        # One that is handed out late is there: time stamps and decoder do not agree on its place.
        missing = [n for n in missing if n != known]
        if missing and len(held) > _LATE:
            break
        number = max(number, -1 if known is None else known)
        if not missing:
            yield from held
            held = []
    else:  # the film is over
        behind = range(number + 1, len(index)) if number >= 0 else ()
        missing = missing or [n for n in behind if is_missed(n)]
    if missing:
        raise lost_reference(missing[0], missing[-1], index, path)


def _last_of(marks: NDArray[np.bool_], first: int) -> int:
    """The last of the marks that follow one another from the first on."""
    behind = np.flatnonzero(~marks[first:])
    return first + int(behind[0] if len(behind) else len(marks) - first) - 1


def lost_reference(first: int, last: int, index: Index, path: Path) -> CodecError:
    """The error for pictures that refer to one that is missing.

    Args:
        first: The first of them.
        last: The last.
        index: Of the video.
        path: Named in the error.
    """
    what = f"picture {first}" if first == last else f"pictures {first} to {last}"
    before = f"after frame {first - 1} ({index.times[first - 1]:.2f} s)"
    return CodecError(
        f"{what} cannot be decoded: what is referred to is missing",
        file=path,
        place=before if first else "at the first frame",
        remedy="the file is damaged, or was cut between key pictures; get another copy",
    )
