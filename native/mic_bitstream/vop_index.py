"""The index of a file's VOPs, however it was filled, and the typed errors of what is in it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from mic_bitstream import _native
from mic_bitstream.errors import BitstreamError, UnsupportedSyntaxError

REMEDY = "re-encode it, for instance with `mic.codec.reencode` of the package mic-faces"
MASK = 'repair it, or read it with on_error="mask"'
MASK_OPEN = 'repair it, or open it with on_error="mask"'
LOST = "get another copy; what is damaged is lost"
DEFAULT_RATE = Fraction(25)


@dataclasses.dataclass(frozen=True)
class Index:
    """A file's VOPs, and what was wrong with the file beside what the parser's index says.

    Attributes:
        native: The parser's index.
        frame_rate: Frames a second.
        stamps: float64 (T,), when the container shows each VOP, in seconds; None if it does not
            say.
        errors: Of the container.
    """

    native: _native.Stream
    frame_rate: Fraction
    stamps: np.ndarray | None = None
    errors: tuple[BitstreamError, ...] = ()


def syntax_error(
    unsupported: bool,
    clause: str,
    bit_offset: int,
    message: str,
    *,
    path: Path,
    packet: int,
    remedy: str = MASK,
) -> BitstreamError:
    """The typed error for what the parser reported about one packet; `remedy` is for damage."""
    place = f"packet {packet}, bit {bit_offset}, clause {clause}"
    if unsupported:
        return UnsupportedSyntaxError(
            f"{message} is not supported", file=path, place=place, remedy=REMEDY
        )
    return BitstreamError(message, file=path, place=place, remedy=remedy)


@contextlib.contextmanager
def indexing(path: Path, *, masked: bool, extradata: bytes = b"") -> Iterator[_native.Stream]:
    """An index to be filled, and to hold a VOP and a layer after that.

    Args:
        path: The file.
        masked: Whether VOPs whose headers cannot be read are entered as damaged.
        extradata: Headers that are kept apart from the packets.

    Raises:
        BitstreamError: The headers are damaged, or there is no VOP.
        UnsupportedSyntaxError: They use a feature outside the supported profile.
    """
    index = None
    try:
        index = _native.Stream(os.fsencode(path), extradata, masked)
        yield index
    except _native.SyntaxError as error:
        number = 0 if index is None else len(index)
        raise syntax_error(
            *error.args, path=path, packet=number, remedy=LOST if masked else MASK_OPEN
        ) from None
    if index.size == (0, 0):
        for fault in index.faults:
            raise syntax_error(*fault[3:], path=path, packet=fault[1], remedy=LOST)
    if len(index) == 0 or index.size == (0, 0):
        raise BitstreamError("there is no VOP in the stream", file=path, remedy=LOST)


def absence(path: Path, absent: int, count: int) -> tuple[BitstreamError, ...]:
    """The error of a container that promises `count` pictures and lacks `absent`; else none."""
    if not absent:
        return ()
    error = BitstreamError(
        f"the container promises {count} pictures and the file ends without {absent} of them",
        file=path,
        place=f"packets {count - absent} to {count - 1}",
        remedy="get a whole copy; what is there can be read",
    )
    return (error,)
