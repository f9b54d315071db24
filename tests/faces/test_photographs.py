"""I-frames are read and nothing else, each clip is asked once, tested people teach nothing."""

import numpy as np
import pytest
import squares

from mic import codec, config, experiments
from mic.experiments import photographs
from mic.experiments.recoded import recoded

CONFIG = config.load("smoke", steps=3, parts=2, folds=2, bootstrap=100, jobs=1)
CLASSES = ("anger", "happiness")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Squares of eight grays, seven frames each: nobody's faces."""

    def frames(person, number):
        pictures = []
        for step in range(7):
            frame = np.full((48, 48, 3), 40 + 40 * person + 20 * number, np.uint8)
            frame[8 + step : 24 + step, 16:28] += np.uint8(15)
            pictures.append(frame)
        return pictures

    return squares.dataset(tmp_path_factory.mktemp("clips"), CLASSES, frames)


@pytest.fixture
def data(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))  # the copies with more I-frames
    return experiments.Dataset(manifest=manifest, network="known", folder=tmp_path / "cache")


def _knowing(monkeypatch, answer):
    """A network whose answer to each picture is `answer(picture)`: the probability of anger."""

    def probabilities(self, faces):
        share = np.array([answer(face) for face in faces], np.float32)
        return np.stack([share, *[np.zeros_like(share)] * 2, 1 - share, *[share * 0] * 3], 1)

    monkeypatch.setattr(photographs.Fer, "probabilities", probabilities)


def test_only_i_frames_are_read_and_all_of_them(data):
    copies = recoded(data.manifest, jobs=1, gop=3)
    clip = copies.clips[0]
    path = copies.path(clip)
    every = list(codec.decode(path))
    pictures = photographs.intra(path, clip, 3)
    assert len(pictures) == 3
    for picture, number in zip(pictures, (0, 3, 6), strict=True):
        np.testing.assert_array_equal(picture, every[number])
    taken = photographs.decoded(path, clip, 3)
    assert len(taken) == 3
    np.testing.assert_array_equal(taken[-1], every[6])


def test_each_row_counts_its_pictures_and_a_clip_is_asked_once(data, monkeypatch):
    table = photographs.table(data, CONFIG, gops=(3,))
    assert list(table["row"]) == ["decoded frames", "the I-frame", "I-frames, one in 3"]
    assert list(table["pictures"]) == [3, 1, 3]
    assert (table["n"] == 8).all()
    assert table["difference"].isna().tolist() == [True, False, False]

    def refuse(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(photographs.Fer, "probabilities", refuse)
    assert photographs.table(data, CONFIG, gops=(3,)).equals(table)


def test_what_the_pictures_tell_is_found(data, monkeypatch):
    _knowing(monkeypatch, lambda face: 0.9 if round(face[0, 0].mean() / 20) % 2 == 0 else 0.1)
    table = photographs.table(data, CONFIG, gops=())
    assert (table["accuracy"] == 1).all()
    assert (table["difference"].dropna() == 0).all()


def test_an_answer_that_names_the_person_is_worth_nothing_on_others(data, monkeypatch):
    _knowing(monkeypatch, lambda face: 0.1 + 0.2 * round((face[0, 0].mean() - 50) / 40))
    table = photographs.table(data, CONFIG, gops=())
    assert (table["accuracy"] <= 0.5).all()
