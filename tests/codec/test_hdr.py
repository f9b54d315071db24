"""HDR pictures come out as ordinary ones, in arrays and re-encoded."""

from pathlib import Path

import av
import numpy as np
import pytest
from containers import Film, write

from mic import codec
from mic.codec.display import Display, rgb
from mic.codec.hdr import HLG, PQ

# Signals for light of known strength, as ITU-R BT.2408 tables them: PQ and HLG of 203 cd/m2 (the
# reference white, at its knee: nearly white) and of 26 cd/m2 (18 % gray: 0.18 of a white).
WHITE = {PQ: 0.58, HLG: 0.75}
GRAY = {PQ: 0.38, HLG: 0.38}


def picture(signal, transfer):
    level = np.full((16, 16, 3), round(65535 * signal), np.uint16)
    frame = av.VideoFrame.from_ndarray(level, format="rgb48le")
    frame.color_trc = transfer
    return rgb(frame, Display(), Path("a.mp4"))


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_reference_white_is_white_and_gray_stays_gray(transfer):
    assert picture(0, transfer).max() == 0
    assert picture(1, transfer).min() == 255
    assert 240 <= picture(WHITE[transfer], transfer).mean() <= 254
    gray = picture(GRAY[transfer], transfer)
    assert np.ptp(gray) <= 1
    # 26 of 203 cd/m2 on a screen of gamma 2.4.
    assert gray.mean() == pytest.approx(255 * (26 / 203) ** (1 / 2.4), abs=8)
    levels = [int(picture(signal, transfer).mean()) for signal in np.linspace(0, 1, 40)]
    assert levels == sorted(levels)


def test_ordinary_pictures_are_left_as_they_are():
    level = np.full((16, 16, 3), 30_000, np.uint16)
    frame = av.VideoFrame.from_ndarray(level, format="rgb48le")
    np.testing.assert_array_equal(
        rgb(frame, Display(), Path("a")), frame.to_ndarray(format="rgb24")
    )


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_files_are_mapped_wherever_they_are_looked_at(tmp_path, transfer):
    left_to_right = np.zeros((48, 64, 3), np.uint8)
    left_to_right[:, :32] = round(255 * GRAY[transfer])
    left_to_right[:, 32:] = round(255 * WHITE[transfer])
    film = Film(
        stamps=range(4),
        codec="ffv1",
        pixel_format="yuv420p10le",
        picture=left_to_right,
        transfer=transfer,
    )
    source = write(tmp_path / "hdr.mkv", film)
    shown = [one.rgb for one in codec.Video(source).pictures()]
    assert len(shown) == 4
    assert shown[0][:, :30].mean() == pytest.approx(
        picture(GRAY[transfer], transfer).mean(), abs=3
    )
    assert shown[0][:, 34:].mean() > 235
    codec.reencode(source, tmp_path / "ordinary.mp4")
    again = [one.rgb for one in codec.Video(tmp_path / "ordinary.mp4").pictures()]
    assert len(again) == 4
    assert np.abs(again[0][:, :28].astype(int) - shown[0][:, :28]).mean() < 4
    assert np.abs(again[0][:, 36:].astype(int) - shown[0][:, 36:]).mean() < 4
