"""An MPEG-4 Part 2 video whose bitstream is parsed, as moments.

Vectors come from the bitstream; the regions of looks are reconstructed exactly, with nothing that
they do not depend on, and whole pictures for searches only.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mic import bitstream
from mic.codec import Video
from mic.errors import BitstreamError, CodecError, MicError
from mic.recognition.moments import Moment, Parts, Work, wider
from mic.recognition.motion import Motion, Region, median
from mic_bitstream.records import INTRA, INTRA_Q

_PLANNED_SECONDS = 10.0  # of a parsed video are planned, and reconstructed, together
_RIM = 0.02  # of a region may be missing: to make it once more costs as much as all others


class Parsed:
    """An MPEG-4 Part 2 video whose regions are reconstructed.

    B-VOPs are passed over: nothing refers to them, and one can look at the VOPs beside.

    Args:
        video: Shown as it is coded, upright.
        stream: The same, opened.
        frames: int (len(video),), the stream's frame that each picture is.
        work: Filled with what reading it costs; None: a new one.
    """

    way = "parsed"

    def __init__(
        self,
        video: Video,
        stream: bitstream.Stream,
        frames: np.ndarray,
        work: Work | None = None,
    ) -> None:
        self.video, self._stream, self._frames = video, stream, frames
        self.work = work or Work()
        types = np.array(list(stream.vop_types))[frames]
        self.anchors = np.flatnonzero(types != "B")
        self._intra = np.flatnonzero(types == "I")

    def moments(
        self, wanted: Sequence[int], regions: Callable[[Motion | None], list[Region]]
    ) -> Iterator[Moment]:
        """As `Decoded.moments`, but regions are planned from the vectors and made together.

        Args:
            wanted: Numbers of pictures at which somebody will look, ascending.
            regions: Told the vectors from one picture to a later one, it says which regions will
                be wanted of that one, as far as can be foreseen.

        Raises:
            CodecError: The next picture is damaged, and all before have been yielded; or a region
                cannot be made.
        """
        video, times = self.video, self.video.times
        start = 0
        while start <= (wanted[-1] if wanted else -1):
            end = min(bisect.bisect_left(times, times[start] + _PLANNED_SECONDS), len(video))
            following = np.searchsorted(self._intra, start, "right")
            if following < len(self._intra):
                end = min(end, int(self._intra[following]))
            if not regions(None):  # nobody is followed yet: plan when somebody has been found
                end = min(end, wanted[bisect.bisect_left(wanted, start)] + 1)
            made: dict[int, list[tuple[Region, np.ndarray]]] = {}
            damage: MicError | None = None
            try:
                steps = self._steps(start, end)
                looks = [number for number in wanted if start <= number < end]
                made = self._made(looks, start, steps, regions)
            except (BitstreamError, CodecError) as error:
                whole = self._whole(start, end)
                damage = self._damage(error, whole) if whole < end else error
                if whole in (start, end):
                    raise damage from error
                # What is whole is yielded first, its pictures made when they are asked for.
                end, steps = whole, self._steps(start, whole)
                looks = [number for number in wanted if start <= number < end]
            for number in range(start, end):
                pixels = self._parts(number, made.get(number, [])) if number in looks else None
                yield Moment(
                    number, float(times[number]), self.whole[2:], steps[number - start], pixels
                )
                if number == wanted[-1] and damage is None:
                    break
            if damage is not None:
                raise damage
            start = end
        self.work.pictures = len(video)

    def _whole(self, start: int, end: int) -> int:
        """The first picture from `start` on, before `end`, that cannot be parsed; else `end`."""
        for number in range(start, end):
            try:
                self._stream.motion([int(self._frames[number])])
            except BitstreamError:
                return number
        return end

    def _damage(self, error: MicError, number: int) -> CodecError:
        """The error for a picture that cannot be parsed."""
        found = CodecError(error.message, remedy="the file is damaged; get another copy")
        placed = self.video.placed(found, number)
        placed.place = f"{placed.place}: {error.place}"
        return placed

    def _steps(self, start: int, end: int) -> list[Motion | None]:
        """The motion since the anchor before; nothing is known of I-VOPs and B-VOPs."""
        frames = [int(frame) for frame in self._frames[start:end]]
        types = self._stream.vop_types
        moving = [frame for frame in frames if types[frame] == "P"]
        blocks = dict(zip(moving, self._moved(moving), strict=True)) if moving else {}
        return [blocks.get(frame) for frame in frames]

    def _moved(self, frames: list[int]) -> Iterator[Motion]:
        found = self._stream.motion(frames)
        coded = ~np.isin(found.types, (INTRA, INTRA_Q))
        for blocks, known in zip(found.blocks, coded, strict=True):
            yield _Grid(blocks, known)

    def _made(
        self,
        looks: list[int],
        start: int,
        steps: list[Motion | None],
        regions: Callable[[Motion | None], list[Region]],
    ) -> dict[int, list[tuple[Region, np.ndarray]]]:
        """The planned regions of each picture, made in one pass."""
        frames: list[int] = []
        boxes: list[Region] = []
        for number in range(start, start + len(steps)):
            planned = regions(steps[number - start])
            if number in looks:
                frames += [number] * len(planned)
                boxes += [wider(box, self.whole[2:]) for box in planned]
        made: dict[int, list[tuple[Region, np.ndarray]]] = {}
        for number, box, picture in zip(frames, boxes, self.make(frames, boxes), strict=True):
            made.setdefault(number, []).append((box, picture))
        return made

    def _parts(self, number: int, made: list[tuple[Region, np.ndarray]]) -> Parts:
        return Parts(lambda region: self.make([number], [region])[0], self.whole, made, rim=_RIM)

    def make(self, numbers: list[int], boxes: list[Region]) -> list[np.ndarray]:
        """Regions of pictures as RGB; the work is counted."""
        if not numbers:
            return []
        frames = [int(self._frames[number]) for number in numbers]
        wanted = [(left, top, right - left, bottom - top) for left, top, right, bottom in boxes]
        size = (self.video.width, self.video.height)
        for box in wanted:
            self.work.decoded += box[2:] == size
            self.work.regions += box[2:] != size
        try:
            return [one.rgb() for one in self._stream.pictures(frames, region=wanted)]
        except BitstreamError as error:
            raise CodecError(
                error.message,
                file=self.video.path,
                place=f"before frame {numbers[-1]}, {error.place}",
                remedy=error.remedy,
            ) from error

    @property
    def whole(self) -> Region:
        """All of a picture."""
        return 0, 0, self.video.width, self.video.height


def frames_of(video: Video, stream: bitstream.Stream) -> np.ndarray | None:
    """The stream's frame that each picture of a video is; None where that is not certain."""
    index = video.index
    if stream.frame_count == len(index.sizes) and (
        stream.low_delay or "".join(index.kinds) == "".join(stream.vop_types)
    ):
        return index.packet_of
    # A packed bitstream: a packet may hold two VOPs or a placeholder. The last B-VOP may wait
    # for a packet that never comes; one behind the first I-VOP of a cut film is not shown.
    if (
        index.begin == 0
        and "".join(stream.vop_types[:2]) != "IB"
        and len(index.packet_of) <= stream.frame_count <= len(index.packet_of) + 1
    ):
        return stream.display_order[: len(index.packet_of)]
    return None


class _Grid(Motion):
    """The vectors of a parsed picture, one a block of 8x8 samples.

    Args:
        blocks: int16 (rows, columns, 2), where each block came from in quarter samples.
        coded: bool (rows / 2, columns / 2), the macroblocks that have vectors.
    """

    def __init__(self, blocks: np.ndarray, coded: np.ndarray) -> None:
        self._blocks, self._coded = blocks, coded

    def of(self, box: np.ndarray) -> np.ndarray:
        """The median step of the blocks in a box, as `Vectors.of`."""
        left, top, right, bottom = (max(0, int(edge)) // 16 for edge in box)
        rows, columns = slice(top, bottom + 1), slice(left, right + 1)
        known = self._coded[rows, columns]
        # One block of each macroblock: four vectors are rare, and a median does not need them all.
        inside = self._blocks[2 * top : 2 * bottom + 2 : 2, 2 * left : 2 * right + 2 : 2]
        return -median(inside[known].astype(np.int32)) / 4
