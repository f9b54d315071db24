"""Packets as they come, from an encoder or a camera, instead of a file."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from numbers import Real
from pathlib import Path

import numpy as np

from mic_bitstream import _native
from mic_bitstream.clock import read_clock
from mic_bitstream.errors import ConfigError
from mic_bitstream.files import check_size
from mic_bitstream.stream import Stream
from mic_bitstream.vop_index import LOST, syntax_error


class PacketStream(Stream):
    """A stream that grows: what `Stream` offers, over the packets appended so far.

    Their bytes stay in memory, so use one for a group of pictures, not for an hour. One thread
    may append while others read what is there.

    Args:
        extradata: Headers that are kept apart from the packets; empty when the first packet
            carries them.
        frame_rate: Frames a second.

    Raises:
        BitstreamError: The headers are damaged.
        ConfigError: The rate is none.
    """

    def __init__(
        self, extradata: bytes | bytearray | memoryview = b"", *, frame_rate: Fraction | float = 25
    ) -> None:
        self.path = Path("packets in memory")
        number = isinstance(frame_rate, Real | np.floating) and not isinstance(frame_rate, bool)
        if not number or not 0 < frame_rate < math.inf:
            raise ConfigError(
                f"frame_rate is {frame_rate!r}", remedy="give pictures a second, above zero"
            )
        exact = frame_rate if isinstance(frame_rate, Fraction) else float(frame_rate)
        self.frame_rate = Fraction(exact)
        try:
            # Appended packets are kept in memory, so the index has nothing to read from a file.
            self._native = _native.Stream(os.fsencode(os.devnull), bytes(extradata))
        except _native.SyntaxError as error:
            raise syntax_error(*error.args, path=self.path, packet=0, remedy=LOST) from None
        self._update()

    def append(self, packet: bytes | bytearray | memoryview) -> int:
        """Adds one coded picture; a packet of a packed bitstream may hold several or none.

        Returns:
            The number of the last frame so far: in coding order, see `Stream`.

        Raises:
            BitstreamError: The headers before its first picture are damaged. A picture's own
                damage is entered in `errors`, and raises when it is read.
            UnsupportedSyntaxError: It uses a feature outside the supported profile.
            CodecError: It claims a gigantic picture.
        """
        try:
            self.native.append(-1, bytes(memoryview(packet)))
        except _native.SyntaxError as error:
            raise syntax_error(
                *error.args, path=self.path, packet=self.frame_count, remedy=LOST
            ) from None
        finally:
            self._update()  # what came before the damage is there
        check_size(self.width, self.height, self.path)
        return self.frame_count - 1

    def _update(self) -> None:
        # Another thread may be reading: what it sees first must not promise more than is there.
        types = self.native.coding_types
        self.clock = read_clock(self.native, types)
        self.width, self.height = self.native.size
        self.vop_types = types
        self.frame_count = len(types)
        self.errors = self.errors_at_large(self.native.faults)
