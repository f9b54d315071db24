"""A parsed film with a damaged picture: what is whole before it gets its rows, then the error."""

import containers
import pandas as pd
import pytest

import mic
from mic import bitstream, codec
from mic.recognition.sources import source_of
from mic.storage import assets


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A person who smiles: 72 pictures of 320x180, raw MPEG-4, one group, or with B-VOPs."""
    folder = tmp_path_factory.mktemp("films")
    frames = [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))]
    found = {}
    for name, count in (("plain", 0), ("b", 2)):
        path = folder / f"{name}.m4v"
        found[name] = containers.filmed(
            path, frames, "mpeg4", rate=25, container="m4v", g=250, qmin=3, qmax=3, bf=count
        )
    return found


def _damaged(path, target, number):
    """A copy whose VOP of a number, as they are coded, ends in ones."""
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data) - 4) if data[at : at + 4] == b"\0\0\1\xb6"]
    begin, end = (*starts, len(data))[number : number + 2]
    data[begin + 8 : end] = b"\xff" * (end - begin - 8)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("number", [20, 45, 66, 71])
def test_all_before_the_damage_has_rows(film, tmp_path, number):
    path = _damaged(film["plain"], tmp_path / "hurt.m4v", number)
    source = source_of(codec.Video(path, survey=True))
    assert source.way == "parsed"
    whole = mic.predict(film["plain"], rows="frame")
    rows = mic.predict(path, rows="frame")
    assert rows["error"].iloc[-1].count(f"after frame {number - 1} ") == 1
    assert f"packet {number}," in rows["error"].iloc[-1]
    before = rows.iloc[:-1]
    assert before["frame"].tolist() == list(range(number))
    assert (before["error"] == "").all()
    # Up to the last look before the damage nothing knows of it.
    looks = mic.predict(film["plain"], rows="look")["frame"]
    last = int(looks[looks < number].max())
    columns = ["status", "label"]
    pd.testing.assert_frame_equal(before.loc[:last, columns], whole.loc[:last, columns])


def test_of_films_with_b_vops_what_is_whole_has_rows(film, tmp_path):
    types = bitstream.open(film["b"]).vop_types
    number = types.index("P", 40)
    rows = mic.predict(_damaged(film["b"], tmp_path / "hurt.m4v", number), rows="frame")
    assert f"packet {number}," in rows["error"].iloc[-1]
    assert 36 <= rows["frame"].iloc[-2] <= number
    assert (rows["status"].iloc[:-1] == "ok").all()
    # Nobody looks at B-VOPs, and nothing refers to them.
    passed = mic.predict(
        _damaged(film["b"], tmp_path / "b.m4v", types.index("B", 40)), rows="frame"
    )
    assert len(passed) == 72
    assert (passed["error"] == "").all()
