"""What lies where in the published layouts: names, formats, label files and litter.

Each layout yields its clips as `Take`s, in the order of the original's names, and writes what is
no clip of its own; `mic.synthface.tools.published_layouts` performs them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from PIL import Image

from mic.storage import atomic
from mic.synthface.film import Film
from mic.synthface.protocols import ClipPlan, protocol, seed_of, take

_CODECS = {".avi": "mpeg4", ".mpg": "mpeg2video", ".flv": "flv", ".mp4": "libx264"}
_FORMATS = {".mpg": "mpeg"}
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
_LITTER = b"\0\0\0\1Bud1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Take:
    """One clip of a tree.

    Attributes:
        protocol: Name of the generated protocol whose look it has.
        plan: Who does what.
        files: Where it goes: one video, or a pattern with `{frame}` for pictures.
        size: Edge of the face picture, samples.
        rate: Frames a second; the protocol's own by default.
        gray: Whether pictures are written gray.
        then: Writes the label files, given the finished film.
        label: The class that the layout says, where the plan's is another: calm faces of RAVDESS
            are drawn neutral, but copies of one are none of the other.
    """

    protocol: str
    plan: ClipPlan
    files: Path
    size: int
    rate: Fraction | None = None
    gray: bool = False
    then: Callable[[Film, ClipPlan, Path], None] | None = None
    label: str = ""


def write_video(frames: Iterable[np.ndarray], path: Path, rate: Fraction) -> None:
    """Writes a video of the format that the path's suffix names; nothing of it if it fails.

    Args:
        frames: (height, width, 3) uint8 RGB each.
        path: The file; suffixes .avi (MPEG-4), .mpg (MPEG-2), .flv (Sorenson H.263), .mp4 (H.264).
        rate: Frames a second.
    """
    suffix = path.suffix.lower()
    with (
        atomic.replacing(path, durable=False) as temporary,
        av.open(str(temporary), "w", format=_FORMATS.get(suffix, suffix[1:])) as container,
    ):
        stream: av.VideoStream | None = None
        for frame in frames:
            if stream is None:
                stream = cast(av.VideoStream, container.add_stream(_CODECS[suffix], rate=rate))
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
                if suffix == ".mp4":
                    stream.options = {"crf": "12"}
                else:
                    stream.bit_rate = 4_000_000
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        if stream is not None:
            container.mux(stream.encode())


def _ckplus(root: Path, clips: int | None, size: int) -> Iterator[Take]:
    """`cohn-kanade-images/S005/001/S005_001_00000001.png`; one in two has no label."""
    chosen = protocol("synth-ck")
    plans = take(chosen.plan(0, 0.0), clips)
    numbers: dict[str, int] = {}
    for index, plan in enumerate(plans):
        number = numbers[plan.subject] = numbers.get(plan.subject, 0) + 1
        stem = f"{plan.subject}_{number:03}"
        place = root / "cohn-kanade-images" / plan.subject / f"{number:03}"
        yield Take(
            protocol=chosen.name,
            plan=plan,
            files=place / f"{stem}_{{frame:08}}.png",
            size=size,
            gray=int(plan.subject[1:]) < 90,  # the later recordings are in colour
            then=_ckplus_label,
        )
        if index * 261 // 327 != (index + 1) * 261 // 327:  # so many of these people's have none
            unlabelled = root / "cohn-kanade-images" / plan.subject / f"{number + 100:03}"
            for frame in (1, 2):
                _gray_card(unlabelled / f"{plan.subject}_{number + 100:03}_{frame:08}.png", size)
            (root / "Emotion" / plan.subject / f"{number + 100:03}").mkdir(
                parents=True, exist_ok=True
            )
    for number in range(5):  # people without any label
        for frame in (1, 2):
            place = root / "cohn-kanade-images" / f"S{900 + number}" / "001"
            _gray_card(place / f"S{900 + number}_001_{frame:08}.png", size)
    _litter(root / "cohn-kanade-images" / ".DS_Store")
    _litter(root / "__MACOSX" / "Emotion" / "._S005")
    (root / "ReadMeCohnKanadeDatabase_website.txt").write_text("generated faces\n")


def _ckplus_label(_: Film, plan: ClipPlan, files: Path) -> None:
    number = sorted(protocol("synth-ck").classes).index(plan.label) + 1
    parts = files.parent.parts
    root = files.parents[3]
    last = files.name.format(frame=plan.frames).removesuffix(".png")
    for kind, suffix, text in (
        ("Emotion", "emotion", f"   {number}.0000000e+00\n"),
        ("FACS", "facs", "   1.2000000e+01   0.0000000e+00\n"),
    ):
        folder = root / kind / parts[-2] / parts[-1]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{last}_{suffix}.txt").write_text(text)


def _gray_card(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size, size), 128).save(path)


def _mmi(root: Path, clips: int | None, size: int) -> Iterator[Take]:
    """`Sessions/1/S001-001.avi` with its XML files; MPEG-2 here and there, views, no labels."""
    chosen = protocol("synth-mmi")
    plans = take(chosen.plan(0, 0.0), clips)
    for session, plan in enumerate(plans, start=1):
        who = int(plan.subject[1:]) + 1
        suffix = ".mpg" if session % 10 == 0 else ".avi"
        place = root / "Sessions" / str(session)
        emotion = sorted(chosen.classes).index(plan.label) + 1
        view = 2 if session % 27 == 13 else 0  # 8 of 213 are not frontal only
        yield Take(
            protocol=chosen.name,
            plan=plan,
            files=place / f"S{who:03}-{session:03}{suffix}",
            size=size,
            then=_Session(emotion=emotion, subject=who, view=view, coded=session % 2 == 0),
        )
        if session % 9 == 0:  # a mood beyond the six, and action units alone
            extra = root / "Sessions" / str(1000 + session)
            _Session(emotion=9 if session % 2 else None, subject=who, view=0, coded=True)(
                None, plan, extra / f"S{who:03}-{1000 + session:03}.avi"
            )
            card = np.full((size, size, 3), 128, np.uint8)
            write_video([card] * 3, extra / f"S{who:03}-{1000 + session:03}.avi", Fraction(25))
    _litter(root / "Sessions" / "Thumbs.db")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Session:
    """The XML files of a session of MMI."""

    emotion: int | None
    subject: int
    view: int
    coded: bool

    def __call__(self, made: Film | None, plan: ClipPlan, video: Path) -> None:
        folder, stem = video.parent, video.stem
        folder.mkdir(parents=True, exist_ok=True)
        tag = "" if self.emotion is None else f'<Metatag Name="Emotion" Value="{self.emotion}"/>'
        head = '<?xml version="1.0" encoding="utf-8"?>'
        (folder / f"{stem}.xml").write_text(f"{head}<Metadata>{tag}</Metadata>")
        (folder / "session.xml").write_text(
            f'{head}<session sessionId="{folder.name}"><subject id="{self.subject}"/>'
            f'<track type="Video" filename="{video.name}" view="{self.view}"/></session>'
        )
        if self.coded:
            apex = plan.frames // 2 if made is None else int(made.performance.apex)
            marks = "".join(
                f'<Marker Frame="{frame}" Type="{kind}"/>'
                for kind, frame in enumerate((1, max(1, apex - 5), apex + 1, apex + 1))
            )
            text = f'<Coding><ActionUnit Number="12" Side="B">{marks}</ActionUnit></Coding>'
            (folder / f"{stem}-oao_aucs.xml").write_text(head + text)


def _afew(root: Path, clips: int | None, size: int) -> Iterator[Take]:
    """`Train_AFEW/Angry/000000100.avi` and `Val_AFEW/...`, beside the makers' aligned faces."""
    chosen = protocol("synth-afew")
    names = {"anger": "Angry", "happiness": "Happy", "sadness": "Sad"}
    for split in ("Train_AFEW", "Val_AFEW"):
        for label in chosen.classes:
            folder = root / split / names.get(label, label.capitalize())
            folder.mkdir(parents=True, exist_ok=True)
    for number, plan in enumerate(take(chosen.plan(0, 0.0), clips)):
        split = "Train_AFEW" if plan.split == "train" else "Val_AFEW"
        label = names.get(plan.label, plan.label.capitalize())
        place = root / split / label / f"{number * 40:09}.avi"
        yield Take(protocol=chosen.name, plan=plan, files=place, size=size)
    (root / "Train_AFEW" / "AlignedFaces_LBPTOP_Points").mkdir(parents=True, exist_ok=True)
    _litter(root / "Train_AFEW" / "Angry" / "Thumbs.db")


def _avec(root: Path, clips: int | None, size: int) -> Iterator[Take]:
    """`recordings_video/train_1.mp4` with arousal and valence as ARFF; five seconds each."""
    chosen = protocol("synth-avec")
    plans = take(chosen.plan(0, 5.0), clips)
    counts = {"train": 0, "val": 0}
    for plan in plans:
        counts[plan.split] += 1
        name = f"{'train' if plan.split == 'train' else 'dev'}_{counts[plan.split]}.mp4"
        place = root / "recordings_video" / name
        yield Take(protocol=chosen.name, plan=plan, files=place, size=size, then=_ratings)
    (root / "ratings_individual").mkdir(parents=True, exist_ok=True)
    _litter(root / "recordings_video" / ".DS_Store")


def _ratings(made: Film, _: ClipPlan, video: Path) -> None:
    traces = made.truth()
    for name in ("arousal", "valence"):
        lines = ["@relation RATINGS", "", "@attribute Instance_name string"]
        lines += ["@attribute frameTime numeric", "@attribute GoldStandard numeric", "", "@data"]
        lines += [
            f"'{video.stem}',{number / 25:.2f},{value:.6f}"
            for number, value in enumerate(traces[name])
        ]
        path = video.parents[1] / "ratings_gold_standard" / name / f"{video.stem}.arff"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def _acted(label: str, *, of: str, actor: str, name: str, frames: int) -> ClipPlan:
    """An actor's clip: an expression that comes and goes."""
    return ClipPlan(
        clip_id=name,
        subject=actor,
        person=seed_of(of, actor),
        family=None,
        label=label,
        frames=frames,
        seed=seed_of(of, name),
        fold=None,
        split="",
    )


def _cremad(root: Path, clips: int | None, size: int) -> Iterator[Take]:
    """`VideoFlash/1001_IEO_ANG_HI.flv` of 91 actors, and the viewers' votes."""
    codes = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness"}
    codes |= {"NEU": "neutral", "SAD": "sadness"}
    names = [
        f"{actor}_{sentence}_{code}_{level}"
        for actor in range(1001, 1092)
        for sentence in SENTENCES
        for code in codes
        for level in (("LO", "MD", "HI") if sentence == "IEO" and code != "NEU" else ("XX",))
    ]
    # Twenty were never published: three of each expression, five neutral.
    missing = {code: 5 if code == "NEU" else 3 for code in codes}
    for name in [name for name in reversed(names) if name != "1064_IEO_DIS_MD"]:
        code = name.split("_")[2]
        if missing[code]:
            missing[code] -= 1
            names.remove(name)
    # A part has many people, as the whole has.
    names = sorted(sorted(names, key=lambda name: seed_of("cremad", name))[:clips])
    votes = ['"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel"']
    for number, name in enumerate(names, start=1):
        actor, sentence, code, level = name.split("_")
        frames = 14 + seed_of(sentence, level) % 5
        plan = _acted(codes[code], of="cremad", actor=actor, name=name, frames=frames)
        place = root / "VideoFlash" / f"{name}.flv"
        yield Take(
            protocol="synth-mmi", plan=plan, files=place, size=size, rate=Fraction(30000, 1001)
        )
        vote = "A:D" if number % 17 == 0 else "N" if number % 7 == 0 else code[0]
        votes.append(f'"{number}","{name}","{vote}","50","{vote}","50"')
    table = root / "processedResults" / "summaryTable.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join(votes) + "\n")
    (root / "AudioWAV").mkdir(exist_ok=True)
    (root / "VideoDemographics.csv").write_text("ActorID,Age,Sex,Race,Ethnicity\n")


def _ravdess(root: Path, clips: int | None, size: int) -> Iterator[Take]:
    """`Video_Speech_Actor_01/Actor_01/01-01-06-01-02-01-01.mp4`, and song but of actor 18."""
    labels = ("neutral", "neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
    actors = 24 if clips is None else max(1, clips // 60)
    for actor in range(1, actors + 1):
        for channel, kind, expressions in (("01", "Speech", 8), ("02", "Song", 6)):
            if kind == "Song" and actor == 18:
                continue
            folder = root / f"Video_{kind}_Actor_{actor:02}" / f"Actor_{actor:02}"
            for code in (
                f"01-{channel}-{expression:02}-{intensity:02}-{sentence:02}-{repeat:02}"
                for expression in range(1, expressions + 1)
                for intensity in ((1, 2) if expression > 1 else (1,))
                for sentence in (1, 2)
                for repeat in (1, 2)
            ):
                expression = code.split("-")[2]
                label = labels[int(expression) - 1]
                name = f"{code}-{actor:02}"
                yield Take(
                    protocol="synth-mmi",
                    plan=_acted(label, of="ravdess", actor=f"{actor}", name=name, frames=8),
                    files=folder / f"{name}.mp4",
                    size=size,
                    rate=Fraction(30000, 1001),
                    label=expression,
                )
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"03-01-01-01-01-01-{actor:02}.wav").write_bytes(b"RIFF")


def _litter(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_LITTER)


LAYOUTS: dict[str, Callable[[Path, int | None, int], Iterator[Take]]] = {
    **{"ckplus": _ckplus, "mmi": _mmi, "afew": _afew},
    **{"avec": _avec, "cremad": _cremad, "ravdess": _ravdess},
}
