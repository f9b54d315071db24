"""
MPEG-4 Part 2 residuals, vectors and modes without reconstructing a pixel.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy
from numpy.typing import NDArray

class SyntaxError(Exception):
    """args: (unsupported, clause, bit_offset, message), see mic_bitstream."""

class Stream:
    """The index of one clip: where its VOPs lie."""

    def __init__(self, path: bytes, extradata: object = ..., keep_going: bool = False) -> None: ...
    def append(self, offset: int, packet: object) -> None:
        """Appends the VOP of one packet found at a file offset."""

    def append_table(
        self,
        offsets: Annotated[NDArray[numpy.uint64], dict(order="C", device="cpu", writable=False)],
        sizes: Annotated[NDArray[numpy.uint32], dict(order="C", device="cpu", writable=False)],
    ) -> None:
        """Appends the VOPs of a container's sample table."""

    def append_absent(self, count: int) -> None:
        """Appends VOPs that the container promises and does not hold."""

    def scan(self) -> None:
        """Indexes an elementary stream."""

    def __len__(self) -> int: ...
    @property
    def faults(self) -> list[tuple[int, int, int, bool, str, int, str]]:
        """
        What was met while indexing and did not end it, as `decode` returns errors.
        """

    def steps(self, out: Annotated[NDArray[numpy.int32], dict(order="C", device="cpu")]) -> None:
        """
        Fills in the ticks from the VOP before to each, -2**31 where the clock does not tell.
        """

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in samples; (0, 0) before any layer was found."""

    @property
    def ticks(self) -> tuple[int, int]:
        """(vop_time_increment_resolution, fixed_vop_time_increment or 0)."""

    @property
    def coding_types(self) -> str:
        """One letter a VOP: I, P, B, N (not coded) or ? (its header is damaged)."""

    def is_bidirectional(self, vop: int) -> bool:
        """Whether VOP `vop` is a B-VOP, coded or not."""

    def is_quarter_sample(self, vop: int) -> bool:
        """Whether the vectors of VOP `vop` are coded in quarter samples."""

    @property
    def low_delay(self) -> bool:
        """Whether there is no B-VOP."""

    @property
    def display_order(self) -> list[int]:
        """Numbers of the VOPs in the order in which they are shown."""

def decode(
    sources: Sequence[tuple[Stream, Sequence[int]]],
    *,
    scale: int = 1,
    space: int = 0,
    y: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    cb: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    cr: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    pixels: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    motion: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    backward: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    type: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    quantiser: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    bits: Annotated[NDArray[numpy.uint32], dict(order="C", device="cpu")] | None = None,
    threads: int = 1,
    keep_going: bool = False,
) -> list[tuple[int, int, int, bool, str, int, str]]:
    """
    Parses VOPs of one or several streams into arrays with one row a VOP; returns what
    failed: (source, vop, first_missing, unsupported, clause, bit_offset, message).
    """

def accumulate_standard(
    stream: Stream,
    vops: Sequence[int],
    *,
    scale: int = 1,
    space: int = 0,
    y: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")] | None = None,
    cb: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")] | None = None,
    cr: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")] | None = None,
    pixels: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")] | None = None,
    displacement: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")] | None = None,
    broken: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    broken_chroma: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    breaks: Sequence[int] = [],
    with_intra_vop: bool = False,
    threads: int = 1,
    keep_going: bool = False,
) -> list[tuple[int, int, int, bool, str, int, str]]:
    """Residuals accumulated by the standard's interpolation, float32."""

def accumulate_coviar(
    stream: Stream,
    vops: Sequence[int],
    *,
    scale: int = 1,
    space: int = 0,
    y: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    cb: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    cr: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    pixels: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    displacement: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    broken: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    broken_chroma: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    breaks: Sequence[int] = [],
    with_intra_vop: bool = False,
    threads: int = 1,
    keep_going: bool = False,
) -> list[tuple[int, int, int, bool, str, int, str]]:
    """Residuals accumulated at whole samples, as CoViAR does, int16."""

def sum_segments(
    stream: Stream,
    bounds: Sequence[int],
    *,
    scale: int = 1,
    space: int = 0,
    y: Annotated[NDArray[numpy.int32], dict(order="C", device="cpu")] | None = None,
    cb: Annotated[NDArray[numpy.int32], dict(order="C", device="cpu")] | None = None,
    cr: Annotated[NDArray[numpy.int32], dict(order="C", device="cpu")] | None = None,
    pixels: Annotated[NDArray[numpy.int32], dict(order="C", device="cpu")] | None = None,
    threads: int = 1,
    keep_going: bool = False,
) -> list[tuple[int, int, int, bool, str, int, str]]:
    """Sums residuals over [bounds[k], bounds[k + 1]), int32."""

def decode_intra(
    stream: Stream,
    vop: int,
    *,
    coefficients: Annotated[NDArray[numpy.int16], dict(order="C", device="cpu")] | None = None,
    y: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    cb: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    cr: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
) -> None:
    """Parses an I-VOP: dequantised coefficients and samples."""

def reconstruct(
    stream: Stream,
    vops: Sequence[int],
    *,
    boxes: Annotated[NDArray[numpy.int32], dict(order="C", device="cpu", writable=False)],
    y: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")],
    cb: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")],
    cr: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")],
    broken: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")] | None = None,
    breaks: Sequence[int] = [],
    threads: int = 1,
    keep_going: bool = False,
) -> tuple[list[tuple[int, int, int, bool, str, int, str]], int, int]:
    """
    Exact samples of a box (left, top, width, height) of each VOP, one after the other in
    flat planes; returns what failed, macroblocks reconstructed, macroblocks in all.
    """

def picture_to_rgb(
    y: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu", writable=False)],
    cb: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu", writable=False)],
    cr: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu", writable=False)],
    *,
    left: int,
    top: int,
    pixels: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu")],
) -> None:
    """A decoded picture whose first luma sample is (left, top), as RGB."""

def resample(
    pixels: Annotated[NDArray[numpy.uint8], dict(order="C", device="cpu", writable=False)],
    *,
    step: int,
    map: Sequence[float],
    out: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")],
) -> None:
    """
    Bilinear samples, 0 to 1, of an RGB picture reduced by `step`; `map` is affine, from
    the result's coordinates to those of the reduced picture.
    """
