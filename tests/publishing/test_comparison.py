"""Published and own numbers side by side: nothing lost, nothing mixed, nothing unexplained."""

import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mic.cli import main
from mic.errors import ResultError
from mic.evaluation.metrics import wilson
from mic.publishing import comparison, own_rows
from mic.storage import provenance

PAPER = pd.read_csv(provenance.repository() / "results" / "paper.csv")


def _ours(*rows):
    return pd.DataFrame(
        [
            {"row": r, "accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95, "n": 40}
            for r in rows
        ]
    )


@pytest.mark.parametrize("dataset", sorted(comparison.PROTOCOL_NOTES))
def test_every_published_row_is_there_in_order_and_run_or_excused(dataset):
    table = comparison.table(_ours("MIC"), PAPER, dataset=dataset)
    published = PAPER[PAPER["dataset"] == dataset]
    assert table["method"].tolist() == published["method"].tolist()
    np.testing.assert_allclose(table["published_accuracy"], published["accuracy"] / 100)
    np.testing.assert_array_equal(table["published_fps"], published["fps"])
    empty = table[table["accuracy"].isna()]
    assert len(empty) == len(table) - 1
    assert empty["remark"].str.len().min() > 10


def test_our_numbers_stand_in_their_own_columns():
    table = comparison.table(
        _ours("MIC", "Flow CNN", "FAN+ResNet18"),
        PAPER,
        dataset="CK+",
        differs={"FAN+ResNet18": "random weights", "Flow CNN": "our flow"},
        rates={"MIC": 900.0},
    ).set_index("method")
    assert table.loc["MIC", ["published_accuracy", "accuracy", "fps"]].tolist() == [
        0.9895,
        0.9,
        900,
    ]
    fan = table.loc["FAN+ResNet18"]
    assert fan["remark"] == "random weights; published: additional FER+ data"
    assert np.isnan(fan["fps"])
    assert table.index[-1] == "Flow CNN"
    assert np.isnan(table.loc["Flow CNN", "published_accuracy"])
    assert table.loc["Flow CNN", "accuracy_high"] == 0.95
    assert table.loc["NST", "remark"].startswith("not run: ")
    assert table.loc["Mode VLSTM", "remark"] == "not in this run"


def test_rows_spelt_otherwise_find_theirs():
    table = comparison.table(_ours("MIC-Î"), PAPER, dataset="MMI").set_index("method")
    assert table.loc["MIC-I_hat", "accuracy"] == 0.9
    assert "MIC-Î" not in table.index


def test_the_figure_has_every_row():
    tables = {d: comparison.table(_ours("MIC"), PAPER, dataset=d) for d in ("CK+", "MMI")}
    drawn = comparison.figure(tables)
    names = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert names == tables["CK+"]["method"].tolist()
    plt.close(drawn)


def test_the_figure_tells_rows_that_chose_from_rows_that_did_not():
    ours = pd.concat([_ours("MIC"), _ours("Frame voting"), _ours("majority class")])
    ours["settings"] = [own_rows.CHOSEN, own_rows.DEFAULT, own_rows.PROBE]
    table = comparison.table(ours, PAPER, dataset="CK+")
    drawn = comparison.figure({"CK+": table})
    names = [label.get_text() for label in drawn.legends[0].get_texts()]
    assert names == [
        "published, real people",
        "ours, settings chosen on validation people",
        "ours, one setting for all",
        "ours, probe",
    ]
    places = {row: len(table) - 1 - table["method"].tolist().index(row) for row in ours["row"]}
    faces = {
        int(bars.lines[0].get_ydata()[0]): bars.lines[0].get_markerfacecolor()
        for bars in drawn.axes[0].containers
    }
    assert faces[places["MIC"]] != "white"
    assert faces[places["Frame voting"]] == "white"
    assert set(faces) == set(places.values())
    plt.close(drawn)


def test_an_unknown_published_row_is_an_error():
    line = {"dataset": "CK+", "method": "New", "accuracy": 99.0, "fps": 1.0, "note": None}
    with pytest.raises(ResultError, match="'New' is neither run nor excused"):
        comparison.table(_ours("MIC"), pd.DataFrame([line]), dataset="CK+")


def test_a_difference_has_the_interval_of_both():
    table = comparison.table(_ours("MIC"), PAPER, dataset="CK+")
    alone = comparison.with_difference(table).set_index("method").loc["MIC"]
    assert alone["difference"] == pytest.approx(0.9 - 0.9895)
    assert alone["difference_low"] == pytest.approx(0.8 - 0.9895)
    assert alone["difference_high"] == pytest.approx(0.95 - 0.9895)
    both = comparison.with_difference(table, n=327).set_index("method")
    theirs = wilson(round(0.9895 * 327), 327)
    low = alone["difference"] - np.hypot(0.1, theirs.high - 0.9895)
    high = alone["difference"] + np.hypot(0.05, 0.9895 - theirs.low)
    assert both.loc["MIC", "difference_low"] == pytest.approx(low)
    assert both.loc["MIC", "difference_high"] == pytest.approx(high)
    empty = both.drop(index="MIC")[["difference", "difference_low", "difference_high"]]
    assert empty.isna().all(axis=None)
    assert list(both.columns)[-1] == "remark"


def test_the_command_sets_committed_results_beside_the_paper(tmp_path, capsys):
    results = provenance.repository() / "results"
    assert main(["compare", "3", str(results), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "published: 213 sequences" in out
    assert "ours: generated clips" in out
    table = pd.read_csv(tmp_path / "compare_synth_mmi.csv").set_index("method")
    mine = own_rows.rows_of(results, "synth-mmi").set_index("row").loc["MIC"]
    line = table.loc["MIC"]
    assert line["accuracy"] == mine["accuracy"]
    assert line["difference_low"] < line["difference"] < line["difference_high"]
    assert r"\label{tab:compare_synth_mmi}" in (tmp_path / "compare_synth_mmi.tex").read_text()
    drawn = plt.imread(tmp_path / "compare_synth_mmi.png")
    assert (drawn[:, :2] == 1).all()  # no label is cut off
    assert (drawn[:, :, 0] < 1).any()


@pytest.mark.parametrize("name", ["synth-mmi", "synth-afew"])
def test_no_row_is_of_another_dataset(name):
    results = provenance.repository() / "results"
    peers = pd.read_csv(results / "07_speed" / "peers_accuracy.csv")
    assert set(peers["protocol"]) == {"synth-ck"}
    found = own_rows.rows_of(results, name)
    assert "MIC" in set(found["row"])
    assert set(found["n"]) == {
        pd.read_csv(results / "04_training/training_accuracy.csv")
        .set_index("protocol")
        .loc[name, "n"]
    }


def test_rows_that_chose_their_settings_stand_before_those_of_one_setting(tmp_path):
    results = provenance.repository() / "results"
    found = own_rows.rows_of(results, "synth-ck").set_index("row")
    assert found.index.is_unique
    chosen = pd.read_csv(results / "equal/equal_accuracy.csv").set_index("row")
    chosen = chosen[chosen["dataset"] == "synth-ck"]
    assert (found.loc[["MIC", "CNN+LSTM"], "settings"] == "chosen").all()
    taken = found[found.index.isin(chosen.index)]
    others = found[~found.index.isin(chosen.index)]["settings"]
    assert {"C3D-GRU": "elsewhere", "LBVCNN": "default"}.items() <= others.to_dict().items()
    assert set(others[others == "probe"].index) == {"fer, every frame"}
    np.testing.assert_array_equal(taken["accuracy"], chosen.loc[taken.index, "accuracy"])
    assert set(chosen.index) - set(taken.index) == {
        f"{network}, linear, {summary}"
        for network in ("MobileFaceNet", "478 landmarks", "52 blendshapes")
        for summary in ("last frame", "last minus first", "I-frame")
    }
    assert found.loc["majority class", "settings"] == "probe"
    marks = own_rows.preferring(found.reset_index()[:0], _ours("A, linear, b", "majority class"))
    assert set(marks["settings"]) == {"probe"}
    table = comparison.table(found.reset_index(), PAPER, dataset="CK+").set_index("method")
    assert table.loc["CNN+LSTM", "settings"] == "chosen"
    assert table.loc["NST", "settings"] == ""
    assert own_rows.chosen_rows(results, "synth-ck", digest="of other clips").empty
    assert own_rows.chosen_rows(tmp_path, "synth-ck").empty
    assert own_rows.behind(results, "synth-ck") == "n 327, 118 people, 5 parts, 1 seed"


def test_rows_that_differ_from_mic_in_training_only_are_as_fast():
    ours = pd.concat([_ours("MIC"), _ours("MIC-Î"), _ours("MIC+T")])
    table = comparison.table(ours, PAPER, dataset="CK+", rates={"MIC": 100.0, "MIC-MI": 90.0})
    fps = table.set_index("method")["fps"]
    assert (fps["MIC"], fps["MIC-I_hat"], fps["MIC-MI"]) == (100, 100, 90)
    assert np.isnan(fps["MIC+T"])


def test_results_that_are_not_there_are_said_so(tmp_path, capsys):
    assert main(["compare", "1", str(tmp_path)]) == 1
    assert "holds no results" in capsys.readouterr().err
    record = provenance.read(provenance.repository() / "results/04_training/provenance.json")
    (tmp_path / "04_training").mkdir()
    text = json.dumps(record | {"data": {"mmi": "0"}})
    (tmp_path / "04_training" / "provenance.json").write_text(text)
    assert main(["compare", "4", str(tmp_path)]) == 1
    assert "nothing of AFEW or of its shape, but mmi" in capsys.readouterr().err
    assert main(["compare", "2", str(tmp_path)]) == 1
    assert "1, 3 or 4" in capsys.readouterr().err


def test_somebody_elses_table_is_compared_too(tmp_path, capsys):
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("dataset,method,accuracy\nMine,MIC,70\nMine,Another,71.5\n")
    results = str(provenance.repository() / "results")
    command = ["compare", str(theirs), results, "--data", "synth-ck", "--out", str(tmp_path)]
    for wrong in ("0", "-5"):
        assert main([*command, "--clips", wrong]) == 1
        assert f"--clips is {wrong}" in capsys.readouterr().err
    assert main([*command, "--clips", "100"]) == 0
    table = pd.read_csv(tmp_path / "compare_synth_ck.csv").set_index("method")
    assert table.loc["MIC", "published_accuracy"] == 0.7
    assert table.loc["Another", "remark"] == "not in this run"
    assert not np.isnan(table.loc["MIC", "difference"])
    timed = pd.read_csv(f"{results}/07_speed/speed_datasets.csv").set_index(["dataset", "method"])
    assert table.loc["MIC", "fps"] == pytest.approx(timed.loc[("synth-ck", "MIC"), "fps"])
    capsys.readouterr()
    assert main(["compare", str(theirs), results, "--data", "ckplus"]) == 1
    assert "holds no accuracies of ckplus" in capsys.readouterr().err
    theirs.write_text("Dataset;Method;Accuracy\nMine;MIC;70,5\n\nMine;Other;70\n")
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "compare_synth_ck.csv").set_index("method")
    assert table.loc["MIC", "published_accuracy"] == pytest.approx(0.705)
    capsys.readouterr()
    for text, told in (
        ("dataset,method,accuracy\nMine,MIC,70\n\nMine,Other,0.7\n", "line 4"),
        ("dataset,method,accuracy\nMine,MIC,\n", "not in per cent"),
        ("dataset,method,accuracy\nMine,MIC,high\n", "no table of accuracies"),
        ("dataset,method\nMine,MIC\n", "no column accuracy"),
    ):
        theirs.write_text(text)
        assert main(command) == 1
        assert told in capsys.readouterr().err


def test_another_dataset_beside_the_published_numbers_is_said_to_be_one(tmp_path, capsys):
    results = str(provenance.repository() / "results")
    command = ["compare", "3", results, "--out", str(tmp_path)]
    assert main([*command, "--data", "synth-ck"]) == 0
    assert "synth-ck is not MMI, so the differences do not compare" in capsys.readouterr().out
    assert main([*command, "--data", "synth-mmi"]) == 0
    assert "is not MMI" not in capsys.readouterr().out


def test_results_of_other_data_are_named_without_what_is_derived_of_them(tmp_path, capsys):
    data = {"cremad": "1", "cremad (gop 12)": "2", "cremad, z_I by mobilefacenet": "3"}
    folder = tmp_path / "05_ablations"
    folder.mkdir()
    source = provenance.repository() / "results/05_ablations/provenance.json"
    record = json.loads(source.read_text()) | {"data": data}
    (folder / "provenance.json").write_text(json.dumps(record))
    assert main(["compare", "1", str(tmp_path)]) == 1
    assert "holds nothing of CK+ or of its shape, but cremad. " in capsys.readouterr().err


def test_a_table_that_is_empty_is_named(tmp_path, capsys):
    shutil.copytree(provenance.repository() / "results" / "04_training", tmp_path / "04_training")
    (tmp_path / "04_training" / "training_accuracy.csv").write_bytes(b"")
    assert main(["compare", "1", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "training_accuracy.csv" in said
    assert "Remedy" in said
