"""What libavcodec attaches to a decoded picture beside its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import av
    from av.sidedata.motionvectors import MotionVectors
    from av.sidedata.sidedata import SideData


def attached(frame: av.VideoFrame, name: str) -> SideData | None:
    """One entry of a picture's side data, or None.

    PyAV's `frame.side_data` keeps what it returns within the frame, which it refers to: a circle
    that holds the picture until the garbage collector comes by, some 170 pictures later. Nothing
    here refers back from the frame.

    Args:
        frame: A decoded picture.
        name: As in `av.sidedata.sidedata.Type`: "MOTION_VECTORS", "DISPLAYMATRIX".

    Raises:
        ValueError: There is an entry beside it that PyAV has no name for.
    """
    from av.sidedata.sidedata import SideDataContainer

    container: type[Any] = SideDataContainer  # whose stub does not say that it takes the frame
    found: SideData | None = container(frame).get(name)
    return found


def motion_vectors(frame: av.VideoFrame) -> MotionVectors | None:
    """The vectors of a picture decoded with `flags2=+export_mvs`; None where there are none."""
    return cast("MotionVectors | None", attached(frame, "MOTION_VECTORS"))
