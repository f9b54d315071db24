"""Streams cut in their middle: what cannot be decoded without what came before is not counted."""

import av
import numpy as np
import pytest
from containers import filmed

import mic
import mic.decoded
from mic.codec import Video

GROUP = 12
KINDS = {"skipped": "open-gop=1", "decodable": "open-gop=0:radl=2"}


def _film(path, kind):
    """Pictures brighter from one to the next, in groups of 12 with four B-pictures in between."""
    parameters = f"log-level=none:{KINDS[kind]}:keyint={GROUP}:min-keyint={GROUP}:bframes=4"
    pictures = [np.full((96, 128, 3), 20 + 6 * number, np.uint8) for number in range(3 * GROUP)]
    parameters += ":b-adapt=0:scenecut=0"
    filmed(path, pictures, "libx265", rate=25, preset="ultrafast", x265_params=parameters)


def _copied(source, target, first=0):
    """What a copy without re-encoding keeps of the packets from `first` on."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        for packet in [packet for packet in read.demux(stream) if packet.size][first:]:
            packet.stream = copy
            written.mux(packet)
    return target


def _cut(source, target):
    """What such a copy keeps from the second key picture on."""
    with av.open(str(source)) as read:
        packets = [packet for packet in read.demux(video=0) if packet.size]
    return _copied(source, target, [k for k, one in enumerate(packets) if one.is_keyframe][1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".hevc", ".mp4"])
def test_numbers_and_times_are_those_of_pictures_that_are_shown(kind, suffix, tmp_path):
    _film(tmp_path / "whole.mkv", kind)
    path = tmp_path / f"cut{suffix}"
    _cut(tmp_path / "whole.mkv", path)
    video = Video(path)
    pictures = list(video.pictures())
    assert [picture.number for picture in pictures] == list(range(len(video)))
    assert video.times == pytest.approx(np.arange(len(video)) / 25, abs=2e-3)
    assert video.duration == pytest.approx(len(video) / 25, abs=3e-3)
    levels = np.array([picture.rgb.mean() for picture in pictures])
    assert (np.diff(levels) > 3).all()
    shown = (levels - 20) / 6
    begin = GROUP if kind == "skipped" or suffix == ".mp4" else shown.round()[0]
    assert shown == pytest.approx(begin + np.arange(len(video)), abs=1)
    table = mic.predict(path, rows="frame")
    assert table["frame"].tolist() == list(range(len(video)))


MIDDLES = {"closed": "", "open": "open-gop=1", "pyramid": "open-gop=1:b-pyramid=normal"}
MIDDLES |= {"refreshed": "intra-refresh=1:bframes=0", "refreshed, B": "intra-refresh=1"}
MIDDLES |= {"hevc": "open-gop=1:log-level=none", "hevc, closed": "open-gop=0:log-level=none"}


@pytest.fixture(scope="module", params=MIDDLES)
def broadcast(request, tmp_path_factory):
    """H.264 or HEVC in groups of 12, brighter from picture to picture, as a transport stream."""
    name = request.param
    path = tmp_path_factory.mktemp("broadcast") / f"{name}.ts"
    parameters = f"keyint={GROUP}:min-keyint={GROUP}:bframes=2:b-adapt=0:scenecut=0"
    parameters = f"{parameters}:{MIDDLES[name]}".rstrip(":")
    pictures = [np.full((96, 128, 3), 20 + 6 * number, np.uint8) for number in range(3 * GROUP)]
    for picture in pictures:
        picture[:, ::8] = 128
    if "hevc" in name:
        options = {"x265_params": parameters}
        return filmed(path, pictures, "libx265", rate=25, preset="ultrafast", **options)
    return filmed(path, pictures, rate=25, preset="medium", x264_params=parameters)


@pytest.mark.parametrize("first", [1, 5, GROUP, GROUP + 1])
@pytest.mark.parametrize("suffix", [".ts", "raw", ".mkv", ".mp4"])
def test_a_stream_is_counted_from_its_first_whole_picture(broadcast, suffix, first, tmp_path):
    if suffix == "raw" and broadcast.stem == "refreshed, B":
        pytest.skip("without time stamps nothing tells which of these are shown first")
    raw = ".hevc" if "hevc" in broadcast.stem else ".h264"
    path = _copied(broadcast, tmp_path / f"middle{raw if suffix == 'raw' else suffix}", first)
    with av.open(str(path)) as container:  # libavcodec hands out whole pictures only
        decoded = [frame.pts for frame in container.decode(video=0)]
    video = Video(path)
    assert len(video) == len(decoded) < 3 * GROUP
    assert [picture.number for picture in video.pictures()] == list(range(len(decoded)))
    assert video.times == pytest.approx(np.arange(len(video)) / 25, abs=2e-3)
    if video.index.by_stamp:
        assert video.index.stamps[video.index.packet_of].tolist() == decoded
    for number in (0, len(decoded) // 2, len(decoded) - 1):
        assert [picture.number for picture in video.pictures([number])] == [number]
    if broadcast.stem == "refreshed, B" or "hevc" in broadcast.stem:
        return  # B-pictures refer to what was never whole; HEVC's decoder exports no vectors
    predicted = range(len(decoded))[1:]  # the first may be predicted from what is not there
    with mic.decoded.open(path) as opened:
        assert len(opened.motion(predicted).blocks) == len(predicted)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_one_picture_is_the_same_as_among_all(broadcast, suffix, tmp_path):
    video = Video(_copied(broadcast, tmp_path / f"whole{suffix}"))
    every = [picture.rgb for picture in video.pictures()]
    assert len(every) == len(video) == 3 * GROUP
    for number in (GROUP + 2, 2 * GROUP + 9, 3 * GROUP - 2):
        (one,) = video.pictures([number])
        assert np.array_equal(one.rgb, every[number])
