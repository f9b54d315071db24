"""Films in several codings: what is counted as one answer."""

import pandas as pd
import pytest

from mic import codec, recognition
from mic.publishing import codings

WAYS = {"one": ("mpeg4", 2), "two": ("h264", 24), "three": ("hevc", 28)}


@pytest.fixture
def said(monkeypatch):
    """Answers of the pictures network by coding; of the residual network always surprise."""
    answers = {}

    def predict(path, *, network, window, hop):
        coded = path.read_text()
        rows = answers[coded] if network == "pictures" else [(0, "ok", "surprise", 9.0)] * 2
        table = pd.DataFrame(rows, columns=["window", "status", "label", "right"])
        return table.assign(left=0.0, top=0.0, bottom=1.0)

    def reencode(source, target, *, codec, vop_quant):
        target.write_text(f"{source} {codec}")

    monkeypatch.setattr(recognition, "predict", predict)
    monkeypatch.setattr(codec, "reencode", reencode)
    return answers


def test_a_window_that_one_coding_calls_otherwise_is_not_the_same(said):
    both = [(0, "ok", "surprise", 9.0), (1, "ok", "anger", 9.0)]
    said |= {"a mpeg4": both, "a h264": both, "a hevc": [both[0], (1, "covered", None, 9.0)]}
    said |= dict.fromkeys(("b mpeg4", "b h264", "b hevc"), both[:1])
    table = codings.agreement_table({"a": "a", "b": "b"}, WAYS).set_index("film")
    assert list(table.reset_index().columns) == list(codings.AGREEMENT_COLUMNS)
    assert table["windows"].to_dict() == {"a": 2, "b": 1, "all": 3}
    assert table["same"].to_dict() == pytest.approx({"a": 1 / 2, "b": 1, "all": 2 / 3})
    assert table["pairs"].to_dict() == pytest.approx({"a": (3 + 1) / 6, "b": 1, "all": 7 / 9})
    assert table.loc["b", "networks"] == 1
    assert table.loc["all", "same_low"] < 2 / 3 < table.loc["all", "same_high"]


def test_a_window_that_one_coding_does_not_have_is_not_the_same(said):
    whole = [(0, "ok", "anger", 9.0), (1, "ok", "anger", 9.0)]
    said |= {"a mpeg4": whole, "a h264": whole[:1], "a hevc": whole}
    assert codings.agreement_table({"a": "a"}, WAYS)["same"].tolist() == [0.5, 0.5]


def test_of_two_people_both_count_and_the_largest_is_asked_about(said):
    two = [(0, "ok", "anger", 1.0), (0, "ok", "surprise", 9.0)]
    said |= {"a mpeg4": two, "a h264": two[::-1], "a hevc": [(0, "ok", "fear", 1.0), two[1]]}
    table = codings.agreement_table({"a": "a"}, WAYS)
    assert table["same"].tolist() == [0, 0]
    assert table["pairs"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert table["networks"].tolist()[0] == 1
