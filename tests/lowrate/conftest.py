"""A worker process, for tests that compare its answers with those of their own process."""

import pytest

from mic.processes import workers


@pytest.fixture
def one_worker(monkeypatch):
    """However many processes are asked for, one works: each imports torch for seconds.

    That several share the tasks is seen in tests/codec/test_codec_tree.py and, with networks, in
    tests/experiments/test_experiments.py.
    """
    pool = workers.pool
    monkeypatch.setattr(workers, "pool", lambda count: pool(min(count, 1)))
