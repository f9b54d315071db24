"""Profiles, their overrides, and the parameters that a notebook hands over."""

import dataclasses
import types

import pytest

from mic import config
from mic.errors import ConfigError


def test_smoke_is_smaller_than_default_in_every_size():
    smoke, default = config.load("smoke"), config.load("default")
    for name in ("size", "ck_clips", "mmi_clips", "afew_clips", "avec_seconds", "epochs"):
        assert getattr(smoke, name) < getattr(default, name)


def test_auto_reads_the_environment(monkeypatch):
    monkeypatch.setenv("MIC_PROFILE", "smoke")
    assert config.load().name == "smoke"
    monkeypatch.delenv("MIC_PROFILE")
    assert config.load().name == "default"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"profile": "smok"}, "smok"),
        ({"profile": "smoke", "epoch": 3}, "epoch"),
        ({"profile": "smoke", "epochs": "3"}, "epochs"),
        ({"profile": "smoke", "name": "mine"}, "name"),
        ({"profile": "smoke", "seeds": 0}, "seeds"),
        ({"profile": "smoke", "seed": -1}, "seed"),
        ({"profile": "smoke", "ladder": []}, "ladder"),
        ({"profile": "smoke", "ladder": [2, "x"]}, "whole numbers"),
        ({"profile": "smoke", "factors": [2, 0]}, "factors"),
        ({"profile": "smoke", "folds": 9}, "9 folds of 3 parts"),
    ],
)
def test_what_is_misspelt_or_cannot_be_is_refused(arguments, word):
    with pytest.raises(ConfigError, match=word):
        config.load(**arguments)


def test_lists_from_a_command_line_become_tuples():
    assert config.load("smoke", ladder=[1, 2]).ladder == (1, 2)


def test_the_digest_follows_every_field_but_the_worker_count():
    base = config.load("smoke")
    assert dataclasses.replace(base, jobs=7).digest() == base.digest()
    for field in dataclasses.fields(base):
        if field.name in ("jobs", "name"):
            continue
        value = getattr(base, field.name)
        other = value * 2 if isinstance(value, tuple) else value + type(value)("1")
        assert dataclasses.replace(base, **{field.name: other}).digest() != base.digest()


def test_a_notebook_parameter_that_nobody_knows_is_an_error():
    namespace = {"profile": "smoke", "clip": "x", "In": [], "_": 1, "mic": types.ModuleType("m")}
    assert config.from_notebook(namespace, extra=("clip",)).name == "smoke"
    with pytest.raises(ConfigError, match="epochz"):
        config.from_notebook({**namespace, "epochz": 3}, extra=("clip",))


def test_a_notebook_parameter_of_none_keeps_the_preset():
    assert config.from_notebook({"profile": "smoke", "epochs": None}).epochs == 2
    assert config.from_notebook({"profile": "smoke", "epochs": 5}).epochs == 5
