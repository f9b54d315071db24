"""Every error on bad input: typed, naming the file, the place and the remedy."""

from __future__ import annotations

import os
import re
from pathlib import Path

# Control characters, line and paragraph separators, and those of the bidirectional algorithm.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(path: str | Path) -> str:
    r"""A file's name as text that any table and terminal takes.

    Names are bytes to most systems; those that are no UTF-8 come out escaped, `caf\xe9.mp4`, and
    so do characters that command a terminal, or turn the direction of what follows.
    """
    try:
        data = os.fsencode(path)
    except UnicodeEncodeError:  # letters that no name on a disk can have
        data = str(path).encode("utf-8", "backslashreplace")
    text = data.decode("utf-8", "backslashreplace")
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class MicError(Exception):
    """Base of all errors that bad input, a bad environment or a full disk can cause.

    Args:
        message: What is wrong, one sentence without the file's name.
        file: The file or folder at fault, if there is one.
        place: Where in it: a packet, a bit offset, a row, a cell, a clause of the standard.
        remedy: What the user can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        place: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message = message
        self.file = None if file is None else Path(file)
        self.place = place
        self.remedy = remedy
        super().__init__(message, file, place, remedy)

    def __str__(self) -> str:
        file = None if self.file is None else printable(self.file)
        where = ", ".join(part for part in (file, self.place) if part is not None)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}. Remedy: {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes hand errors back through pickle, which does not know keyword-only names.
        return (_rebuild, (type(self), self.message, self.file, self.place, self.remedy))


def _rebuild(
    cls: type[MicError], message: str, file: Path | None, place: str | None, remedy: str | None
) -> MicError:
    return cls(message, file=file, place=place, remedy=remedy)


class ConfigError(MicError):
    """An unknown parameter, profile or option, or a value out of its range."""


class ExtraError(MicError):
    """A package of an optional part that is not installed; the remedy has the command."""


class CodecError(MicError):
    """A video that cannot be opened, decoded or encoded."""


class BitstreamError(MicError):
    """A damaged MPEG-4 Part 2 stream; `place` names clause, packet and bit offset."""


class UnsupportedSyntaxError(BitstreamError):
    """A valid stream that uses a feature outside the supported profile; `place` has the clause."""
