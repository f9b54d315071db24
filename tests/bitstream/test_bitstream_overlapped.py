"""Overlapped motion compensation: what does not predict is read, what predicts is refused.

`obmc_disable` changes how predictions are made (7.6.6), and no bit of a VOP. The encoders at
hand do not write it, so the layer before their VOPs is written anew.
"""

import numpy as np
import pytest
from oracles import compare, stream
from oracles.encoders import Options, synthetic
from oracles.headers import video_object_layer

import mic.bitstream
from mic.errors import UnsupportedSyntaxError

REFUSED = "overlapped block motion compensation"


def written(folder, *, overlapped: bool, **options: object):
    """A clip with four vectors a macroblock; the same VOPs whatever the flag."""
    clip = stream.load(synthetic(folder, Options(frames=6, four_mv=True, speed=2.0, **options)))
    layer = video_object_layer(clip.vol, resolution=25, obmc_disable=int(not overlapped))
    path = folder / ("overlapped.m4v" if overlapped else "plain.m4v")
    path.write_bytes(layer + b"".join(vop.data for vop in clip.vops))
    return path


@pytest.mark.parametrize("options", [{}, {"quarter_pel": True}, {"packet_bytes": 60}])
def test_residuals_and_vectors_are_exact(options, tmp_path):
    # Overlapping predictions from a flat picture are flat, too, so the oracle holds.
    path = written(tmp_path, overlapped=True, **options)
    found = compare.residuals(path) + compare.motion(path)
    assert found.differing == found.differing_vectors == 0
    assert found.vectors > 100


@pytest.mark.parametrize("b_frames", [0, 2])
def test_what_is_coded_does_not_depend_on_it(b_frames, tmp_path):
    paths = [written(tmp_path, overlapped=flag, b_frames=b_frames) for flag in (False, True)]
    parts = ("residual", "motion", "macroblocks")
    plain, overlapped = (mic.bitstream.read(path, what=parts) for path in paths)
    for record, names in (
        ("residual", ("y", "cb", "cr", "types")),
        ("motion", ("blocks", "backward")),
        ("macroblocks", ("quantiser", "bits")),
    ):
        for name in names:
            one, other = (getattr(getattr(clip, record), name) for clip in (plain, overlapped))
            assert (one is None) == (other is None) == (name == "backward" and b_frames == 0)
            assert one is None or np.array_equal(one, other), name
    assert plain.residual.y.any()


def test_what_needs_a_prediction_is_refused_by_name(tmp_path):
    with mic.bitstream.open(written(tmp_path, overlapped=True)) as clip:
        for definition in ("standard", "coviar"):
            with pytest.raises(UnsupportedSyntaxError, match=REFUSED) as caught:
                clip.accumulated([3], definition=definition)
            assert "7.6.6" in caught.value.place
        with pytest.raises(UnsupportedSyntaxError, match=REFUSED) as caught:
            clip.pictures([3])
        assert "7.6.6" in caught.value.place
        # Of I-VOPs, and sums without motion, nothing is predicted.
        assert clip.iframe(0).y.any()
        assert (clip.pictures([0])[0].y == clip.iframe(0).y).all()
        assert not clip.accumulated([0]).y.any()
        sums = clip.segment_sums(1, space="planes").y[0]
        assert (sums == clip.residual().y.sum(0, dtype=np.int32)).all()


def test_what_is_masked_says_so_everywhere(tmp_path):
    with mic.bitstream.open(written(tmp_path, overlapped=True)) as clip:
        sums = clip.accumulated([0, 3], on_error="mask")
        assert not sums.broken[0].any()
        assert sums.broken[1].all()
        assert sums.broken_chroma[1].all()
        pictures = clip.pictures([0, 3], on_error="mask")
        assert not pictures[0].broken.any()
        assert pictures[1].broken.all()
        for errors in (sums.errors, pictures.errors):
            assert errors
            assert all(isinstance(error, UnsupportedSyntaxError) for error in errors)
