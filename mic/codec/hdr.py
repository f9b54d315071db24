"""HDR pictures (PQ, HLG) mapped to the range of an ordinary screen.

What is as bright as a lit sheet of paper, the reference white of 203 cd/m² (ITU-R BT.2408), keeps
its place near the top of the ordinary range; brighter highlights are compressed into what is left
above. Faces lie well below it, so that they look as in ordinary video:

1. the signal becomes light in units of the reference white: SMPTE ST 2084's curve (PQ), or the
   inverse of ITU-R BT.2100's HLG with its system gamma of 1.2 for a screen of 1,000 cd/m²;
2. primaries of BT.2020 become those of BT.709, and what lies outside is clipped;
3. light above 0.8 of the reference white rolls off towards 1, smoothly;
4. the result is coded for a screen of ITU-R BT.1886, gamma 2.4.

Metadata of scenes and of mastering screens is not used.
"""

from __future__ import annotations

import functools

import av
import numpy as np
from numpy.typing import NDArray

# AVColorTransferCharacteristic (ISO/IEC 23091-2, TransferCharacteristics).
PQ, HLG = 16, 18
_BT_709 = 1
_BT_2020 = 9
_UNSPECIFIED = 2
_WHITE = 203.0  # cd/m2
_SCREEN = 1000.0  # cd/m2, of HLG's system gamma
_KNEE = 0.8
_GAMMA = 2.4
# Linear RGB of BT.2020 to BT.709, the inverse of ITU-R BT.2087's matrix.
_TO_BT_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020
_STEPS = 4096  # of the last table, over the range that rolls off to white
_BRIGHTEST = 4.0  # in reference whites: beyond it the last table says white


def is_hdr(frame: av.VideoFrame) -> bool:
    """Whether a decoded picture's samples mean the light of PQ or HLG."""
    return frame.color_trc in (PQ, HLG)


def mapped(frame: av.VideoFrame) -> av.VideoFrame:
    """An HDR picture as an ordinary one.

    Args:
        frame: Of which `is_hdr` holds, its colour matrix one that libswscale converts.

    Returns:
        The same size and time stamp in full-range RGB of BT.709; without side data, so that
        whoever wants its display matrix asks for it before.
    """
    signal = frame.to_ndarray(format="rgb48le").astype(np.uint16, copy=False)
    if frame.color_trc == PQ:
        light = _pq()[signal]
    else:
        scene = _hlg()[signal]
        luminance = (scene @ _LUMA)[..., None]
        light = scene * luminance**0.2 * np.float32(_SCREEN / _WHITE)
    if frame.color_primaries in (_BT_2020, _UNSPECIFIED):
        light = light @ _TO_BT_709.T
    steps = np.clip(light * np.float32(_STEPS / _BRIGHTEST), 0, _STEPS - 1)
    ordinary = av.VideoFrame.from_ndarray(_coded()[steps.astype(np.int32)], format="rgb24")
    ordinary.pts = frame.pts
    if frame.time_base is not None:
        ordinary.time_base = frame.time_base
    ordinary.color_trc = ordinary.color_primaries = _BT_709
    return ordinary


@functools.cache
def _pq() -> NDArray[np.float32]:
    # ST 2084, equation 4.1.
    signal = np.linspace(0, 1, 1 << 16)
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = signal ** (1 / m2)
    light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return (light / _WHITE).astype(np.float32)


@functools.cache
def _hlg() -> NDArray[np.float32]:
    # BT.2100, table 5: the inverse OETF, scene light from 0 to 1.
    signal = np.linspace(0, 1, 1 << 16)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    upper = (np.exp((signal - c) / a) + b) / 12
    return np.where(signal <= 0.5, signal**2 / 3, upper).astype(np.float32)


@functools.cache
def _coded() -> NDArray[np.uint8]:
    light = np.arange(_STEPS) * (_BRIGHTEST / _STEPS)
    room = 1 - _KNEE
    rolled = 1 - room * np.exp(-np.maximum(light - _KNEE, 0) / room)
    light = np.where(light <= _KNEE, light, rolled)
    return np.round(255 * light ** (1 / _GAMMA)).astype(np.uint8)
