"""Five-point alignment: the face turned upright, at the size that recognition networks expect."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mic.errors import FaceError

# The five points of the 112 x 112 crop on which face recognition networks are trained: eyes, tip
# of the nose, corners of the mouth, as (x, y); left and right are the picture's. (ArcFace, Deng et
# al. 2019, after the 96 x 112 crop of SphereFace, Liu et al. 2017.)
CROP_SIZE = 112
# How a face sits in a clip of the generated protocols, and so in all that networks are trained on:
# the aligned crop and so much of it on each side; the picture's middle so much lower, in parts of
# the picture's edge. Measured on `synth-ck` by MTCNN's points: 0.040 to 0.044.
MARGIN = 0.16
DROP = 0.04
REFERENCE_POINTS = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float32,
)


def similarity(points: np.ndarray, *, size: int = CROP_SIZE, margin: float = 0.0) -> np.ndarray:
    """The similarity transform that carries picture coordinates to the aligned crop.

    Least squares over scale, rotation and shift, without reflection (Umeyama 1991).

    Args:
        points: (5, 2) points of a face.
        size: Edge of the crop.
        margin: Part of the crop's edge added on each side; 0 is the recognition networks' crop.

    Returns:
        float64 (2, 3): crop = matrix @ (x, y, 1).

    Raises:
        FaceError: The points are not finite, or all equal.
    """
    points = np.asarray(points, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise FaceError("no five points to align by", remedy="align only frames of status OK")
    scale = size / CROP_SIZE / (1 + 2 * margin)
    target = (REFERENCE_POINTS.astype(np.float64) + margin * CROP_SIZE) * scale
    here, there = points - points.mean(0), target - target.mean(0)
    # In two dimensions rotation and scale are one complex number, and least squares one quotient.
    source, goal = here @ (1, 1j), there @ (1, 1j)
    power = np.vdot(source, source).real
    if power == 0:
        raise FaceError("the five points coincide", remedy="align only frames of status OK")
    turn = np.vdot(source, goal) / power
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target.mean(0) - linear @ points.mean(0)])


def align(
    frame: np.ndarray, points: np.ndarray, *, size: int = CROP_SIZE, margin: float = 0.0
) -> np.ndarray:
    """The face turned upright and cut out.

    Args:
        frame: uint8 (H, W, 3).
        points: (5, 2) points of its face.
        size: Edge of the crop.
        margin: As in `similarity`.

    Returns:
        uint8 (size, size, 3); what lies outside the frame is black.

    Raises:
        FaceError: As `similarity`, or the frame is not an RGB picture.
    """
    return warp(checked(frame), similarity(points, size=size, margin=margin), size)


def warp(frame: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Resamples a picture bilinearly.

    Args:
        frame: uint8 (H, W, 3).
        matrix: (2, 3), from coordinates of the picture to those of the crop.
        size: Edge of the crop.

    Returns:
        uint8 (size, size, 3); black outside the frame.
    """
    picture = Image.fromarray(frame)
    # Bilinear sampling aliases below half size: halve first, by averaging.
    step = max(1, int(1 / np.hypot(matrix[0, 0], matrix[1, 0])))
    if step > 1:
        picture = picture.reduce(step)
        matrix = matrix @ np.diag([step, step, 1.0])
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    coefficients = inverse[:2].ravel().tolist()
    warped = picture.transform(
        (size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return np.asarray(warped)


def checked(frame: np.ndarray) -> np.ndarray:
    """`frame` as an array.

    Raises:
        FaceError: It is no RGB picture.
    """
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise FaceError(
            f"a frame of shape {frame.shape} and type {frame.dtype}",
            remedy="pass RGB pictures, uint8 (H, W, 3)",
        )
    return frame
