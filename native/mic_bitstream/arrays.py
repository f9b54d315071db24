"""Arguments of the parser: which frames, which choices, and arrays of the right shape."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import DTypeLike

from mic_bitstream.errors import ConfigError
from mic_bitstream.memory import free_memory

SPACES = ("planes", "ycbcr", "rgb")
SCALES = (1, 2, 4, 8)

_MOST = 2**31 - 1  # what the native part counts with
# Less is asked for without looking how much there is.
_WORTH_A_LOOK = 1 << 25

Frames = Iterable[SupportsIndex] | slice | None
Out = np.ndarray | tuple[np.ndarray, ...]


def frame_numbers(frames: Frames, count: int) -> np.ndarray:
    """The frames meant, int64 (T,), each in [0, count).

    Raises:
        ConfigError: There is no such frame, or what was given are no numbers of frames.
    """
    if frames is None:
        return np.arange(count)
    remedy = f"choose from 0 to {count - 1}"
    try:
        if isinstance(frames, slice):
            return np.arange(count)[frames]
        if isinstance(frames, range) and not all(-count <= end < count for end in _ends(frames)):
            raise ConfigError(
                f"there is no such frame in a clip of {count}", place=str(frames), remedy=remedy
            )
        given = list(frames)
        if any(isinstance(number, bool | np.bool_) for number in given):
            raise TypeError("a choice by true and false is none by number")
        numbers = np.array([operator.index(number) for number in given], np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"frames are named by number: {error}", remedy=remedy) from error
    if ((numbers < -count) | (numbers >= count)).any():
        raise ConfigError(
            f"there is no such frame in a clip of {count}",
            place=f"frames {numbers.tolist()}",
            remedy=remedy,
        )
    return numbers % count


def _ends(frames: range) -> range:
    """The first and the last number; none of an empty range."""
    return frames[:: max(1, len(frames) - 1)]


def plane_shapes(width: int, height: int, scale: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(rows, columns) of the luma and the chroma planes at 1/scale size."""
    luma = (-(-height // scale), -(-width // scale))
    chroma = (-(-((height + 1) // 2) // scale), -(-((width + 1) // 2) // scale))
    return luma, chroma


def sample_arrays(
    size: tuple[int, int],
    count: int,
    scale: int,
    space: str,
    *,
    dtype: DTypeLike = np.int16,
    out: Out | None = None,
    zeros: bool = False,
    beside: Iterable[tuple[tuple[int, ...], DTypeLike]] = (),
) -> dict[str, np.ndarray]:
    """The arrays to be filled, by name: y, cb and cr, or pixels; `out` after a check.

    Args:
        size: (width, height) of the picture.
        count: Rows.
        scale: 1, 2, 4 or 8.
        space: "planes", "ycbcr" or "rgb".
        dtype: Of the samples.
        out: The caller's arrays instead of new ones.
        zeros: New arrays are zero; where nothing is written they take no memory.
        beside: Shapes and types of what else the caller makes, for the check of memory.

    Raises:
        ConfigError: `out` does not fit, or the memory does not suffice.
    """
    luma, chroma = plane_shapes(*size, scale)
    shapes: dict[str, tuple[int, ...]]
    if space == "planes":
        shapes = {"y": (count, *luma), "cb": (count, *chroma), "cr": (count, *chroma)}
    else:
        shapes = {"pixels": (count, *luma, 3)}
    check_memory(
        [*([(shape, dtype) for shape in shapes.values()] if out is None else []), *beside]
    )
    if out is None:
        new = np.zeros if zeros else np.empty
        return {name: new(shape, dtype) for name, shape in shapes.items()}
    given = arrays_of(out)
    if len(given) != len(shapes):
        raise ConfigError(f"out has {len(given)} arrays", remedy=f"give {len(shapes)}")
    for array, (name, shape) in zip(given, shapes.items(), strict=True):
        if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
            raise ConfigError(
                f"out for {name} is {array.dtype} {array.shape}",
                remedy=f"give a C-contiguous {np.dtype(dtype)} array of shape {shape}",
            )
    if any(np.shares_memory(one, other) for one, other in itertools.combinations(given, 2)):
        raise ConfigError(
            "arrays of out lie in the same memory", remedy="give an array of its own for each"
        )
    return dict(zip(shapes, given, strict=True))


def arrays_of(out: Out) -> tuple[np.ndarray, ...]:
    """The caller's arrays.

    Raises:
        ConfigError: They are no arrays that can be written to.
    """
    given = tuple(out) if isinstance(out, tuple | list) else (out,)
    for array in given:
        if not isinstance(array, np.ndarray) or not array.flags.writeable:
            raise ConfigError(
                f"out cannot be written to: a {type(array).__name__}",
                remedy="give a NumPy array that can, or a tuple of them",
            )
    return given


def check_memory(arrays: Iterable[tuple[tuple[int, ...], DTypeLike]]) -> None:
    """Raises ConfigError if arrays of these shapes and types are more than this process may have.

    A megabyte of skipped macroblocks can stand for gigabytes of zeros.
    """
    wanted = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in arrays)
    if wanted < _WORTH_A_LOOK:
        return
    free = free_memory()
    if wanted > free:
        raise ConfigError(
            f"the arrays would take {wanted / 1e9:.2f} GB, and this process may have "
            f"{free / 1e9:.2f} GB more",
            remedy="read fewer frames at a time (`frames`), or at a larger `scale`",
        )


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Turns the end of the memory, met by what is kept beside the arrays, into a ConfigError."""
    try:
        yield
    except MemoryError as error:
        raise ConfigError(
            "the memory that this process may have does not suffice",
            remedy="read fewer frames at a time (`frames`), with fewer `threads`, or at a larger "
            "`scale`",
        ) from error


def check_choice(name: str, values: Iterable[object], allowed: tuple[object, ...]) -> None:
    """Raises ConfigError if one of `values` is not among `allowed`."""
    for value in values:
        if value not in allowed:
            raise ConfigError(
                f"{name} is {value!r}", remedy=f"choose from {', '.join(map(repr, allowed))}"
            )


def parts_of(what: object, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """What is to be read, as a tuple: an iterator is used up by who looks into it.

    Raises:
        ConfigError: It is no collection of these names.
    """
    parts = tuple(what) if isinstance(what, Iterable) else (what,)
    check_choice("what", parts, allowed)
    return tuple(str(one) for one in parts)


def check_common(scale: int, space: str, threads: int, on_error: str) -> None:
    """Checks the arguments that all ways of reading share."""
    check_choice("scale", (scale,), SCALES)
    check_choice("space", (space,), SPACES)
    check_choice("on_error", (on_error,), ("raise", "mask"))
    for name, value in (("scale", scale), ("threads", threads)):
        check_whole(name, value)


def check_whole(name: str, value: object, *, least: int = 1, most: int = _MOST) -> None:
    """Raises ConfigError if a value is no whole number from `least` to `most`."""
    if type(value) is int and least <= value <= most:
        return  # what is asked of all others takes ten microseconds
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(cast(Any, value))
    except TypeError:  # arrays have an index, and most of them cannot tell it
        number = least - 1
    if not least <= number <= most:
        raise ConfigError(
            f"{name} is {value!r}", remedy=f"use a whole number from {least} to {most:,}"
        )
