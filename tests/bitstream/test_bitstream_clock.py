"""Pictures swapped, doubled or gone: what headers' times and containers promise is held to."""

from fractions import Fraction

import av
import pytest
from oracles import stream
from oracles.encoders import Options, frames, synthetic
from oracles.stream import written

import mic.bitstream
from mic.errors import BitstreamError
from mic_bitstream import coviar


@pytest.fixture(scope="module")
def regular(tmp_path_factory):
    options = Options(width=48, height=32, frames=12, gop=600, noise=4)
    return stream.load(synthetic(tmp_path_factory.mktemp("regular"), options))


MOVED = {
    "swapped": ([0, 1, 2, 3, 5, 4, 6, 7, 8], [5], 4),
    "doubled": ([0, 1, 2, 3, 3, 4, 5, 6, 7], [4], 4),
    "dropped": ([0, 1, 2, 3, 5, 6, 7, 8, 9], [], 4),
}


@pytest.mark.parametrize("case", MOVED)
def test_time_that_runs_backwards_or_jumps_is_told(case, regular, tmp_path):
    order, backwards, first = MOVED[case]
    vops = [regular.vops[number].data for number in order]
    with mic.bitstream.open(written(tmp_path / "moved.m4v", regular, vops)) as opened:
        assert opened.errors
        assert all("packet" in error.place for error in opened.errors)
        assert opened.clock.backwards.tolist() == backwards
        assert opened.clock.breaks[0] == first
        marked = opened.accumulated(on_error="mask")
        assert not marked.broken[:first].any()
        assert marked.broken[first:].all()
        assert len(marked.errors) == len(opened.clock.breaks)
        before = opened.accumulated(range(first))
        assert before.errors == ()
        assert not before.broken.any()
        if backwards:
            for read in (opened.residual, opened.motion, opened.accumulated, opened.macroblocks):
                with pytest.raises(BitstreamError, match="time runs backwards"):
                    read()
            with pytest.raises(BitstreamError, match="time runs backwards"):
                opened.segment_sums(2)
            with pytest.raises(BitstreamError, match="time runs backwards"):
                mic.bitstream.residual_batch([opened], [None])
            opened.residual([*range(first), *range(backwards[0] + 1, opened.frame_count)])
        masked = opened.residual(on_error="mask")
        assert not masked.missing.any()  # each picture has the samples that are coded for it
        assert len(masked.errors) == len(backwards)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_pauses_of_a_camera_are_no_damage(b_frames, tmp_path):
    # The container's time stamps tell of the same pause, or pictures are late all the time.
    pictures = frames(Options(width=48, height=32, frames=16))
    rare = [("rare.mp4", {5}), ("rare.mkv", {5}), ("often.m4v", {3, 5, 6, 9, 12})]
    if not b_frames:  # AVI tells the times of decoding, which then are not those of showing
        rare.append(("rare.avi", {5}))
    for name, late in rare:
        path = tmp_path / name
        with av.open(str(path), "w", format="m4v" if name.endswith("m4v") else None) as container:
            video = container.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
            video.codec_context.options = {"g": "600", "bf": str(b_frames)}
            time = -1
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                time += 3 if number in late else 1
                frame.pts, frame.time_base = time, Fraction(1, 25)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        with mic.bitstream.open(path) as opened:
            assert opened.errors == (), name
            assert opened.frame_count == 16
            assert len(opened.clock.breaks) == 0
            assert b_frames or not opened.accumulated([1]).broken.any()


def test_a_byte_by_which_divx_repeats_a_picture_is_no_damage(tmp_path):
    source, path = synthetic(tmp_path, Options(width=64, height=48, frames=20)), tmp_path / "a.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(given.streams.video[0])
        packets = [bytes(packet) for packet in given.demux(video=0) if packet.size]
        packets[7:7] = [b"\x7f"]
        for number, data in enumerate(packets):
            copy = av.Packet(data)
            copy.stream, copy.time_base = video, Fraction(1, 25)
            copy.pts = copy.dts = number
            copy.is_keyframe = number == 0
            target.mux(copy)
    with mic.bitstream.open(path) as opened, mic.bitstream.open(source) as whole:
        assert opened.errors == ()
        assert opened.vop_types == whole.vop_types
        assert (opened.residual().y == whole.residual().y).all()


@pytest.mark.parametrize("ticks", [1, 24])
def test_an_avi_whose_header_counts_finer_promises_no_more_pictures(ticks, tmp_path):
    # As programs write it that copy a stream from a container with another unit of time.
    source, path = synthetic(tmp_path, Options(width=64, height=48, frames=20)), tmp_path / "a.avi"
    with av.open(str(source)) as given, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(given.streams.video[0])
        video.time_base = Fraction(1, 25 * ticks)
        for number, packet in enumerate(given.demux(given.streams.video[0])):
            if not packet.size:
                break
            copy = av.Packet(bytes(packet))
            copy.stream, copy.is_keyframe = video, packet.is_keyframe
            copy.time_base, copy.pts, copy.dts = Fraction(1, 25), number, number
            target.mux(copy)
    with mic.bitstream.open(path) as opened:
        assert opened.errors == ()
        assert opened.vop_types == "I" + 19 * "P"
        assert coviar.get_num_frames(path) == 19  # as CoViAR counts: without the last
    cut = tmp_path / "cut.avi"
    data = path.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    with mic.bitstream.open(cut) as opened:
        assert "?" in opened.vop_types
        assert abs(opened.frame_count - 20) <= 1


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_container_cut_in_half_says_what_is_gone(suffix, tmp_path):
    options = Options(width=64, height=48, frames=20, noise=6, suffix=suffix)
    path = synthetic(tmp_path, options)
    with mic.bitstream.open(path) as opened:
        assert opened.errors == ()
        right = opened.residual().y
    data = path.read_bytes()
    if suffix == ".mp4":  # with its table in front, as for the web
        with (
            av.open(str(path)) as source,
            av.open(
                str(tmp_path / "front.mp4"), "w", options={"movflags": "+faststart"}
            ) as target,
        ):
            video = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    packet.stream = video
                    target.mux(packet)
        data = (tmp_path / "front.mp4").read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with mic.bitstream.open(cut) as opened:
        assert abs(opened.frame_count - 20) <= (suffix == ".mkv")
        whole = opened.vop_types.index("?")
        assert 5 < whole < 18
        assert set(opened.vop_types[whole:]) == {"?"}
        assert any("promises" in str(error) for error in opened.errors)
        assert (opened.residual(range(whole - 1)).y == right[: whole - 1]).all()
        with pytest.raises(BitstreamError):
            opened.residual()
        masked = opened.residual(on_error="mask")
        assert masked.missing[whole:].all()
        assert opened.accumulated(on_error="mask").broken[whole:].all()
