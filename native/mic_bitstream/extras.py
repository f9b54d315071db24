"""What an installation may lack, and how to get it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mic_bitstream.errors import ExtraError

# The extra of mic-bitstream that holds a package.
EXTRAS = {"av": "containers", "torch": "torch"}


@contextlib.contextmanager
def needed(purpose: str, *, file: Path | None = None) -> Iterator[None]:
    """Imports of optional packages stand in this block.

    Args:
        purpose: What the package is for, for the message.
        file: The file that needs it.

    Raises:
        ExtraError: One of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise ExtraError(
            f"{purpose} the package {package}, which is not installed",
            file=file,
            remedy=f"run `pip install 'mic-bitstream[{EXTRAS[package]}]'`",
        ) from error
