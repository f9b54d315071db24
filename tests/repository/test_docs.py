"""The pages of the repository lead somewhere; `make docs` builds the site from them."""

import importlib.util
import re

from environment_file import ROOT

spec = importlib.util.spec_from_file_location("links", ROOT / "docs" / "links.py")
links = importlib.util.module_from_spec(spec)
spec.loader.exec_module(links)


def test_no_link_between_pages_is_broken():
    assert len(links.pages(ROOT)) > 8
    assert list(links.broken(ROOT)) == []


def test_a_broken_link_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "# One head\n[a](#one-head) [b](#none) [c](absent.md) `[d](e)` [f](https://g)\n"
    )
    monkeypatch.setattr(links, "pages", lambda root: [page])
    assert [line.split(": ", 1)[1] for line in links.broken(tmp_path)] == [
        "#none: no such heading",
        "absent.md: no such file",
    ]


def test_every_page_of_the_site_is_in_its_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    entries = set(re.findall(r"(?m)^([\w/*-]+)$", index))
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        folder = name.rpartition("/")[0]
        assert name == "index" or name in entries or f"{folder}/*".lstrip("/") in entries, name
