"""How like themselves and each other people are from look to look, and which cuts end a number.

    cd tests && python -m campaigns.likeness [FOLDER ...]

of films that the package index carries, and of those in the folders given (a person a film, but
for CREMA-D's names). It prints what `mic/recognition/likeness.py` and docs/columns.md quote.
"""

from __future__ import annotations

import functools
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from containers import filmed
from PIL import Image

import mic
from mic import codec
from mic.faces.blazeface import BlazeFace
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
    frames = []
    for frame in (*squares(one, _BEFORE), *squares(other, _AFTER)):
        small = np.asarray(Image.fromarray(frame).resize((person, person)))
        low = (240 - person) // 2
        frames.append(np.full((240, 240, 3), 110, np.uint8))
        frames[-1][low : low + person, low : low + person] = small
    looks = mic.predict(
        filmed(folder / "cut.mp4", frames, crf=quantiser, preset="veryfast"), rows="look"
    )
    seen = looks[looks["left"].notna()]
    before = set(seen.loc[seen["frame"] < _BEFORE, "person"])
    after = seen[seen["frame"] >= _BEFORE]
    last = after[after["frame"] == after["frame"].max()]
    return not before & set(after["person"]), not before & set(last["person"])


def goes_on(one: Path, other: Path, *, what: str, folder: Path) -> bool:
    """Whether a number goes on from who is seen bare to who takes off a mask or dark glasses.

    Args:
        one: Film of the first.
        other: Of the second, who is hidden from the cut on for three seconds; or the same.
        what: "mask" or "glasses".
        folder: For the film that is made.
    """
    bare = list(squares(other, _AFTER))
    found = finder().detect(bare[0])
    hidden = bare
    if found:
        left, top, right, bottom = found[0].box.astype(int)
        tall = bottom - top
        place = (top + tall // 2, bottom + tall // 4) if what == "mask" else (
            top + tall // 8, top + tall * 3 // 8
        )  # fmt: skip
        hidden = [frame.copy() for frame in bare]
        for frame in hidden:
            shade = (60, 90, 150) if what == "mask" else (15, 15, 15)
            frame[slice(*place), max(0, left - 6) : right + 6] = shade
    frames = [*squares(one, _BEFORE), *hidden, *hidden[::-1], *bare]
    looks = mic.predict(
        filmed(folder / "hidden.mp4", frames, crf=22, preset="veryfast"), rows="look"
    )
    seen = looks[looks["status"] == "ok"]
    before = set(seen.loc[seen["frame"] < _BEFORE, "person"])
    after = set(seen.loc[seen["frame"] >= len(frames) - _AFTER + 15, "person"])
    return bool(before & after)


@functools.cache
def finder() -> BlazeFace:
    """Finds faces."""
    return BlazeFace()


def main() -> None:
    """Prints the tables."""
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
        print("hidden_by,same,go_on,others,go_on")
        names = list(chosen)
        following = list(zip(names, names[3:] + names[:3], strict=True))
        for what in ("mask", "glasses"):
            same = [goes_on(chosen[a], chosen[a], what=what, folder=Path(folder)) for a in names]
            others = [
                goes_on(chosen[a], chosen[b], what=what, folder=Path(folder)) for a, b in following
            ]
            print(f"{what},{len(same)},{sum(same)},{len(others)},{sum(others)}", flush=True)


if __name__ == "__main__":
    main()
