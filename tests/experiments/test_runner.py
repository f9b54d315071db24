"""Any kind of cell goes through one runner: stages first, stored ones left alone, in order."""

import contextlib

import pytest
from numbers_grid import Squares

from mic.errors import ConfigError
from mic.experiments.runner import outcomes, processes
from mic.processes import workers


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_stages_come_first_and_only_for_what_is_missing(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "cell 1").touch()
    seen = []
    with processes(2) as executor:
        found = outcomes(
            [(Squares(one), [1, 2, 3]), (Squares(other), [4])],
            executor=executor,
            progress=lambda done, total: seen.append((done, total)),
        )
    assert found == [[1, 4, 9], [16]]
    assert seen == [(done, 4) for done in range(1, 5)]
    shared = [f"{stage} {cell}" for stage in ("first", "second") for cell in (2, 3)]
    assert names(one) == ["cell 1", "cell 2", "cell 3", *shared]
    assert names(other) == ["cell 4", "first 4", "second 4"]


def test_one_process_computes_cells_one_by_one(tmp_path):
    seen = []
    found = outcomes(
        [(Squares(tmp_path), [3, 2])], progress=lambda done, total: seen.append((done, total))
    )
    assert found == [[9, 4]]
    assert seen == [(1, 2), (2, 2)]
    assert names(tmp_path) == ["cell 2", "cell 3"]


def test_the_first_failure_of_a_stage_ends_all_of_them(tmp_path, monkeypatch):
    real = workers.pool

    @contextlib.contextmanager
    def pool(count):
        with real(count) as found:
            try:
                yield found
            finally:
                (tmp_path / "failed").touch()

    monkeypatch.setattr(workers, "pool", pool)
    grid = Squares(tmp_path, broken=True)
    with pytest.raises(ConfigError, match="first of many"), processes(2) as executor:
        outcomes([(grid, range(60))], executor=executor)
    # The pool has ended, and with it the few tasks that it had handed out before the failure.
    left = names(tmp_path)
    assert len(left) < 10
    assert not any(name.startswith(("second", "cell")) for name in left)
