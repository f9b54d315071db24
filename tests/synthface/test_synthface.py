"""The generator of face clips: protocols, files, dynamics, and the same pixels everywhere."""

import csv
import os
import subprocess
import sys
from collections import Counter
from importlib import resources

import numpy as np
import pytest

from mic import bitstream, synthface
from mic.errors import ConfigError
from mic.synthface import dynamics
from mic.synthface.action_units import CODES, PROTOTYPES
from mic.synthface.protocols import (
    AFEW_TRAIN_COUNTS,
    AFEW_VAL_COUNTS,
    CK_COUNTS,
    FAMILIES,
    LOYALTY,
    MMI_COUNTS,
    PROTOCOLS,
    protocol,
    take,
)
from mic.synthface.tools import stability

SIZE = 48
BLINK = CODES.index("43")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A few clips of synth-ck, made in this process."""
    folder = tmp_path_factory.mktemp("synth-ck")
    return synthface.generate("synth-ck", folder, size=SIZE, subset=7)


@pytest.mark.parametrize(
    ("name", "counts", "subjects"),
    [("synth-ck", CK_COUNTS, 118), ("synth-mmi", MMI_COUNTS, 32)],
)
def test_folded_protocols_have_the_published_shape(name, counts, subjects):
    plans = protocol(name).plan(0, 1.0)
    assert Counter(plan.label for plan in plans) == counts
    assert len({plan.subject for plan in plans}) == subjects
    assert len({plan.person for plan in plans}) == subjects
    assert len({plan.clip_id for plan in plans}) == len(plans) == len({p.seed for p in plans})
    folds = {}
    for plan in plans:
        folds.setdefault(plan.subject, set()).add(plan.fold)
    assert all(len(own) == 1 for own in folds.values())
    assert {plan.fold for plan in plans} == set(range(10))


def test_ck_and_mmi_sizes_are_those_of_the_papers():
    assert sum(CK_COUNTS.values()) == 327
    assert sum(MMI_COUNTS.values()) == 213
    assert sum(AFEW_TRAIN_COUNTS.values()) == 773
    assert sum(AFEW_VAL_COUNTS.values()) == 383


def test_afew_is_split_by_identity():
    plans = protocol("synth-afew").plan(0, 1.0)
    sides = {split: [plan for plan in plans if plan.split == split] for split in ("train", "val")}
    assert Counter(plan.label for plan in sides["train"]) == AFEW_TRAIN_COUNTS
    assert Counter(plan.label for plan in sides["val"]) == AFEW_VAL_COUNTS
    assert not {p.person for p in sides["train"]} & {p.person for p in sides["val"]}


def test_avec_has_nine_and_nine_recordings_of_the_length_asked_for():
    plans = protocol("synth-avec").plan(0, 120.0)
    assert Counter(plan.split for plan in plans) == {"train": 9, "val": 9}
    assert {plan.frames for plan in plans} == {3000}
    assert len({plan.person for plan in plans}) == 18


def test_family_tells_the_label_in_training_only():
    plans = protocol("synth-ck-shifted").plan(0, 1.0)

    def agreement(split):
        """Share of clips whose label is their family's commonest in training."""
        usual = {}
        for plan in plans:
            if plan.split == "train":
                usual.setdefault(plan.family, Counter())[plan.label] += 1
        own = [plan for plan in plans if plan.split == split]
        return np.mean([usual[p.family].most_common(1)[0][0] == p.label for p in own])

    assert agreement("train") > LOYALTY - 0.08
    assert agreement("test") < 2.2 / FAMILIES
    assert not {p.person for p in plans if p.split == "train"} & {
        p.person for p in plans if p.split == "test"
    }


@pytest.mark.parametrize("name", PROTOCOLS)
def test_subsets_are_nested_and_mixed(name):
    plans = protocol(name).plan(3, 1.0)
    small, large = take(plans, 14), take(plans, 18)
    assert set(small) <= set(large)
    assert len(take(plans, 0.5)) == round(0.5 * len(plans))
    if protocol(name).classes:
        assert len({plan.label for plan in large}) == len(protocol(name).classes)
    if any(plan.split for plan in plans):
        assert len({plan.split for plan in small}) == 2


@pytest.mark.parametrize("subset", [0, 10_000, -1, 1.5])
def test_impossible_subsets_are_refused(subset):
    with pytest.raises(ConfigError, match="subset"):
        take(protocol("synth-ck").plan(0, 1.0), subset)


def test_unknown_protocol_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="synth-ck"):
        synthface.generate("synth-xx", tmp_path)


def test_manifest_holds_against_the_disk(made):
    assert made.verify() == []
    assert len(made) == 7
    assert made.classes == tuple(CK_COUNTS)
    assert {clip.licence for clip in made} == {"CC0-1.0"}
    assert all(clip.apex == clip.frames - 1 for clip in made)


def test_clips_are_one_i_vop_then_p_vops_at_quantiser_two(made):
    for clip in made:
        with bitstream.open(made.path(clip)) as stream:
            assert stream.width == stream.height == SIZE
            assert "".join(stream.vop_types) == "I" + "P" * (clip.frames - 1)
            assert stream.frame_rate == clip.frame_rate == 30
            assert set(np.unique(stream.macroblocks().quantiser)) <= {0, 2}


def test_side_files_hold_the_truth_of_every_frame(made):
    for clip in made:
        with np.load(made.annotation_path(clip)) as truth:
            assert truth["action_units"].shape == (clip.frames, len(CODES))
            assert truth["landmarks"].shape == (clip.frames, 5, 2)
            for name in ("intensity", "valence", "arousal", "hand", "zoom"):
                assert truth[name].shape == (clip.frames,)
            assert truth["pose"].shape == (clip.frames, 3)
            eyes, mouth = truth["landmarks"][:, :2, 1], truth["landmarks"][:, 3:, 1]
            assert (eyes.max(1) < mouth.min(1)).all()
            assert int(truth["apex"]) == clip.apex
            required = PROTOTYPES[clip.label].required
            shown = {
                code.lstrip("LR")
                for code, w in zip(CODES, truth["action_units"][-1], strict=True)
                if w > 0.1
            }
            assert {code.lstrip("LR") for code in required if required[code] > 0.5} <= shown


def test_whole_clips_are_kept_and_damaged_ones_made_again(tmp_path):
    first = synthface.generate("synth-mmi", tmp_path, size=32, subset=2)
    kept, damaged = first.clips
    before = first.path(kept).stat().st_mtime_ns
    first.path(damaged).write_bytes(b"half a clip")
    again = synthface.generate("synth-mmi", tmp_path, size=32, subset=2)
    assert again == first
    assert again.verify() == []
    assert first.path(kept).stat().st_mtime_ns == before
    other = synthface.generate("synth-mmi", tmp_path, size=40, subset=2)
    assert [clip.sha256 for clip in other] != [clip.sha256 for clip in first]


def test_result_does_not_depend_on_the_number_of_processes(made, tmp_path):
    calls = []
    parallel = synthface.generate(
        "synth-ck",
        tmp_path,
        size=SIZE,
        subset=7,
        jobs=2,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert parallel.digest() == made.digest()
    assert calls[-1] == (7, 7)


@pytest.mark.parametrize("label", CK_COUNTS)
def test_apex_frames_are_never_blinked_away(label):
    for seed in range(60):
        act = dynamics.onset(np.random.default_rng(seed), label, 20, 30.0)
        assert act.activation[-3:, BLINK].max() == 0
        assert act.apex == 19
        assert act.intensity[0] == 0
        assert act.intensity[-1] > 0.95
        mid = dynamics.onset_offset(np.random.default_rng(seed), label, 50, 25.0)
        assert mid.activation[mid.apex, BLINK] == 0
        assert 0.2 * 50 < mid.apex < 0.8 * 50
        assert mid.intensity[mid.apex] > 0.95
        assert mid.intensity[-1] < 0.1


def test_onsets_are_of_any_length():
    rising = []
    for seed in range(60):
        act = dynamics.onset_offset(np.random.default_rng(seed), "surprise", 60, 25.0)
        between = (act.intensity > 0.05) & (act.intensity < 0.95) & (np.arange(60) < act.apex)
        rising.append(between.sum())
    assert max(rising) > 1.8 * min(rising)


def test_valence_is_no_function_of_the_label():
    at_apex, slopes = {}, []
    for label in CK_COUNTS:
        for seed in range(40):
            act = dynamics.onset(np.random.default_rng((seed, 1)), label, 24, 30.0)
            at_apex.setdefault(label, []).append(act.valence[-1])
            slopes.append(np.argmax(np.abs(np.diff(act.valence))))
            assert np.abs(act.valence).max() <= 1
            assert np.abs(act.arousal).max() <= 1
    spread = np.mean([np.std(values) for values in at_apex.values()])
    assert spread > 0.12
    assert np.mean(at_apex["happiness"]) > np.mean(at_apex["sadness"]) + 0.8
    assert np.std(slopes) > 2


def test_conversation_faces_follow_affect_and_raters_lag_behind():
    rng = np.random.default_rng(4)
    act = dynamics.conversation(rng, 3000, 25.0)
    smile = act.activation[:, CODES.index("12")]
    assert np.corrcoef(smile, act.valence)[0, 1] > 0.6
    assert abs(np.corrcoef(act.valence, act.arousal)[0, 1]) < 0.7
    gold = dynamics.gold_standard(rng, act.valence, 25.0)
    shifts = range(0, 150, 5)
    agree = [np.corrcoef(gold[s:], act.valence[: 3000 - s])[0, 1] for s in shifts]
    assert 1.0 <= shifts[int(np.argmax(agree))] / 25 <= 5.0
    assert max(agree) > 0.8


def _committed():
    text = resources.files(synthface).joinpath("manifest.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def test_pixels_and_files_are_the_committed_ones(tmp_path):
    assert stability.measure(tmp_path) == _committed()


# NumPy picks code for the processor it runs on; without its newer instructions it takes other
# paths, as it would on another machine.
@pytest.mark.parametrize(
    "without",
    ["X86_V4 AVX512_ICL", pytest.param("X86_V3 X86_V4 AVX512_ICL", marks=pytest.mark.long)],
)
def test_another_processor_draws_the_same_pixels(without):
    known = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
    off = " ".join(feature for feature in without.split() if feature in known.split())
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": off, "OMP_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "mic.synthface.tools.stability"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = [line.split(",")[:3] for line in done.stdout.splitlines()[1:]]
    assert theirs == [[row["protocol"], row["clip_id"], row["pixels"]] for row in _committed()]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:100],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-10],
        lambda whole: whole[:200] + bytes(byte ^ 0x55 for byte in whole[200:260]) + whole[260:],
    ],
)
def test_a_clip_whose_side_file_is_damaged_is_made_again(tmp_path, damage):
    first = synthface.generate("synth-ck", tmp_path, size=32, subset=1)
    side = first.annotation_path(first.clips[0])
    whole = side.read_bytes()
    side.write_bytes(damage(whole))
    again = synthface.generate("synth-ck", tmp_path, size=32, subset=1)
    assert side.read_bytes() == whole
    assert again.digest() == first.digest()
