"""Training samples of the parser: exact, seeded, the same on any number of workers."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.encoders import Options, synthetic
from torch.utils.data import DataLoader

import mic_bitstream
from mic_bitstream.datasets import CompressedClips, collate
from mic_bitstream.errors import CodecError, ConfigError, MicError
from mic_bitstream.records import MISSING

SIZES = [(64, 48), (50, 37), (96, 32)]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    found = []
    for number, (width, height) in enumerate(SIZES):
        options = Options(width=width, height=height, frames=20, gop=7, four_mv=True, seed=number)
        found.append(synthetic(tmp_path_factory.mktemp(f"clip{number}"), options))
    return found


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("scale", [1, 2, 8])
def test_a_sample_is_what_the_parser_says(scale, paths):
    clips = CompressedClips(paths, [5, 6, 7], frames=4, scale=scale, seed=1)
    for index, path in enumerate(paths):
        sample = clips[index]
        frames = sample["frames"].tolist()
        what = ("residual", "motion", "macroblocks")
        clip = mic_bitstream.read(path, what=what, frames=frames, scale=scale, space="rgb")
        residual = sample["residual"].permute(0, 2, 3, 1)
        assert np.array_equal(residual, clip.residual.pixels)
        assert np.array_equal(sample["motion"].permute(0, 2, 3, 1), clip.motion.blocks)
        assert np.array_equal(sample["bits"], clip.macroblocks.bits)
        assert np.array_equal(sample["types"], clip.macroblocks.types)
        assert sample["label"] == 5 + index
        assert tuple(sample["size"]) == SIZES[index][::-1]
        assert residual.any()
        letters = mic_bitstream.open(path).vop_types
        assert {letters[frame] for frame in frames} == {"P"}
        assert frames == sorted(frames)


def test_frames_follow_seed_and_epoch(paths):
    clips = CompressedClips(paths, what=["bits"], frames=6, seed=3)
    drawn = {}
    for epoch in (0, 1, 0):
        clips.set_epoch(epoch)
        numbers = [tuple(clips[index]["frames"].tolist()) for index in range(len(clips))]
        assert drawn.setdefault(epoch, numbers) == numbers
    assert drawn[0] != drawn[1]
    assert len(set(drawn[0])) > 1, "clips draw for themselves"
    other = CompressedClips(paths, what=["bits"], frames=6, seed=4)
    assert [tuple(other[index]["frames"].tolist()) for index in range(3)] != drawn[0]
    still = CompressedClips(paths, what=["bits"], frames=6, jitter=False)
    first = still[0]["frames"]
    still.set_epoch(1)
    assert torch.equal(still[0]["frames"], first)


def test_a_batch_of_several_sizes_is_padded_and_says_so(paths):
    clips = CompressedClips(paths, frames=3)
    batch = collate([clips[index] for index in range(3)])
    assert batch["residual"].shape == (3, 3, 3, 48, 96)
    assert batch["motion"].shape == (3, 3, 2, 6, 12)
    assert batch["bits"].shape == batch["types"].shape == (3, 3, 3, 6)
    assert all(tensor.is_contiguous() for tensor in batch.values())
    for index, (width, height) in enumerate(SIZES):
        whole = clips[index]["residual"]
        found = batch["residual"][index]
        assert torch.equal(found[..., :height, :width], whole)
        assert not found[..., height:, :].any()
        assert not found[..., width:].any()
        inside = batch["types"][index] != MISSING
        assert inside.sum() == 3 * -(-width // 16) * -(-height // 16)


def test_workers_give_the_same_and_see_the_epoch(paths):
    clips = CompressedClips(paths, [0, 1, 2], frames=2, scale=4)
    kept = DataLoader(
        clips,
        batch_size=2,
        collate_fn=collate,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )
    for epoch in (0, 1):
        clips.set_epoch(epoch)
        here = DataLoader(clips, batch_size=2, collate_fn=collate)
        for one, other in zip(here, kept, strict=True):
            assert equal(one, other)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_workers_of_a_copy_see_the_epoch(copied, paths):
    clips = copied(CompressedClips(paths[:1], what=["bits"], frames=3))
    kept = DataLoader(clips, collate_fn=collate, num_workers=1, persistent_workers=True)
    seen = []
    for epoch in range(4):
        clips.set_epoch(epoch)
        (batch,) = kept
        assert torch.equal(batch["frames"][0], clips[0]["frames"])
        seen.append(batch["frames"].tolist())
    assert len({str(frames) for frames in seen}) > 1
    with pytest.raises(ConfigError, match="epoch"):
        clips.set_epoch(-1)


def test_what_is_refused(paths, tmp_path):
    for arguments, words in (
        ({"frames": 0}, "frames"),
        ({"what": ["pixels"]}, "what"),
        ({"scale": 3}, "scale"),
        ({"labels": [1]}, "1 labels for 3"),
        ({"labels": [1.7, 0, 1]}, "no whole number"),
        ({"labels": ["happy", "sad", "sad"]}, "no whole number"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(ConfigError, match=words):
            CompressedClips(paths, **arguments)
    with pytest.raises(ConfigError, match="one path"):
        CompressedClips(str(paths[0]))
    whole = CompressedClips(paths)
    for key, tensor in whole[-1].items():
        assert torch.equal(tensor, whole[len(paths) - 1][key])
    with pytest.raises(IndexError):
        whole[len(paths)]
    with pytest.raises(CodecError, match="absent"):
        CompressedClips([Path("absent.mp4")])[0]
    intra = synthetic(tmp_path, Options(frames=3, gop=1))
    with pytest.raises(ConfigError, match="no frame of the clip is predicted"):
        CompressedClips([intra])[0]


def test_b_vops_have_both_vectors_and_their_places(paths, tmp_path):
    options = Options(width=64, height=48, frames=24, gop=12, b_frames=2, speed=2.5)
    path = synthetic(tmp_path, options)
    sample = CompressedClips([path], frames=20, jitter=False)[0]
    motion = mic_bitstream.read(path, what=("motion",), frames=sample["frames"].tolist()).motion
    assert motion.backward.any()
    assert np.array_equal(sample["backward"].permute(0, 2, 3, 1), motion.backward)
    assert np.array_equal(sample["shown"], motion.shown)
    assert sample["shown"].tolist() != sample["frames"].tolist()
    beside = CompressedClips([paths[0], path], frames=4)
    batch = collate([beside[0], beside[1]])
    assert batch["backward"].shape == batch["motion"].shape
    assert not batch["backward"][0].any()


def test_a_bad_file_is_told_before_an_epoch_and_a_damaged_one_masked(paths, tmp_path):
    still = synthetic(tmp_path, Options(frames=1))
    damaged = tmp_path / "damaged.m4v"
    data = bytearray(paths[0].read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(range(200))
    damaged.write_bytes(data)
    clips = CompressedClips([paths[0], tmp_path / "gone.mp4", still, damaged], frames=19)
    assert set(clips.unusable()) >= {1, 2}
    assert "no frame of the clip is predicted" in str(clips.unusable()[2])
    with pytest.raises(MicError):
        clips[3]
    masked = CompressedClips([damaged], frames=19, jitter=False, on_error="mask")
    assert not masked.unusable()
    assert (masked[0]["types"] == MISSING).any()


@pytest.mark.parametrize("wrong", [{"frames": 2.5}, {"frames": 0}, {"seed": 1.5}, {"seed": -1}])
def test_numbers_of_another_kind_are_refused_before_a_worker_meets_them(wrong, paths):
    with pytest.raises(ConfigError):
        CompressedClips(paths, **wrong)
    with pytest.raises(ConfigError, match="epoch is"):
        CompressedClips(paths).set_epoch(0.9)


@pytest.mark.parametrize("kept", [0, 1])
def test_samples_of_which_some_lack_a_label_make_no_batch(kept):
    bare = {"residual": torch.zeros(2, 3, 16, 16)}
    labelled = bare | {"label": torch.tensor(1)}
    samples = [bare, labelled] if kept else [labelled, bare]
    for wrong in (samples, iter(samples), []):
        with pytest.raises(ConfigError, match="do not hold the same"):
            collate(wrong)
