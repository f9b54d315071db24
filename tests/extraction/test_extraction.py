"""What `mic extract` writes is what the parser reads, for any length, format and codec."""

import json
import zipfile

import av
import numpy as np
import pytest
from PIL import Image

import mic
import mic.decoded
from mic import bitstream, codec
from mic.errors import BitstreamError, ConfigError, StorageError, UnsupportedSyntaxError
from mic.extraction import source
from mic.extraction.pictures import motion_picture, residual_picture


def _frames(count, height=72, width=88):
    rng = np.random.default_rng(3)
    texture = np.kron(rng.integers(0, 256, (20, 24, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    return [np.roll(texture, (k, 2 * k), (0, 1))[:height, :width] for k in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips")
    codec.encode_frames(_frames(31), path / "mpeg4.mp4", frame_rate=25, gop=10, vop_quant=4)
    codec.encode_frames(
        _frames(31), path / "h264.mp4", frame_rate=25, gop=10, vop_quant=20, codec="h264"
    )
    return path


@pytest.mark.parametrize(("scale", "space"), [(1, "ycbcr"), (2, "rgb"), (8, "rgb")])
def test_arrays_are_those_of_the_parser(folder, tmp_path, monkeypatch, scale, space):
    monkeypatch.setattr(source, "_CHUNK_BYTES", 7 * 6 * 72 * 88 // scale**2)
    clip = folder / "mpeg4.mp4"
    report = mic.extract(
        clip, tmp_path / "x.npz", what=("residual", "motion", "iframe"), scale=scale, space=space
    )
    whole = bitstream.read(clip, what=("residual", "motion"), scale=scale, space=space)
    with np.load(tmp_path / "x.npz") as data:
        assert np.array_equal(data["residual"], whole.residual.pixels)
        assert np.array_equal(data["motion"], whole.motion.blocks)
        assert bytes(data["kind"]).decode() == ("I" + 9 * "P") * 3 + "I"
        assert data["iframe_number"].tolist() == [0, 10, 20, 30]
        pixels = list(codec.decode(clip))
        for row, number in enumerate(data["iframe_number"]):
            assert np.array_equal(data["iframe"][row], pixels[number])
        about = json.loads(str(data["about"]))
        assert report.shapes == {
            name: data[name].shape for name in ("residual", "motion", "iframe", "iframe_number")
        }
    assert about["method"] == report.method == "bitstream"
    assert (about["scale"], about["space"], about["frame_rate"]) == (scale, space, "25")
    assert (report.frames, report.iframes, report.damaged) == (31, 4, 0)


def test_the_same_video_gives_the_same_bytes_on_any_day(folder, tmp_path):
    mic.extract(folder / "mpeg4.mp4", tmp_path / "x.npz", what=("residual", "iframe"))
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_other_codecs_are_coded_anew_and_it_is_said(folder, tmp_path):
    report = mic.extract(folder / "h264.mp4", tmp_path / "x.npz")
    codec.reencode(folder / "h264.mp4", tmp_path / "same.mp4")
    with np.load(tmp_path / "x.npz") as data:
        assert json.loads(str(data["about"]))["method"] == report.method == "reencoded"
        whole = bitstream.read(tmp_path / "same.mp4", space="rgb")
        assert np.array_equal(data["residual"], whole.residual.pixels)
    with pytest.raises(UnsupportedSyntaxError):
        mic.extract(folder / "h264.mp4", tmp_path / "y.npz", method="bitstream")
    assert not (tmp_path / "y.npz").exists()


def test_decoded_residuals_are_those_of_the_decoder(folder, tmp_path):
    report = mic.extract(
        folder / "h264.mp4",
        tmp_path / "x.npz",
        what=("residual", "motion"),
        method="decoded",
        space="ycbcr",
    )
    frames = list(mic.decoded.open(folder / "h264.mp4").frames())
    assert report.method == "decoded"
    with np.load(tmp_path / "x.npz") as data:
        assert np.array_equal(data["residual"][..., 0], np.stack([f.y for f in frames]))
        assert np.array_equal(data["motion"], np.stack([f.motion for f in frames]))
    with pytest.raises(ConfigError, match="scale 1"):
        mic.extract(folder / "h264.mp4", tmp_path / "y.npz", method="decoded", scale=2)


def test_pictures_are_one_a_frame(folder, tmp_path):
    seen = []
    mic.extract(
        folder / "mpeg4.mp4",
        tmp_path / "pictures",
        what=("residual", "motion", "iframe"),
        progress=lambda done, total: seen.append((done, total)),
    )
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert len(names) == 31 + 31 + 4
    assert names[0] == "iframe_000000.png"
    assert names[-1] == "residual_000030.png"
    clip = bitstream.read(folder / "mpeg4.mp4", space="rgb").residual.pixels
    shown = np.asarray(Image.open(tmp_path / "pictures" / "residual_000005.png"))
    assert np.array_equal(shown, residual_picture(clip[5], space="rgb"))
    assert seen[-1] == (31, 31)


def test_the_film_shows_all_parts_side_by_side(folder, tmp_path):
    mic.extract(
        folder / "mpeg4.mp4", tmp_path / "x.mp4", what=("iframe", "residual", "motion"), scale=2
    )
    info = codec.probe(tmp_path / "x.mp4")
    assert (info.codec, info.frames) == ("h264", 31)
    assert (info.width, info.height) == (3 * 88, 72)
    with av.open(tmp_path / "x.mp4") as film:
        first = next(film.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    picture = next(codec.decode(folder / "mpeg4.mp4")).astype(int)
    assert np.abs(first[:, :88] - picture).mean() < 12
    assert np.abs(first[4:-4, 92:172] - 128).max() < 16  # an I-frame has no residual
    assert first[4:-4, 180:260].min() > 240  # and no motion: white


def test_damage_is_an_error_or_marked(folder, tmp_path):
    data = bytearray((folder / "mpeg4.mp4").read_bytes())
    packet = [bytes(p) for p in codec.Video(folder / "mpeg4.mp4").packets()][5]
    place = data.find(packet)
    data[place + len(packet) // 2 : place + len(packet) // 2 + 8] = b"\xff" * 8
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with pytest.raises(BitstreamError):
        mic.extract(broken, tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()
    report = mic.extract(broken, tmp_path / "x.npz", on_error="mask")
    with np.load(tmp_path / "x.npz") as arrays:
        assert np.flatnonzero(arrays["damaged"]).tolist() == [5]
    assert report.damaged == 1


@pytest.mark.parametrize(
    "options", [{"what": ("pixels",)}, {"what": ()}, {"scale": 3}, {"space": "planes"}]
)
def test_wrong_options_are_named(folder, tmp_path, options):
    with pytest.raises(ConfigError, match=f"^{next(iter(options))} is"):
        mic.extract(folder / "mpeg4.mp4", tmp_path / "x.npz", **options)
    with pytest.raises(ConfigError, match="suffix"):
        mic.extract(folder / "mpeg4.mp4", tmp_path / "x.gif")


def test_motion_colours_tell_directions():
    still, right, left = (np.zeros((1, 1, 2), np.int16) for _ in range(3))
    right[..., 0], left[..., 0] = -32, 32  # vectors point to where a block came from
    shown = [motion_picture(field, width=8, height=8)[0, 0] for field in (still, right, left)]
    assert shown[0].tolist() == [255, 255, 255]
    assert shown[1].tolist() == [255, 0, 0]
    assert shown[2].tolist() == [0, 255, 255]


def test_what_is_read_is_not_written_over(folder, tmp_path):
    clip = tmp_path / "a.mp4"
    clip.write_bytes((folder / "mpeg4.mp4").read_bytes())
    (tmp_path / "link.mp4").symlink_to(clip)
    before = clip.read_bytes()
    for target in (clip, tmp_path / "link.mp4"):
        with pytest.raises(StorageError, match="it is what is read"):
            mic.extract(clip, target, what=("motion",))
        with pytest.raises(StorageError, match="it is what is read"):
            codec.reencode(clip, target)
    assert clip.read_bytes() == before


def test_damage_leaves_no_pictures(folder, tmp_path):
    clip = tmp_path / "hurt.mp4"
    data = bytearray((folder / "mpeg4.mp4").read_bytes())
    with av.open(str(folder / "mpeg4.mp4")) as container:
        packets = [one for one in container.demux(video=0) if one.size]
    place = packets[25].pos + packets[25].size // 2
    data[place : place + 200] = bytes(200)
    clip.write_bytes(data)
    with pytest.raises(BitstreamError):
        mic.extract(clip, tmp_path / "pictures", what=("residual",))
    assert [path.name for path in tmp_path.iterdir()] == ["hurt.mp4"]


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 2.0},
        {"scale": [2]},
        {"threads": 1.5},
        {"gain": "loud"},
        {"gain": float("nan")},
        {"gain": 0},
        {"space": ["rgb"]},
        {"what": ()},
        {"what": ("residual", "residual")},
    ],
)
def test_arguments_of_the_wrong_kind_are_named(folder, tmp_path, options):
    with pytest.raises(ConfigError):
        mic.extract(folder / "mpeg4.mp4", tmp_path / "x.npz", **options)
    with pytest.raises(ConfigError, match="empty"):
        mic.extract(folder / "mpeg4.mp4", "", what=("motion",))
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_numpy_and_iterators_are_as_good(folder, tmp_path):
    plain = mic.extract(folder / "mpeg4.mp4", tmp_path / "a.npz", what=["motion"], scale=2)
    other = mic.extract(
        folder / "mpeg4.mp4",
        tmp_path / "b.npz",
        what=(part for part in ["motion"]),
        scale=np.int64(2),
        gain=np.float32(4),
    )
    assert other.shapes == plain.shapes != {}
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_folder_where_a_picture_should_be_is_named(folder, tmp_path):
    place = tmp_path / "pictures"
    (place / "motion_000001.png").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot write") as caught:
        mic.extract(folder / "mpeg4.mp4", place, what=("motion",))
    assert caught.value.file == place
