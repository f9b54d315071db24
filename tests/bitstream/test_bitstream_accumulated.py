"""Accumulated residuals equal their definitions, and carry a decoder's frames without decoding."""

import numpy as np
import pytest
from oracles import accumulation, compensation, flat, material, stream
from oracles.encoders import Options, encode, synthetic

import mic.bitstream
from mic.errors import BitstreamError, ConfigError

NAMES = ("y", "cb", "cr")
CASES = {
    "plain": Options(width=80, height=48, frames=9, speed=0.7),
    "four vectors": Options(width=80, height=48, frames=9, speed=0.7, four_mv=True, cut_every=4),
    "quarter": Options(width=64, height=48, frames=7, speed=0.7, quarter_pel=True),
    "quarter, four": Options(
        width=64, height=48, frames=7, speed=0.8, quarter_pel=True, four_mv=True, cut_every=5
    ),
    "odd": Options(width=61, height=35, frames=7, speed=2.5, four_mv=True, gop=4),
    "odd quarter": Options(width=37, height=51, frames=7, speed=2.5, quarter_pel=True),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    path = synthetic(tmp_path_factory.mktemp("case"), CASES[request.param])
    return path, stream.load(path)


def chains(path, clip, definition, scale, initial=None):
    """The oracle's chain after each VOP; `initial` gives the planes to start from."""
    quarter = clip.vol.quarter_sample
    residuals = flat.residuals(clip)
    if scale > 1:  # whole macroblocks only: the parser's own planes, tested elsewhere
        parsed = mic.bitstream.read(path, scale=scale).residual
        residuals = zip(parsed.y, parsed.cb, parsed.cr, parsed.intra, strict=True)
    chain = None
    for (planes, mv, count), (*residual, _), vop in zip(
        compensation.decoded(clip), residuals, clip.vops, strict=True
    ):
        if vop.kind == "I":
            shapes = [plane.shape for plane in residual]
            chain = accumulation.start(
                initial(planes) if initial else [np.zeros(shape) for shape in shapes]
            )
        elif definition == "standard":
            chain = accumulation.standard(
                chain, residual, mv, count, quarter_sample=quarter, scale=scale
            )
        else:
            unit = 1 if quarter else 2
            chain = accumulation.coviar(chain, residual, unit * mv, count, scale=scale)
        yield chain


@pytest.mark.parametrize("definition", ["standard", "coviar"])
def test_equals_its_definition(definition, case):
    path, clip = case
    with mic.bitstream.open(path) as opened:
        found = opened.accumulated(definition=definition)
    assert found.y.dtype == (np.float32 if definition == "standard" else np.int16)
    for row, chain in enumerate(chains(path, clip, definition, 1)):
        for k, name in enumerate(NAMES):
            ours = getattr(found, name)[row]
            broken = (found.broken if name == "y" else found.broken_chroma)[row]
            height, width = ours.shape
            assert np.abs(ours - chain.planes[k][:height, :width]).max() < 2e-3, (row, name)
            assert (broken == chain.broken[k][:height, :width]).all(), (row, name)
    assert found.y.any()


@pytest.mark.parametrize("definition", ["standard", "coviar"])
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_equals_its_definition_at_reduced_size(definition, scale, tmp_path):
    options = Options(width=96, height=64, frames=8, speed=0.9, four_mv=True, cut_every=5)
    path = synthetic(tmp_path, options)
    with mic.bitstream.open(path) as opened:
        found = opened.accumulated(definition=definition, scale=scale)
    for row, chain in enumerate(chains(path, stream.load(path), definition, scale)):
        for k, name in enumerate(NAMES):
            ours = getattr(found, name)[row]
            assert np.abs(ours - chain.planes[k]).max() < 2e-3, (row, name)
        assert (found.broken[row] == chain.broken[0]).all()
        assert (found.broken_chroma[row] == chain.broken[1]).all()


def test_the_chain_of_the_i_vop_plus_the_sums_is_the_decoded_frame(case):
    """By linearity, up to rounding and clipping: a bound for every sample, carried along.

    Each step errs by at most 1/2 at half samples, plus what the decoder clipped; earlier errors
    spread through the same interpolation, whose weights sum to 1, so the largest one bounds it.
    Quarter samples round and clip several times, with negative weights: the magnitudes of an axis
    sum to at most (60 / 32 + 1) / 2 or 60 / 32.
    """
    path, clip = case
    with mic.bitstream.open(path) as opened:
        carried = opened.accumulated(with_iframe=True)
        assert not opened.accumulated().y[0].any()
    quarter = clip.vol.quarter_sample
    height, width = clip.vol.height, clip.vol.width
    bound = 0.0
    reference = None
    checked = 0
    for row, ((planes, mv, count), (residual, *_), vop) in enumerate(
        zip(compensation.decoded(clip), flat.residuals(clip), clip.vops, strict=True)
    ):
        luma = planes[0][:height, :width].astype(float)
        if vop.kind == "I":
            bound = 0.0
            assert (carried.y[row] == luma).all()
        else:
            predicted = compensation.predict(
                reference, mv, count, rounding=vop.rounding, quarter_sample=quarter
            )[0]
            total = predicted + residual
            clipped = np.abs(total - total.clip(0, 255)).max()
            bound = (1.875**2 if quarter else 1.0) * bound + clipped + (60.0 if quarter else 0.5)
            good = ~carried.broken[row]
            error = np.abs(carried.y[row] - luma)[good]
            assert (error <= bound + 1e-3).all(), (row, error.max(), bound)
            checked += good.sum()
            if good.sum() > 100:
                # What it is in practice: roundings add up like noise.
                assert np.sqrt((error**2).mean()) < (0.8 if quarter else 0.5) * np.sqrt(row)
        reference = planes
    assert checked > 3000


def test_real_video_is_carried_for_four_seconds(tmp_path):
    pictures = material.frames("carphone", 100, 144, 176)
    path = encode(tmp_path / "face.mp4", pictures, Options(quant=2, four_mv=True))
    clip = stream.load(path)
    with mic.bitstream.open(path) as opened:
        carried = opened.accumulated(with_iframe=True)
        chain = carried.y - opened.accumulated().y
    # The two parts really are parts: the I-VOP's chain alone is far off.
    for row, (planes, _, _) in enumerate(compensation.decoded(clip)):
        good = ~carried.broken[row]
        error = (carried.y[row] - planes[0])[good]
        assert np.sqrt((error**2).mean()) < 1.5
        assert np.percentile(np.abs(error), 99) < 5
    assert good.mean() > 0.5
    assert np.sqrt(((chain[99] - planes[0])[good] ** 2).mean()) > 8


@pytest.mark.parametrize("definition", ["standard", "coviar"])
def test_displacement_leads_into_the_i_vop(definition, tmp_path):
    # Carry a ramp instead of a residual: what arrives is where the chain starts.
    path = synthetic(tmp_path, Options(width=96, height=80, frames=6, speed=0.3, noise=0))
    clip = stream.load(path)
    with mic.bitstream.open(path) as opened:
        found = opened.accumulated(definition=definition, displacement=True)
    column = np.indices((80, 96))[1]

    def ramp(planes):
        return [100.0 * column, planes[1], planes[2]]

    height, width = clip.vol.mb_height, clip.vol.mb_width
    zero = [np.zeros((16 * height, 16 * width)), *[np.zeros((8 * height, 8 * width))] * 2]
    chain = None
    for (planes, mv, count), vop, number in zip(
        compensation.decoded(clip), clip.vops, range(6), strict=True
    ):
        if vop.kind == "I":
            chain = accumulation.start(ramp(planes))
            continue
        if definition == "standard":
            chain = accumulation.standard(chain, zero, mv, count, quarter_sample=False)
        else:
            chain = accumulation.coviar(chain, zero, 2 * mv, count, scale=1)
        inner = ~chain.broken[0]
        inner[:16] = inner[-16:] = False
        inner[:, :16] = inner[:, -16:] = False
        place = column + found.displacement[number, ..., 0]
        assert np.abs(place - chain.planes[0] / 100)[inner].max() < 1e-3
    assert found.displacement.any()


@pytest.mark.parametrize("definition", ["standard", "coviar"])
@pytest.mark.parametrize("space", ["planes", "rgb"])
def test_frames_threads_and_groups(definition, space, tmp_path):
    options = Options(width=64, height=48, frames=17, gop=5, speed=0.7, four_mv=True)
    path = synthetic(tmp_path, options)
    with mic.bitstream.open(path) as opened:
        whole = opened.accumulated(definition=definition, space=space)
        name = "y" if space == "planes" else "pixels"
        for frames in ([16, 3, 3, 0], range(4, 12), [-1]):
            part = opened.accumulated(frames, definition=definition, space=space, threads=3)
            assert (part.frames == np.arange(17)[list(frames)]).all()
            assert (getattr(part, name) == getattr(whole, name)[list(frames)]).all()
            assert (part.broken == whole.broken[list(frames)]).all()


def test_segment_sums(tmp_path):
    options = Options(width=50, height=35, frames=23, gop=9, speed=0.7)
    path = synthetic(tmp_path, options)
    for scale in (1, 4):
        residual = mic.bitstream.read(path, scale=scale).residual
        with mic.bitstream.open(path) as opened:
            for count in (1, 4, 10, 23):
                found = opened.segment_sums(count, scale=scale, threads=2)
                assert found.y.dtype == np.int32
                for k in range(count):
                    part = slice(found.bounds[k], found.bounds[k + 1])
                    for name in NAMES:
                        total = getattr(residual, name)[part].sum(0, dtype=np.int32)
                        assert (getattr(found, name)[k] == total).all()
                assert found.bounds[0] == 0
                assert found.bounds[-1] == 23
            with pytest.raises(ConfigError):
                opened.segment_sums(24)


@pytest.mark.parametrize("mpeg", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_the_i_vop_itself(mpeg, suffix, tmp_path):
    for quant in (1, 2, 9, 31):
        options = Options(
            width=91, height=63, frames=5, gop=2, quant=quant, mpeg_quant=mpeg, noise=15,
            packet_bytes=80 if quant == 2 else 0, suffix=suffix,
        )  # fmt: skip
        path = synthetic(tmp_path, options)
        decoded = compensation.decoded(stream.load(path))
        with mic.bitstream.open(path) as opened:
            for number, (planes, _, _) in enumerate(decoded):
                if opened.vop_types[number] != "I":
                    continue
                frame = opened.iframe(number)
                for ours, theirs in zip((frame.y, frame.cb, frame.cr), planes, strict=True):
                    assert (ours == theirs[: ours.shape[0], : ours.shape[1]]).all()
            with pytest.raises(ConfigError):
                opened.iframe(1)


def test_damage_breaks_the_chain(tmp_path):
    options = Options(width=64, height=48, frames=9, speed=0.7, packet_bytes=80, noise=8, quant=2)
    path = synthetic(tmp_path, options)
    clip = stream.load(path)
    data = bytearray(clip.headers + b"".join(vop.data for vop in clip.vops))
    at = data.find(clip.vops[3].data) + len(clip.vops[3].data) // 2
    data[at : at + 40] = bytes(40)
    ruined = tmp_path / "ruined.m4v"
    ruined.write_bytes(data)
    with mic.bitstream.open(path) as opened:
        right = opened.accumulated()
    with mic.bitstream.open(ruined) as opened:
        with pytest.raises(BitstreamError):
            opened.accumulated()
        found = opened.accumulated(on_error="mask")
        missing = opened.residual(on_error="mask").missing
    assert len(found.errors) == 1
    luma = missing[3].repeat(16, 0).repeat(16, 1)
    assert luma.any()
    assert found.broken[3][luma].all()
    for row in range(9):
        good = ~found.broken[row]
        assert (found.y[row] == right.y[row])[good].all()
    assert not found.broken[:3][~right.broken[:3]].any()


def test_a_clip_that_begins_without_an_i_vop_has_no_chain(tmp_path):
    clip = stream.load(synthetic(tmp_path, Options(frames=7, gop=4, speed=0.7)))
    cut = tmp_path / "cut.m4v"
    cut.write_bytes(clip.headers + b"".join(vop.data for vop in clip.vops[1:]))
    with mic.bitstream.open(cut) as opened:
        assert opened.vop_types == "PPPIPP"
        found = opened.accumulated()
    assert found.broken[:3].all()
    assert found.broken_chroma[:3].all()
    assert not found.broken[3].any()


def test_a_damaged_i_vop_breaks_what_starts_from_it(tmp_path):
    clip = stream.load(synthetic(tmp_path, Options(frames=7, gop=4, speed=0.7)))
    data = bytearray(clip.headers + b"".join(vop.data for vop in clip.vops))
    at = data.find(clip.vops[4].data) + len(clip.vops[4].data) // 2
    data[at : at + 60] = bytes(60)
    ruined = tmp_path / "ruined.m4v"
    ruined.write_bytes(data)
    with mic.bitstream.open(ruined) as opened:
        with pytest.raises(BitstreamError, match="packet 4"):
            opened.accumulated(with_iframe=True)
        with pytest.raises(BitstreamError, match="packet 4"):
            opened.iframe(4)
        found = opened.accumulated(with_iframe=True, on_error="mask")
    assert len(found.errors) == 1
    assert found.broken[4:].all()
    assert found.broken_chroma[4:].all()
    assert not found.broken[0].any()
