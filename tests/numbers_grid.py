"""Cells that cost nothing, in a module that imports nothing: worker processes begin at once."""

import dataclasses
import functools
import time
from pathlib import Path

from mic.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Squares:
    """A grid whose cells are numbers; what is done leaves files.

    Attributes:
        folder: Where the files are; after the first failure a test puts one named "failed" there.
        broken: Whether the first task of all fails, for which the others then wait.
    """

    folder: Path
    broken: bool = False

    def is_stored(self, cell):
        return (self.folder / f"cell {cell}").exists()

    def shared(self, cells):
        work = fail_or_write if self.broken else touch
        return [
            [functools.partial(work, self.folder / f"first {cell}") for cell in cells],
            [functools.partial(touch, self.folder / f"second {cell}") for cell in cells],
        ]

    def outcome(self, cell):
        touch(self.folder / f"cell {cell}")
        return cell**2


def touch(path):
    if path.name.startswith("second"):
        assert path.with_name(path.name.replace("second", "first")).exists()
    path.touch()


def fail_or_write(path):
    if path.name == "first 0":
        raise ConfigError("the first of many")
    while not path.with_name("failed").exists():
        time.sleep(0.01)
    path.touch()
