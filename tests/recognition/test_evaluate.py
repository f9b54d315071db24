"""`mic evaluate`: labels as people keep them, and numbers that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest

from mic import cli, codec
from mic.errors import DatasetError, printable
from mic.publishing.answers import read_answers
from mic.publishing.labelled import evaluate
from mic.publishing.labels import LabelledVideo, canonical, labelled_videos
from mic.storage import assets


@pytest.fixture
def clips(tmp_path):
    """Empty files suffice where nobody looks."""
    for name in (
        "happy/a.mp4",
        "sad/a.mp4",
        "sad/1001_DFA_ANG_XX.mp4",
        "x/01-01-08-01-02-01-12.mp4",
    ):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "clips"


def test_labels_come_from_names_and_folders(clips):
    found = {video.path.name: (video.label, video.person) for video in labelled_videos(clips)}
    assert found["1001_DFA_ANG_XX.mp4"] == ("anger", "1001")
    assert found["01-01-08-01-02-01-12.mp4"] == ("surprise", "12")
    assert [one.label for one in labelled_videos(clips) if one.path.stem == "a"] == [
        "happiness",
        "sadness",
    ]
    assert [canonical(word) for word in (" Happy", "FEAR", "bored")] == [
        "happiness",
        "fear",
        "bored",
    ]


@pytest.mark.parametrize("given", ["", "happy"])
def test_folders_are_classes_and_then_people_as_in_a_training(given, tmp_path):
    for name in ("happy/ann/1.mp4", "happy/ann/new/2.mp4", "sad/bob/1.mp4", "sad/3.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = labelled_videos(tmp_path / given)
    told = [(str(one.path.relative_to(tmp_path)), one.label, one.person) for one in found]
    everything = [
        ("happy/ann/1.mp4", "happiness", "ann"),
        ("happy/ann/new/2.mp4", "happiness", "ann"),
        ("sad/3.mp4", "sadness", ""),
        ("sad/bob/1.mp4", "sadness", "bob"),
    ]
    assert told == [line for line in everything if line[0].startswith(given)]


@pytest.mark.parametrize("nothing", ["N/A", "none", "NaN", ""])
def test_what_says_nothing_is_no_label(nothing, clips, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(f"video,label\n\nhappy/a.mp4,{nothing}\n")
    with pytest.raises(DatasetError, match="has no label") as caught:
        labelled_videos(clips, labels=table)
    assert caught.value.place == "row 3"


def test_labels_that_nobody_answers_and_videos_that_nobody_could_read_are_named(tmp_path):
    videos = [
        LabelledVideo(path=tmp_path / f"{k}.mp4", label=label)
        for k, label in enumerate(("freude", "fear", "own"))
    ]
    told = answers(["anger", "fear", "own"], [0.5, 0.5, 0.5], videos)
    told["error"] = ["", "breaks off", ""]
    found = evaluate(videos, {"x": told})
    assert found.strange == ("freude",)
    assert found.unread == {printable(videos[1].path): "breaks off"}


def test_labels_come_from_a_table_by_the_ends_of_paths(clips, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("\ufeffVideo;Label;Person\nhappy/a.mp4;Joy;ann\nsad/a.mp4;neutral;bob\n")
    found = labelled_videos(clips, labels=table)
    assert [(one.label, one.person) for one in found] == [("happiness", "ann"), ("neutral", "bob")]
    for text in ("video,label\na.mp4,sad\n", "video,label\nb.mp4,sad\n", "file,label\nx,y\n",
                 "video,label\nhappy/a.mp4,sad\nhappy/a.mp4,sad\n",
                 "video,label\nhappy/a.mp4,\n"):  # fmt: skip
        table.write_text(text)
        with pytest.raises(DatasetError):
            labelled_videos(clips, labels=table)


def test_a_table_may_compose_its_letters_otherwise(tmp_path):
    for name in ("e\u0301.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "labels.csv"
    table.write_text("video,label\n\u00e9.mp4,sad\nb.mp4,happy\n", encoding="utf-8")
    assert sorted(one.label for one in labelled_videos(tmp_path, labels=table)) == [
        "happiness", "sadness",
    ]  # fmt: skip


@pytest.mark.parametrize("column", ["window", "start", "End"])
def test_labels_of_parts_of_a_video_are_refused_by_name(tmp_path, column):
    (tmp_path / "a.mp4").write_bytes(b"")
    table = tmp_path / "labels.csv"
    table.write_text(f"video,label,{column}\na.mp4,happy,0\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=column.lower()) as caught:
        labelled_videos(tmp_path, labels=table)
    assert "one clip a label" in caught.value.remedy
    table.write_text(f"video,label,{column}\na.mp4,happy,\n", encoding="utf-8")
    assert len(labelled_videos(tmp_path, labels=table)) == 1


def test_a_video_that_is_reached_twice_counts_once(clips, monkeypatch):
    once = labelled_videos(clips)
    assert {one.path.resolve() for one in labelled_videos([clips / "happy/a.mp4", clips])} == {
        one.path.resolve() for one in once
    }
    monkeypatch.chdir(clips)
    assert len(labelled_videos(["happy", clips, clips / "sad"])) == len(once)


def test_one_folder_that_is_called_otherwise_gives_no_label(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"")
    with pytest.raises(DatasetError, match="the label 'recordings', which is no expression"):
        labelled_videos(folder)
    (folder / "1001_DFA_ANG_XX.mp4").write_bytes(b"")  # named as CREMA-D's: two labels now
    assert len(labelled_videos(folder)) == 3
    folder.rename(tmp_path / "Happy")
    assert {one.label for one in labelled_videos(tmp_path / "Happy" / "a.mp4")} == {"happiness"}


def answers(labels, confidence, videos):
    return pd.DataFrame(
        {
            "video": [str(one.path) for one in videos],
            "window": 0,
            "label": labels,
            "confidence": confidence,
            "error": "",
        }
    )


def test_the_numbers_are_those_of_a_hand(tmp_path):
    true = ["anger", "anger", "fear", "fear", "joy"]
    videos = [
        LabelledVideo(path=tmp_path / f"{k}.mp4", label=label, person=f"p{k % 3}")
        for k, label in enumerate(true)
    ]
    mine = answers(["anger", "fear", "fear", "fear", None], [0.95, 0.55, 0.65, 0.75, None], videos)
    other = answers(["anger", "fear", "anger", "fear", "joy"], [np.nan] * 5, videos)
    found = evaluate(videos, {"mine": mine, "other": other})
    row = found.summary.set_index("network").loc["mine"]
    assert row["accuracy"] == 0.75
    assert row["macro_recall"] == 0.5  # of anger half, of fear all, of joy nothing
    assert row["coverage"] == 0.8
    assert row["people"] == 3
    assert row["accuracy_low"] <= 0.75 <= row["accuracy_high"]
    gaps = [0.05, 0.55, 0.35, 0.25]
    assert row["calibration_error"] == pytest.approx(np.mean(gaps))
    assert found.confusion("mine").tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert found.reliability("mine")["n"].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0, 1]
    assert found.agreement.to_dict("records") == [
        {"first": "mine", "second": "other", "windows": 4, "same": 0.75}
    ]
    assert "n = 4 windows of 3 people" in found.line("mine")
    assert "confidence" not in found.line("other")
    names = {path.name for path in found.save(tmp_path / "out")}
    assert {"summary.csv", "confusion_mine.png", "reliability.png", "lines.txt"} <= names
    assert all((tmp_path / "out" / name).stat().st_size for name in names)


def test_of_two_people_in_a_window_the_larger_counts(tmp_path):
    videos = [LabelledVideo(path=tmp_path / "a.mp4", label="fear")]
    two = answers(["anger", "fear"], [0.9, 0.5], videos * 2)
    two = two.assign(left=0.0, top=0.0, right=[10.0, 20.0], bottom=10.0)
    assert evaluate(videos, {"x": two}).summary["accuracy"].tolist() == [1.0]


def test_a_piece_in_which_nobody_looked_is_no_window(clips):
    """Before a damaged place a window of one picture repeats the one before it."""
    videos = [LabelledVideo(path=clips / "happy/a.mp4", label="happiness")]
    table = answers(["happiness", "fear"], [0.9, 0.9], videos * 2).assign(window=[0, 1])
    assert evaluate(videos, {"x": table.assign(looks=[3, 0])}).summary["windows"].tolist() == [1]
    assert evaluate(videos, {"x": table.assign(looks=[3, 1])}).summary["windows"].tolist() == [2]


def test_windows_are_paired_by_when_they_begin(clips, tmp_path):
    """A table of `mic predict` has windows twice as often as `mic evaluate` asks for them."""
    videos = [LabelledVideo(path=clips / "happy/a.mp4", label="happiness")]
    table = tmp_path / "mine.csv"
    labels = ("anger", "anger", "fear", "fear", "sadness")
    rows = [f"happy/a.mp4,{k},{k}.0,{label}" for k, label in enumerate(labels)]
    table.write_text("\n".join(["video,window,start,label", *rows]) + "\n")
    mine = read_answers(table, videos)
    other = answers(["anger", "fear", "sadness"], [np.nan] * 3, videos * 3)
    other = other.assign(window=[0, 1, 2], start=[0.0, 2.0, 4.0])
    (row,) = evaluate(videos, {"mine": mine, "other": other}).agreement.to_dict("records")
    assert (row["windows"], row["same"]) == (3, 1.0)
    counted = evaluate(videos, {"mine": mine, "other": other.drop(columns="start")}).agreement
    assert counted["same"].tolist() == [1 / 3]


def test_tables_of_ours_are_read_with_several_people_and_broken_videos(clips, tmp_path):
    videos = labelled_videos(clips)
    table = tmp_path / "mine.csv"
    table.write_text(
        "video,window,person,label,left,top,right,bottom,error\n"
        "happy/a.mp4,0,0,,0,0,90,90,\n"
        "happy/a.mp4,0,1,happiness,0,0,20,20,\n"
        "happy/a.mp4,0,2,fear,0,0,10,10,\n"
        "happy/a.mp4,,,,,,,,breaks off\n"
        "1001_DFA_ANG_XX.mp4,,,,,,,,cannot be opened\n"
    )
    read = read_answers(table, videos).dropna(subset="label")
    (mine,) = evaluate(videos, {"mine": read_answers(table, videos)}).windows["label"].dropna()
    assert (mine, sorted(read["label"])) == ("happiness", ["fear", "happiness"])
    table.write_text(table.read_text() + "happy/a.mp4,0,2,anger,0,0,10,10,\n")
    with pytest.raises(DatasetError, match=r"window 0 .* has an answer already"):
        read_answers(table, videos)


def test_weights_mean_the_residual_network(clips, capsys):
    command = ["evaluate", str(clips), "--weights", "/nowhere.safetensors"]
    assert cli.main(command) == 1
    assert "/nowhere.safetensors" in capsys.readouterr().err
    assert cli.main([*command, "--network", "pictures"]) == 1
    assert "add --network residual" in capsys.readouterr().err


def test_answers_of_others_are_read(clips, tmp_path):
    videos = labelled_videos(clips)
    table = tmp_path / "peer.csv"
    table.write_text("video,label,confidence\nhappy/a.mp4,Happy,0.8\nelse.mp4,sad,\n")
    read = read_answers(table, videos)
    assert read["label"].dropna().tolist() == ["happiness"]
    summary = evaluate(videos, {"peer": read}).summary.loc[0]
    assert (summary["answered"], summary["videos"]) == (1, len(videos))
    assert summary["coverage"] == 1 / len(videos)


@pytest.mark.parametrize(
    ("rows", "place", "words"),
    [
        (("happy/a.mp4,Happy,much,",), "row 2", "confidence 'much' is no number from 0 to 1"),
        (("happy/a.mp4,Happy,0.5,", "sad/a.mp4,Sad,1.5,"), "row 3", "confidence '1.5' is no"),
        (("happy/a.mp4,Happy,80%,",), "row 2", "confidence '80%' is no"),
        (("happy/a.mp4,Happy,inf,",), "row 2", "confidence 'inf' is no"),
        (("happy/a.mp4,Happy,,-1",), "row 2", "window '-1' is no number from 0 on"),
        (("happy/a.mp4,Happy,,9999999999999999999",), "row 2", "is no number from 0 on"),
        (("happy/a.mp4,Happy,,", "happy/a.mp4,Sad,,"), "row 3", "window 0 .* has an answer"),
        (("a.mp4,Happy,,",), "row 2", "names 'a.mp4', which is several videos"),
    ],
)
def test_answers_that_cannot_be_told_are_refused(rows, place, words, tmp_path):
    videos = [
        LabelledVideo(path=tmp_path / name / "a.mp4", label=name) for name in ("happy", "sad")
    ]
    table = tmp_path / "peer.csv"
    table.write_text("\n".join(["video,label,confidence,window", *rows]) + "\n")
    with pytest.raises(DatasetError, match=words) as caught:
        read_answers(table, videos)
    assert caught.value.place == place
    assert caught.value.file == table


def test_the_command_on_a_real_face(tmp_path, capsys):
    frames = [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))][40:]
    (tmp_path / "clips/happy").mkdir(parents=True)
    codec.encode_frames(frames, tmp_path / "clips/happy/a.mp4", frame_rate=30)
    (tmp_path / "peer.csv").write_text("video,label\na.mp4,sad\n")
    command = ["evaluate", str(tmp_path / "clips"), "--out", str(tmp_path / "out")]
    command += ["--network", "pictures", "--predictions", str(tmp_path / "peer.csv")]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "pictures: accuracy 100.0 %" in said
    assert "peer: accuracy 0.0 %" in said
    summary = pd.read_csv(tmp_path / "out/summary.csv").set_index("network")
    assert summary["decoded"]["pictures"] < 0.1
    assert summary["seconds"]["pictures"] > 0


def test_a_name_that_is_no_text_and_a_video_that_broke_off(tmp_path):
    odd = tmp_path / "caf\udce9.mp4"
    odd.write_bytes(b"")
    videos = [LabelledVideo(path=odd, label="fear", person="")]
    shown = printable(odd)
    answers = pd.DataFrame(
        {
            "video": [shown, shown, shown],
            "window": [0, 1, None],
            "label": ["fear", "anger", None],
            "confidence": [0.5, 0.5, None],
            "error": ["", "", "breaks off"],
        }
    )
    found = evaluate(videos, {"mine": answers})
    assert found.windows["window"].tolist() == [0, 1]
    assert found.summary["coverage"].tolist() == [1]


def test_labels_may_name_absolute_paths_of_a_relative_folder(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "labels.csv"
    table.write_text(f"video,label\n{clips / 'happy/a.mp4'},fear\n")
    (found,) = labelled_videos("clips", labels=table)
    assert found.label == "fear"
    table.write_text('video,label\n"' + "x" * 300_000)
    with pytest.raises(DatasetError, match="is no table"):
        labelled_videos("clips", labels=table)


def _ours(videos, starts=(0.0, 2.0, 4.0)):
    """What a network of ours, which is timed, answers of windows that begin so."""
    windows = [(str(video.path), *window) for video in videos for window in enumerate(starts)]
    table = pd.DataFrame(windows, columns=["video", "window", "start"])
    table = table.assign(label="happiness", confidence=0.9, error="")
    table.attrs["seconds"] = 1.0
    return table


def _written(folder, *rows):
    path = folder / "peer.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_table_that_leaves_windows_out_does_not_cover_them(clips, tmp_path):
    videos = labelled_videos(clips)
    for text in (
        ("video,window,label", "happy/a.mp4,0,happy", "happy/a.mp4,2,sad"),
        ("video,start,label", "happy/a.mp4,0,happy", "happy/a.mp4,4.0,sad"),
        ("video,start,label", "happy/a.mp4,0.00,happy", "happy/a.mp4,4.01,sad"),
    ):
        peer = read_answers(_written(tmp_path, *text), videos)
        found = evaluate(videos, {"peer": peer, "pictures": _ours(videos)})
        rows = found.summary.set_index("network")
        assert rows.loc["peer", "windows"] == rows.loc["pictures", "windows"] == 3 * len(videos)
        assert rows.loc["peer", "coverage"] == pytest.approx(2 / (3 * len(videos)))
        assert rows.loc["peer", "accuracy"] == 0.5
        assert not found.apart
        own = found.windows[found.windows["network"] == "peer"]
        assert not own.duplicated(["video", "window"]).any()
    other = read_answers(_written(tmp_path, "video,start,label", "happy/a.mp4,1,happy"), videos)
    found = evaluate(videos, {"peer": other, "pictures": _ours(videos)})
    assert found.apart == {"peer": 1}


def test_windows_without_numbers_are_numbered_by_when_they_begin(clips, tmp_path):
    videos = labelled_videos(clips)
    text = ("video,start,label", "happy/a.mp4,2,sad", "happy/a.mp4,0,happy")
    read = read_answers(_written(tmp_path, *text), videos).dropna(subset="label")
    assert dict(zip(read["window"], read["label"], strict=True)) == {1: "sadness", 0: "happiness"}


@pytest.mark.parametrize("column", ["frame", "time"])
def test_a_table_of_pictures_is_not_taken_for_one_of_windows(clips, tmp_path, column):
    videos = labelled_videos(clips)
    text = (f"video,{column},label", "happy/a.mp4,0,sad", "happy/a.mp4,1,happy")
    with pytest.raises(DatasetError, match="pictures, and no windows"):
        read_answers(_written(tmp_path, *text), videos)
    read_answers(_written(tmp_path, *text[:2]), videos)


def test_what_no_video_is_labelled_is_told_of_answers_too(clips, tmp_path):
    videos = labelled_videos(clips)
    text = ("video,label", "happy/a.mp4,happily", "1001_DFA_ANG_XX.mp4,-")
    peer = read_answers(_written(tmp_path, *text), videos)
    found = evaluate(videos, {"peer": peer})
    assert found.unknown == {"peer": ("happily",)}
    assert found.summary.loc[0, "answered"] == 1
    for word in ("-", "?", "Unknown", "no face", "nan"):
        text = ("video,label", "happy/a.mp4,sorrow", f"1001_DFA_ANG_XX.mp4,{word}")
        read = read_answers(_written(tmp_path, *text), videos)
        assert read["label"].dropna().tolist() == ["sadness"]


def test_videos_without_a_label_and_answers_that_are_none_are_said(clips, tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    labels.write_text("video,label\nhappy/a.mp4,happy\n")
    peer = _written(tmp_path, "video,label", "happy/a.mp4,happily")
    command = ["evaluate", str(clips), "--labels", str(labels), "--predictions", str(peer)]
    assert cli.main([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "3 of 4 videos have no label and are left out: " in said
    assert "peer answers happily, which no video is labelled" in said
