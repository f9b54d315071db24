"""Tables as people's programs write them."""

import unicodedata

from mic.manifest.tables import Spellings


def test_a_name_is_one_whatever_its_case_accents_and_white_space():
    names = Spellings()
    composed = "José"
    apart = unicodedata.normalize("NFD", composed)
    assert apart != composed
    assert names.first(composed) == composed
    assert [names.first(name) for name in (apart, "JOSÉ", " josé ")] == 3 * [composed]
    assert names.first("Jose") == "Jose"
    assert names.first("STRASSE") == names.first("straße") == "STRASSE"
