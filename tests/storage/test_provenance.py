"""What is noted of tables that no notebook published."""

import json

import pytest

from mic.errors import StorageError
from mic.storage import provenance


def test_tables_of_one_folder_are_noted_side_by_side(tmp_path):
    for name, rounds in (("one", 5), ("other", 7), ("one", 9)):
        provenance.made_by(tmp_path, name, command=f"make {name}", rounds=rounds)
    noted = json.loads((tmp_path / "made_by.json").read_text("utf-8"))
    assert {name: table["rounds"] for name, table in noted.items()} == {"one": 9, "other": 7}
    assert noted["other"]["command"] == "make other"
    assert noted["one"]["commit"] == provenance.commit()
    assert noted["one"]["device"]["cores"] >= 1


def test_what_cannot_be_noted_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        provenance.made_by(tmp_path / "file", "one", command="make one")
