"""A store of its own, for tests that draw films."""

import pytest

from mic.storage import assets


@pytest.fixture(scope="session")
def _fetched():
    return assets.path("face_landmarker").parents[1]


@pytest.fixture
def home(tmp_path, monkeypatch, _fetched):
    """An empty store that has the pinned files."""
    monkeypatch.setenv("MIC_HOME", str(tmp_path))
    (tmp_path / "assets").symlink_to(_fetched)
    return tmp_path
