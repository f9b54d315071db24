"""Pictures that cannot be converted: named by file and place, and no row speaks of them."""

import containers
import pytest

import mic
from mic import cli, codec
from mic.codec import Video
from mic.errors import CodecError

YCGCO = 8  # a colour matrix that is not converted
WAYS = (
    ["--rows", "window"],
    ["--rows", "look"],
    ["--rows", "frame"],
    ["--network", "residual"],
)


def film(path, count, matrix):
    # Without B-pictures, so that a decoder knows of a new matrix when it comes to it.
    made = containers.Film(
        codec="libx264", stamps=range(count), colorspace=matrix, options={"bf": "0"}
    )
    return containers.write(path, made)


@pytest.fixture
def turning(tmp_path):
    """Fifty pictures like all others, and fifty that nobody can see."""
    parts = [film(tmp_path / f"{matrix}.h264", 50, matrix).read_bytes() for matrix in (2, YCGCO)]
    path = tmp_path / "turning.h264"
    path.write_bytes(b"".join(parts))
    assert len(Video(path)) == 100
    return path


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_where_no_picture_was_seen_there_is_no_row(way, tmp_path, capsys):
    path = film(tmp_path / "a.mp4", 60, YCGCO)
    assert cli.main(["predict", str(path), *way]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{path}, frame 0 (0.00 s): its colours are YCgCo" in said.err


@pytest.mark.parametrize("rows", ["window", "frame"])
def test_nor_where_the_file_breaks_off_besides(rows, tmp_path):
    path = film(tmp_path / "a.mkv", 100, YCGCO)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 4])
    assert Video(path).damage is not None
    with pytest.raises(CodecError, match="YCgCo"):
        mic.predict(path, rows=rows)


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_rows_end_where_pictures_can_no_longer_be_seen(way, turning):
    options = {way[0].removeprefix("--"): way[1]}
    found = mic.predict(turning, **options)
    (error,) = found["error"][found["error"] != ""]
    # The first of them at which one looks.
    place = "frame 50 (2.00 s)" if way[1] == "residual" else "frame 60 (2.40 s)"
    assert f"{turning}, {place}: its colours are YCgCo" in error
    seen = found[found["error"] == ""]
    last = seen["frame" if "frame" in seen else "last_frame"]
    assert last.max() == {"residual": 49, "look": 40}.get(way[1], 59)


def test_what_is_made_of_a_video_names_the_picture_too(turning, tmp_path):
    with pytest.raises(CodecError) as caught:
        codec.reencode(turning, tmp_path / "b.mp4")
    assert (caught.value.file, caught.value.place) == (turning, "frame 50")
    *_, last = Video(turning).pictures([50])
    with pytest.raises(CodecError) as caught:
        _ = last.rgb
    assert caught.value.place == "frame 50 (2.00 s)"
    assert not (tmp_path / "b.mp4").exists()
