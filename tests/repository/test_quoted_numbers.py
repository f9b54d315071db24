"""Numbers with intervals that pages and lessons quote stand in a committed table."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from environment_file import ROOT

# "0.948 [0.923, 0.971]", "+3.8 points [-0.1, +7.8]", and a p that may follow.
_NUMBER = r"[+-]?\d*\.?\d+"
_QUOTED = re.compile(
    rf"({_NUMBER})(?: points)? \[({_NUMBER}), ({_NUMBER})\]"
    r"(?:, p (\d*\.?\d+(?:e-\d+)?)(?!\d| to | and ))?"
)
_IS_P = re.compile(r"(^|_)p(_|$)")
# Of clips whose licence keeps their tables out of the repository.
_UNPUBLISHED = {
    "0.71 [0.54, 0.86]",
    "0.07 [-0.06, 0.17]",
    "0.070 [-0.061, 0.168]",
    "0.007 [-0.111, 0.049]",
    "0.000 [-0.020, 0.014]",
}


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield ROOT / "REPRODUCIBILITY.md"
    yield ROOT / "docs" / "claims.md"
    yield from sorted((ROOT / "docs" / "guide").glob("*.md"))
    yield from sorted((ROOT / "notebooks").rglob("*.ipynb"))


def prose(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return " ".join(text.replace("\N{MINUS SIGN}", "-").split())


@cache
def committed() -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """Every value with its interval in any table of results, and the p values of its line."""
    values: list[tuple[float, float, float]] = []
    probabilities: list[tuple[float, ...]] = []
    for path in sorted((ROOT / "results").rglob("*.csv")):
        table = pd.read_csv(path)
        for name in table.columns:
            if not {f"{name}_low", f"{name}_high"} <= set(table.columns):
                continue
            three = table[[name, f"{name}_low", f"{name}_high"]].apply(
                pd.to_numeric, errors="coerce"
            )
            ps = table[[name for name in table.columns if _IS_P.search(name)]]
            values += three.itertuples(index=False, name=None)
            probabilities += ps.apply(pd.to_numeric, errors="coerce").itertuples(
                index=False, name=None
            )
    return np.array(values, float), probabilities


def is_rounded(quoted: str, value: np.ndarray) -> np.ndarray:
    decimals = len(quoted.partition("e")[0].partition(".")[2])
    unit = 10.0**-decimals * (10.0 ** float(quoted.partition("e")[2]) if "e" in quoted else 1)
    return np.abs(value - float(quoted)) <= 0.5 * unit * (1 + 1e-6)


def stands(value: str, low: str, high: str, p: str | None) -> bool:
    """Whether some line of some table rounds to this, in points or turned round as well."""
    table, probabilities = committed()
    found = np.zeros(len(table), bool)
    for scale in (1, 100):
        found |= np.all(
            [is_rounded(q, scale * table[:, k]) for k, q in enumerate((value, low, high))], 0
        )
        found |= np.all(
            [is_rounded(q, -scale * table[:, k]) for k, q in enumerate((value, high, low))],
            0,
        )
    if p is None:
        return bool(found.any())
    ps = [probabilities[k] for k in np.flatnonzero(found)]
    return any(is_rounded(p, np.array(line)).any() for line in ps if line)


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_quoted_intervals_stand_in_a_table(page):
    wrong = [
        match[0]
        for match in _QUOTED.finditer(prose(page))
        if match[0] not in _UNPUBLISHED and not stands(*match.groups())
    ]
    assert not wrong


def test_a_number_that_no_table_has_is_found():
    assert stands("0.948", "0.923", "0.971", None)
    assert not stands("0.948", "0.123", "0.971", None)
    assert stands("-0.025", "-0.045", "-0.006", "0.068")
    assert not stands("-0.025", "-0.045", "-0.006", "0.47")
