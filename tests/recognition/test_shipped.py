"""The network that lies in the repository: pinned, small, carded, and better than guessing."""

import hashlib
import re
import shutil

import numpy as np
import pytest

import mic
from mic import synthface
from mic.errors import WeightsError
from mic.recognition import recogniser
from mic.recognition.recogniser import Recogniser
from mic.storage.digest import sha256_of


def test_it_is_the_pinned_one_and_small():
    data = (recogniser.SHIPPED / recogniser.DEFAULT).read_bytes()
    assert len(data) < 4_000_000
    assert hashlib.sha256(data).hexdigest() in recogniser.PINS.read_text()
    loaded = Recogniser.load(device="cpu")
    assert "neutral" in loaded.card.classes
    assert loaded.name.startswith(f"{recogniser.DEFAULT} (")


def test_another_file_in_its_place_is_refused(tmp_path, monkeypatch):
    shutil.copytree(recogniser.SHIPPED, tmp_path / "weights")
    monkeypatch.setattr(recogniser, "SHIPPED", tmp_path / "weights")
    path = tmp_path / "weights" / recogniser.DEFAULT
    data = bytearray(path.read_bytes())
    data[-5] ^= 64
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="not the pinned file"):
        Recogniser.load(device="cpu")


def test_its_card_says_what_it_is(monkeypatch):
    card = (recogniser.SHIPPED / "CARD.md").read_text()
    summary = Recogniser.load(device="cpu").card.summary
    share = re.search(r"Right for (\d+) % of", summary) or re.search(r"Right for (\d+)%", summary)
    assert "generated faces" in summary
    assert "Expect less on real people" in summary
    assert sha256_of(recogniser.SHIPPED / recogniser.DEFAULT) in card
    assert abs(float(re.search(r"\*\*Accuracy\.\*\* ([\d.]+)%", card)[1]) - int(share[1])) <= 0.5


def test_it_knows_generated_people_it_has_never_met(tmp_path):
    # Another seed: other people, other performances.
    manifest = synthface.generate("synth-ck", tmp_path, subset=14, size=128, seed=7)
    clips = [manifest.path(clip) for clip in manifest]
    table = mic.predict(clips, network="residual", window=3.0)
    assert (table["error"] == "").all()
    right = table["label"].to_numpy() == np.array(manifest.column("label"))
    assert right.mean() > 0.5  # an eighth by chance; the card has the measured share
