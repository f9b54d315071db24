"""How often the expression network keeps its label when a picture is dark, pale or flat.

    cd tests && python -m campaigns.light FOLDER ...

of pictures of the films in the folders given and of three assets, whose samples are multiplied
and raised, with and without `mic.faces.light`. The points of the
face are those of the picture as it was. It prints what `mic/faces/fer.py` and docs/columns.md
quote.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from unittest import mock

import numpy as np
from containers import filmed

import mic
from campaigns.tilt import looked
from mic import codec
from mic.faces import light
from mic.faces.blazeface import BlazeFace
from mic.faces.fer import Fer
from mic.faces.landmarks import Landmarker
from mic.storage import assets

FILMS = ("single_face", "langer", "carphone")
# Each sample times the first, plus the second.
LIGHTS = (
    *((1.0, 0), (0.12, 0), (0.25, 0), (0.4, 0), (0.6, 0)),
    *((0.15, 100), (0.3, 90), (0.5, 60), (0.5, 150)),
)
DARKER = ((0.08, 0), (0.04, 0), (0.06, 200))
_EVERY, _FIRST, _LAST = 15, 5, 150
_BEGINNING = 61


def main() -> None:
    """Prints the table."""
    network, finder, landmarker = Fer(), BlazeFace(), Landmarker()
    faces = []
    for path in [*codec.videos_in(sys.argv[1:]), *map(assets.path, FILMS)]:
        for number, picture in enumerate(codec.decode(path)):
            if number % _EVERY != _FIRST or number > _LAST:
                continue
            mesh = looked(picture, finder, landmarker)
            if mesh is not None:
                faces.append((picture, mesh))
    print("times,plus,faces,kept_as_it_is,kept_when_lit")
    labels: list[int] = []
    for times, plus in LIGHTS:
        kept = []
        for curve in (lambda counts: None, light.curve):
            with mock.patch.object(light, "curve", curve):
                said = [
                    int(network.of_square(_in(picture, times, plus), *_where(mesh)).argmax())
                    for picture, mesh in faces
                ]
            labels = labels or said
            kept.append(sum(one == other for one, other in zip(said, labels, strict=True)))
        print(f"{times},{plus},{len(faces)},{kept[0]},{kept[1]}", flush=True)
    _films(sys.argv[1:])


def _films(folders: list[str]) -> None:
    """Prints what is said of the beginnings of whole films, with `mic.faces.light` and without."""
    print("times,plus,films,answered_as_it_is,same_as_it_is,answered_when_lit,same_when_lit")
    begun = [
        list(itertools.islice(codec.decode(path), _BEGINNING)) for path in codec.videos_in(folders)
    ]
    with tempfile.TemporaryDirectory() as folder:
        labels: list[str] = []
        for times, plus in (*LIGHTS[:3], *DARKER, LIGHTS[5], LIGHTS[8]):
            counts: list[int] = []
            for curve in (lambda counts: None, light.curve):
                with mock.patch.object(light, "curve", curve):
                    said = [
                        mic.predict(
                            filmed(
                                f"{folder}/lit.mp4",
                                [_in(one, times, plus) for one in pictures],
                                crf=23,
                            )
                        ).iloc[0]["label"]
                        for pictures in begun
                    ]
                labels = labels or said
                same = sum(one == other for one, other in zip(said, labels, strict=True))
                counts += [sum(isinstance(one, str) for one in said), same]
            print(f"{times},{plus},{len(begun)},{','.join(map(str, counts))}", flush=True)


def _in(picture: np.ndarray, times: float, plus: int) -> np.ndarray:
    return (picture * times + plus).clip(0, 255).round().astype(np.uint8)


def _where(mesh) -> tuple[tuple[float, float, float], float]:
    return mesh.square, mesh.roi.angle


if __name__ == "__main__":
    main()
