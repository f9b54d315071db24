"""Scale: who is learned from and who is asked, how long, and what the tables say."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from mic.config import load
from mic.errors import ConfigError
from mic.experiments import runner, scale, tables
from mic.experiments.cells import splits
from mic.manifest.manifest import Clip, Manifest


def manifest(root, people, clips=2):
    rows = [
        Clip(
            clip=f"{person}-{turn}.mp4", clip_id=f"{person}-{turn}", subject=f"S{person:03d}",
            label="ab"[turn % 2], licence="CC0-1.0", sha256=f"{person:063x}{turn:x}", frames=9,
            frame_rate=Fraction(25), apex=8, fold=person % 10,
            annotation=f"{person}-{turn}.npz",
        )
        for person in range(people)
        for turn in range(clips)
    ]  # fmt: skip
    return Manifest(name="synth-ck", root=root, classes=("a", "b"), clips=tuple(rows))


@pytest.fixture
def crowds(tmp_path):
    return [manifest(tmp_path / f"seed{seed}", 6) for seed in (1, 2)], manifest(
        tmp_path / "seed0", 4
    )


def test_fewer_people_are_among_the_more_and_nobody_is_asked_who_was_learned_from(crowds):
    learned, tested = crowds
    known = []
    for count in (2, 6, 7, 12):
        data = scale.of_people(learned, tested, count=count)
        (split,) = splits(data.manifest)
        people = np.array(data.manifest.column("subject"))
        fitted = set(people[[*split.train, *split.validation]])
        assert len(fitted) == count
        assert not fitted & set(people[list(split.test)])
        assert len(split.test) == len(tested)
        assert set(known) <= fitted
        known = fitted
        # The same names in two folders are two people, and every path leads below one root.
        assert all((data.manifest.root / clip.clip).parent.name == clip.subject.split("/")[0]
                   for clip in data.manifest)  # fmt: skip


def test_more_people_than_there_are_and_the_people_asked_about_are_refused(crowds):
    learned, tested = crowds
    with pytest.raises(ConfigError, match="13 people of a pool of 12"):
        scale.of_people(learned, tested, count=13)
    config = load("smoke")
    with pytest.raises(ConfigError, match="asked about"):
        scale.pool(config, seeds=(1, config.seed))


def test_few_people_are_not_few_steps_and_rows_differ_in_what_they_say(crowds):
    learned, tested = crowds
    config = load("smoke")
    for count in (2, 12):
        data = scale.of_people(learned, tested, count=count)
        cells = scale.cells(data, config)
        assert [cell.row for cell in cells] == list(scale.ROWS)
        assert {cell.schedule.epochs for cell in cells} == {scale.STEPS}  # one step an epoch
        assert {cell.schedule.frames for cell in cells} == {0}
        assert len({str(cell.facts()) for cell in cells}) == len(cells)
    with pytest.raises(ConfigError, match="no row"):
        scale.cells(data, config, ["accumulated", "sound"])


def test_the_grid_trains_them(monkeypatch):
    config = load("smoke", jobs=1)
    tested = scale.asked(config)
    half = sorted(set(tested.column("subject")))[::2]
    # The smoke profile's own people stand in for a pool, so that none has to be drawn for this.
    learned = tested.where(lambda clip: clip.subject in half)
    asked = tested.where(lambda clip: clip.subject not in half)
    monkeypatch.setattr(scale, "STEPS", 2)
    monkeypatch.setattr(scale, "EPOCHS", 2)
    data = scale.of_people([learned], asked, count=len(half))
    cells = scale.cells(data, config, ["accumulated", "decoded frames, MI"])
    outcomes = runner.run(data, cells)
    answers = tables.answers(outcomes).assign(learned=len(half))
    made = scale.table(answers, resamples=200)
    assert set(made["n"]) == {len(asked)}
    assert list(made["row"]) == ["accumulated", "decoded frames, MI"]


def test_differences_pair_the_same_clips():
    lines = []
    for learned in (10, 30):
        for row in scale.ROWS:
            right = 30 if row == "raw residuals" and learned == 10 else 40
            lines += [
                {"row": row, "learned": learned, "clip": f"c{number}",
                 "subject": f"p{number % 10}", "correct": number < right}
                for number in range(40)
            ]  # fmt: skip
    answers = pd.DataFrame(lines)
    found = scale.differences(answers, resamples=500)
    assert len(found) == 2 * len(scale.PAIRS)
    raw = found[(found["reference"] == "raw residuals")].set_index("learned")
    assert raw.loc[10, "difference"] == pytest.approx(0.25)
    assert raw.loc[30, "difference"] == 0
    assert set(found.columns) | set(scale.table(answers, resamples=200).columns) == set(
        scale.COLUMNS
    )
    drawn = scale.figure(scale.table(answers, resamples=200))
    assert drawn.axes[0].get_ylim() == (0, 1)
