"""The axes of what an encoder can be told: all tools at chosen sizes, and draws of Hypothesis."""

import itertools

import pytest
from hypothesis import strategies as st

from oracles.encoders import Options

TOOLS = list(itertools.product((False, True), repeat=3))  # four_mv, quarter_pel, mpeg_quant

# An axis goes round while the streams are counted; lengths differ, so that values meet.
AXES = {
    "quant": (1, 2, 3, 5, 12, 31),
    "packet_bytes": (0, 60, 400),
    "slices": (1, 2),
    "adaptive_quant": (False, False, False, True),
    "cut_every": (3, 0, 0, 0, 0),
    "noise": (1.0, 8.0, 30.0),
    "speed": (0.4, 0.4, 0.4, 1.7, 1.7, 1.7, 6.0, 6.0, 6.0),
    "suffix": (".m4v", ".mp4", ".avi", ".mkv"),
}


def streams(sizes, **axes):
    """Every tool at every size, as parameters of a test; `axes` replaces or adds axes."""
    axes = AXES | axes
    found = []
    for number, ((width, height), tools) in enumerate(itertools.product(sizes, TOOLS)):
        four, quarter, mpeg = tools
        options = Options(
            width=width,
            height=height,
            four_mv=four,
            quarter_pel=quarter,
            mpeg_quant=mpeg,
            seed=number,
            **{name: values[number % len(values)] for name, values in axes.items()},
        )
        named = "".join("FT"[flag] for flag in tools)
        found.append(pytest.param(options, id=f"{width}x{height}-{named}"))
    return found


def drawn(**axes):
    """A strategy of small streams that nobody chose; `axes` adds strategies of other options."""
    return st.builds(
        Options,
        width=st.integers(17, 90),
        height=st.integers(1, 70),
        frames=st.integers(2, 5),
        quant=st.integers(1, 31),
        gop=st.sampled_from([1, 2, 600]),
        four_mv=st.booleans(),
        quarter_pel=st.booleans(),
        mpeg_quant=st.booleans(),
        slices=st.integers(1, 3),
        packet_bytes=st.sampled_from([0, 0, 20, 90, 300]),
        cut_every=st.sampled_from([0, 0, 2, 3]),
        adaptive_quant=st.booleans(),
        noise=st.floats(0, 60),
        speed=st.floats(0, 12),
        seed=st.integers(0, 1 << 20),
        **axes,
    )
