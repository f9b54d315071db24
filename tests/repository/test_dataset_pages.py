"""The pages on the datasets say what the readers do."""

import itertools

import pytest
from environment_file import ROOT

from mic import datasets
from mic.datasets import published
from mic.experiments import given

PAGES = ROOT / "docs" / "datasets"
SECTIONS = (
    "Where to apply",
    "What arrives",
    "The command",
    "The protocol",
    "Expected counts",
    "What is checked",
    "How long it takes",
    "What the licence forbids",
)


def _page(name):
    base = datasets.DATASETS[name].folder_name
    page = PAGES / f"{'recola' if base == 'avec' else base}.md"
    assert page.is_file(), f"write docs/datasets/{page.name} with the sections {SECTIONS}"
    return page.read_text()


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_each_dataset_has_its_page_with_the_counts_that_are_checked(name):
    text = _page(name)
    assert [one for one in SECTIONS if f"\n## {one}\n" not in text] == []
    assert f"mic fetch {name}" in text
    for what, count in datasets.DATASETS[name].expected.items():
        assert f"| {what} | {count} |" in text
    alias = {target: alias for alias, target in published.ALIASES.items()}
    assert f"--data {alias.get(name, name)}=" in text or f"--data {name}=" in text


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_the_commands_of_the_pages_name_data_that_can_be_given(path):
    words = path.read_text().replace("`", " ").split()
    texts = [after for word, after in itertools.pairwise(words) if word == "--data"]
    for text in texts:
        assert given.parse([text])
