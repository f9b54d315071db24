"""Small folders in the datasets' published layouts, with the oddities of the real ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from mic.datasets import DATASETS

EMOTIONS = {1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happiness", 6: "sadness"}

# A dataset of another layout needs a function of the same name here.
TREES = sorted({dataset.folder_name for dataset in DATASETS.values()})


def pictures(seed: int, count: int, *, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """A bright disc that moves over noise, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(40, 90, (height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    frames = []
    for number in range(count):
        frame = ground.copy()
        frame[(y - 16) ** 2 + (x - 10 - 2 * number) ** 2 < 60] = 200
        frames.append(frame)
    return frames


def video(path: Path, *, seed: int = 0, count: int = 6, rate: int = 25) -> Path:
    """A video whose codec follows its suffix, as the datasets' do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = {".avi": "mjpeg", ".flv": "flv", ".mp4": "libx264"}[path.suffix.lower()]
    with av.open(str(path), "w", format=path.suffix[1:].lower()) as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height = 48, 32
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in pictures(seed, count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


def ckplus(root: Path) -> Path:
    """Three subjects; S010's second sequence has no label, S022's label has a float in it."""
    images, emotions = root / "cohn-kanade-images", root / "Emotion"
    for subject, number, frames, label in (
        ("S005", "001", 5, 3),
        ("S010", "002", 4, 7),
        ("S010", "003", 3, None),
        ("S022", "001", 6, 5),
    ):
        folder = images / subject / number
        folder.mkdir(parents=True)
        for index, frame in enumerate(pictures(int(number), frames), start=1):
            # Early subjects are gray, some files have an upper-case suffix.
            picture = Image.fromarray(frame).convert("L" if subject != "S022" else "RGB")
            suffix = "PNG" if subject == "S010" else "png"
            picture.save(folder / f"{subject}_{number}_{index:08}.{suffix}", format="PNG")
        (folder / ".DS_Store").write_bytes(b"litter")
        label_folder = emotions / subject / number
        label_folder.mkdir(parents=True)  # the makers' archive has empty folders, too
        if label is not None:
            name = f"{subject}_{number}_{frames:08}_emotion.txt"
            (label_folder / name).write_text(f"   {label}.0000000e+00\n")
    (root / "__MACOSX" / "Emotion").mkdir(parents=True)
    (root / "ReadMeCohnKanadeDatabase_website.txt").write_text("agreement")
    return root


def mmi_session(
    root: Path,
    number: int,
    *,
    subject: int,
    emotion: int | None,
    view: int = 0,
    coded: bool = True,
) -> Path:
    folder = root / "Sessions" / str(number)
    stem = f"S{subject:03}-{number:03}"
    video(folder / f"{stem}.avi", seed=number, count=7)
    tag = "" if emotion is None else f'<Metatag Name="Emotion" Value="{emotion}"/>'
    (folder / f"{stem}.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?><Metadata>{tag}'
        '<Metatag Name="Remark" Value=""/></Metadata>'
    )
    (folder / "session.xml").write_text(
        f'<?xml version="1.0"?><session sessionId="{number}">'
        f'<subject id="{subject}" gender="male"/>'
        f'<track type="Video" filename="{stem}.avi" view="{view}"/>'
        f'<annotation filename="{stem}-oao_aucs.xml"/></session>'
    )
    # Onset, apex and offset of two action units; frames are counted from 1.
    units = "".join(
        f'<ActionUnit Number="{unit}" Side="B"><Marker Frame="1" Type="0"/>'
        f'<Marker Frame="2" Type="1"/><Marker Frame="{apex}" Type="2"/>'
        f'<Marker Frame="{offset}" Type="3"/></ActionUnit>'
        for unit, apex, offset in ((12, 3, 5), (6, 4, 4))
    )
    (folder / f"{stem}-oao_aucs.xml").write_text(
        f"<ActionUnits>{units if coded else ''}</ActionUnits>"
    )
    return folder


def mmi(root: Path) -> Path:
    mmi_session(root, 7, subject=1, emotion=1)
    mmi_session(root, 12, subject=1, emotion=6, view=2)
    mmi_session(root, 100, subject=5, emotion=4, coded=False)
    mmi_session(root, 101, subject=5, emotion=9)  # a mood beyond the six
    mmi_session(root, 102, subject=6, emotion=None)  # action units only
    return root


def afew(root: Path) -> Path:
    names = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
    for split, start in (("Train_AFEW", 100), ("Val_AFEW", 500)):
        for index, name in enumerate(names):
            folder = root / split / (name.upper() if name == "Sad" else name)
            for clip in range(2 if name == "Happy" else 1):
                number = start + 10 * index + clip
                video(folder / f"{number:09}.avi", seed=number, count=4)
        (root / split / "AlignedFaces_LBPTOP_Points" / "Faces").mkdir(parents=True)
        (root / split / "Angry" / "Thumbs.db").write_bytes(b"litter")
    (root / "Test_2017_Faces_Distribution").mkdir()
    return root


def arff(path: Path, *, rows: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["@relation RATINGS", "", "@attribute Instance_name string"]
    lines += ["@attribute frameTime numeric", "@attribute GoldStandard numeric", "", "@data", ""]
    lines += [f"'{path.stem}',{0.04 * k:.2f},{0.01 * k - 0.2:.6f}" for k in range(rows)]
    path.write_text("\n".join(lines) + "\n")


def avec(root: Path) -> Path:
    for seed, name in enumerate(("train_1", "train_2", "dev_1", "test_1")):
        video(root / "recordings_video" / f"{name}.mp4", seed=seed, count=10)
        if name != "test_1":
            for dimension in ("arousal", "valence"):
                arff(root / "ratings_gold_standard" / dimension / f"{name}.arff")
    arff(root / "ratings_gold_standard" / "arousal" / "train_all.arff")
    return root


def ravdess(root: Path, *, actors: int = 1) -> Path:
    """Whole actors: 60 takes each, those of one expression copies of one small file."""
    samples = {}
    for expression in range(1, 9):
        file = video(root / "sample.mp4", seed=expression, count=3)
        samples[expression] = file.read_bytes()
        file.unlink()
    for actor in range(1, actors + 1):
        folder = root / f"Video_Speech_Actor_{actor:02}" / f"Actor_{actor:02}"
        folder.mkdir(parents=True)
        for expression in range(1, 9):
            for intensity in (1, 2) if expression > 1 else (1,):
                for sentence in (1, 2):
                    for take in (1, 2):
                        rest = f"01-{expression:02}-{intensity:02}-{sentence:02}-{take:02}-"
                        take = folder / f"01-{rest}{actor:02}.mp4"
                        take.write_bytes(samples[expression])
        (folder / f"02-01-01-01-01-01-{actor:02}.mp4").write_bytes(samples[1])  # without sound
        (folder / f"01-02-03-01-01-01-{actor:02}.mp4").write_bytes(samples[3])  # a song
        (folder / f"03-01-01-01-01-01-{actor:02}.wav").write_bytes(b"sound")
    return root


def cremad(root: Path) -> Path:
    names = ("1001_DFA_ANG_XX", "1001_IEO_HAP_HI", "1002_TIE_NEU_XX", "1040_ITH_SAD_X")
    for seed, name in enumerate(names):
        video(root / "VideoFlash" / f"{name}.flv", seed=seed, count=4, rate=30)
    video(root / "VideoFlash" / "1064_IEO_DIS_MD.flv", count=4, rate=30)
    (root / "AudioWAV").mkdir()
    (root / "VideoDemographics.csv").write_text("ActorID,Age\n1001,51\n")
    return root
