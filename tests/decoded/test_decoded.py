"""The decoded path: right interpolation for each codec, and CoViAR's exact behaviour beside it."""

import dataclasses

import numpy as np
import pytest
from oracles import compensation, flat, flat_references, overwritten, stream
from oracles.encoders import Options, ffmpeg, frames, synthetic

import mic.bitstream
import mic.decoded.residuals
from mic.errors import CodecError, ConfigError, UnsupportedSyntaxError

QUIET = Options(width=96, height=72, frames=10, noise=0, speed=0.4)
X264 = "no-deblock=1:weightp=0:weightb=0:b-pyramid=none:ref=1:scenecut=0:partitions=p8x8,b8x8,i4x4"
CODECS = {
    "h264": ("-c:v", "libx264", "-qp", "45", "-bf", "0", "-x264-params", X264),
    "h264_b": ("-c:v", "libx264", "-qp", "45", "-bf", "2", "-x264-params", X264),
    "mpeg2": ("-c:v", "mpeg2video", "-q:v", "31"),
    "mpeg2_b": ("-c:v", "mpeg2video", "-q:v", "31", "-bf", "2"),
    "mpeg1_b": ("-c:v", "mpeg1video", "-q:v", "31", "-bf", "2"),
    "flv": ("-c:v", "flv", "-q:v", "31"),
}


def zero_share(path) -> tuple[float, str]:
    """Share of predicted 8x8 blocks whose luma residual is zero throughout, and frame kinds."""
    zero = total = 0
    kinds = ""
    for frame in mic.decoded.open(path).frames():
        kinds += frame.kind
        if frame.kind == "I":
            assert frame.intra.all()
            assert not frame.y.any()
            continue
        rows, columns = frame.y.shape[0] // 8, frame.y.shape[1] // 8
        blocks = frame.y[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8)
        flat_blocks = ~blocks.any((1, 3)) & ~frame.intra[:rows, :columns]
        zero += flat_blocks.sum()
        total += (~frame.intra[:rows, :columns]).sum()
    return zero / total, kinds


@pytest.mark.parametrize("codec", CODECS)
def test_blocks_that_code_nothing_have_zero_residual(codec, tmp_path):
    # At the coarsest quantiser most blocks are pure prediction: their residual is exactly zero
    # if, and only if, interpolation and vectors are the decoder's own.
    path = ffmpeg(tmp_path / f"{codec}.mkv", frames(QUIET), *CODECS[codec])
    share, kinds = zero_share(path)
    assert share > 0.95
    assert len(kinds) == QUIET.frames
    assert ("B" in kinds) == codec.endswith("_b")


def test_wrong_interpolation_would_be_seen(tmp_path, monkeypatch):
    # The test above can fail: with vectors cut to whole samples hardly a block stays zero.
    path = ffmpeg(tmp_path / "h264.mkv", frames(QUIET), *CODECS["h264"])
    right = zero_share(path)[0]
    six_tap = mic.decoded.residuals.six_tap
    monkeypatch.setattr(
        mic.decoded.residuals, "six_tap", lambda p, motion, size: six_tap(p, motion & ~3, size)
    )
    assert zero_share(path)[0] < right - 0.2


@pytest.mark.parametrize("quarter", [False, True])
@pytest.mark.parametrize("four", [False, True])
def test_mpeg4_differs_from_the_coded_residual_by_rounding_alone(quarter, four, tmp_path):
    options = Options(width=96, height=80, frames=8, quarter_pel=quarter, four_mv=four, speed=0.6)
    clip = stream.load(synthetic(tmp_path, options))
    frames_of = list(mic.decoded.open(tmp_path / "synthetic.m4v").frames())
    assert len(frames_of) == options.frames
    compared = 0
    decoded = compensation.decoded(clip)
    for ours, theirs, vop, (_, mv, count) in zip(
        frames_of, flat.residuals(clip), clip.vops, decoded, strict=True
    ):
        blocks = theirs[3].repeat(2, 0).repeat(2, 1)
        assert (ours.intra == blocks).all()
        assert (ours.motion == np.where(count.max() > 0, mv * (1 if quarter else 2), 0)).all()
        bound = 0 if vop.rounding == 0 else 3 if quarter else 1
        for plane, other in zip((ours.y, ours.cb, ours.cr), theirs[:3], strict=True):
            compared += plane.size
            assert np.abs(plane.astype(int) - other).max() <= bound
    assert compared > 80_000


def test_h264_of_a_size_that_is_not_whole_macroblocks(tmp_path):
    options = dataclasses.replace(QUIET, width=90, height=70, speed=3.0)
    path = ffmpeg(tmp_path / "odd.mkv", frames(options), *CODECS["h264"])
    shapes = {
        (f.y.shape, f.cb.shape, f.motion.shape, f.intra.shape)
        for f in mic.decoded.open(path).frames()
    }
    assert shapes == {((70, 90), (35, 45), (10, 12, 2), (10, 12))}
    assert zero_share(path)[0] > 0.7


def test_refuses_by_name(tmp_path):
    pictures = frames(QUIET)
    cases = {
        "B-VOPs": (tmp_path / "b.mkv", ("-c:v", "mpeg4", "-bf", "2", "-q:v", "4")),
        "no motion vectors": (tmp_path / "vp9.mkv", ("-c:v", "libvpx-vp9", "-cpu-used", "8")),
        "interlaced": (
            tmp_path / "i.mkv",
            ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-vf", "setfield=tff"),
        ),
        "4:2:0": (tmp_path / "444.mkv", ("-c:v", "libx264", "-pix_fmt", "yuv444p")),
    }
    for words, (path, arguments) in cases.items():
        ffmpeg(path, pictures, *arguments)
        with pytest.raises(UnsupportedSyntaxError, match=words):
            list(mic.decoded.open(path).frames())
    with pytest.raises(CodecError):
        list(mic.decoded.open(tmp_path / "absent.mp4").frames())


def test_read_hands_out_the_same(tmp_path):
    path = ffmpeg(tmp_path / "h264.mkv", frames(QUIET), *CODECS["h264"])
    clip = mic.bitstream.read(path, method="decoded", what=("residual", "motion"))
    singles = list(mic.decoded.open(path).frames())
    assert clip.frame_count == len(singles) == len(clip.residual.y)
    for row, single in enumerate(singles):
        assert (clip.residual.y[row] == single.y).all()
        assert (clip.residual.cr[row] == single.cr).all()
        rows, columns = single.motion.shape[:2]
        assert (clip.motion.blocks[row][:rows, :columns] == single.motion).all()
    part = mic.bitstream.read(path, method="decoded", frames=[4, 2], space="rgb")
    whole = mic.bitstream.read(path, method="decoded", space="rgb")
    assert (part.residual.pixels == whole.residual.pixels[[4, 2]]).all()
    with pytest.raises(ConfigError):
        mic.bitstream.read(path, method="decoded", scale=2)


LOOP = "weightp=0:ref=1:scenecut=0:partitions=p8x8,i4x4:no-deblock="


@pytest.mark.parametrize("width", [96, 90])
def test_h264_without_a_loop_filter_is_exact(width, tmp_path):
    # Against an oracle that knows no vector and no interpolation.
    options = Options(width=width, height=80, frames=10, noise=2, speed=0.6)
    path = ffmpeg(
        tmp_path / "h264.mkv", frames(options), "-c:v", "libx264", "-qp", "28", "-bf", "0",
        "-x264-params", LOOP + "1",
    )  # fmt: skip
    compared = coded = 0
    right = overwritten.residuals(path)
    for frame, planes in zip(mic.decoded.open(path).frames(), right, strict=True):
        for ours, theirs, size in zip(
            (frame.y, frame.cb, frame.cr), planes, (8, 4, 4), strict=True
        ):
            height, across = ours.shape
            inter = ~frame.intra.repeat(size, 0).repeat(size, 1)[:height, :across]
            assert (ours == theirs[:height, :across])[inter].all()
            compared += int(inter.sum())
            coded += int(np.abs(ours[inter]).sum())
    assert compared > 80_000
    assert coded > 10_000


BETWEEN = "weightp=0:weightb=0:ref=1:scenecut=0:b-adapt=0:b-pyramid=none:no-deblock=1:partitions="


@pytest.mark.parametrize(
    ("partitions", "lowest"), [("none", 1.0), ("p8x8,b8x8,i4x4", 0.9)], ids=["whole", "divided"]
)
def test_b_pictures_of_h264_are_exact_in_whole_macroblocks(partitions, lowest, tmp_path):
    # Of a divided one libavcodec exports a zero vector for a part without one to that side.
    options = Options(width=90, height=80, frames=11, noise=2, speed=0.6)
    path = ffmpeg(
        tmp_path / "h264.mkv", frames(options), "-c:v", "libx264", "-qp", "28", "-bf", "2",
        "-x264-params", BETWEEN + partitions,
    )  # fmt: skip
    same, coded, kinds = [], 0, ""
    right = flat_references.residuals(path)
    for frame, planes in zip(mic.decoded.open(path).frames(), right, strict=True):
        kinds += frame.kind
        if frame.kind != "B":
            assert not np.any(planes[0])  # what they are predicted from is flat, as it must be
            continue
        height, across = frame.y.shape
        inter = ~frame.intra.repeat(8, 0).repeat(8, 1)[:height, :across]
        same.append((frame.y == planes[0][:height, :across])[inter])
        coded += int(np.abs(planes[0][:height, :across][inter]).sum())
    assert kinds.count("B") >= 6
    assert np.concatenate(same).mean() >= lowest
    assert coded > 1_000


def test_the_loop_filter_is_all_that_differs(tmp_path):
    options = Options(width=96, height=80, frames=10, noise=2, speed=0.6)
    path = ffmpeg(
        tmp_path / "h264.mkv", frames(options), "-c:v", "libx264", "-qp", "28", "-bf", "0",
        "-x264-params", LOOP + "0",
    )  # fmt: skip
    ours, theirs = [], []
    right = overwritten.residuals(path)
    for frame, planes in zip(mic.decoded.open(path).frames(), right, strict=True):
        if frame.kind == "P":
            ours.append(frame.y)
            theirs.append(planes[0])
    assert 0.8 < (np.stack(ours) == np.stack(theirs)).mean() < 1
    assert 0.9 < np.corrcoef(np.ravel(ours), np.ravel(theirs))[0, 1] < 0.999
