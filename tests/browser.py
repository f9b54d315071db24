"""The Chromium of this machine, by whatever name the system has it."""

import shutil
from pathlib import Path

_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
CHROMIUM = (
    shutil.which("chromium")
    or shutil.which("google-chrome")
    or (str(_MAC) if _MAC.is_file() else None)
)
ABSENT = "install Chromium (Debian: apt-get install chromium)"
