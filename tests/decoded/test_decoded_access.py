"""Codecs that have to be decoded: any frame in any order, little decoded, little held."""

import tracemalloc

import av
import numpy as np
import pytest
from oracles.encoders import Options, ffmpeg, frames

import mic.decoded
import mic.decoded.stream
import mic_bitstream.arrays
from mic.errors import CodecError, ConfigError, UnsupportedSyntaxError

PICTURES = Options(width=96, height=72, frames=48, noise=2, speed=0.9)
X264 = ("-c:v", "libx264", "-qp", "28", "-g", "8", "-x264-params")
CODECS = {
    "h264.mkv": (*X264, "scenecut=0:bframes=0"),
    "h264_b.mp4": (*X264, "scenecut=0:bframes=2:b-pyramid=none"),
    "h264_open.mp4": (*X264, "scenecut=0:bframes=3:open-gop=1"),
    "h264.ts": (*X264, "scenecut=0:bframes=2"),
    "h264.h264": (*X264, "scenecut=0:bframes=0"),
    "mpeg2_b.mkv": ("-c:v", "mpeg2video", "-q:v", "4", "-bf", "2", "-g", "8"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-q:v", "4", "-bf", "2", "-g", "8"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "4", "-g", "8"),
    "flv.flv": ("-c:v", "flv", "-q:v", "4", "-g", "8"),
}


@pytest.fixture(scope="module", params=CODECS)
def path(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return ffmpeg(folder / request.param, frames(PICTURES), *CODECS[request.param])


def test_any_frames_in_any_order_are_those_of_one_pass(path):
    clip = mic.decoded.open(path)
    assert clip.frame_count == PICTURES.frames
    whole = clip.read(what=("residual", "motion"))
    assert [frame.number for frame in clip.frames()] == list(range(PICTURES.frames))
    assert whole.residual.y[1].any()
    for chosen in ([47], [0], [25], [46, 3, 17, 3, 40, -1], [23, 24, 25]):
        part = clip.read(what=("residual", "motion"), frames=chosen)
        rows = np.array(chosen) % PICTURES.frames
        assert part.residual.frames.tolist() == rows.tolist()
        for name in ("y", "cb", "cr", "types"):
            found = getattr(part.residual, name)
            assert (found == getattr(whole.residual, name)[rows]).all(), (chosen, name)
        assert (part.motion.blocks == whole.motion.blocks[rows]).all()
        if part.motion.backward is not None:
            assert (part.motion.backward == whole.motion.backward[rows]).all()


def test_vectors_do_not_need_samples(path):
    clip = mic.decoded.open(path)
    alone, beside = clip.motion(), clip.read(what=("residual", "motion")).motion
    assert (alone.blocks == beside.blocks).all()
    assert (alone.types == beside.types).all()
    assert (alone.backward is None) == (beside.backward is None)
    assert alone.backward is None or (alone.backward == beside.backward).all()
    assert alone.blocks.any()


def test_only_the_way_from_the_key_frame_is_decoded(tmp_path, monkeypatch):
    taken = []
    pictures = mic.decoded.stream.pictures

    def counted(*arguments, **options):
        for picture in pictures(*arguments, **options):
            taken.append(picture.number)
            yield picture

    monkeypatch.setattr(mic.decoded.stream, "pictures", counted)
    for name in ("h264.mkv", "h264.ts", "mpeg2_b.mkv"):
        clip = mic.decoded.open(ffmpeg(tmp_path / name, frames(PICTURES), *CODECS[name]))
        taken.clear()
        clip.residual([42])
        assert min(taken) > 30, name
        assert len(taken) <= 8, name
        taken.clear()
        clip.motion([2, 42])  # two ways, not one
        assert len(taken) <= 12, name


def test_memory_does_not_grow_with_the_video(tmp_path):
    def peak(count: int) -> int:
        options = Options(width=160, height=128, frames=count)
        path = ffmpeg(tmp_path / f"{count}.mkv", frames(options), *CODECS["h264_b.mp4"])
        clip = mic.decoded.open(path)
        tracemalloc.start()
        seen = sum(len(block.frames) for block in clip.blocks(size=4))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seen == count
        return most

    peak(12)  # what is imported and cached at first use
    assert peak(96) < 1.5 * peak(24)


def test_memory_is_asked_for_before_anything_is_decoded(tmp_path, monkeypatch):
    clip = mic.decoded.open(ffmpeg(tmp_path / "a.mkv", frames(PICTURES), *CODECS["h264.mkv"]))
    monkeypatch.setattr(mic_bitstream.arrays, "free_memory", lambda: 1 << 20)
    monkeypatch.setattr(mic.decoded.stream, "pictures", None)
    many = [0] * 40_000
    for read in (clip.residual, clip.motion):
        with pytest.raises(ConfigError, match="GB"):
            read(many)


def test_what_an_edit_list_cuts_away_is_a_reference_all_the_same(tmp_path):
    arguments = ("-c:v", "libx264", "-qp", "28", "-g", "48", "-bf", "0")
    whole = ffmpeg(tmp_path / "whole.mp4", frames(PICTURES), *arguments)
    cut = tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        video = source.streams.video[0]
        copy = target.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.size:
                packet.stream = copy
                late = round(5.5 / 25 / video.time_base)
                packet.pts, packet.dts = packet.pts - late, packet.dts - late
                target.mux(packet)
    clip = mic.decoded.open(cut)
    shown = clip.frame_count
    assert shown < PICTURES.frames
    expected = mic.decoded.open(whole).residual()
    found = clip.residual()
    assert (found.y == expected.y[PICTURES.frames - shown :]).all()


@pytest.mark.parametrize("crop", ["crop_left=32:crop_top=8", "crop_left=2", "crop_top=32"])
def test_pictures_cropped_at_the_left_are_refused(crop, tmp_path):
    # Vectors count from the whole picture's corner, which libavcodec does not tell.
    arguments = (*CODECS["h264.mkv"], "-bsf:v", f"h264_metadata={crop}")
    path = ffmpeg(tmp_path / "crop.mkv", frames(PICTURES), *arguments)
    with pytest.raises(UnsupportedSyntaxError, match="cropped"):
        mic.decoded.open(path)


def test_a_reference_that_is_gone_is_an_error_or_the_next_key_picture_is_waited_for(tmp_path):
    whole = ffmpeg(tmp_path / "whole.mkv", frames(PICTURES), *CODECS["mpeg4.avi"])

    def part(first, end):
        path = tmp_path / f"{first}-{end}.mkv"
        with av.open(str(whole)) as source, av.open(str(path), "w") as target:
            video = source.streams.video[0]
            copy = target.add_stream_from_template(video)
            for number, packet in enumerate(source.demux(video)):
                if packet.size and first <= number < end:
                    packet.stream = copy
                    target.mux(packet)
        return mic.decoded.open(path)

    with pytest.raises(CodecError):
        part(3, 8).residual([0])
    later = part(3, 48)
    assert later.frame_count == 40  # from the eighth on
    right = mic.decoded.open(whole).residual([9, 10])
    assert (later.residual([1, 2]).y == right.y).all()


def test_a_cut_file_gives_its_whole_frames_and_then_an_error(tmp_path):
    path = ffmpeg(tmp_path / "a.mkv", frames(PICTURES), *CODECS["h264.mkv"])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    clip = mic.decoded.open(path)
    found: list[int] = []
    with pytest.raises(CodecError):
        found.extend(frame.number for frame in clip.frames())
    assert found == list(range(len(found)))
    assert len(found) > 20


@pytest.mark.parametrize(("first", "second"), [((64, 48), (96, 72)), ((96, 72), (64, 48))])
@pytest.mark.parametrize("codec", ["h264", "mpeg2video"])
def test_a_size_that_changes_is_refused_at_its_frame(first, second, codec, tmp_path):
    suffix, coder = {"h264": ("h264", X264[:2]), "mpeg2video": ("m2v", ("-c:v", "mpeg2video"))}[
        codec
    ]
    parts = []
    for number, (width, height) in enumerate((first, second)):
        pictures = frames(Options(width=width, height=height, frames=6, noise=2, speed=0.9))
        parts.append(ffmpeg(tmp_path / f"{number}.{suffix}", pictures, *coder, "-g", "3"))
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    clip = mic.decoded.open(path)
    for what in ("motion", "residual"):
        with pytest.raises(UnsupportedSyntaxError, match="the size changes from"):
            clip.read(what=(what,))


@pytest.mark.parametrize("height", [72, 76, 80, 96])
def test_h264_that_might_be_interlaced_has_the_vectors_of_its_shown_rows(height, tmp_path):
    pictures = frames(Options(width=96, height=height, frames=6, noise=2, speed=0.9))
    coder = (*X264, "scenecut=0:bframes=0:ref=1:no-deblock=1:weightp=0:fake-interlaced=1")
    clip = mic.decoded.open(ffmpeg(tmp_path / "a.mkv", pictures, *coder))
    found = clip.read(what=("residual", "motion"))
    rows = -(-height // 16)
    assert found.motion.blocks.shape == (6, 2 * rows, 12, 2)
    assert found.residual.y.shape == (6, height, 96)
    assert found.motion.blocks.any()
    # The prediction is near: what is left is coding noise, not another place of the picture.
    assert np.abs(found.residual.y[1:]).mean() < 6
