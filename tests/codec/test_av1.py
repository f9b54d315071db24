"""AV1 as the other codecs: one keyframe, equal bytes, nothing on stderr."""

import numpy as np
import pytest

from mic import codec
from mic.errors import ConfigError


def test_av1_has_one_keyframe_however_long_and_the_same_bytes_each_time(tmp_path, capfd):
    frames = [np.full((32, 32), 90 + number % 7, np.uint8) for number in range(200)]
    targets = [tmp_path / name for name in ("a.mkv", "b.mkv")]
    options = {"frame_rate": 25, "codec": "av1", "vop_quant": 40}
    reports = [codec.encode_frames(frames, target, **options) for target in targets]
    assert [report.keyframes for report in reports] == [1, 1]
    assert targets[0].read_bytes() == targets[1].read_bytes()
    assert len(list(codec.decode(targets[0], pixel_format="luma"))) == 200
    assert capfd.readouterr().err == "", "a notebook's kernel may write nothing to stderr"
    with pytest.raises(ConfigError, match="must be 1 to 63"):
        codec.encode_frames(frames, targets[0], frame_rate=25, codec="av1", vop_quant=0)
