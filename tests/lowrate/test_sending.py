"""What to send: rates are those of the streams, and who receives more can tell more."""

import numpy as np
import pytest
import squares

from mic import codec, identity
from mic.config import load
from mic.experiments.data import Dataset
from mic.experiments.reencoding import gop_structure
from mic.faces import Detection, Status
from mic.lowrate import sending
from mic.lowrate.residuals import Ladder
from mic.lowrate.rungs import Rung
from mic.manifest.manifest import Manifest
from mic.models.mic import Method
from mic.training.schedules import Schedule

CLASSES = ("up", "down")
RUNGS = (Rung(factor=1, quantiser=2), Rung(factor=2, quantiser=20))


class Colours(identity.IdentityNetwork):
    """Knows people by the colour of the picture's middle."""

    name = "colours"
    dimensions = 3
    size = 8
    provenance = "made up"
    weights_sha256 = "0" * 64

    def crop(self, frame, points):
        middle = len(frame) // 2
        return np.ascontiguousarray(np.broadcast_to(frame[middle, middle], (8, 8, 3)))

    def _forward(self, batch):
        return batch.mean((1, 2), dtype=np.float32) - 100


def frames(person, number):
    """A colour a person; a bar that goes up or down."""
    colour = np.random.default_rng(person).integers(60, 255, 3)
    pictures = []
    for step in range(4):
        picture = np.tile(colour.astype(np.uint8), (64, 64, 1))
        row = 20 + (6 if number else -6) * step
        picture[max(row, 0) : row + 6, :20] = 20
        pictures.append(picture)
    return pictures


@pytest.fixture
def senders(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(identity, "load", lambda name: Colours())
    face = Detection(
        status=Status.OK, box=np.zeros(4), points=np.zeros((5, 2), np.float32), score=1.0
    )
    monkeypatch.setattr(
        sending.faces, "detect_clip", lambda path: (next(iter(codec.decode(path))), face)
    )
    clips = [
        squares.write(tmp_path, f"p{person}", label, frames(person, number), np.eye(12)[person])
        for person in range(12)
        for number, label in enumerate(CLASSES)
    ]
    manifest = Manifest(name="squares", root=tmp_path, classes=CLASSES, clips=tuple(clips))
    config = load("smoke", parts=3, folds=3)
    data = Dataset(manifest=manifest, network="known", folder=tmp_path / "store")
    ladder = Ladder(
        manifest=manifest,
        identity=data.identities(),
        rungs=RUNGS,
        method=Method(width=4, feature_size=16, z_size=16, regulariser="none", beta=0.0),
        schedule=Schedule(epochs=2, batch=6, flip=False, gain=0.0),
        steps=3,
        edge=16,
    )
    return sending.Senders(data=data, config=config, ladder=ladder, resamples=50)


def test_arrived_bits_are_those_of_the_stream(senders):
    clip = senders.data.manifest.clips[0]
    path = senders.data.manifest.path(clip)
    found = sending.arrived_of(path, clip.sha256, senders.data, RUNGS)
    target = path.parent / "again.mp4"
    codec.reencode(path, target, size=(32, 32), vop_quant=20)
    sizes = gop_structure(target)["bits"]
    assert found["bits"][1].tolist() == [sizes[0], sizes[1:].sum()]
    colour = next(iter(codec.decode(target)))[16, 16] - 100.0
    assert found["first"][1] == pytest.approx(colour / np.linalg.norm(colour), abs=1e-5)


def test_a_face_that_is_not_found_is_embedded_as_nothing(senders, monkeypatch):
    lost = Detection(status=Status.NO_FACE, box=np.zeros(4), points=np.zeros((5, 2)), score=0.0)
    monkeypatch.setattr(
        sending.faces, "detect_clip", lambda path: (next(iter(codec.decode(path))), lost)
    )
    clip = senders.data.manifest.clips[1]
    path = senders.data.manifest.path(clip)
    found = sending.arrived_of(path, clip.sha256, senders.data, RUNGS)
    assert not found["first"].any()
    assert not found["residual"].any()


def test_the_table_has_what_each_kind_costs_and_gives_away(senders, monkeypatch):
    monkeypatch.setattr(sending, "STEPS", (0.5,))
    first = dict(list(senders.networks().items())[:1])
    monkeypatch.setattr(sending.Senders, "networks", lambda self: first)
    monkeypatch.setattr(sending, "ATTACKERS", ("similarity", "linear"))
    table = sending.table(senders)
    assert list(table.columns) == list(sending.COLUMNS)
    assert table["sent"].tolist() == ["label", *first, *["P-VOPs", "all VOPs"] * len(RUNGS)]
    assert (table["n"] == 24).all()
    assert (table["subjects"] == 12).all()
    by = table.set_index(["sent", "coding"])
    # A label of two classes is a bit; four frames at 25 a second are 0.16 s.
    assert by.loc[("label", "1 bits"), ["bits", "bit_rate"]].tolist() == pytest.approx(
        [1, 1 / 0.16]
    )
    for rung in RUNGS:
        coding = f"1/{rung.factor}, q {rung.quantiser}"
        few, every = by.loc[("P-VOPs", coding)], by.loc[("all VOPs", coding)]
        assert few["bits"] < every["bits"]
        assert few["accuracy"] == every["accuracy"]
        # Whoever has the I-VOP has the colour, and the colour is the person.
        assert every["attacked"] == "face in the I-VOP"
        assert few["auc"] <= every["auc"]
        assert every["auc"] > 0.95
