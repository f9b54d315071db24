"""Names of any bytes and length, links between folders, and places that refuse what is written."""

import os
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from containers import Film, write

import mic
from mic import bitstream, cli, codec
from mic.errors import CodecError, ConfigError, StorageError, printable
from mic.storage import atomic
from mic_bitstream.containers import FORMATS

LATIN = os.fsdecode(b"caf\xe9")
LONGEST = "ä" * 125 + "x.mp4"  # 255 bytes


@pytest.mark.parametrize("name", [f"{LATIN}.mp4", LONGEST, "喜 é 'quoted\" \n.mp4"])
@pytest.mark.parametrize("encoder", ["mpeg4", "libx264"])
def test_videos_are_read_and_extracted_whatever_they_are_called(tmp_path, name, encoder, capsys):
    plain = write(tmp_path / "plain.mp4", Film(codec=encoder))
    path = plain.rename(tmp_path / name)
    assert len(codec.Video(path)) == 12
    if encoder == "mpeg4":
        assert len(bitstream.open(path)) == 12
    codec.reencode(path, tmp_path / "out" / name)
    assert codec.probe(tmp_path / "out" / name).frames == 12
    report = codec.reencode_tree(tmp_path, tmp_path / "tree", progress=False)
    assert not report.of("failed")
    again = codec.reencode_tree(tmp_path, tmp_path / "tree", progress=False)
    assert {clip.status for clip in again.clips} == {"kept"}
    assert cli.main(["extract", str(path), "--out", str(tmp_path / "x.npz")]) == 0
    capsys.readouterr().out.encode()
    if name != LONGEST:  # its results would need a longer name
        assert cli.main(["extract", str(path), "--to", str(tmp_path / "folder")]) == 0


def test_errors_name_files_in_text_that_can_be_written(tmp_path):
    path = tmp_path / f"{LATIN}.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(CodecError) as caught:
        codec.probe(path)
    assert r"caf\xe9.mp4" in str(caught.value)
    str(caught.value).encode()
    assert printable(path).endswith(r"caf\xe9.mp4")
    assert printable("喜.mp4") == "喜.mp4"


def test_a_name_too_long_for_its_results_is_a_typed_error(tmp_path):
    with pytest.raises(StorageError, match="too long"):
        atomic.check_writable(tmp_path / ("x" * 300))
    with pytest.raises(StorageError):
        atomic.write_text(tmp_path / ("x" * 300), "x")
    assert list(tmp_path.iterdir()) == []


def test_links_between_folders_are_followed_and_circles_end(tmp_path):
    real, other, top = tmp_path / "real", tmp_path / "other", tmp_path / "top"
    for folder in (real / "deep", other, top):
        folder.mkdir(parents=True)
    (real / "deep" / "a.mp4").touch()
    (other / "b.mp4").touch()
    (top / "link").symlink_to(real)
    (top / "film.mp4").symlink_to(other / "b.mp4")
    (real / "back").symlink_to(top)
    (real / "self").symlink_to(real)
    (real / "over").symlink_to(other)
    (other / "over").symlink_to(real)
    (top / "broken.mp4").symlink_to(tmp_path / "nowhere.mp4")
    names = [str(path.relative_to(top)) for path in codec.videos_below(top)]
    assert names == ["film.mp4", "link/deep/a.mp4", "link/over/b.mp4"]
    assert codec.videos_in(top) == codec.videos_below(top)


def test_a_folder_counts_under_its_own_name(tmp_path):
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "1.mp4").touch()
    (tmp_path / "a").symlink_to("z")
    assert [str(p.relative_to(tmp_path)) for p in codec.videos_below(tmp_path)] == ["z/1.mp4"]


def test_every_container_that_can_be_written_here_is_found_in_a_folder(tmp_path):
    """By the endings that its writer knows."""
    missing = {}
    for name in sorted(FORMATS):
        try:
            endings = av.ContainerFormat(name, "w").extensions
        except ValueError:
            continue
        found = {f".{ending}" for ending in endings}
        if found and not found & codec.VIDEO_SUFFIXES:
            missing[name] = found
    assert missing == {}
    for suffix in (".gif", ".apng", ".webm", ".flv", ".ts"):
        (tmp_path / f"a{suffix}").touch()
    assert len(codec.videos_below(tmp_path)) == 5


@pytest.mark.parametrize(
    ("encoder", "suffix", "pixels"), [("gif", "gif", "rgb8"), ("apng", "apng", "rgb24")]
)
def test_moving_pictures_of_the_web_are_videos(tmp_path, encoder, suffix, pixels):
    film = Film(codec=encoder, pixel_format=pixels)
    path = write(tmp_path / f"a.{suffix}", film)
    (found,) = codec.videos_in(tmp_path)
    video = codec.Video(found)
    assert (len(video), video.path) == (12, path)
    np.testing.assert_allclose(video.times, np.arange(12) / 25)
    assert mic.extract(found, tmp_path / "a.npz").frames == 12


def test_the_place_of_a_result_is_tried_before_the_work(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mp4", Film())
    (tmp_path / "file").touch()

    def work(*arguments, **options):
        raise AssertionError("work began")

    monkeypatch.setattr(sys.modules["mic.extraction.extract"], "coded", work)
    for target in (tmp_path / "file" / "x.npz", tmp_path / ("x" * 300 + ".npz")):
        with pytest.raises(StorageError) as caught:
            mic.extract(path, target)
        assert caught.value.file == target
    with pytest.raises(ConfigError, match="is a file"):
        mic.extract(path, tmp_path / "file")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(StorageError, match="a folder"):
        mic.extract(path, tmp_path / "folder.npz")
    assert sorted(p.name for p in Path(tmp_path).iterdir()) == ["a.mp4", "file", "folder.npz"]


def test_a_folder_of_pictures_is_told_from_an_empty_one(tmp_path):
    with pytest.raises(ConfigError, match="holds no video"):
        codec.videos_in(tmp_path)
    (tmp_path / "a").mkdir()
    for number in range(3):
        (tmp_path / "a" / f"{number}.PNG").write_bytes(b"")
    with pytest.raises(ConfigError, match="holds 3 pictures and no video"):
        codec.videos_in(tmp_path)
