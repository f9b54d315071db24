"""The feature cache: found again, damaged entries recomputed, shared by processes."""

import dataclasses
import json
import math
import multiprocessing
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mic.errors import ConfigError, DatasetError
from mic.storage import cache
from mic.storage.cache import Stage, digest, entry_path, fetch, read

STAGE = Stage(name="test-stage", version=1)


def sample() -> cache.Arrays:
    rng = np.random.default_rng(0)
    return {
        "residual": rng.integers(-255, 256, (5, 6, 7, 3), dtype=np.int16),
        "mask": rng.random((5, 6)) > 0.5,
        "box": np.full((2, 4), np.nan, np.float32),
        "empty": np.empty((0, 3), np.uint8),
        "scalar": np.array(3.5),
    }


def refuse() -> cache.Arrays:
    raise AssertionError("computed although the entry is there")


def same(left: cache.Arrays, right: cache.Arrays) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and np.array_equal(left[name], right[name], equal_nan=left[name].dtype.kind == "f")
        for name in left
    )


def test_an_entry_is_computed_once_and_read_alike(tmp_path):
    made = fetch(STAGE, inputs=["a"], compute=sample, folder=tmp_path)
    found = fetch(STAGE, inputs=["a"], compute=refuse, folder=tmp_path)
    assert same(made, sample())
    assert same(found, sample())
    with pytest.raises(ValueError, match="read-only"):
        found["residual"][0] = 0


def test_what_decides_the_value_decides_the_key(tmp_path):
    base = {"inputs": ["a", "b"], "parameters": {"scale": 2, "space": "rgb"}, "folder": tmp_path}
    variants = [
        base,
        base | {"inputs": ["b", "a"]},
        base | {"inputs": ["ab"]},
        base | {"parameters": {"scale": 4, "space": "rgb"}},
        base | {"parameters": {"scale": 2}},
        base | {"parameters": {"scale": "2", "space": "rgb"}},
        base | {"parameters": {"scale": True, "space": "rgb"}},
    ]
    paths = {entry_path(STAGE, **variant) for variant in variants}
    paths.add(entry_path(Stage(name="test-stage", version=2), **base))
    paths.add(entry_path(Stage(name="test-stage-2", version=1), **base))
    assert len(paths) == len(variants) + 2
    reordered = base | {"parameters": {"space": "rgb", "scale": 2.0}}
    assert entry_path(STAGE, **reordered) == entry_path(STAGE, **base)


def test_the_file_is_reproducible_and_tells_its_recipe(tmp_path):
    paths = []
    for name in ("one", "two"):
        parameters = {"rate": Fraction(30000, 1001), "stages": (1, 2)}
        fetch(STAGE, inputs=["a"], compute=sample, parameters=parameters, folder=tmp_path / name)
        paths.append(
            entry_path(STAGE, inputs=["a"], parameters=parameters, folder=tmp_path / name)
        )
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    header = json.loads(first[8 : 8 + int.from_bytes(first[:8], "little")])
    recipe = json.loads(json.loads(header["__metadata__"]["mic"])["recipe"])
    assert recipe["parameters"] == {"rate": "30000/1001", "stages": [1, 2]}


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_damage_is_found(data):
    content = bytearray(cache._pack(sample(), "recipe"))
    kind = data.draw(st.sampled_from(["flip", "cut", "extend", "zero"]))
    if kind == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif kind == "extend":
        content += data.draw(st.binary(min_size=1, max_size=9))
    elif kind == "zero":
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + 512] = bytes(len(content[start : start + 512]))
    else:
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << bit % 8
    try:
        arrays = cache._unpack(bytes(content))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    assert same(arrays, sample())  # the damage was in white space, or changed nothing


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "junk"])
def test_a_damaged_entry_is_computed_again(tmp_path, damage, caplog):
    fetch(STAGE, inputs=["a"], compute=sample, folder=tmp_path)
    path = entry_path(STAGE, inputs=["a"], folder=tmp_path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut": whole[:-1],
            "flip": whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:],
            "empty": b"",
            "junk": b"\xff" * 64,
        }[damage]
    )
    assert read(path) is None
    assert same(fetch(STAGE, inputs=["a"], compute=sample, folder=tmp_path), sample())
    assert path.read_bytes() == whole
    assert "damaged" in caplog.text


def test_a_failing_computation_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError):
        fetch(STAGE, inputs=["a"], compute=refuse, folder=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_large_entries_are_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MAP_FROM_BYTES", 1)
    fetch(STAGE, inputs=["a"], compute=sample, folder=tmp_path)
    found = read(entry_path(STAGE, inputs=["a"], folder=tmp_path))
    assert same(found, sample())
    assert not found["residual"].flags.writeable


def _work(folder, barrier, log):
    def compute():
        time.sleep(0.05)
        with log.open("a") as stream:
            stream.write("computed\n")
        return sample()

    barrier.wait()
    for number in range(4):
        assert same(fetch(STAGE, inputs=[str(number)], compute=compute, folder=folder), sample())


def test_eight_processes_share_a_cache_and_compute_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, log = context.Barrier(8), tmp_path / "log"
    workers = [
        context.Process(target=_work, args=(tmp_path / "cache", barrier, log)) for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert log.read_text().count("computed") == 4
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {
        ".safetensors"
    }


def test_directories_stay_small(tmp_path):
    paths = {entry_path(STAGE, inputs=[str(i)], folder=tmp_path) for i in range(100_000)}
    folders: dict[Path, int] = {}
    for path in paths:
        folders[path.parent] = folders.get(path.parent, 0) + 1
    assert len(folders) == 256
    assert max(folders.values()) < 500


@dataclasses.dataclass(frozen=True)
class Options:
    scale: int
    rate: Fraction


def test_dataclasses_and_numpy_scalars_are_parameters():
    by_class = entry_path(STAGE, inputs=[], parameters={"o": Options(2, Fraction(1, 3))})
    by_hand = entry_path(
        STAGE, inputs=[], parameters={"o": {"scale": np.int64(2), "rate": Fraction(1, 3)}}
    )
    assert by_class == by_hand


@pytest.mark.parametrize("value", [math.nan, math.inf, Path("a"), np.zeros(2), {1: 2}, {"a"}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(ConfigError, match="cache key"):
        entry_path(STAGE, inputs=[], parameters={"value": value})


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "a b", "-a"])
def test_a_stage_name_is_a_plain_folder_name(name):
    with pytest.raises(ConfigError):
        Stage(name=name, version=1)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.zeros(2, complex)])
def test_only_numbers_are_cached(tmp_path, array):
    with pytest.raises(ConfigError, match="cannot be cached"):
        fetch(STAGE, inputs=[], compute=lambda: {"x": array}, folder=tmp_path)


def test_the_digest_follows_the_content(tmp_path):
    file = tmp_path / "clip"
    file.write_bytes(b"one")
    first = digest(file)
    assert digest(file) == first
    file.write_bytes(b"three")
    assert digest(file) != first
    with pytest.raises(DatasetError):
        digest(tmp_path / "absent")
