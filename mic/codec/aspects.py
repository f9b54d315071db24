"""Which shape the samples of each picture have, where a stream changes it in its middle.

Broadcasts go from 4:3 to 16:9 and back without another size of pictures. PyAV tells the aspect of
the decoder, which runs ahead of the pictures that it hands out.
"""

from __future__ import annotations

from fractions import Fraction

import av


class SampleAspects:
    """The sample aspects of a stream while it is decoded.

    Args:
        context: Of the decoder, before the first packet.
        stated: What the container or the first header says; None: square. A container that
            contradicts the stream's first header is believed throughout.
    """

    def __init__(self, context: av.VideoCodecContext, stated: Fraction | None) -> None:
        self._context = context
        self._first = self._last = self._now()
        self._believed = self._first == (stated or 1)
        self._stamp: int | None = None  # of the packet that is decoded
        self._decoded: int | None = None  # its decoding time
        self._changes: list[tuple[int | None, Fraction]] = []

    def note(self, packet: av.Packet[av.VideoStream]) -> None:
        """Called with each packet before it is decoded."""
        self._look()
        if self._decoded is not None and packet.dts is not None and packet.dts < self._decoded:
            # The clock begins anew, of another recording: stamps before it mean nothing there.
            self._changes = [(None, self._last)]
        self._decoded = packet.dts
        if packet.pts is not None:  # a second field has none of its own
            self._stamp = packet.pts

    def stretch(self, frame: av.VideoFrame) -> Fraction:
        """How much wider a picture's samples are than those of the stream's first picture."""
        self._look()
        aspect = self._first
        for stamp, changed in self._changes:
            if stamp is None or frame.pts is None or frame.pts >= stamp:
                aspect = changed
        return aspect / self._first if self._believed else Fraction(1)

    def _look(self) -> None:
        if (now := self._now()) != self._last:
            self._last = now
            self._changes.append((self._stamp, now))

    def _now(self) -> Fraction:
        return Fraction(self._context.sample_aspect_ratio or 1)
