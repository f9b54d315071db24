"""Derives environment.yml from pyproject.toml and the lock; `--write` writes it.

A script and not only a test, because whoever changes a pin has to write the file too.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def expected() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        named += extra
    wanted = {re.split(r"[<>=!~; \[]", line, maxsplit=1)[0].lower() for line in named}
    wanted -= {project["name"], "mic-bitstream"}  # extras that contain others; what is here
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"(?m)^([\w.-]+==[^ ;\\]+)", lock)
    top = sorted({pin for pin in pins if pin.partition("==")[0].lower() in wanted})
    missing = wanted - {pin.partition("==")[0].lower() for pin in top}
    if missing:
        raise SystemExit(f"not in the lock: {sorted(missing)}")
    lines = [
        "# For conda users: Python and pip, then the lock's top level. `make` needs no conda.",
        "name: mic",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.11",
        "  - pip",
        "  - cxx-compiler",
        "  - pip:",
        *(f"      - {pin}" for pin in top),
        "      - --editable ./native",
        "      - --editable .",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__" and "--write" in sys.argv:
    (ROOT / "environment.yml").write_text(expected())
