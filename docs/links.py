"""Checks every link of the repository's Markdown pages to a file or a heading of the repository.

    python docs/links.py [ROOT]

Links to other sites are left alone: a build must not depend on who answers today.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CODE = re.compile(r"(?s)```.*?```|`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(?m)^#+ +(.+?)\s*$")


def pages(root: Path) -> list[Path]:
    """The Markdown pages that Git tracks or would track."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z", "*.md"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [root / name for name in names.split("\0") if name and (root / name).is_file()]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    text = re.sub(r"(?s)```.*?```", "", page.read_text())
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in _HEADING.findall(text)]
    return {re.sub(r"\s", "-", heading.strip()) for heading in plain}


def broken(root: Path) -> Iterator[str]:
    """A line for each link that leads nowhere."""
    for page in pages(root):
        for target in _LINK.findall(_CODE.sub("", page.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.exists():
                yield f"{page.relative_to(root)}: {target}: no such file"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield f"{page.relative_to(root)}: {target}: no such heading"


def main() -> int:
    """Prints the broken links."""
    found = list(broken(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
