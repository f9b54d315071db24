"""Films and plots draw the letters of any class, or the numbers of what no font here has."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mic.publishing import fonts, plots
from mic.publishing.fonts import lettering

EUROPEAN = ("happy", "émue", "niño", "fericiți", "радость", "χαρά", "0.0–1.5 s")


def drawn(text, file):
    picture = Image.new("L", (400, 40))
    font = ImageFont.truetype(str(file), 24)
    ImageDraw.Draw(picture).text((2, 2), text, fill=255, font=font)
    return np.asarray(picture)


@pytest.mark.parametrize("text", EUROPEAN)
def test_european_letters_are_drawn_by_the_bundled_font(text):
    found = lettering(text)
    assert found.text == text
    assert found.file.name == "DejaVuSans.ttf"
    box = drawn("\uffff", found.file)
    for one in set(text) - {" "}:
        assert drawn(one, found.file).any()
        assert not np.array_equal(drawn(one, found.file), box)


def test_what_no_font_has_is_written_as_its_number(monkeypatch):
    monkeypatch.setattr(fonts, "_of_the_system", lambda: ())
    assert lettering("喜 é").text == "U+559C é"
    assert lettering("a\x07").text == "aU+0007"


def test_a_font_of_the_system_is_found_by_its_letters(monkeypatch):
    """As if DejaVu Sans lacked what the monospaced one has: the rest is the same search."""
    other = fonts._bundled().with_name("DejaVuSansMono.ttf")
    has = fonts._has
    monkeypatch.setattr(fonts, "_of_the_system", lambda: (other,))
    monkeypatch.setattr(
        fonts,
        "_has",
        lambda file, one: has(other, "é") if one == "喜" and file == other else has(file, one),
    )
    assert lettering("喜 é") == fonts.Lettering("喜 é", other)


def test_system_fonts_of_many_scripts_come_first(tmp_path, monkeypatch):
    for name in ("Arial.ttf", "deep/NotoSansCJK.ttc", "readme.txt"):
        (tmp_path / "fonts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fonts" / name).write_bytes(b"no font")
    monkeypatch.setattr(fonts, "_folders", lambda: [tmp_path / "fonts", tmp_path / "absent"])
    names = [file.name for file in fonts._of_the_system.__wrapped__()]
    assert names == ["NotoSansCJK.ttc", "Arial.ttf"]
    monkeypatch.setattr(fonts, "_of_the_system", lambda: (tmp_path / "fonts" / "Arial.ttf",))
    assert lettering("喜").text == "U+559C"  # a damaged font is passed over


@pytest.mark.filterwarnings("error")
def test_a_confusion_matrix_is_drawn_for_any_names(tmp_path):
    names = ("émue", "喜", "a$b$c", "_x^")
    figure = plots.confusion(np.eye(4, dtype=int), names)
    figure.savefig(tmp_path / "a.png")
    shown = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert [text.replace("\\$", "$") for text in shown] == [lettering(n).text for n in names]


def test_a_confusion_matrix_says_how_many_are_right_and_its_names_stand_upright():
    figure = plots.confusion(np.array([[3, 1], [0, 4]]), ("anger", "fear"), title="mine")
    (axis,) = figure.axes
    assert axis.get_title(loc="left") + axis.get_title() == "mine\n7 of 8 right (88%)"
    assert {tick.get_rotation() for tick in axis.get_yticklabels()} == {0}
