"""`mic extract` and `mic predict` as typed: files, tables, exit codes."""

import itertools
import shutil
import subprocess
import sys
from fractions import Fraction

import containers
import numpy as np
import pandas as pd
import pytest
import recogniser_factory

import mic
from mic import cli, codec
from mic import recognition as prediction
from mic.errors import ConfigError, StorageError
from mic.publishing.film import Caption, overlay
from mic.storage import assets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(1)
    texture = np.kron(rng.integers(0, 256, (12, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    frames = [np.roll(texture, k, 1) for k in range(12)]
    codec.encode_frames(frames, path / "a.mp4", frame_rate=25)
    (path / "b.mp4").write_bytes(b"no video" * 100)
    return path


def test_extract_writes_what_is_asked(folder, tmp_path, capsys):
    command = ["extract", str(folder / "a.mp4"), "--what", "residual,motion", "--scale", "2"]
    assert cli.main([*command, "--to", str(tmp_path)]) == 0
    with np.load(tmp_path / "a_residual_motion.npz") as data:
        assert data["residual"].shape == (12, 48, 48, 3)
    assert "12 frames, bitstream" in capsys.readouterr().out
    assert cli.main([*command, "--to", str(tmp_path), "--out", "png"]) == 0
    assert len(list((tmp_path / "a_residual_motion").glob("*.png"))) == 24
    assert cli.main([*command, "--out", str(tmp_path / "mine.npz")]) == 0
    assert (tmp_path / "mine.npz").is_file()


def test_a_broken_file_does_not_end_the_others(folder, tmp_path, capsys):
    assert cli.main(["extract", str(folder), "--to", str(tmp_path)]) == 1
    assert (tmp_path / "a_residual.npz").is_file()
    assert "b.mp4" in capsys.readouterr().err
    assert cli.main(["extract", str(folder / "a.mp4"), "--out", "gif"]) == 1
    assert "Remedy: choose of npz, png, mp4, or name" in capsys.readouterr().err


def test_predict_writes_a_table_and_says_how_fast(folder, tmp_path, capsys):
    weights = recogniser_factory.write(tmp_path)
    command = ["predict", str(folder), "--weights", str(weights), "--out"]
    assert cli.main([*command, str(tmp_path / "x.csv")]) == 1  # b.mp4 failed
    table = pd.read_csv(tmp_path / "x.csv", keep_default_na=False)
    assert table["face"].tolist() == ["no face", ""]
    assert [bool(text) for text in table["error"]] == [False, True]
    said = capsys.readouterr().err
    assert "2 videos (1 failed), 1 windows, 12 frames" in said
    assert "Random weights, for tests." in said
    assert cli.main([*command, str(tmp_path / "x.xlsx")]) == 1
    assert "no table format" in capsys.readouterr().err


def test_predict_prints_the_same_csv_row_by_row(folder, tmp_path, capsys):
    weights = recogniser_factory.write(tmp_path)
    frames = list(itertools.islice(codec.decode(assets.path("single_face")), 12))
    folder = shutil.copytree(folder, tmp_path / "videos")  # other tests count what lies there
    codec.encode_frames(frames, folder / "c.mp4", frame_rate=25)
    table = mic.predict(folder, weights=weights)  # no face; not a video; a face
    assert table["label"].notna().tolist() == [False, False, True]
    assert cli.main(["predict", str(folder), "--weights", str(weights)]) == 1
    assert capsys.readouterr().out == prediction.to_csv(table)


def test_a_network_with_ratings_gives_a_column_of_valence(folder, tmp_path, capsys):
    frames = list(itertools.islice(codec.decode(assets.path("single_face")), 12))
    codec.encode_frames(frames, tmp_path / "c.mp4", frame_rate=25)
    videos = [folder / "a.mp4", tmp_path / "c.mp4"]
    weights = recogniser_factory.write(tmp_path, valence=True)
    table = mic.predict(videos, weights=weights)
    assert table["valence"].notna().tolist() == [False, True]
    assert table["valence"].abs().max() <= 1
    assert cli.main(["predict", *map(str, videos), "--weights", str(weights)]) == 0
    assert capsys.readouterr().out == prediction.to_csv(table)
    assert "valence" not in mic.predict(videos[1], weights=recogniser_factory.write(tmp_path))


def test_a_network_that_knows_what_it_learned_says_what_is_unlike_it(folder, tmp_path, capsys):
    frames = list(itertools.islice(codec.decode(assets.path("single_face")), 12))
    codec.encode_frames(frames, tmp_path / "c.mp4", frame_rate=25)
    videos = [folder / "a.mp4", tmp_path / "c.mp4"]
    for limit, status in ((1e-3, "unlike"), (1e3, "ok")):
        weights = recogniser_factory.write(tmp_path, novelty=limit)
        table = mic.predict(videos, weights=weights)
        assert table["novelty"].notna().tolist() == [False, True]
        assert table["status"].tolist() == ["no face", status]
    assert cli.main(["predict", *map(str, videos), "--weights", str(weights)]) == 0
    assert capsys.readouterr().out == prediction.to_csv(table)
    # Residuals of one or two pictures tell nothing.
    codec.encode_frames(frames[:2], tmp_path / "d.mp4", frame_rate=25)
    (short,) = mic.predict(tmp_path / "d.mp4", weights=weights).to_dict("records")
    assert (short["face"], short["status"]) == ("ok", "too short")
    # What it answers does not depend on it.
    without = mic.predict(videos, weights=recogniser_factory.write(tmp_path))
    assert not {"novelty", "status"} & set(without)
    pd.testing.assert_frame_equal(table[without.columns], without)


def test_nothing_is_imported_that_the_first_row_does_not_need(folder, tmp_path):
    """Each of them would take longer than the first window does."""
    weights = recogniser_factory.write(tmp_path)
    code = (
        "import sys; from mic import cli; cli.main(sys.argv[1:]);"
        "print([name for name in ('torchvision', 'pandas', 'scipy', 'sklearn', 'matplotlib',"
        "'distributed', 'IPython') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "predict", str(folder / "a.mp4")]
    done = subprocess.run(
        [*command, "--weights", str(weights)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_equal_names_of_several_folders_do_not_overwrite_each_other(folder, tmp_path, capsys):
    for name in ("one/a.mp4", "one/a.avi", "two/a.mp4", "two/.a-half-written.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((folder / "a.mp4").read_bytes())
    command = ["extract", "--what", "motion", "--to", str(tmp_path / "out")]
    assert cli.main([*command, str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["one_a_avi_motion.npz", "one_a_mp4_motion.npz", "two_a_mp4_motion.npz"]
    (tmp_path / "deep/one").mkdir(parents=True)
    (tmp_path / "deep/one/a.mp4").write_bytes((folder / "a.mp4").read_bytes())
    assert cli.main([*command, str(tmp_path / "one/a.mp4"), str(tmp_path / "deep")]) == 1
    assert "would have one name" in capsys.readouterr().err


def test_results_are_named_by_the_folders_of_links_not_of_what_they_lead_to(folder, tmp_path):
    for name in ("happy", "sad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.mp4").symlink_to(folder / "a.mp4")
    videos = [str(tmp_path / "happy/1.mp4"), str(tmp_path / "sad/1.mp4")]
    command = ["extract", "--what", "motion", "--to", str(tmp_path / "out")]
    assert cli.main([*command, *videos]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["happy_1_mp4_motion.npz", "sad_1_mp4_motion.npz"]


def test_predict_does_not_write_over_its_video(folder, tmp_path, capsys):
    clip = tmp_path / "a.mp4"
    shutil.copy(folder / "a.mp4", clip)
    before = clip.read_bytes()
    assert cli.main(["predict", str(clip), "--overlay", str(clip)]) == 1
    assert "it is what is read" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_a_film_of_a_stream_that_changes_its_size_keeps_the_first(tmp_path):
    parts = []
    for number, side in enumerate((96, 64)):
        part = tmp_path / f"{number}.h264"
        frames = [np.full((side, side, 3), 100, np.uint8)] * 4
        codec.encode_frames(frames, part, frame_rate=25, codec="h264", vop_quant=20)
        parts.append(part.read_bytes())
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(parts))
    captions = [
        Caption(
            first=0,
            last=7,
            start=0,
            end=0.32,
            outline=None,
            probabilities=None,
            status="no face",
        )
    ]
    overlay(both, tmp_path / "shown.mp4", captions, classes=("a",))
    assert len(codec.Video(tmp_path / "shown.mp4")) == len(codec.Video(both)) == 8


def test_pictures_of_an_earlier_extraction_do_not_stay(folder, tmp_path):
    frames = list(codec.decode(folder / "a.mp4"))
    target = tmp_path / "out"
    (target / "a_residual").mkdir(parents=True)
    (target / "a_residual/mine.txt").write_text("kept")
    for count in (12, 5):
        path = tmp_path / "a.mp4"
        codec.encode_frames(frames[:count], path, frame_rate=25)
        assert cli.main(["extract", str(path), "--out", "png", "--to", str(target)]) == 0
        assert len(list(target.glob("a_residual/residual_*.png"))) == count
    assert (target / "a_residual/mine.txt").is_file()


def test_parts_are_named_once(folder, tmp_path, capsys):
    command = ["extract", str(folder / "a.mp4"), "--out", "npz", "--to", str(tmp_path)]
    assert cli.main([*command, "--what", "residual,residual"]) == 1
    assert "each once" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["film.m4v", "film.xyz", "film.webm", "film"])
def test_a_film_that_cannot_be_is_refused_before_the_work(name, folder, monkeypatch, capsys):
    monkeypatch.setattr(prediction.Task, "load", lambda _: pytest.fail("work has begun"))
    video = str(folder / "a.mp4")
    assert cli.main(["predict", video, "--overlay", str(folder / name)]) == 1
    assert "end the name in .mp4, .mkv, .avi" in capsys.readouterr().err
    assert cli.main(["predict", video, "--overlay", "x.mp4", "--rows", "look"]) == 1
    assert "leave out --rows" in capsys.readouterr().err


def test_an_overlay_that_cannot_keep_times_is_refused_before_the_work(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(prediction.Task, "load", lambda _: pytest.fail("work has begun"))
    film = containers.Film(stamps=containers.UNEVEN, time_base=Fraction(1, 1000))
    video = str(containers.write(tmp_path / "uneven.mp4", film))
    assert cli.main(["predict", video, "--overlay", str(tmp_path / "x.avi")]) == 1
    assert "keeps no times" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageError("cannot be written: No space left on device"), "No space left"),
        (MemoryError(), "not enough memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "not enough memory"),
    ],
)
def test_rows_that_cannot_be_saved_are_printed(error, said, folder, tmp_path, monkeypatch, capsys):
    def full(table, path):
        raise error

    monkeypatch.setattr(prediction, "save", full)
    out = str(tmp_path / "out.csv")
    assert cli.main(["predict", str(folder / "a.mp4"), "--out", out]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out.startswith("video,window,start")
    assert len(printed.out.splitlines()) == 2


def test_an_evaluation_that_cannot_be_saved_does_not_begin(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "happy").mkdir()
    shutil.copy(folder / "a.mp4", tmp_path / "happy/a.mp4")
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr(prediction.Task, "load", lambda _: pytest.fail("work has begun"))
    command = ["evaluate", str(tmp_path / "happy"), "--out", str(tmp_path / "out")]
    assert cli.main(command) == 1
    assert "out" in capsys.readouterr().err


def test_a_file_named_twice_is_read_once_and_an_empty_name_is_no_folder(folder, tmp_path, capsys):
    twice = [str(folder), str(folder / "a.mp4")]
    cli.main(["extract", "--to", str(tmp_path), *twice])
    assert capsys.readouterr().out.count("a_residual.npz") == 1
    for command in ("extract", "predict", "evaluate"):
        with pytest.raises(SystemExit):
            cli.main([command, ""])
        assert "the path is empty" in capsys.readouterr().err
    for wrong in ("", b"a.mp4", None, 3, [3]):
        with pytest.raises(ConfigError, match="path"):
            codec.videos_in(wrong)


def test_no_result_replaces_a_video_that_is_still_to_be_read(folder, tmp_path, capsys):
    for name in ("face.mp4", "face_residual.mp4"):
        (tmp_path / name).write_bytes((folder / "a.mp4").read_bytes())
    assert cli.main(["extract", str(tmp_path), "--out", "mp4", "--to", str(tmp_path)]) == 1
    assert "it is what is read" in capsys.readouterr().err
    names = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert names == dict.fromkeys(
        ("face.mp4", "face_residual.mp4"), (folder / "a.mp4").read_bytes()
    )


def test_what_was_found_before_an_interruption_is_printed(folder, tmp_path, capsys, monkeypatch):
    def broken(self, path, **_):
        yield {"video": "a", "label": "fear", "error": "", "last_frame": 9}
        raise KeyboardInterrupt

    monkeypatch.setattr("mic.recognition.Task.rows_of", broken)
    assert cli.main(["predict", str(folder / "a.mp4"), "--out", str(tmp_path / "out.csv")]) == 130
    told = capsys.readouterr()
    assert ",fear," in told.out
    assert "interrupted" in told.err
    assert "goes on from here" not in told.err  # it would begin anew
    assert not (tmp_path / "out.csv").exists()


def test_a_full_disk_behind_the_output_ends_the_run(folder, tmp_path, capsys, monkeypatch):
    asked = []

    def one(self, path, **_):
        asked.append(path)
        yield {"video": "a", "error": "", "last_frame": 9}

    def full(text):
        raise StorageError("cannot be written", file="standard output")

    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes((folder / "a.mp4").read_bytes())
    monkeypatch.setattr("mic.recognition.Task.rows_of", one)
    monkeypatch.setattr("mic.cli.terminal.write", full)
    assert cli.main(["predict", str(tmp_path)]) == 1
    assert len(asked) == 1
    assert "standard output" in capsys.readouterr().err
