"""Tables as people's programs write them."""

import csv
import unicodedata

import pytest

from mic.manifest.tables import Spellings, read_rows


def test_a_name_is_one_whatever_its_case_accents_and_white_space():
    names = Spellings()
    composed = "José"
    apart = unicodedata.normalize("NFD", composed)
    assert apart != composed
    assert names.first(composed) == composed
    assert [names.first(name) for name in (apart, "JOSÉ", " josé ")] == 3 * [composed]
    assert names.first("Jose") == "Jose"
    assert names.first("STRASSE") == names.first("straße") == "STRASSE"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('video,label\na.mp4,"fear\nb.mp4,anger\n', "unexpected end"),
        ('video,label\na.mp4,"fe"ar\nb.mp4,anger\n', "expected after"),
        ("video,label,video\na,b,c\n", "has the column 'video' twice"),
        ("Label,video,label \na,b,c\n", "has the column 'label' twice"),
    ],
)
def test_what_would_be_read_otherwise_than_it_is_meant_is_refused(text, words, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(csv.Error, match=words):
        read_rows(tmp_path / "table.csv")


def test_quoted_cells_and_columns_without_a_name_are_read(tmp_path):
    (tmp_path / "table.csv").write_text('video,label,,\n"a, ""b"".mp4",fear,,\n')
    (row,) = read_rows(tmp_path / "table.csv")
    assert (row["video"], row["label"]) == ('a, "b".mp4', "fear")
