"""What to encode and how: one frozen record, checked, and its translation into libavcodec's terms.

The defaults are those of `reencode.sh`: `-c:v mpeg4 -q:v 1`, square samples, no B-VOPs. It asked
for `-g 300`; what its sequel needs is one group of pictures a clip, so that is the default here.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any, Literal, cast

import av
import numpy as np

from mic.errors import ConfigError

# The Lagrange multiplier of quantiser 1 in libavcodec's units (FF_QP2LAMBDA).
_LAMBDA_PER_QUANT = 118
# libavcodec refuses longer ones unless `strict` is experimental; the counter itself is an int.
_ONE_GOP = 1 << 30
MAX_SIDE = 8191  # video_object_layer_width has 13 bits
_MOST = 2**31 - 1  # what the encoders count with
SLOWEST, FASTEST = Fraction(1, 10000), Fraction(1000)  # pictures a second
_TICKS = 65535  # vop_time_increment_resolution has 16 bits

CodecName = Literal["mpeg4", "h264", "hevc", "av1"]
_ENCODERS = {"mpeg4": "mpeg4", "h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
# The least and the largest; libsvtav1 takes 0 for "not given".
_QUANTS = {"mpeg4": (1, 31), "h264": (0, 51), "hevc": (0, 51), "av1": (1, 63)}


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """Options of every encoding in `mic`.

    Attributes:
        codec: `mpeg4` is what the residual extractor reads; the others are for comparison.
        gop: Frames from one I-frame to the next; None: the first frame only, and scene changes
            do not insert another.
        quality: libavcodec's `-q:v` for mpeg4, 1 (best) to 31. 1 gives vop_quant 2, as there.
        vop_quant: The true constant quantiser instead of `quality`; 1 means 1. QP of the others.
        bit_rate: Bits a second instead of a constant quantiser.
        size: Output (width, height); None keeps the source's (or the crop's).
        crop: Box (x, y, width, height) in samples of the upright picture, made square; cut before
            scaling. Where x or y is odd, colours of 4:2:0 lie half a sample of theirs beside.
        frame_rate: Output rate; frames are repeated or dropped by nearest time. None keeps all
            frames at their times in the source.
        max_frames: Only the first so many frames of the output; None takes all.
        slices: Video packets in each VOP. Fixed, so that output does not depend on the machine.
        four_mv: Allow four motion vectors a macroblock (mpeg4).
        quarter_pel: Quarter-sample motion (mpeg4).
        mpeg_quant: The MPEG quantisation method instead of H.263's (mpeg4).
        container: libavformat's name of the container; None: by the target's suffix.
    """

    codec: CodecName = "mpeg4"
    gop: int | None = None
    quality: float = 1.0
    vop_quant: int | None = None
    bit_rate: int | None = None
    size: tuple[int, int] | None = None
    crop: tuple[int, int, int, int] | None = None
    frame_rate: Fraction | float | None = None
    max_frames: int | None = None
    slices: int = 1
    four_mv: bool = False
    quarter_pel: bool = False
    mpeg_quant: bool = False
    container: str | None = None

    def __post_init__(self) -> None:
        self._check_kinds()
        if self.codec not in _ENCODERS:
            raise ConfigError(f"unknown codec {self.codec!r}; known: {', '.join(_ENCODERS)}")
        if self.gop is not None and self.gop < 1:
            raise ConfigError(f"gop is {self.gop}, must be at least 1")
        if not 1 <= self.quality <= 31:
            raise ConfigError(f"quality is {self.quality}, must be 1 to 31")
        lowest, highest = _QUANTS[self.codec]
        if self.vop_quant is not None and not lowest <= self.vop_quant <= highest:
            raise ConfigError(f"vop_quant is {self.vop_quant}, must be {lowest} to {highest}")
        if self.bit_rate is not None and (self.bit_rate <= 0 or self.vop_quant is not None):
            raise ConfigError("bit_rate must be positive and excludes vop_quant")
        if self.codec != "mpeg4" and self.vop_quant is None and self.bit_rate is None:
            raise ConfigError(f"{self.codec} needs vop_quant or bit_rate; quality is mpeg4's")
        if self.size is not None and not all(1 <= side <= MAX_SIDE for side in self.size):
            raise ConfigError(f"size is {self.size}, each side must be 1 to {MAX_SIDE}")
        if self.crop is not None and (min(self.crop[:2]) < 0 or min(self.crop[2:]) < 1):
            raise ConfigError(f"crop is {self.crop}, must be x, y >= 0 and width, height >= 1")
        if self.max_frames is not None and self.max_frames < 1:
            raise ConfigError(f"max_frames is {self.max_frames}, must be at least 1")
        if self.slices < 1:
            raise ConfigError(f"slices is {self.slices}, must be at least 1")
        if self.codec == "av1" and self.bit_rate is not None and self.gop is None:
            raise ConfigError(
                "libsvtav1 keeps a bit_rate only in groups of pictures",
                remedy="give gop, for instance 100, or vop_quant in place of bit_rate",
            )
        if self.codec != "mpeg4" and (self.four_mv or self.quarter_pel or self.mpeg_quant):
            raise ConfigError(
                f"four_mv, quarter_pel and mpeg_quant are not options of {self.codec}"
            )

    def _check_kinds(self) -> None:
        """Brings numbers to the kinds of their fields, so that equal options are equal records.

        Raises:
            ConfigError: A value is of another kind.
        """
        for name in ("gop", "vop_quant", "bit_rate", "max_frames", "slices"):
            value = getattr(self, name)
            if value is not None or name == "slices":
                self._set(name, _whole(name, value))
        for name, length in (("size", 2), ("crop", 4)):
            value = getattr(self, name)
            if value is None:
                continue
            parts = tuple(value) if isinstance(value, Iterable) else ()
            if len(parts) != length:
                raise ConfigError(f"{name} is {value!r}, must be {length} whole numbers")
            self._set(name, tuple(_whole(name, part) for part in parts))
        for name in ("four_mv", "quarter_pel", "mpeg_quant"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ConfigError(f"{name} is {value!r}, must be True or False")
            self._set(name, bool(value))
        if not isinstance(self.codec, str):
            raise ConfigError(f"codec is {self.codec!r}, must be one of {', '.join(_ENCODERS)}")
        if self.container is not None and not isinstance(self.container, str):
            raise ConfigError(f"container is {self.container!r}, must be a name of libavformat's")
        if isinstance(self.quality, bool) or not isinstance(self.quality, Real | np.floating):
            raise ConfigError(f"quality is {self.quality!r}, must be a number from 1 to 31")
        if self.frame_rate is not None:
            checked_rate(self.frame_rate)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def of(cls, options: dict[str, Any]) -> EncodeOptions:
        """Builds options from keywords; an unknown one is an error that names the known ones.

        Raises:
            ConfigError: An unknown name or a value out of its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(options.keys() - known):
            raise ConfigError(
                f"unknown encoding option {', '.join(unknown)}",
                remedy=f"choose from {', '.join(sorted(known))}",
            )
        return cls(**options)

    @property
    def encoder(self) -> str:
        """Libavcodec's name of the encoder."""
        return _ENCODERS[self.codec]

    def fingerprint(self) -> str:
        """A text equal for equal options and equal library versions, else different."""
        fields = ", ".join(f"{k}={v!r}" for k, v in sorted(dataclasses.asdict(self).items()))
        return f"{fields}; libavcodec {av.library_versions['libavcodec']}, PyAV {av.__version__}"

    def encoder_options(self, width: int, height: int) -> dict[str, str]:
        """The private and generic options of the encoder, as libavcodec spells them.

        Args:
            width: Of the pictures, samples.
            height: The same.

        Raises:
            ConfigError: The encoder would write other bits each time.
        """
        match self.codec:
            case "mpeg4":
                return self._mpeg4_options()
            case "h264":
                return self._x26x_options("x264-params", "qp", "threads=1")
            case "hevc":
                fixed = "pools=none:frame-threads=1:log-level=error:info=0"
                return self._x26x_options(
                    "x265-params", "qp", fixed + self._coding_tree(width, height)
                )
            case "av1":
                return self._av1_options()

    def _coding_tree(self, width: int, height: int) -> str:
        # libx265 reads memory that it never wrote when it predicts a picture one coding tree unit
        # wide or high: other bits each time. It takes the largest unit that fits both edges, so a
        # smaller one is set.
        least = min(width, height)
        if least not in (16, 32, 64) or self.gop == 1:
            return ""
        if least == 16:
            raise ConfigError(
                f"libx265 codes P pictures of {width} x {height} samples differently each time",
                remedy="pad 16 samples to 24, code I pictures only (gop=1), or choose h264",
            )
        return f":ctu={least // 2}"

    def _mpeg4_options(self) -> dict[str, str]:
        flags = "+bitexact"  # keeps the library's version string out of the stream
        flags += "+mv4" if self.four_mv else ""
        flags += "+qpel" if self.quarter_pel else ""
        options = {
            "flags": flags,
            "slices": str(self.slices),
            "bf": "0",
            "g": str(self.gop or _ONE_GOP),
            # Otherwise VOPs that motion predicts badly become I-VOPs.
            "sc_threshold": str(1 << 30),
            # Without it the encoder shortens groups of over 600 VOPs.
            "strict": "experimental",
            "mpeg_quant": str(int(self.mpeg_quant)),
        }
        if self.bit_rate is None:
            # PyAV cannot set a frame's quality as the command line's -q:v does. A multiplier
            # pinned at both ends, with equal weight for I-VOPs, gives the same bits.
            quant = self.vop_quant or self.quality
            multiplier = str(round(_LAMBDA_PER_QUANT * quant))
            options |= {"lmin": multiplier, "lmax": multiplier, "i_qfactor": "1"}
        if self.vop_quant is not None:
            options |= {"qmin": str(self.vop_quant), "qmax": str(self.vop_quant)}
        return options

    def _av1_options(self) -> dict[str, str]:
        # pred-struct 2: pictures are also predicted from later ones, unlike with the other codecs
        # here, because libsvtav1 4.1 told to look back only (1) waits for itself for ever on a
        # machine that is busy. lp 1: one thread, so that bytes do not depend on the machine.
        params = f"lp=1:pred-struct=2:scd=0:keyint={self.gop or -1}"
        options = {"preset": "8", "svtav1-params": params, "flags": "+bitexact"}
        if self.vop_quant is not None:
            options["qp"] = str(self.vop_quant)
        return options

    def _x26x_options(self, name: str, quant: str, fixed: str) -> dict[str, str]:
        keyint = self.gop or "infinite" if self.codec == "h264" else self.gop or -1
        params = f"{fixed}:bframes=0:scenecut=0:keyint={keyint}:min-keyint=1:slices={self.slices}"
        if self.vop_quant is not None:
            # Equal quantisers for I and P, as mpeg4's constant vop_quant.
            params += f":{quant}={self.vop_quant}:ipratio=1"
        return {name: params, "flags": "+bitexact", "bf": "0"}


def _whole(name: str, value: object) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(cast(Any, value))
    except TypeError:  # arrays have an index, and most of them cannot tell it
        number = None
    if number is None:
        raise ConfigError(f"{name} is {value!r}, must be of whole numbers")
    if number > _MOST:
        raise ConfigError(f"{name} is {number}, must be at most {_MOST}")
    return number


def checked_rate(rate: Fraction | float) -> Fraction:
    """A frame rate, exactly.

    Raises:
        ConfigError: It is no number, or no rate that an encoder takes.
    """
    number = isinstance(rate, Real | np.floating) and not isinstance(rate, bool)
    exact = float(rate) if isinstance(rate, np.floating) else rate
    if not number or not SLOWEST <= exact <= FASTEST:
        raise ConfigError(
            f"frame_rate is {rate!r}, must be a number from {float(SLOWEST):g} to {FASTEST}"
        )
    return rate if isinstance(rate, Fraction) else Fraction(float(rate))


def coded_rate(rate: Fraction | float) -> Fraction:
    """The nearest frame rate whose ticks fit vop_time_increment_resolution (clause 6.3.3)."""
    exact = Fraction(rate).limit_denominator(_TICKS)
    if exact.numerator <= _TICKS:
        return exact
    return exact.limit_denominator(max(1, int(_TICKS // exact)))
