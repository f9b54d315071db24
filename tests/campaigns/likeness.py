"""How like themselves and each other people are from look to look, and which cuts end a number.

    cd tests && python -m campaigns.likeness [FOLDER ...]

of films that the package index carries, and of those in the folders given (a person a film, but
for CREMA-D's names). It prints what `mic/recognition/likeness.py` and docs/columns.md quote.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

import mic
from mic import codec
from mic.recognition import people
from mic.recognition.likeness import Likeness, Portrait
from mic.recognition.sources import source_of
from mic.storage import assets

OURS = ("carphone", "langer", "single_face", "psychopy")
_BEFORE, _AFTER = 45, 45
# Of the films with cuts: edge of the person in pictures of 240x240, and the quantisation.
SIZES = ((240, "23"), (96, "30"))


def films(folders: list[str]) -> dict[str, Path]:
    """One film a person."""
    found = {name: assets.path(name) for name in OURS} | {"1001": assets.path("cremad_neu")}
    for folder in folders:
        for path in codec.videos_in(folder):
            found.setdefault(path.stem.split("_DFA_")[0], path)
    return found


def portraits(path: Path) -> list[Portrait]:
    """Those of the first person, 0.4 s apart."""
    source = source_of(codec.Video(path, survey=True))
    seen = []
    for passed in people.passes(source, people.shared_recogniser(), interval=0.4):
        seen += [one.portrait for one in passed.seen if one.person == 0]
    return [one for one in seen if one is not None and one.clear]


def squares(path: Path, count: int) -> Iterator[np.ndarray]:
    """The middle of each picture, 240x240."""
    for frame, _ in zip(codec.decode(path), range(count), strict=False):
        side = min(frame.shape[:2])
        top, left = ((edge - side) // 2 for edge in frame.shape[:2])
        part = Image.fromarray(frame[top : top + side, left : left + side])
        yield np.asarray(part.resize((240, 240)))


def ends(
    one: Path, other: Path, *, person: int, quantiser: str, folder: Path
) -> tuple[bool, bool]:
    """Whether no number goes on over a cut from one film to another: at once, and at the end."""
    path = folder / "cut.mp4"
    frames = [*squares(one, _BEFORE), *squares(other, _AFTER)]
    with av.open(str(path), "w") as container:
        options = {"crf": quantiser, "preset": "veryfast"}
        stream = container.add_stream("libx264", rate=Fraction(30), options=options)
        stream.width, stream.height, stream.pix_fmt = 240, 240, "yuv420p"
        for frame in frames:
            small = np.asarray(Image.fromarray(frame).resize((person, person)))
            low = (240 - person) // 2
            picture = np.full((240, 240, 3), 110, np.uint8)
            picture[low : low + person, low : low + person] = small
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    looks = mic.predict(path, rows="look")
    seen = looks[looks["left"].notna()]
    before = set(seen.loc[seen["frame"] < _BEFORE, "person"])
    after = seen[seen["frame"] >= _BEFORE]
    last = after[after["frame"] == after["frame"].max()]
    return not before & set(after["person"]), not before & set(last["person"])


def main() -> None:
    """Prints both tables."""
    chosen, likeness = films(sys.argv[1:]), Likeness()
    looks = {name: portraits(path) for name, path in chosen.items()}
    print("person,looks,least_to_next")
    for name, own in looks.items():
        least = min(
            (likeness.cosine(a, b) for a, b in itertools.pairwise(own)), default=float("nan")
        )
        print(f"{name},{len(own)},{least:.2f}", flush=True)
    pairs = list(itertools.combinations(looks, 2))
    most = max(likeness.cosine(a, b) for x, y in pairs for a in looks[x] for b in looks[y])
    print(f"pairs of people,most\n{len(pairs)},{most:.2f}")
    print("person_edge,crf,cuts,ended_at_once,ended")
    with tempfile.TemporaryDirectory() as folder:
        for person, quantiser in SIZES:
            ended = [
                ends(chosen[a], chosen[b], person=person, quantiser=quantiser, folder=Path(folder))
                for a, b in pairs
            ]
            at_once, at_last = (sum(column) for column in zip(*ended, strict=True))
            print(f"{person},{quantiser},{len(ended)},{at_once},{at_last}", flush=True)


if __name__ == "__main__":
    main()
