"""Equal chances: who may choose what, on whom it is chosen, and that a deadline loses nothing."""

import dataclasses
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch

from mic import config
from mic.experiments import equal, plan
from mic.experiments.cells import Dataset, splits
from mic.experiments.timed import run_until
from mic.models.expression import ExpressionNetwork
from mic.peers import PEERS
from mic.storage import provenance


def test_every_peer_has_a_row_and_rows_of_as_many_inputs_have_as_many_tries():
    profile = config.load("default")
    assert {row.peer for row in equal.ROWS.values()} == {"", *PEERS}
    tries = {
        title: len(equal.candidates(profile, row)) / len(row.kinds)
        for title, row in equal.ROWS.items()
    }
    assert set(tries.values()) == {len(equal.GRIDS) * len(equal.SCHEDULES)}


def test_what_reads_motion_alone_is_shown_pictures_that_move():
    assert equal.ROWS["Flow CNN"].kinds == ("decoded_frames",)
    assert equal.ROWS["CNN+LSTM"].kinds == ("decoded_frames", "decoded")


def test_all_frames_train():
    profile = config.load("default")
    for row in equal.ROWS.values():
        for _, _, schedule in equal.candidates(profile, row):
            assert schedule.frames == 0


# LBVCNN was not searched, Flow CNN not on what it reads; a new peer is not until `results/equal`
# has it.
UNSEARCHED = {"LBVCNN", "Flow CNN"}


def test_what_is_timed_is_what_the_committed_search_chose():
    search = pd.read_csv(provenance.repository() / "results" / "equal" / "equal_search.csv")
    search = search[(search["dataset"] == "synth-ck") & (search["folds"] == equal.PARTS)]
    order = search.sort_values(["accuracy", "epochs"], ascending=False)
    chosen = order.groupby("row").first()[["input", "grid"]].apply(tuple, axis=1).to_dict()
    peers = {
        peer.title: (peer.shown, peer.searched or peer.grid)
        for peer in PEERS.values()
        if peer.shown in set(search.loc[search["row"] == peer.title, "input"])
    }
    assert {peer.title for peer in PEERS.values()} - set(peers) == UNSEARCHED
    profile = config.load("default")
    for row, variant in plan.SPEED_ROWS.items():
        if row in chosen:
            peers[row] = variant.kind, variant.method(profile).grid
    assert {"MIC", "MIC, raw residuals"} < set(peers)
    assert peers == {row: chosen[row] for row in peers}


def test_the_best_is_chosen_a_fold_and_equals_by_cross_entropy():
    table = pd.DataFrame(
        [
            ("d", "MIC", "fold 0", "raw", 2, 30, 1e-3, 0.8, 0.5, 10),
            ("d", "MIC", "fold 0", "raw", 4, 30, 1e-3, 0.9, 0.4, 10),
            ("d", "MIC", "fold 0", "raw", 4, 60, 1e-3, 0.9, 0.3, 10),
            ("d", "MIC", "fold 1", "raw", 2, 30, 1e-3, 0.7, 0.5, 10),
        ],
        columns=["dataset", "row", "split", "input", "grid", "epochs", "learning_rate",
                 "accuracy", "cross_entropy", "clips"],
    )  # fmt: skip
    chosen = equal.choices(table).set_index("split")
    assert (chosen.loc["fold 0", "grid"], chosen.loc["fold 0", "epochs"]) == (4, 60)
    assert chosen.loc["fold 0", "tries"] == 3
    assert chosen.loc["fold 1", "grid"] == 2


def test_choices_are_carried_to_other_people_and_a_search_cut_short_is_no_choice(generated):
    data = Dataset(manifest=generated)
    table = pd.DataFrame(
        [
            ("d", "MIC", "fold 0", "raw", 2, 30, 1e-3, 0.9, 0.5, 10),
            ("d", "MIC", "fold 1", "raw", 2, 30, 1e-3, 0.8, 0.5, 10),
            ("d", "MIC", "fold 0", "raw", 4, 30, 1e-3, 0.7, 0.4, 10),
            ("d", "MIC", "fold 1", "raw", 4, 30, 1e-3, 0.9, 0.4, 10),
            ("d", "MIC", "fold 0", "raw", 4, 60, 1e-3, 1.0, 0.1, 10),
        ],
        columns=["dataset", "row", "split", *equal.CANDIDATE,
                 "accuracy", "cross_entropy", "clips"],
    )  # fmt: skip
    chosen = equal.carried(equal.whole(table), data, parts=3)
    assert set(chosen["dataset"]) == {data.name}
    assert chosen["split"].tolist() == [fold.name for fold in splits(generated, parts=3)]
    assert set(zip(chosen["grid"], chosen["epochs"], strict=True)) == {(2, 30)}


@dataclasses.dataclass
class Stub:
    row: str = "r"
    split: str = "s"
    seed: int = 0


def test_a_deadline_keeps_what_is_done_and_waits_for_nothing(monkeypatch):
    under_way, over = threading.Event(), threading.Event()

    def compute(data, cell, *, device):
        if cell.row == "bad":
            raise ValueError("no")
        if cell.row == "long":
            under_way.set()
            over.wait()
        return cell

    # The deadline comes when the third cell is under way, however slow the machine.
    clock = types.SimpleNamespace(
        monotonic=lambda: 2.0 if under_way.is_set() else 0.0, sleep=lambda seconds: None
    )
    monkeypatch.setattr("mic.experiments.timed.time", clock)
    monkeypatch.setattr("mic.experiments.timed.compute", compute)
    cells = [Stub(), Stub(row="bad"), Stub(row="long"), Stub(row="never")]
    told = []
    with ThreadPoolExecutor(1) as pool:
        found = run_until(1.0, [(None, c) for c in cells], executor=pool, progress=told.append)
        assert not over.is_set()
        over.set()
    assert found == [cells[0]]
    assert "bad" in told[0]


def test_attention_weighs_the_valid_states_and_no_padding():
    torch.manual_seed(0)
    network = ExpressionNetwork(3, width=4, feature_size=8, z_size=8, pooling="attention").eval()
    clips = torch.randn(2, 5, 3, 16, 16)
    lengths = torch.tensor([5, 3])
    z = network(clips, lengths).z
    clips[1, 3:] = 99
    torch.testing.assert_close(network(clips, lengths).z, z)
    alone = network(clips[1:, :3], torch.tensor([3])).z
    torch.testing.assert_close(alone, z[1:], rtol=1e-4, atol=1e-5)
    network.attention.weight.data.zero_()
    mean = network(clips[:1], torch.tensor([5])).z
    network.pooling, network.attention = "mean", None
    torch.testing.assert_close(network(clips[:1], torch.tensor([5])).z, mean)


def test_peers_take_another_grid():
    from mic.peers import PeerMethod, PeerModel

    for name in PEERS:
        model = PeerModel(PeerMethod(peer=name, width=4, grid=2), classes=3)
        assert sum(np.prod(p.shape) for p in model.parameters()) > 0


def test_an_unknown_pooling_is_refused():
    with pytest.raises(Exception, match="pooling"):
        ExpressionNetwork(3, pooling="median")
