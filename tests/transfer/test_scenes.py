"""Films with everything at random: seeded, and each factor for itself."""

import numpy as np
import pytest

from mic import codec
from mic.errors import ConfigError
from mic.transfer.scenes import FACTORS, Randomisation, scene

FRAMES = 5


def _first(planned):
    return next(planned.frames())


def test_equal_seeds_give_equal_pictures():
    one, other = (scene(3, 0, Randomisation(), frames=FRAMES) for _ in range(2))
    for a, b in zip(one.frames(), other.frames(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_take_is_another_film_of_the_same_person():
    one, other = (scene(3, take, Randomisation(), frames=FRAMES) for take in (0, 1))
    assert one.person.identity.seed == other.person.identity.seed
    assert not np.array_equal(one.activation, other.activation)


def test_a_factor_that_is_left_out_changes_nothing_else():
    whole = scene(3, 0, Randomisation(), frames=FRAMES)
    for factor in FACTORS:
        fixed = scene(3, 0, Randomisation().without(factor), frames=FRAMES)
        assert (fixed.views == whole.views) == (factor not in ("movement", "camera", "rate"))
        assert (fixed.size == whole.size) or factor == "camera"
        assert (fixed.rate == whole.rate) or factor == "rate"
        same = np.array_equal(fixed.person.painted.texture.sample(*_SPOT),
                              whole.person.painted.texture.sample(*_SPOT))  # fmt: skip
        assert same == (factor != "skin")
        assert bool(len(fixed.person.hair.triangles)) == (factor != "hair")


_SPOT = np.array([[0.5, 0.5]], np.float32), np.zeros(1, np.int32)


def test_nobody_speaks_without_speech():
    """Without speech the jaw of a film differs only where somebody speaks in it."""
    differs = []
    for person in range(12):
        films = [
            scene(person, 0, chosen, frames=20).activation
            for chosen in (Randomisation(), Randomisation().without("speech"))
        ]
        differs.append(not np.array_equal(*films))
        assert (films[0] >= films[1] - 1e-6).all()
    assert 2 <= sum(differs) <= 10


def test_one_light_for_all_without_light():
    fixed = Randomisation().without("light")
    one, other = (scene(person, 0, fixed, frames=2).lighting for person in (3, 4))
    np.testing.assert_array_equal(one.key, other.key)
    free = scene(3, 0, Randomisation(), frames=2).lighting
    assert not np.array_equal(one.key, free.key)


def test_an_unknown_factor_is_refused():
    with pytest.raises(ConfigError, match="weather"):
        Randomisation().without("weather")


@pytest.mark.parametrize("person", [0, 1, 2])
def test_a_film_is_one_group_of_mpeg4(tmp_path, person):
    planned = scene(person, 0, Randomisation(), frames=FRAMES)
    planned.encode(tmp_path / "film.mp4")
    info = codec.probe(tmp_path / "film.mp4")
    assert (info.codec, info.width, info.frames) == ("mpeg4", planned.size, FRAMES)
    first = next(codec.decode(tmp_path / "film.mp4"))
    assert np.abs(first.astype(int) - _first(planned)).mean() < 12
