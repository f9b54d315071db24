"""The peers in the grid: inputs, rows, folds; the outsider on the same clips."""

import numpy as np
import pytest
import squares

from mic import config, experiments
from mic.experiments import peers, plan
from mic.peers import PEERS

CONFIG = config.load("smoke", steps=3, parts=2, epochs=1, bootstrap=100)
CLASSES = ("anger", "happiness", "contempt")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Brightening, darkening and moving squares on four backgrounds; nobody's faces."""

    def frames(person, number):
        pictures = []
        for step in range(5):
            frame = np.full((48, 48, 3), 60 + 20 * person, np.uint8)
            place = 16 + (4 * step if number == 2 else 0)
            frame[place : place + 12, 16:28] += np.uint8((12, 2, 7)[number] * step)
            pictures.append(frame)
        return pictures

    return squares.dataset(tmp_path_factory.mktemp("clips"), CLASSES, frames)


@pytest.fixture
def data(manifest, tmp_path):
    return experiments.Dataset(manifest=manifest, network="known", folder=tmp_path / "cache")


def test_every_peer_runs_on_its_own_input_and_the_same_folds(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))  # checkpoints
    cells = peers.peer_cells(data, CONFIG, folds=1, width=4)
    assert sorted(cell.row for cell in cells) == sorted(peer.title for peer in PEERS.values())
    assert {cell.split for cell in cells} == {"fold 0"}
    kinds = {cell.row: cell.representation for cell in cells}
    assert kinds["CoViAR fusion"].kind == "fusion"
    assert kinds["CoViAR fusion"].with_motion
    assert kinds["FAN+ResNet18"].kind == "decoded"
    assert kinds["Flow CNN"].kind == "decoded_frames"  # differences hide how things move
    assert not kinds["FAN+ResNet18"].with_motion
    seen = {cell.row: cell.schedule.frames for cell in cells}
    assert seen["C3D-GRU"] == seen["CoViAR fusion"] == 0  # thinning would drop its I-picture
    assert seen["FAN+ResNet18"] == plan.schedule(CONFIG).frames > 0
    outcomes = experiments.run(data, cells)
    table = experiments.accuracy_table(outcomes)
    assert len(table) == len(PEERS)
    assert (table["n"] == 6).all()


def test_the_peers_are_told_with_source_and_size():
    table = peers.peers_table().set_index("method")
    assert list(table.index) == [peer.title for peer in PEERS.values()]
    assert table.notna().all().all()
    # ResNet-18 without its classifier has 11 176 512; two attentions and a classifier come on top.
    fan = table.loc["FAN+ResNet18"]
    assert fan["parameters_paper"] == 11_176_512 + 6 + 513 + 1025 + 1024 * 7 + 7
    # Sixteen cells of a grid outweigh half the feature maps.
    larger = table.index[table["parameters"] >= table["parameters_paper"]]
    assert list(larger) == ["Mode VLSTM", "Frame voting"]


def test_the_outsider_answers_for_the_same_clips_and_is_asked_once(data, monkeypatch):
    line = peers.outsider_row(data, CONFIG, folds=1)
    assert line["row"] == peers.OUTSIDER
    assert line["n"] == line["clips"] == 6
    assert line["folds"] == 1
    assert 0 <= line["accuracy"] <= 4 / 6  # it cannot name contempt

    def refuse(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(peers.Fer, "probabilities", refuse)
    assert peers.outsider_row(data, CONFIG, folds=1) == line
