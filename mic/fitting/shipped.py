"""The network that this repository ships: `mic train` on the generated faces, nothing else.

    mic train-shipped            # writes mic/weights/: the network, its digest, its card

Posed expressions from neutral to apex (synth-ck), and as an eighth class people of the same kind
who blink, look about and breathe but show nothing: without them a face at rest would have to be
called some expression.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mic import codec
from mic.config import Profile
from mic.datasets import synth
from mic.fitting.clips import Labelled
from mic.fitting.training import Fit, fit
from mic.publishing.report.markdown import to_markdown
from mic.recognition import recogniser
from mic.storage import atomic, provenance
from mic.storage.home import home
from mic.synthface.film import film
from mic.synthface.generate import recipe
from mic.synthface.protocols import PROTOCOLS, seed_of

_PROTOCOL = "synth-ck"
_RESTING = 3  # one in so many people is also filmed at rest
_ABOUT = "generated faces (synth-ck of mic.synthface, and the same people at rest)"
_EXPECT = "Expect less on real people; it is a demonstration, not an instrument."


def train(
    config: Profile,
    *,
    target: str | Path = recogniser.SHIPPED,
    progress: Callable[[str, int, int], None] | None = None,
) -> Fit:
    """Makes the data, trains, and writes weights, digest and card; an interrupted run goes on.

    Args:
        config: Its seed, size, jobs and numbers of clips are used.
        target: Folder of the weights.
        progress: As of `fit`, with the stage "faces" before.

    Raises:
        MicError: As the stages raise them.
    """
    target = Path(target)
    manifest = synth.load(
        _PROTOCOL,
        config,
        progress=None if progress is None else lambda done, total: progress("faces", done, total),
    )
    videos = [
        Labelled(path=manifest.path(clip), label=clip.label, subject=clip.subject)
        for clip in manifest
    ]
    videos += _at_rest(sorted({clip.subject for clip in manifest}), config)
    made = fit(
        videos,
        home() / "fits" / f"shipped-{config.digest()}",
        seed=config.seed,
        about=_ABOUT,
        expect=_EXPECT,
        progress=progress,
    )
    data = made.weights.read_bytes()
    atomic.write_bytes(target / recogniser.DEFAULT, data)
    atomic.write_text(target / "CARD.md", _card(made, config))
    # Last, because it vouches for the others.
    atomic.write_text(target / recogniser.PINS.name, f"{made.sha256}  {recogniser.DEFAULT}\n")
    return dataclasses.replace(made, weights=target / recogniser.DEFAULT)


def _at_rest(subjects: list[str], config: Profile) -> list[Labelled]:
    """Clips without an expression of some of the people; made once, whatever is interrupted."""
    chosen = PROTOCOLS[_PROTOCOL]
    wanted = set(subjects[::_RESTING])
    # What decides a clip stands in the folder's name, so that none of another version is taken.
    folder = home() / "datasets" / f"at-rest-{config.size}-seed{config.seed}-{recipe()[:12]}"
    found = []
    for plan in chosen.plan(config.seed, 0.0):
        if plan.subject not in wanted:
            continue
        wanted.remove(plan.subject)
        name = f"{plan.subject}-neutral-1"
        video = folder / f"{name}.mp4"
        if not video.is_file():
            resting = dataclasses.replace(
                plan, clip_id=name, label="neutral", seed=seed_of(_PROTOCOL, config.seed, name)
            )
            made = film(chosen, resting, size=config.size)
            codec.encode_frames(made.watched(), video, frame_rate=chosen.frame_rate)
        found.append(Labelled(path=video, label="neutral", subject=plan.subject))
    return found


def _card(made: Fit, config: Profile) -> str:
    counts = pd.DataFrame(made.confusion, columns=list(made.classes))
    counts.insert(0, "true \\ predicted", list(made.classes))
    recalls = made.confusion.diagonal() / made.confusion.sum(1).clip(1)
    counts["recall"] = recalls
    leaked = {
        name: value
        for name, value in dataclasses.asdict(made.leakage).items()
        if not (isinstance(value, float) and value != value)
    }
    leaks = pd.DataFrame({"probe": list(leaked), "value": [float(v) for v in leaked.values()]})
    chance = made.confusion.sum(1).max() / made.confusion.sum()
    parts = [
        f"# Model card: {recogniser.DEFAULT}",
        "Written by `mic train-shipped`; no number is typed.",
        f"**Task.** One of {len(made.classes)} expressions ({', '.join(made.classes)}) from the "
        "MPEG-4 residuals of a face, accumulated along the motion since a first picture.",
        f"**Trained on.** {made.train_clips} clips of {made.train_subjects} generated people "
        f"({_PROTOCOL} and the same people at rest, seed {config.seed}, {config.size} pixels). "
        "No photograph "
        "and no video of a real person was used; the head's geometry is CC0.",
        f"**Accuracy.** {made.accuracy.value:.1%} of {made.test_clips} clips of "
        f"{made.test_subjects} other generated people, 95 % interval {made.accuracy.low:.1%} to "
        f"{made.accuracy.high:.1%}; always answering the most frequent class gives "
        f"{chance:.1%}. The clips passed through the steps of `mic predict`: face search, "
        "crop, MPEG-4, parser.",
        to_markdown(counts),
        "**Identity.** How much of the person the feature keeps, asked on people not trained on "
        "(see `mic/evaluation/leakage.py`; 0.5 of an AUC is none):",
        to_markdown(leaks),
        "**Unlike its training.** Beside the network lies how far the features of its training "
        "clips spread; a window farther from all classes than 95 % of the clips above is called "
        "unlike them (`mic/models/novelty.py`).",
        f"**Do not expect.** {_EXPECT} Real faces differ from generated ones in skin, hair, "
        "light and in how expressions unfold; the accuracy above says nothing about them. "
        "An expression that is already there in the first picture of a window is not seen. "
        "Not to be used to judge people.",
        f"**Made by.** Code {provenance.code_digest()}, SHA-256 `{made.sha256}`, "
        f"{made.weights.stat().st_size / 1e6:.1f} MB; settings: "
        f"`{json.dumps({'profile': config.name, 'seed': config.seed, 'size': config.size})}`. "
        "Licence: BSD-3-Clause, as the code.",
    ]
    return "\n\n".join(parts) + "\n"
