"""Faces in a clip: found and aligned on the I-frame, followed cheaply through the rest.

Detection is MTCNN (Zhang et al. 2016), whose weights travel in facenet-pytorch's wheel; this is
the only package that imports it. Its expensive part is the pyramid of proposals, so that is run on
the I-frame only. From then on the last network of its cascade (O-Net) looks at the neighbourhood
of the previous box and says whether a face is still there and where its five points are.

A clip without a face is a status, never an exception. Of several faces the one taken is the
largest after a penalty for distance from the picture's middle (`_choose` in detection.py), and
the status says that there were several.
"""

from mic.faces.alignment import (
    CROP_SIZE,
    DROP,
    MARGIN,
    REFERENCE_POINTS,
    align,
    similarity,
    warp,
)
from mic.faces.detection import NOTHING, SEEN, Detection, Detector, Status, detector
from mic.faces.tracking import Track, detect_clip, track, track_clip

__all__ = [
    "CROP_SIZE",
    "DROP",
    "MARGIN",
    "NOTHING",
    "REFERENCE_POINTS",
    "SEEN",
    "Detection",
    "Detector",
    "Status",
    "Track",
    "align",
    "detect_clip",
    "detector",
    "similarity",
    "track",
    "track_clip",
    "warp",
]
