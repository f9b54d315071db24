"""Films whose colours are told, or whose size changes: looked at as they are shown."""

from fractions import Fraction

import av
import containers
import numpy as np
import pytest
from campaigns.sharpness import blurred, coded, enlarged, smaller
from containers import Film, filmed, with_edits
from PIL import Image

import mic
from mic import codec
from mic.codec import Video
from mic.recognition.sources import source_of
from mic.storage import assets


@pytest.fixture(scope="module")
def face():
    """A face over 24 pictures."""
    return [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))][:24]


@pytest.mark.parametrize(
    ("matrix", "full", "way"),
    [(2, 0, "parsed"), (6, 1, "parsed"), (1, 1, "decoded"), (6, 2, "decoded")],
)
def test_colours_other_than_the_parsers_are_decoded(matrix, full, way, tmp_path):
    film = Film(colorspace=matrix, color_range=full, picture=containers.COLOUR)
    path = containers.write(tmp_path / "a.mkv", film)
    source = source_of(Video(path, survey=True))
    assert source.way == way
    (moment,) = source.moments([0], lambda _: [])
    shown = next(source.video.pictures()).rgb
    assert np.abs(moment.pixels(None).astype(int) - shown).max() <= 3


def test_a_size_that_changes_is_the_same_person_at_the_same_place(face, tmp_path):
    path = tmp_path / "a.webm"
    height, width = face[0].shape[:2]
    with av.open(str(path), "w") as target:
        streams = []
        for scale in (1, 2):
            coded = av.CodecContext.create("libvpx", "w")
            coded.width, coded.height, coded.pix_fmt = width * scale, height * scale, "yuv420p"
            coded.time_base, coded.bit_rate = Fraction(1, 30), 2_000_000
            streams.append(coded)
        video = target.add_stream("libvpx", rate=30)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for part, coded in enumerate(streams):
            for number, picture in enumerate(face):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame = frame.reformat(coded.width, coded.height, "yuv420p")
                frame.pts, frame.time_base = part * len(face) + number, Fraction(1, 30)
                for packet in coded.encode(frame):
                    packet.stream = video
                    target.mux(packet)
            for packet in coded.encode(None):
                packet.stream = video
                target.mux(packet)
    table = mic.predict(path, rows="frame")
    assert len(table) == 2 * len(face)
    assert set(table["person"]) == {0}
    boxes = table[["left", "top", "right", "bottom"]].to_numpy(float)
    assert np.abs(boxes[-1] - boxes[len(face) - 1]).max() < 0.1 * width
    assert table["status"].eq("ok").mean() > 0.9


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_film_that_lies_on_its_side_without_saying_so_shows_the_same(face, quarters, tmp_path):
    turned = [np.rot90(picture, quarters) for picture in face]
    (before,) = mic.predict(filmed(tmp_path / "a.mp4", face, crf=20)).itertuples()
    (after,) = mic.predict(filmed(tmp_path / "b.mp4", turned, crf=20)).itertuples()
    assert (after.status, after.label) == (before.status, before.label)
    # Counter-clockwise is positive.
    assert abs((after.roll - before.roll - 90 * quarters + 180) % 360 - 180) < 10


@pytest.mark.parametrize(("times", "plus"), [(0.12, 0), (0.15, 100), (0.3, 90), (0.5, 150)])
def test_a_dark_or_pale_film_shows_the_same(face, times, plus, tmp_path):
    before = mic.predict(filmed(tmp_path / "a.mp4", face, crf=20)).iloc[0]
    pale = [(picture * times + plus).clip(0, 255).astype(np.uint8) for picture in face]
    after = mic.predict(filmed(tmp_path / "b.mp4", pale, crf=20)).iloc[0]
    assert (after["status"], after["label"]) == ("ok", before["label"])
    assert after["confidence"] > before["confidence"] - 0.15


def test_a_face_that_was_blurred_or_enlarged_has_no_label_and_a_small_one_has(face, tmp_path):
    # Coarse coding adds detail of its own: a blurred film of few samples may pass then.
    before = mic.predict(filmed(tmp_path / "a.mp4", face, crf=8)).iloc[0]
    across = before["right"] - before["left"]
    for name, treated in (
        ("blurred", blurred(0.04)),
        ("enlarged", enlarged(14)),
        ("coded", coded(8)),
        ("small", smaller(55)),
    ):
        pictures = [np.asarray(treated(Image.fromarray(one), across)) for one in face]
        after = mic.predict(filmed(tmp_path / f"{name}.mp4", pictures, crf=8)).iloc[0]
        if name in ("coded", "small"):
            assert (after["status"], after["label"]) == ("ok", before["label"])
        else:
            assert after["status"] in ("covered", "no face"), name


@pytest.mark.parametrize(("base", "wave", "noise"), [(20, 0, 3), (128, 30, 4), (230, 15, 3)])
def test_nobody_is_seen_in_dark_pale_and_noisy_pictures(base, wave, noise, tmp_path):
    y, x = np.mgrid[:240, :320]
    draw = np.random.default_rng(0)
    pictures = []
    for number in range(30):
        gray = base + wave * np.sin(x / 45 + number / 9) * np.cos(y / 35)
        gray = gray + draw.normal(0, noise, gray.shape)
        pictures.append(np.stack([gray.clip(0, 255).astype(np.uint8)] * 3, axis=-1))
    (row,) = mic.predict(filmed(tmp_path / "a.mp4", pictures, crf=20)).itertuples()
    assert row.status == "no face"


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_span_that_an_edit_list_shows_twice_is_seen_twice(face, b_frames, tmp_path):
    options = {"g": "25", "bf": b_frames, "qmin": "2", "qmax": "2"}
    path = filmed(tmp_path / "a.mp4", (face * 50)[:50], "mpeg4", rate=25, **options)
    path.write_bytes(with_edits(path.read_bytes(), [(1, 1), (1, 1)]))
    table = mic.predict(path, rows="frame")
    assert table["error"].fillna("").eq("").all()
    assert table["frame"].tolist() == list(range(50))
    assert set(table["person"]) == {0}
