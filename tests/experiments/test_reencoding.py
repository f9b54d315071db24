"""Tables of what re-encoding does: rows are what the codec reports, columns are described."""

import numpy as np
import pytest

from mic import codec
from mic.errors import CodecError
from mic.experiments import reencoding
from mic.storage import assets


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Twelve frames of a moving gradient, 48 x 32."""
    x = np.arange(48) + 3 * np.arange(12)[:, None, None] + 2 * np.arange(32)[:, None]
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    codec.encode_frames(np.uint8(4 * x % 256), path, frame_rate=25, vop_quant=1)
    return path


def test_before_and_after(clip, tmp_path):
    table = reencoding.reencoded({"a": clip, "b": clip}, tmp_path, max_frames=9, vop_quant=6)
    assert list(table.columns) == list(reencoding.REENCODED_COLUMNS)
    assert table["clip"].tolist() == ["a", "b"]
    row = table.iloc[0]
    assert (row["width"], row["height"], row["frames"], row["i_frames"]) == (48, 32, 9, 1)
    assert row["source_bit_rate"] == codec.probe(clip).bit_rate > row["bit_rate"]
    assert row["file_bytes"] == (tmp_path / "a.mp4").stat().st_size
    assert row["psnr_y"] == reencoding.clip_psnr(clip, tmp_path / "a.mp4")


def test_a_setting_a_row(clip, tmp_path):
    settings = {"fine": {"vop_quant": 2}, "coarse": {"vop_quant": 20}}
    table = reencoding.by_setting(clip, settings, tmp_path, max_frames=6)
    assert list(table.columns) == list(reencoding.SETTING_COLUMNS)
    fine, coarse = table.to_dict("records")
    assert (fine["setting"], coarse["setting"]) == ("fine", "coarse")
    assert fine["bits"] > coarse["bits"]
    assert fine["psnr_y"] > coarse["psnr_y"]


def test_groups_of_pictures_and_their_structures(clip, tmp_path):
    table, structures = reencoding.by_gop(clip, {"one": None, "four": 4, "intra": 1}, tmp_path)
    assert list(table.columns) == list(reencoding.GOP_COLUMNS)
    assert table["i_frames"].tolist() == [1, 3, 12]
    assert np.isnan(table["bits_p"].iloc[2])  # no P-frame, no mean
    for row in table.itertuples():
        pictures = structures[row.structure]
        assert pictures.loc[pictures["type"] == "I", "bits"].mean() == row.bits_i


def test_ladder_on_a_real_face_loses_bits_and_quality_together():
    table = reencoding.rate_ladder(
        assets.path("carphone"), quantisers=(1, 4, 12, 31), crop=(40, 20, 96, 96)
    )
    assert list(table["vop_quant"]) == [1, 4, 12, 31]
    assert table["bits"].is_monotonic_decreasing
    assert table["psnr_y"].is_monotonic_decreasing
    assert table["psnr_y"].iloc[0] > 45
    assert (table["i_frames"] == 1).all()
    expected = table["bits"] / (table["frames"] * 96 * 96)
    assert np.allclose(table["bits_per_pixel"], expected)


def test_gop_structure_accounts_for_every_bit(clip, tmp_path):
    report = codec.reencode(clip, tmp_path / "g.m4v", gop=5)
    table = reencoding.gop_structure(report.target)
    assert "".join(table["type"]) == "IPPPPIPPPPIP"
    assert list(table["gop"]) == [0] * 5 + [1] * 5 + [2] * 2
    assert table["bits"].sum() == report.bits == 8 * report.file_bytes


def test_psnr_of_known_errors():
    black, grey = (np.full((2, 32, 48), value, np.uint8) for value in (0, 5))
    assert reencoding.luma_psnr(black, grey) == pytest.approx(10 * np.log10(255**2 / 25))
    assert reencoding.luma_psnr(black, black) == float("inf")
    with pytest.raises(CodecError, match="differ"):
        reencoding.luma_psnr(black, grey[:1])


def test_a_ladder_of_the_first_frames():
    table = reencoding.rate_ladder(assets.path("carphone"), quantisers=(2,), max_frames=7)
    assert (table["frames"] == 7).all()
    assert table["psnr_y"][0] > 40
