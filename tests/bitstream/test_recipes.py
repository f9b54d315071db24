"""Every recipe of docs/recipes.md runs as it stands there, and gives what it says."""

import re
import subprocess
import sys

import pytest
from environment_file import ROOT
from oracles.encoders import Options, synthetic
from oracles.stream import load, written

PAGE = (ROOT / "docs" / "recipes.md").read_text()
RECIPES = dict(re.findall(r"(?ms)^## ([^\n]+)\n.*?^```python\n(.*?)^```$", PAGE))

# What each recipe must have found, by its title: appended to its program.
PROOFS = {
    "Motion for Video-LaVIT's tokenizer": """
from mic_bitstream.videocap import VideoCap

cap = VideoCap()
assert cap.open("clip.m4v")
cap.set_decode_frames(False)
found = []
while cap.grab():
    _, _, rows, _ = cap.retrieve()
    # Its loader: each vector at its block's centre, then the largest of each 16x16 samples.
    dense = np.full((320, 576, 2), -np.inf)
    moved = rows[:, :1] * rows[:, 7:9] / rows[:, 9:]
    dense[rows[:, 6], rows[:, 5]] = moved / (576, 320) / DEVIATION
    pooled = dense.reshape(20, 16, 36, 16, 2).max(axis=(1, 3))
    found.append(np.where(np.isinf(pooled), 0, pooled).transpose(2, 0, 1))
assert tokens.shape == (14, 2, 20, 36)
assert (motion.types == mic_bitstream.INTER4V).any()
assert motion.intra[1:].any()
assert np.array_equal(np.stack(found).astype(np.float32), tokens)
assert tokens.any()
""",
    "Patches by bits, as OneVision selects them": """
import av

assert len(tokens) == len(t) == 2 * 720 + round(0.125 * 12 * 720)
kept = np.zeros(score.shape, bool)
kept[t, y, x] = True
assert kept[~predicted].all()
assert bits[kept & predicted[:, None, None]].min() >= bits[~kept].max() > 0
with av.open("clip.m4v") as container:
    decoded = [frame for frame in container.decode(video=0)]
for place in range(0, len(t), 97):
    luma = decoded[t[place]].to_ndarray()[:320]
    part = luma[16 * y[place] : 16 * y[place] + 16, 16 * x[place] : 16 * x[place] + 16]
    assert np.array_equal(patches[place].y, part)
""",
    "CoViAR's inputs, without its loader": """
assert (last, group, frame) == (12, 1, 0)
assert residual.shape == (320, 576, 3)
assert not residual.any(), "an I-frame"
assert load("clip.m4v", 0, 11, 2, True).any() and load("clip.m4v", 0, 11, 1, True).any()
""",
    "A training loop": """
assert batch["residual"].shape == (2, 4, 3, 40, 72)
assert batch["residual"].any()
assert torch.isfinite(loss)
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    options = Options(width=576, height=320, frames=14, gop=12, four_mv=True, speed=3.5)
    synthetic(folder, options).rename(folder / "clip.m4v")
    return folder


def test_every_recipe_has_a_proof():
    assert set(RECIPES) == set(PROOFS)


@pytest.mark.parametrize("title", PROOFS)
def test_recipe(title, folder):
    command = [sys.executable, "-c", RECIPES[title] + PROOFS[title]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_patches_of_odd_sizes_and_of_pictures_that_are_not_coded(tmp_path):
    """72x50 holds four by three whole patches; the third VOP repeats the second."""
    clip = load(synthetic(tmp_path, Options(width=72, height=50, frames=6, gop=6)))
    bits = f"{0x1B6:032b}" + "01" + "0" + "1" + "0" * clip.vol.time_bits + "1" + "0"
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    again = int(bits, 2).to_bytes(len(bits) // 8, "big")
    parts = [vop.data for vop in clip.vops]
    path = written(tmp_path / "clip.m4v", clip, [*parts[:2], again, *parts[2:]])
    proof = """
assert "".join(types) == "IPNPPPP"
assert (h, w) == (3, 4)
assert 2 not in t and (t == 0).sum() == 12
assert len(tokens) == 12 + round(0.125 * 12 * 5)
"""
    program = RECIPES["Patches by bits, as OneVision selects them"] + proof
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
