"""How often the expression network keeps its label when a head is tilted, upright first or not.

    cd tests && python -m campaigns.tilt FOLDER ...

of pictures of the films in the folders given, turned by so many degrees; with `--films` before
the folders, what `mic predict` says of the beginnings of whole films that lie on their sides or
stand on their heads. It prints what `mic/faces/fer.py` and docs/columns.md quote.
"""

from __future__ import annotations

import itertools
import sys
import tempfile

import numpy as np
from containers import filmed
from PIL import Image

import mic
from mic import codec
from mic.faces.blazeface import BlazeFace
from mic.faces.fer import Fer
from mic.faces.landmarks import Landmarker, Mesh, roi_of_box
from mic.recognition.follower import PRESENT

DEGREES = (0, 10, 20, 30, 45, 60, 90)
_EVERY, _MOST = 35, 4
_BEGINNING = 61


def pictures(folders: list[str]) -> list[np.ndarray]:
    """Some of each film."""
    found: list[np.ndarray] = []
    for path in codec.videos_in(folders):
        chosen = [one for k, one in enumerate(codec.decode(path)) if k % _EVERY == 5]
        found += chosen[:_MOST]
    return found


def looked(picture: np.ndarray, finder: BlazeFace, landmarker: Landmarker) -> Mesh | None:
    """The surest face of a picture."""
    faces = finder.detect(picture)
    if not faces:
        return None
    mesh = landmarker.look(picture, roi_of_box(faces[0].box, faces[0].eyes))
    mesh = landmarker.look(picture, mesh.roi)
    return mesh if mesh.presence >= PRESENT else None


def films(folders: list[str]) -> None:
    """Prints what is said of each film as it is and turned by quarters of a circle."""
    print("film,quarters,status,label")
    with tempfile.TemporaryDirectory() as folder:
        for path in codec.videos_in(folders):
            begun = list(itertools.islice(codec.decode(path), _BEGINNING))
            for quarters in range(4):
                turned = [np.rot90(picture, quarters) for picture in begun]
                rows = mic.predict(filmed(f"{folder}/turned.mp4", turned, crf=23))
                for row in rows.itertuples():
                    print(f"{path.name},{quarters},{row.status},{row.label}", flush=True)


def main() -> None:
    """Prints the table."""
    if sys.argv[1:2] == ["--films"]:
        return films(sys.argv[2:])
    fer, finder, landmarker = Fer(), BlazeFace(), Landmarker()
    chosen = pictures(sys.argv[1:])
    print("degrees,found,kept_as_it_is,kept_upright")
    labels: dict[int, tuple[int, int]] = {}
    for degrees in DEGREES:
        found, kept = 0, [0, 0]
        for number, picture in enumerate(chosen):
            turned = Image.fromarray(picture).rotate(
                degrees, Image.Resampling.BILINEAR, expand=True, fillcolor=(120, 120, 120)
            )
            tilted = np.asarray(turned)
            mesh = looked(tilted, finder, landmarker)
            if mesh is None:
                continue
            plain = fer.of_square(tilted, mesh.square)
            upright = fer.of_square(tilted, mesh.square, mesh.roi.angle)
            said = (int(plain.argmax()), int(upright.argmax()))
            if degrees == 0:
                labels[number] = said
            if number in labels:
                found += 1
                kept = [kept[k] + (said[k] == labels[number][k]) for k in (0, 1)]
        print(f"{degrees},{found},{kept[0]},{kept[1]}", flush=True)


if __name__ == "__main__":
    main()
