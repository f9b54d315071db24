"""Films cut without re-encoding, odd VOPs, hidden frames: what is counted is what is shown."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from containers import Film, filmed, write

import mic
import mic.decoded
from mic import codec
from mic.codec import Video
from mic.codec.entrances import MpegEntrance
from mic.codec.picture_headers import vp9_shows
from mic.codec.vops import Vops
from mic.recognition.sources import source_of

COUNT = 36
OPEN = {"mpeg1video": ".mkv", "mpeg2video": ".ts", "mpeg4": ".mp4"}


def _pictures(count=COUNT):
    """Pictures brighter from one to the next, of some detail."""
    found = [np.full((96, 128, 3), 20 + 6 * number, np.uint8) for number in range(count)]
    for picture in found:
        picture[:, ::8] //= 2
    return found


def _packets(path):
    with av.open(str(path)) as read:
        return [packet for packet in read.demux(video=0) if packet.size]


def _copied(source, target, packets):
    """Writes these packets, as a copy without re-encoding does."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream, opaque=True)
        for packet in packets(packet for packet in read.demux(stream) if packet.size):
            packet.stream = copy
            written.mux(packet)
    return target


def _from(first):
    return lambda packets: list(packets)[first:]


def _checks(path, count, *, first):
    """The film has these many pictures, evenly timed from 0 on, and begins with that one."""
    video = Video(path)
    pictures = list(video.pictures())
    assert [picture.number for picture in pictures] == list(range(count))
    assert len(video) == count
    assert video.times == pytest.approx(np.arange(count) / 25, abs=3e-3)
    levels = np.array([picture.rgb[:, 1].mean() for picture in pictures])
    assert (levels - 20) / 6 == pytest.approx(first + np.arange(count), abs=1)
    for number in (0, 1, count // 2, count - 1):
        (one,) = Video(path).pictures([number])
        assert np.array_equal(one.rgb, pictures[number].rgb)
    rows = mic.predict(path, rows="frame")
    assert rows["frame"].tolist() == list(range(count))
    assert rows["time"].iloc[0] == 0
    return pictures


@pytest.mark.parametrize("name", OPEN)
def test_pictures_that_lead_an_open_group_are_not_counted_where_it_comes_first(name, tmp_path):
    whole = filmed(tmp_path / "whole.mkv", _pictures(), name, rate=25, bf=2, g=12, qmin=2, qmax=2)
    keys = [k for k, packet in enumerate(_packets(whole)) if packet.is_keyframe]
    path = _copied(whole, tmp_path / f"cut{OPEN[name]}", _from(keys[1]))
    with av.open(str(path)) as container:  # libavcodec shows none of them
        shown = sum(1 for _ in container.decode(video=0))
    assert shown < COUNT - keys[1]  # two lead
    _checks(path, shown, first=COUNT - shown)
    if name != "mpeg4":  # of closed groups nothing leads
        options = {"bf": "2", "g": "12", "flags": "+cgop", "sc_threshold": "1000000000"}
        film = Film(codec=name, options=options, stamps=tuple(range(COUNT)))
        closed = write(tmp_path / "closed.mkv", film)
        key = [k for k, packet in enumerate(_packets(closed)) if packet.is_keyframe][1]
        cut = _copied(closed, tmp_path / f"cut closed{OPEN[name]}", _from(key))
        assert len(Video(cut)) == len(list(Video(cut).pictures())) == COUNT - key
    if name != "mpeg1video":
        way = "bitstream" if name == "mpeg4" else "decoded"
        asked = {"what": ("residual",), "method": way, "space": "ycbcr"}
        found = mic.extract(path, tmp_path / "out.npz", **asked)
        assert found.shapes["residual"][0] == shown


def test_pictures_of_a_closed_group_are_counted():
    def picture(letter, *, group=b""):
        return group + b"\0\0\1\0\0" + bytes(["?IPB".index(letter) << 3]) + bytes(8)

    closed = b"\0\0\1\xb8\0\0\0\x40"
    for group, leads in ((closed, False), (b"\0\0\1\xb8\0\0\0\0", True), (b"", True)):
        entrance = MpegEntrance(b"")
        shown = [entrance.shows(picture("P")), entrance.shows(picture("I", group=group))]
        shown += [entrance.shows(picture("B")) for _ in range(2)]
        assert shown == [False, True, not leads, not leads]
        assert entrance.leading == ([2, 3] if leads else [])
        assert entrance.shows(picture("P"))
        assert entrance.passed


def test_av1_that_begins_in_its_middle_is_counted_from_its_first_key_frame(tmp_path):
    # Not by `filmed`: the encoder would leave the tests' process at the highest priority.
    whole = tmp_path / "whole.mp4"
    codec.encode_frames(_pictures(), whole, frame_rate=25, codec="av1", vop_quant=20, gop=12)
    packets = _packets(whole)
    key = [k for k, packet in enumerate(packets) if packet.is_keyframe][1]
    behind = len(packets) - key
    path = _copied(whole, tmp_path / "cut.mkv", _from(5))
    assert len(Video(path)) == behind
    _checks(path, behind, first=COUNT - behind)


def _type(data):
    return "IPBS"[data[data.index(b"\0\0\1\xb6") + 4] >> 6]


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_packed_film_cut_at_a_key_picture_holds_a_vop_that_is_not_shown(suffix, tmp_path):
    """DivX puts a B-VOP into the packet of the reference before it, and a placeholder behind."""
    options = {"bf": 1, "g": 12, "qmin": 2, "qmax": 2}
    whole = filmed(tmp_path / "whole.mkv", _pictures(), "mpeg4", rate=25, **options)
    coded = _packets(whole)
    headers = bytes(coded[0].stream.codec_context.extradata) + b"\0\0\1\xb2DivX503b1393p"
    placeholder = b"\0\0\1\xb6" + (1 << 14 | 1 << 12 | 1 << 6 | 0x0F).to_bytes(2)  # a P-VOP
    packed = []
    for packet in coded:
        data = bytes(packet)
        if _type(data) == "B":
            packed[-1] = packed[-1][0] + data, packed[-1][1]
            packed.append((placeholder, False))
        else:
            packed.append((data, packet.is_keyframe))
    keys = [number for number, (_, key) in enumerate(packed) if key]
    cut = packed[keys[1] :]
    assert [_type(cut[0][0]), cut[0][0].count(b"\0\0\1\xb6")] == ["I", 2]

    def packets(found):
        del found
        for number, (data, key) in enumerate(cut):
            made = av.Packet(data if number else headers + data)
            made.pts = made.dts = number
            made.time_base, made.is_keyframe = Fraction(1, 25), key
            yield made

    path = _copied(whole, tmp_path / f"cut{suffix}", packets)
    pictures = list(Video(path).pictures())
    assert [one.number for one in pictures] == list(range(len(Video(path))))
    source = source_of(Video(path, survey=True))
    for number in (0, 1, 5, 11):
        (seen,) = [one for one in source.moments([number], lambda motion: []) if one.pixels]
        assert seen.number == number
        assert np.abs(seen.pixels(None).astype(int) - pictures[number].rgb).max() <= 4


@pytest.mark.parametrize("name", ["ffv1", "snow"])
def test_whatever_needs_a_key_frame_is_counted_from_the_first(name, tmp_path):
    whole = filmed(tmp_path / "whole.mkv", _pictures(24), name, rate=25, g=6)
    key = [k for k, packet in enumerate(_packets(whole)) if packet.is_keyframe][1]
    path = _copied(whole, tmp_path / "cut.mkv", _from(3))
    _checks(path, 24 - key, first=key)


def _without_layer(packets):
    for packet in packets:
        data = bytes(packet)
        bare = av.Packet(data[data.index(b"\0\0\1\xb6") :])
        bare.pts, bare.dts, bare.time_base = packet.pts, packet.dts, packet.time_base
        bare.is_keyframe = packet.is_keyframe
        yield bare


def test_vops_without_their_layers_header_are_counted_or_refused(tmp_path):
    vops = Vops(b"")
    assert [vops.add(b"\0\0\1\xb6\x10" + bytes(80)).kind for _ in range(3)] == ["I"] * 3
    assert vops.rate() is None
    whole = filmed(tmp_path / "whole.avi", _pictures(12), "mpeg4", rate=25, g=4)
    bare = _copied(whole, tmp_path / "bare.avi", _without_layer)
    whole.rename(tmp_path / "a.avi")
    table = mic.predict(tmp_path, rows="frame")
    rows = table.groupby(table["video"].map(lambda name: Path(name).name)).size()
    assert rows.to_dict() == {"a.avi": 12, bare.name: 12}


def _uncoded(numbers):
    """Replaces VOPs by ones of the same type and time that are not coded."""

    def packets(found):
        for number, packet in enumerate(found):
            data = bytes(packet)
            if number in numbers:
                at = data.index(b"\0\0\1\xb6") + 4
                # Type, 0, marker, five bits of time at 25 a second, marker; not coded, stuffing.
                head = int.from_bytes(data[at : at + 2]) >> 6 << 6
                short = av.Packet(data[:at] + (head | 0x0F).to_bytes(2))
                short.pts, short.dts, short.time_base = packet.pts, packet.dts, packet.time_base
                packet = short
            yield packet

    return packets


def test_a_b_vop_that_is_not_coded_keeps_its_place_in_time(tmp_path):
    whole = filmed(
        tmp_path / "whole.mp4", _pictures(12), "mpeg4", rate=25, bf=2, g=30, qmin=2, qmax=2
    )
    types = Video(whole).index.kinds
    place = types.index("B")
    path = _copied(whole, tmp_path / "odd.mp4", _uncoded({place}))
    video = Video(path)
    assert video.index.kinds[place] == "N"
    assert video.index.by_stamp  # the stamps are right, and are not contradicted
    assert video.index.rows.tolist() == Video(whole).index.rows.tolist()
    levels = {one.number: one.rgb[:, 1].mean() for one in video.pictures()}
    assert list(levels) == list(range(11))
    assert np.diff(list(levels.values())).min() > 3


def _hidden(frame):
    return bytes([frame[0] & ~2]) + frame[1:]


def test_hidden_frames_of_vp9_are_not_counted(tmp_path):
    whole = filmed(tmp_path / "whole.webm", _pictures(12), "libvpx-vp9", rate=25, g=1)
    frames = [bytes(packet) for packet in _packets(whole)]
    assert all(map(vp9_shows, frames))
    assert not any(map(vp9_shows, map(_hidden, frames)))
    assert vp9_shows(b"\x88")  # of one that came before
    size = len(_hidden(frames[0])), len(frames[1])
    index = bytes([0xC9]) + b"".join(one.to_bytes(2, "little") for one in size) + bytes([0xC9])
    assert vp9_shows(_hidden(frames[0]) + frames[1] + index)
    assert not vp9_shows(_hidden(frames[0]) + _hidden(frames[1]) + index)

    def hide(packets):
        for number, packet in enumerate(packets):
            if number % 4 != 2:
                yield packet
                continue
            other = av.Packet(_hidden(frames[(number + 5) % 12]))
            other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
            yield other

    path = _copied(whole, tmp_path / "hidden.ivf", hide)
    assert len(Video(path)) == len(list(Video(path).pictures())) == 9


def _layers(count=12):
    """VP9 packets of two spatial layers, both shown."""
    made = []
    for edge in (48, 96):
        coder = av.CodecContext.create("libvpx-vp9", "w")
        coder.width, coder.height, coder.pix_fmt = edge * 4 // 3, edge, "yuv420p"
        coder.time_base, coder.options = Fraction(1, 25), {"g": "1", "lag-in-frames": "0"}
        coded = []
        for number, picture in enumerate(_pictures(count)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = frame.reformat(coder.width, coder.height, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            coded += coder.encode(frame)
        made.append([bytes(packet) for packet in [*coded, *coder.encode(None)]])
    for low, high in zip(*made, strict=True):
        sizes = b"".join(len(one).to_bytes(4, "little") for one in (low, high))
        yield low + high + bytes([0xD9]) + sizes + bytes([0xD9])


def test_of_spatial_layers_the_last_is_the_picture(tmp_path):
    whole = filmed(tmp_path / "whole.webm", _pictures(12), "libvpx-vp9", rate=25, g=1)
    layers = list(_layers())

    def both(packets):
        for packet, data in zip(packets, layers, strict=True):
            layered = av.Packet(data)
            layered.pts, layered.dts, layered.time_base = packet.pts, packet.dts, packet.time_base
            layered.is_keyframe = True
            yield layered

    path = _copied(whole, tmp_path / "layers.webm", both)
    pictures = list(Video(path).pictures())
    assert [one.number for one in pictures] == list(range(12)) == list(range(len(Video(path))))
    assert {one.rgb.shape for one in pictures} == {(96, 128, 3)}


def test_frames_of_vp9_that_share_a_time_are_no_layers(tmp_path):
    whole = filmed(tmp_path / "whole.webm", _pictures(8), "libvpx-vp9", rate=25, g=1)

    def packets(found):
        before = None
        for number, packet in enumerate(found):
            if number == 4:
                packet.pts = packet.dts = before
            before = packet.pts
            yield packet

    path = _copied(whole, tmp_path / "twice.webm", packets)
    assert [one.number for one in Video(path).pictures()] == list(range(len(Video(path))))
    assert len(Video(path)) == 8


def test_a_turn_that_key_pictures_tell_holds_up_to_the_next(tmp_path):
    parameters = "keyint=5:min-keyint=5:scenecut=0:bframes=0"
    whole = filmed(tmp_path / "whole.ts", _pictures(12), rate=25, x264_params=parameters)
    # Display orientation (ITU-T H.264, D.1.27): by a quarter, up to the next coded sequence.
    turn = b"\0\0\1\x06\x2f\x03\x08\0\x09\x80"

    def turned(packets):
        for packet in packets:
            data = bytes(packet)
            if packet.is_keyframe:
                at = data.index(b"\0\0\1\x65")
                told = av.Packet(data[:at] + turn + data[at:])
                told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
                told.is_keyframe, packet = True, told
            yield packet

    path = _copied(whole, tmp_path / "turned.ts", turned)
    assert Video(path).size == (96, 128)
    assert {one.rgb.shape for one in Video(path).pictures()} == {(128, 96, 3)}
    source = source_of(Video(path, survey=True))
    assert {moment.size for moment in source.moments([0, 3, 11], lambda motion: [])} == {(96, 128)}
