"""The tables of notebook 02, on a clip whose change is known."""

import numpy as np
import pytest

from mic import bitstream, codec
from mic.publishing import anatomy


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Eight frames; the lower half brightens by 6 in frames 3 and 5, nothing else changes."""
    # With a texture, or the encoder would code the flat blocks anew (intra): no residual.
    texture = np.random.default_rng(0).integers(60, 140, (64, 96), np.uint8)
    frames = np.stack([texture] * 8)
    frames[3:, 32:] += 6
    frames[5:, 32:] += 6
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    codec.encode_frames(frames, path, frame_rate=25, vop_quant=1)
    return path


def test_energy_is_where_and_when_something_changed(clip):
    with bitstream.open(clip) as stream:
        residuals, blocks = stream.residual(), stream.macroblocks()
        table = anatomy.energy_table(residuals, stream.accumulated(space="planes"), blocks)
    assert list(table.columns) == list(anatomy.ENERGY_COLUMNS)
    assert table["frame"].tolist() == list(range(8))
    assert set(table.index[table["lower_half"] > 10]) == {3, 5}
    assert table["upper_half"].max() < 1
    halves = (table["lower_half"] + table["upper_half"]) / 2
    assert np.allclose(table["residual_energy"], halves)
    # The first change stays, the second is added to it.
    assert 30 / 2 < table["accumulated_energy"][4] < 42 / 2
    assert 130 / 2 < table["accumulated_energy"][7] < 158 / 2
    assert table["intensity"].isna().all()
    assert table["bits"][1:].idxmax() in (3, 5)


def test_the_true_intensity_is_kept(clip):
    truth = np.linspace(0, 1, 8)
    with bitstream.open(clip) as stream:
        table = anatomy.energy_table(
            stream.residual(), stream.accumulated(), stream.macroblocks(), intensity=truth
        )
    assert table["intensity"].tolist() == truth.tolist()


def test_parsed_residuals_are_what_a_decoder_adds(clip, tmp_path):
    table = anatomy.exactness_table({"made": clip}, tmp_path, frames=6)
    assert list(table.columns) == list(anatomy.EXACTNESS_COLUMNS)
    (row,) = table.to_dict("records")
    assert row["clip"] == "made"
    assert 0.5 * 5 * 176 * 144 < row["samples"] <= 5 * 176 * 144  # intra blocks have none
    assert row["equal"] > 0.99
    assert row["largest"] <= 1
