"""One clip of a wanted expression, drawn once."""

import numpy as np
import pytest

from mic import codec
from mic.errors import ConfigError
from mic.synthface.tools.posed import posed


def test_a_clip_is_drawn_once_and_again_where_it_is_damaged(tmp_path):
    video, truth = posed("synth-ck", "happiness", tmp_path, size=64, vop_quant=3)
    written = video.stat().st_mtime_ns
    again, same = posed("synth-ck", "happiness", tmp_path, size=64, vop_quant=3)
    assert (again, again.stat().st_mtime_ns) == (video, written)
    assert truth.keys() == same.keys()
    assert all(np.array_equal(truth[name], same[name]) for name in truth)
    assert len(truth["intensity"]) == len(list(codec.decode(video)))
    other, _ = posed("synth-ck", "happiness", tmp_path, size=64, vop_quant=8)
    assert other != video
    assert other.stat().st_size < video.stat().st_size
    side = video.with_suffix(".npz")
    side.write_bytes(side.read_bytes()[:100])  # the machine went down
    _, mended = posed("synth-ck", "happiness", tmp_path, size=64, vop_quant=3)
    assert np.array_equal(mended["intensity"], truth["intensity"])
    assert video.stat().st_mtime_ns != written


def test_an_unknown_class_is_named(tmp_path):
    with pytest.raises(ConfigError, match="synth-ck has no class 'joy'"):
        posed("synth-ck", "joy", tmp_path)
    with pytest.raises(ConfigError, match="its classes: none, it is rated"):
        posed("synth-avec", "happiness", tmp_path)
