"""478 points on a face, its 52 blendshapes and how the head is turned: MediaPipe's landmarker.

The networks are those of MediaPipe's face landmarker (Google, Apache-2.0): the attention mesh
(I. Grishchenko et al., "Attention mesh", 2020) and the blendshape network (I. Grishchenko et al.,
"Blendshapes GHUM", 2023), pinned as the asset "face_landmarker" and run by `ai-edge-litert`.
MediaPipe itself is not used.

    landmarker = Landmarker()
    mesh = landmarker.look(picture, *roi_of_box(box, points))
    mesh.presence, mesh.points                 # 0 to 1; float32 (478, 3) in samples
    landmarker.blendshapes(mesh)               # float32 (52,) in the order of BLENDSHAPES
    mesh.pose                                  # Pose(yaw, pitch, roll) in degrees

The networks were trained on people that nobody named. What they say of a face that is covered or
turned away by more than about 45 degrees is a guess.
"""

from __future__ import annotations

import functools
import zipfile
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mic.errors import AssetError
from mic.faces import light
from mic.faces.alignment import checked
from mic.faces.tflite import Network
from mic.storage import assets
from mic_bitstream.pictures import resampled

POINTS = 478
_MESH_POINTS = 468  # the others are irises, which the canonical face has not
EDGE = 256
# A face lies in the middle two thirds of the square that the network looks at.
_MARGIN = 1.5
_LEFT_EYE, _RIGHT_EYE = 33, 263  # outer corners; left and right are the picture's
# The blendshape network's input, by number of point.
_CHOSEN = np.array(
    [
        *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63),
        *(65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132),
        *(133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161),
        *(162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263),
        *(267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310),
        *(311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373),
        *(374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398),
        *(400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
    ]
)
BLENDSHAPES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft"),
    *("browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft"),
    *("eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft"),
    *("eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft"),
    *("mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft"),
    *("mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
# FACS action units by the blendshapes that name the same movement; both sides are averaged.
ACTION_UNITS: dict[str, tuple[str, ...]] = {
    "AU01": ("browInnerUp",),
    "AU02": ("browOuterUpLeft", "browOuterUpRight"),
    "AU04": ("browDownLeft", "browDownRight"),
    "AU05": ("eyeWideLeft", "eyeWideRight"),
    "AU06": ("cheekSquintLeft", "cheekSquintRight"),
    "AU07": ("eyeSquintLeft", "eyeSquintRight"),
    "AU09": ("noseSneerLeft", "noseSneerRight"),
    "AU10": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "AU12": ("mouthSmileLeft", "mouthSmileRight"),
    "AU14": ("mouthDimpleLeft", "mouthDimpleRight"),
    "AU15": ("mouthFrownLeft", "mouthFrownRight"),
    "AU16": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "AU17": ("mouthShrugLower",),
    "AU18": ("mouthPucker",),
    "AU20": ("mouthStretchLeft", "mouthStretchRight"),
    "AU22": ("mouthFunnel",),
    "AU24": ("mouthPressLeft", "mouthPressRight"),
    "AU26": ("jawOpen",),
    "AU28": ("mouthRollLower", "mouthRollUpper"),
    "AU29": ("jawForward",),
    "AU34": ("cheekPuff",),
    "AU45": ("eyeBlinkLeft", "eyeBlinkRight"),
}
_CHOSEN_FOR = {
    name: [BLENDSHAPES.index(one) for one in shapes] for name, shapes in ACTION_UNITS.items()
}


class Roi(NamedTuple):
    """The square that the mesh network looks at.

    Attributes:
        x: Middle, in samples of the picture.
        y: Middle.
        side: In samples.
        angle: Radians by which it is turned, clockwise as seen.
    """

    x: float
    y: float
    side: float
    angle: float

    @property
    def matrix(self) -> np.ndarray:
        """float64 (2, 3), from the picture's coordinates to those of the network's input."""
        scale = EDGE / self.side
        cosine, sine = scale * np.cos(self.angle), scale * np.sin(self.angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        return np.column_stack([turn, EDGE / 2 - turn @ (self.x, self.y)])


class Pose(NamedTuple):
    """How a head is turned, in degrees.

    Attributes:
        yaw: Positive: the nose points to the right of the picture.
        pitch: Positive: it points up.
        roll: Positive: the head is tilted counter-clockwise as seen.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """The points of one face.

    Attributes:
        points: float32 (478, 3): x and y in samples of the picture; z in samples too, smaller is
            nearer to the camera, 0 at the head's middle.
        presence: 0 to 1, whether there is a face in the square at all.
    """

    points: np.ndarray
    presence: float

    @functools.cached_property
    def roi(self) -> Roi:
        """Where to look for the same face in the next picture."""
        eyes = self.points[_RIGHT_EYE, :2] - self.points[_LEFT_EYE, :2]
        angle = float(np.arctan2(eyes[1], eyes[0]))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        upright = self.points[:_MESH_POINTS, :2] @ turn.T
        low, high = upright.min(0), upright.max(0)
        x, y = turn.T @ ((low + high) / 2)
        return Roi(float(x), float(y), float(_MARGIN * max(high - low)), angle)

    @property
    def square(self) -> tuple[float, float, float]:
        """The face square: middle x, middle y and side in samples, not turned."""
        return self.roi[:3]

    @functools.cached_property
    def box(self) -> np.ndarray:
        """float32 (4,): left, top, right, bottom of the points, in samples."""
        points = self.points[:_MESH_POINTS, :2]
        return np.concatenate([points.min(0), points.max(0)]).astype(np.float32)

    @functools.cached_property
    def pose(self) -> Pose:
        """The rotation that carries the canonical face to these points (Kabsch 1976).

        The camera is taken to be far away, so a face near the picture's border seems turned by
        some degrees.
        """
        canonical = _canonical_face()
        seen = self.points[:_MESH_POINTS] * (1, -1, -1)  # the canonical face's axes
        here, there = canonical - canonical.mean(0), seen - seen.mean(0)
        left, _, right = np.linalg.svd(here.T @ there)
        flip = np.sign(np.linalg.det(left @ right))
        rotation = right.T @ np.diag([1, 1, flip]) @ left.T
        nose = rotation[:, 2]
        return Pose(
            yaw=float(np.degrees(np.arctan2(nose[0], nose[2]))),
            pitch=float(np.degrees(np.arcsin(np.clip(nose[1], -1, 1)))),
            roll=float(np.degrees(np.arctan2(rotation[1, 0], rotation[1, 1]))),
        )


class Landmarker:
    """The mesh and the blendshape network.

    Raises:
        AssetError: The networks cannot be fetched.
    """

    def __init__(self) -> None:
        self._mesh = Network(bundled("face_landmarks_detector.tflite"))
        self._blendshapes = Network(bundled("face_blendshapes.tflite"))

    def look(self, picture: np.ndarray, roi: Roi) -> Mesh:
        """The points of the face in a square of a picture, uint8 (H, W, 3) RGB.

        Raises:
            FaceError: The picture is no such array.
        """
        picture = light.lit(checked(picture))
        points, presence, _ = self._mesh(resampled(picture, roi.matrix, EDGE)[None])
        points = points.reshape(POINTS, 3).astype(np.float64)
        turn, shift = roi.matrix[:, :2], roi.matrix[:, 2]
        plane = (points[:, :2] - shift) @ np.linalg.inv(turn).T
        depth = points[:, 2:] * roi.side / EDGE
        chance = 1 / (1 + np.exp(-float(presence.item())))
        return Mesh(points=np.hstack([plane, depth]).astype(np.float32), presence=chance)

    def blendshapes(self, mesh: Mesh) -> np.ndarray:
        """float32 (52,) in the order of `BLENDSHAPES`, each from 0 to 1."""
        return self._blendshapes(mesh.points[None, _CHOSEN, :2])[0]


def action_units(blendshapes: np.ndarray) -> dict[str, float]:
    """Blendshapes as FACS action units: a movement's name, not a coder's intensity."""
    return {name: float(blendshapes[chosen].mean()) for name, chosen in _CHOSEN_FOR.items()}


def roi_of_box(box: np.ndarray, points: np.ndarray) -> Roi:
    """The square to look at for a face that was detected.

    Args:
        box: (4,) left, top, right, bottom.
        points: (2 or more, 2): the picture's left and right eye come first.
    """
    x, y = (box[:2] + box[2:]) / 2
    eyes = points[1] - points[0]
    side = 0.95 * _MARGIN * max(box[2:] - box[:2])
    return Roi(float(x), float(y), float(side), float(np.arctan2(eyes[1], eyes[0])))


def bundled(name: str) -> bytes:
    """A file of the landmarker's bundle.

    Raises:
        AssetError: The bundle cannot be fetched, or has no such file.
    """
    bundle = assets.path("face_landmarker")
    try:
        with zipfile.ZipFile(bundle) as archive:
            return archive.read(name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"holds no {name}", file=bundle, remedy="delete the file, it is then fetched again"
        ) from error


@functools.lru_cache(maxsize=1)
def _canonical_face() -> np.ndarray:
    """float64 (468, 3): x to the right of the picture, y up, z towards the camera.

    In MediaPipe's `GeometryPipelineMetadata`, a protocol buffer, x, y, z, u and v of each vertex
    follow a header of eight bytes, each value behind a tag of one byte. The asset is pinned, so
    the layout is fixed.
    """
    field = np.dtype([("tag", "u1"), ("value", "<f4")])
    data = bundled("geometry_pipeline_metadata_landmarks.binarypb")
    floats = np.frombuffer(data, field, 5 * _MESH_POINTS, offset=8)["value"]
    return floats.reshape(-1, 5)[:, :3].astype(np.float64)
