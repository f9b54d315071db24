"""Cut and damaged streams: typed errors, marked samples, never a wrong one in silence."""

import random

import pytest
from oracles import damage, stream
from oracles.damage import Subject, Tally, damaged
from oracles.encoders import Options, synthetic

import mic.bitstream
from mic.errors import BitstreamError, MicError

KINDS = {
    "plain": Options(width=48, height=32, frames=3, quant=3, four_mv=True, noise=6),
    "packets": Options(width=64, height=48, frames=3, quant=2, packet_bytes=70, noise=6),
    "quarter": Options(width=33, height=20, frames=3, quarter_pel=True, mpeg_quant=True),
    "bidirectional": Options(width=48, height=32, frames=4, b_frames=2, packet_bytes=90, noise=6),
}


@pytest.fixture(scope="module", params=KINDS)
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return Subject(synthetic(folder, KINDS[request.param]), folder / "damaged.m4v")


def test_cut_at_every_byte(subject, record_property):
    tally = Tally()
    for size in range(len(subject.headers) + 8, len(subject.data)):
        cut = subject.data[:size]
        # Frames that are gone altogether are no error: an elementary stream has no count.
        whole = sum(start + 4 <= size for start in subject.starts())
        if whole == len(subject.vops):
            subject.judge(cut, cut=True, tally=tally)
    record_property("counted truncations", tally.damages)
    assert tally.damages > 100
    assert tally.wrong == tally.valid == 0
    # Only the stuffing behind the last macroblock can go unnoticed.
    assert tally.harmless <= 2


def test_random_damages(subject, record_property):
    tally = Tally()
    rng = random.Random(1)
    for _ in range(700):
        subject.judge(damaged(subject.data, len(subject.headers), rng), cut=False, tally=tally)
    record_property("counted random damages", tally.damages)
    assert tally.wrong == 0
    assert tally.reported > 0.7 * tally.damages


def test_every_output_sees_every_damage(subject):
    # Type and vop_coded flipped, the middle and the end of each VOP hurt: asked in every way.
    for number, start in enumerate(subject.starts()):
        size = len(subject.vops[number])
        flips = [(start + 4, 0x40), (start + size // 2, 0x10), (start + size - 3, 0x08)]
        vop = stream.parse_vop(subject.vops[number], subject.vol)
        flips.append((start + vop.coded_position // 8, 0x80 >> vop.coded_position % 8))
        for place, bit in flips:
            ruined = bytearray(subject.data)
            ruined[place] ^= bit
            subject.scratch.write_bytes(ruined)
            found = mic.bitstream.read(
                subject.scratch, what=("residual", "motion", "macroblocks"), on_error="mask"
            )
            for reading in range(len(damage.READINGS)):
                subject.ask_otherwise(found, reading)
            wrong = subject.differing(found) & ~found.residual.missing
            assert not wrong[:number].any()
            if not wrong.any():
                for sums in range(len(damage.SUMS)):
                    subject.ask_sums(sums)


def test_whole_video_packets_before_the_damage_are_kept(tmp_path):
    subject = Subject(synthetic(tmp_path, KINDS["packets"]), tmp_path / "damaged.m4v")
    start = subject.starts()[1]
    ruined = bytearray(subject.data)
    middle = start + len(subject.vops[1]) * 2 // 3
    ruined[middle : middle + 30] = b"\0" * 30
    subject.scratch.write_bytes(ruined)
    clip = mic.bitstream.read(subject.scratch, what=("residual", "motion"), on_error="mask")
    missing = clip.residual.missing[1]
    assert 0 < missing.sum() < missing.size
    first = missing.ravel().argmax()
    assert missing.ravel()[first:].all()
    assert not (subject.differing(clip)[1] & ~missing).any()
    assert not clip.residual.missing[[0, 2]].any()
    (error,) = clip.residual.errors
    assert isinstance(error, BitstreamError)
    for part in ("packet 1", "bit ", "clause "):
        assert part in error.place
    with pytest.raises(BitstreamError, match="on_error"):
        mic.bitstream.read(subject.scratch)
    # The frames around it need nothing of it.
    mic.bitstream.read(subject.scratch, frames=[0, 2])


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_damaged_containers_give_typed_errors_or_marked_frames(suffix, tmp_path, record_property):
    # Lengths, offsets and counts in a container are as hostile as the video in it.
    options = Options(width=48, height=32, frames=5, suffix=suffix)
    path = synthetic(tmp_path, options)
    data = path.read_bytes()
    right = mic.bitstream.read(path).residual.y
    vop = data.find(stream.load(path).vops[0].data)
    index = [*range(vop), *range(data.find(stream.load(path).vops[-1].data) + 50, len(data))]
    rng = random.Random(8)
    opened = 0
    for _ in range(250):
        ruined = bytearray(data)
        place = rng.choice(index)
        for k in range(rng.choice([1, 1, 4])):
            ruined[min(place + k, len(data) - 1)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        path.write_bytes(ruined)
        try:
            found = mic.bitstream.read(path, on_error="mask").residual
        except MicError:
            continue
        opened += 1
        if found.y.shape == right.shape:
            missing = found.missing.repeat(16, 1).repeat(16, 2)[:, :32, :48]
            same = (found.y == right) | missing
            # A table that leads to another sound VOP of the file is no damage that can be seen.
            assert same.all() or {plane.tobytes() for plane in found.y} & {
                plane.tobytes() for plane in right
            }
    record_property("counted damaged containers", 250)
    assert opened > 20
