"""Are the generated faces faces? Judged by networks that never saw one of them.

    seen = checks.pictures(manifest)
    checks.detection(seen)                        # MTCNN finds them
    curves, table = checks.networks(seen)         # face recognition networks tell them apart
    checks.zero_shot_table(checks.zero_shot(seen))    # an expression network reads them
    checks.energy(path), checks.movement(side)    # residuals sit where action units act

The networks were trained on photographs; see `mic.storage.assets` for what they are and their
limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mic import bitstream, codec, extras, faces, identity
from mic.errors import MicError
from mic.evaluation import metrics
from mic.evaluation.verification import RocCurve
from mic.faces import Detection, Status
from mic.manifest.manifest import Clip, Manifest
from mic.storage import assets
from mic.synthface import camera
from mic.synthface.action_units import CODES, face_units
from mic.synthface.camera import View
from mic.synthface.judging.verification import roc_curve
from mic.synthface.judging.verification import verification as verified
from mic.synthface.model import head
from mic.synthface.raster import rasterize
from mic.synthface.subject import subject

# Classes of the expression network, in the order of its outputs.
FER_CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_FER_SIZE = 64
# FER2013's faces fill their pictures: a square of this share of the box's longer side.
_FER_SHARE = 0.9
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Two frames of every clip: the first, and the apex.

    Attributes:
        clips: The clips.
        frames: uint8 (2 N, H, W, 3): N first frames, then N apex frames.
        found: Detection in each of these.
    """

    clips: tuple[Clip, ...]
    frames: np.ndarray
    found: tuple[Detection, ...]

    @property
    def seen(self) -> np.ndarray:
        """(2 N,) bool: where a face was found."""
        return np.array([found.status is not Status.NO_FACE for found in self.found])

    @property
    def subjects(self) -> list[str]:
        """Who is on each of the 2 N frames."""
        return [clip.subject for clip in self.clips] * 2


def pictures(manifest: Manifest) -> Pictures:
    """Decodes the first and the apex frame of every clip and looks for faces.

    Args:
        manifest: Generated clips with an apex.
    """
    first, apex = [], []
    for clip in manifest:
        frames = islice(codec.decode(manifest.path(clip)), (clip.apex or 0) + 1)
        shown = list(frames)
        first.append(shown[0])
        apex.append(shown[-1])
    return inspect(manifest.clips, np.stack(first + apex))


def inspect(clips: Sequence[Clip], frames: np.ndarray) -> Pictures:
    """Looks for faces in the first and the apex frames of clips.

    Args:
        clips: N clips.
        frames: uint8 (2 N, H, W, 3), as in `Pictures`.
    """
    using = faces.detector()
    found = [
        detection
        for start in range(0, len(frames), _BATCH)
        for detection in using.detect(frames[start : start + _BATCH])
    ]
    return Pictures(clips=tuple(clips), frames=frames, found=tuple(found))


DETECTION_COLUMNS: Mapping[str, str] = {
    "moment": "first frame (neutral) or apex of each clip",
    "pictures": "frames looked at",
    "found": "frames with a face",
    "rate": "found / pictures",
}


def detection(seen: Pictures) -> pd.DataFrame:
    """How often MTCNN finds a face: rows first and apex, columns of `DETECTION_COLUMNS`."""
    half = len(seen.clips)
    rows = []
    for moment, part in (("first", slice(0, half)), ("apex", slice(half, None))):
        found = seen.seen[part]
        rows.append(
            {
                "moment": moment,
                "pictures": len(found),
                "found": int(found.sum()),
                "rate": float(found.mean()),
            }
        )
    return pd.DataFrame(rows)


def verification(
    seen: Pictures,
    *,
    network: str = "mobilefacenet",
    seed: int = 0,
    resamples: int = 2000,
) -> tuple[RocCurve, pd.DataFrame]:
    """How well a face recognition network tells the subjects apart, across expressions.

    Args:
        seen: The pictures; first and apex frames of a person are pairs of one person.
        network: Name of an identity network.
        seed: Seed of the bootstrap.
        resamples: Bootstrap resamples.

    Returns:
        The ROC curve over all pairs, and `mic.synthface.judging.verification`'s table.
    """
    judge = identity.load(network)
    embeddings = np.full((len(seen.frames), judge.dimensions), np.nan, np.float32)
    crops = [
        judge.crop(frame, found.points)
        for frame, found, there in zip(seen.frames, seen.found, seen.seen, strict=True)
        if there
    ]
    embeddings[seen.seen] = judge.embed(np.stack(crops))
    table = verified(embeddings, seen.subjects, seed=seed, resamples=resamples)
    return roc_curve(embeddings, seen.subjects), table


NETWORK_COLUMNS: Mapping[str, str] = {
    "network": "frozen identity network",
    "status": "measured, or why not",
    "faces": "faces embedded",
    "subjects": "people",
    "pairs_same": "pairs of one person",
    "pairs_different": "pairs of two",
    "auc": "area under the ROC curve",
    "auc_low": "95 % bootstrap interval over people",
    "auc_high": "95 % bootstrap interval over people",
    "eer": "equal error rate",
    "eer_low": "95 % bootstrap interval over people",
    "eer_high": "95 % bootstrap interval over people",
}


def networks(
    seen: Pictures, *, seed: int = 0, resamples: int = 2000
) -> tuple[dict[str, RocCurve], pd.DataFrame]:
    """`verification` by every identity network of `mic.identity`.

    A network that is not to be had here, because its weights or its package are missing, is a row
    whose status says so, and has no curve.

    Args:
        seen: The pictures.
        seed: Seed of the bootstrap.
        resamples: Bootstrap resamples.

    Returns:
        The ROC curves by network, and a table of `NETWORK_COLUMNS`, one row a network.
    """
    curves, rows = {}, []
    for name in identity.NETWORKS:
        try:
            curves[name], table = verification(seen, network=name, seed=seed, resamples=resamples)
        except MicError as error:
            rows.append(pd.DataFrame([{"network": name, "status": error.message}]))
            continue
        rows.append(table.assign(network=name, status="measured"))
    return curves, pd.concat(rows, ignore_index=True).reindex(columns=list(NETWORK_COLUMNS))


def zero_shot(seen: Pictures) -> pd.DataFrame:
    """What a network trained on FER2013's photographs sees in first and apex frames.

    First frames count as neutral, once a subject; classes the network does not know (contempt)
    are left out. Needs `ai-edge-litert`, of the extra `predict`.

    Returns:
        One row a picture: clip_id, label, predicted.
    """
    with extras.needed():
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The default delegate announces itself on stderr, where notebooks allow nothing.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    model = Interpreter(str(assets.path("fer")), experimental_op_resolver_type=plain)
    model.allocate_tensors()
    entry, exit_ = model.get_input_details()[0]["index"], model.get_output_details()[0]["index"]
    half, rows, shown = len(seen.clips), [], set()
    for k, (frame, found) in enumerate(zip(seen.frames, seen.found, strict=True)):
        clip = seen.clips[k % half]
        label = "neutral" if k < half else clip.label
        repeated = k < half and clip.subject in shown
        if found.status is Status.NO_FACE or label not in FER_CLASSES or repeated:
            continue
        shown.add(clip.subject)
        model.set_tensor(entry, _fer_input(frame, found.box))
        model.invoke()
        predicted = FER_CLASSES[int(model.get_tensor(exit_)[0].argmax())]
        rows.append({"clip_id": clip.clip_id, "label": label, "predicted": predicted})
    return pd.DataFrame(rows)


def _fer_input(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(1, 64, 64, 1) float32 in -1..1: a tight square of grey, as it was trained on."""
    side = _FER_SHARE * float(max(box[2] - box[0], box[3] - box[1]))
    middle = (box[:2] + box[2:]) / 2
    area = tuple(np.concatenate([middle - side / 2, middle + side / 2]))
    face = Image.fromarray(frame).crop(area).convert("L").resize((_FER_SIZE, _FER_SIZE))
    return (np.asarray(face, np.float32) / 255 - 0.5)[None, ..., None] * 2


def confusion(read: pd.DataFrame, classes: Sequence[str] = FER_CLASSES) -> np.ndarray:
    """Counts of `zero_shot`'s rows: label down, prediction across."""
    table = pd.crosstab(read["label"], read["predicted"])
    return table.reindex(index=classes, columns=classes, fill_value=0).to_numpy()


ZERO_SHOT_COLUMNS: Mapping[str, str] = {
    "frames": "which frames",
    "accuracy": "share read as drawn",
    "accuracy_low": "95 % Wilson interval",
    "accuracy_high": "95 % Wilson interval",
    "n": "frames",
}


def zero_shot_table(read: pd.DataFrame) -> pd.DataFrame:
    """How many of `zero_shot`'s rows are right, with and without the neutral frames.

    Returns:
        Columns of `ZERO_SHOT_COLUMNS`.
    """
    rows = []
    apex = read[read["label"] != "neutral"]
    for name, part in (("all seven classes", read), ("apex frames only", apex)):
        correct = int((part["label"] == part["predicted"]).sum())
        interval = metrics.wilson(correct, len(part))
        rows.append((name, correct / len(part), interval.low, interval.high, len(part)))
    return pd.DataFrame(rows, columns=list(ZERO_SHOT_COLUMNS))


def energy(path: str | Path) -> np.ndarray:
    """(H, W) float64: luma residual energy of a clip, the mean absolute value over its P-VOPs."""
    with bitstream.open(path) as stream:
        luma = stream.residual().y
    return np.abs(luma[1:].astype(np.float64)).mean(0)


def movement(side: str | Path, size: int) -> np.ndarray:
    """How far each visible point of the face moves from neutral to apex, by geometry alone.

    Args:
        side: A clip's side file.
        size: Pixels along either side of its pictures.

    Returns:
        (H, W) float32 distance on screen in pixels, head held as at the apex; NaN off the person.
    """
    with np.load(side) as stored:
        apex = int(stored["apex"])
        family = int(stored["family"])
        person = subject(int(stored["person"]), family=None if family < 0 else family)
        view = View(
            turn=tuple(stored["pose"][apex]),
            shift=tuple(stored["shift"][apex]),
            zoom=float(stored["zoom"][apex]),
        )
        activation = stored["action_units"][apex]
    screens = []
    for shown in (np.zeros(len(CODES)), activation):
        points = person.deform(face_units(shown))
        everywhere = np.ones((len(points), 1), np.float32)
        points = camera.turn(points, view.rotation(), everywhere)
        screens.append(camera.project(points, view, size))
    rest, acting = screens
    distance = np.hypot(*(acting - rest)[:, :2].T)
    corners = head().triangles
    found = rasterize(acting, corners, height=size, width=size)
    a, b, c = distance[np.moveaxis(corners[found.triangle], -1, 0)]
    mixed = a + found.second * (b - a) + found.third * (c - a)
    return np.where(found.triangle >= 0, mixed, np.nan).astype(np.float32)
