"""Which of several streams is the video."""

import av
import pytest
from av.stream import Disposition
from containers import Film, gray, number, write
from PIL import Image

from mic import bitstream, codec
from mic.codec import Video
from mic.errors import CodecError, UnsupportedSyntaxError


def several(path, films, dispositions):
    """A file of several MPEG-4 streams, by number of pictures."""
    with av.open(str(path), "w") as output:
        streams = []
        for count, disposition in zip(films, dispositions, strict=True):
            stream = output.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.options = {"qmin": "2", "qmax": "2"}
            stream.disposition = disposition
            streams.append((stream, count))
        for index, (stream, count) in enumerate(streams):
            for k in range(count):
                frame = av.VideoFrame.from_ndarray(gray(k + 5 * index), "rgb24")
                frame.pts = k
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
    return path


def silence(samples, *, at=0):
    frame = av.AudioFrame(format="fltp", layout="mono", samples=samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.rate, frame.pts = 44100, at
    return frame


def first_seen(path):
    return number(next(Video(path).pictures()).rgb)


def test_a_stream_of_next_to_none_beside_a_film_is_none(tmp_path):
    path = several(tmp_path / "a.mkv", (2, 48), [Disposition(0), Disposition(0)])
    assert (len(Video(path)), first_seen(path)) == (48, 5)
    assert len(Video(several(tmp_path / "b.mkv", (6, 48), [Disposition(0)] * 2))) == 6


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff"])
def test_a_picture_is_told_from_a_damaged_video(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(gray(3)).save(path)
    with pytest.raises(CodecError, match="it is a picture, or animated") as caught:
        Video(path)
    assert "GIF and APNG are read" in caught.value.remedy


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_still_picture_beside_a_video_is_none(tmp_path, suffix):
    for films, expected in (((1, 12), 5), ((12, 1), 0)):
        path = several(tmp_path / f"a.{suffix}", films, [Disposition.default, Disposition(0)])
        assert first_seen(path) == expected
        assert len(Video(path)) == 12 == codec.probe(path).frames
        with bitstream.open(path) as stream:
            assert len(stream) == 12


def test_the_default_stream_is_the_video(tmp_path):
    for default in (0, 1):
        dispositions = [Disposition(0), Disposition(0)]
        dispositions[default] = Disposition.default
        path = several(tmp_path / "a.mkv", (12, 12), dispositions)
        assert first_seen(path) == 5 * default
        assert Video(path).streams == 2
    both = several(tmp_path / "a.mkv", (12, 12), [Disposition.default, Disposition.default])
    assert first_seen(both) == 0


def test_sound_with_a_cover_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=44100)
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        output.mux(sound.encode(silence(1024)))
        picture = av.VideoFrame.from_ndarray(gray(3), "rgb24").reformat(format="yuvj420p")
        output.mux(cover.encode(picture))
        output.mux(cover.encode())
        output.mux(sound.encode())
    with pytest.raises(CodecError, match="only a still picture") as caught:
        Video(path)
    assert caught.value.file == path


def test_a_cover_first_in_the_file_is_passed_over(tmp_path):
    path = write(tmp_path / "a.mkv", Film(), cover=True)
    video = Video(path)
    assert (video.streams, video.codec, len(video)) == (2, "mpeg4", 12)


@pytest.mark.parametrize("suffix", ["mkv", "nut"])
def test_a_still_beside_the_film_costs_it_no_picture(suffix, tmp_path):
    options = {"g": "30", "sc_threshold": "0", "bf": "2"}
    film = Film(stamps=tuple(range(60)), options=options, codec="libx264")
    path = write(tmp_path / f"a.{suffix}", film, cover=True)
    video = Video(path)
    assert (video.streams, len(video), video.times[0]) == (2, 60, 0)
    assert [number(picture.rgb) for picture in video.pictures()] == [k % 20 for k in range(60)]


def test_streams_that_flv_announces_late_are_waited_for(tmp_path):
    path = tmp_path / "a.flv"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=44100)
        video = output.add_stream("flv", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for k in range(12):
            output.mux(sound.encode(silence(1024, at=1024 * k)))
        for k in range(12):
            frame = av.VideoFrame.from_ndarray(gray(k), "rgb24")
            frame.pts = k
            output.mux(video.encode(frame))
        output.mux(video.encode())
    assert len(Video(path)) == 12
    # The parser says what the video is, not that there is none.
    with pytest.raises(UnsupportedSyntaxError, match="is flv"):
        bitstream.open(path)
