"""`mic.predict` on real videos: talking, distressed, absent, leaving, coded by others."""

import pytest
import recogniser_factory

import mic
from mic.storage import assets


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return recogniser_factory.write(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("carphone", {"ok"}),
        ("langer", {"ok", "several"}),
        ("single_face", {"ok"}),
        ("no_face", {"no face"}),
        ("face_noface", {"ok", "lost", "no face"}),
        ("psychopy", {"ok", "several", "lost", "no face"}),
    ],
)
def test_real_clips(weights, name, expected):
    table = mic.predict(assets.path(name), weights=weights)
    assert set(table["face"]) <= expected
    assert (table["error"] == "").all()
    assert (table["label"].isna() == (table["face"] == "no face")).all()
    if name == "face_noface":
        assert table["face"].iloc[0] == "ok"
        assert table["face"].iloc[-1] == "no face"
