"""Letters for films and plots: a font of this machine that has them, or their numbers.

DejaVu Sans comes with matplotlib and has Latin, Greek, Cyrillic and more. For what it lacks, such
as Chinese, Japanese and Korean, the system's fonts are asked. A character that no font here has
is written as its number, `U+559C`, never as an empty box.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import ImageFont

_SUFFIXES = frozenset({".ttf", ".ttc", ".otf"})
# Parts of the names of fonts with many scripts, to be tried before hundreds of others.
_WIDE = ("cjk", "unifont", "fallback", "unicode", "wqy", "gothic", "hiragino", "pingfang", "yahei")


@dataclasses.dataclass(frozen=True)
class Lettering:
    """A text as it can be drawn.

    Attributes:
        text: The text, characters without a glyph replaced by their numbers.
        file: The font, by its file.
    """

    text: str
    file: Path


def lettering(text: str) -> Lettering:
    """The text and the font that draws it.

    Raises:
        FileNotFoundError: matplotlib is installed without its fonts.
    """
    files = _files()
    first = next(files)
    if _has_all(first, text):
        return Lettering(text, first)
    for file in files:
        if _has_all(file, text):
            return Lettering(text, file)
    return Lettering(
        "".join(one if _has(first, one) else f"U+{ord(one):04X}" for one in text), first
    )


def _files() -> Iterator[Path]:
    """DejaVu Sans, then the system's fonts, those of many scripts first."""
    yield _bundled()
    yield from _of_the_system()


@functools.cache
def _bundled() -> Path:
    # Found without an import, which takes longer than drawing a film's first picture.
    package = importlib.util.find_spec("matplotlib")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return file
    raise FileNotFoundError("matplotlib's DejaVuSans.ttf")


@functools.cache
def _of_the_system() -> tuple[Path, ...]:
    found = [
        Path(top) / name
        for folder in _folders()
        for top, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in _SUFFIXES
    ]

    def narrow(file: Path) -> tuple[bool, str]:
        return not any(part in file.name.lower() for part in _WIDE), file.name

    return tuple(sorted(found, key=narrow))


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [
        *(Path(folder) / "fonts" for folder in shared.split(":")),
        home / ".local/share/fonts",
        home / ".fonts",
    ]


def _has_all(file: Path, text: str) -> bool:
    return all(_has(file, one) for one in set(text))


@functools.lru_cache(maxsize=4096)
def _has(file: Path, character: str) -> bool:
    if character.isspace():
        return True
    font = _opened(file)
    if font is None or not character.isprintable():
        return False
    # What a font lacks it draws as it draws a code point that is none.
    drawn, none = font.getmask(character), font.getmask("\uffff")
    return drawn.getbbox() is not None and _samples(drawn) != _samples(none)


def _samples(mask: Any) -> tuple[tuple[int, int], bytes]:
    # Pillow's types do not say that its core pictures are sequences of samples.
    return mask.size, bytes(mask)


@functools.lru_cache(maxsize=64)
def _opened(file: Path) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(str(file), 24)
    except (OSError, UnicodeEncodeError):
        return None  # damaged, or of a kind that FreeType does not know
