"""Headers of H.264 slices: written at random, and read (ITU-T H.264, 7.3.2 and 7.3.3)."""

import random

import pytest
from oracles.field_coded import Bits, unit

from mic.codec.avc_parameters import ParameterSets
from mic.codec.avc_slices import empties_memory
from mic.codec.references import AvcReferences

P, B, INTRA, SP = range(4)


def _sequence(rng, told):
    high = told["high"]
    bits = Bits().put(8, 100 if not told["planes"] and rng.random() < 0.5 else 244)
    bits = bits if high else Bits().put(8, 77)
    bits.put(16, 40).golomb(1)
    if high:
        bits.golomb(3 if told["planes"] else told["chroma"])
        if told["planes"] or told["chroma"] == 3:
            bits.put(1, told["planes"])
        bits.golomb(0, 0).put(2, 0)
    bits.golomb(told["number_bits"] - 4, told["order_type"])
    if told["order_type"] == 0:
        bits.golomb(told["order_bits"] - 4)
    elif told["order_type"] == 1:
        bits.put(1, not told["order_told"]).golomb(3, 4, 2, 5, 6)
    bits.golomb(4).put(1, 0).golomb(3, 3).put(1, not told["fields"])
    return unit(7, bits.put(2, 0).put(2, 0).bytes(stop=True))


def _picture(rng, told):
    bits = Bits().golomb(2, 1).put(1, rng.random() < 0.5).put(1, told["bottom"])
    groups = told["groups"]
    bits.golomb(groups - 1)
    if groups > 1:
        kind = rng.choice((0, 1, 2, 3, 6))
        bits.golomb(kind)
        if kind == 0:
            bits.golomb(*range(groups))
        elif kind == 2:
            bits.golomb(*range(2 * (groups - 1)))
        elif kind == 3:
            bits.put(1, 1).golomb(7)
        elif kind == 6:
            bits.golomb(5).put(6 * (groups - 1).bit_length(), 0)
    bits.golomb(told["references"][0] - 1, told["references"][1] - 1)
    bits.put(1, told["weighted"][0]).put(2, told["weighted"][1])
    bits.golomb(0, 3, 2).put(2, 1).put(1, told["redundant"])
    return unit(8, bits.bytes(stop=True))


def _slice(rng, told, kind, operations, *, reference=True):
    bits = Bits().golomb(0, kind + 5 * rng.randrange(2), 2)
    bits.put(2 * told["planes"], 1 if told["planes"] else 0)
    bits.put(told["number_bits"], told["number"])
    field = told["fields"] and rng.random() < 0.5
    if told["fields"]:
        bits.put(1, field).put(1 if field else 0, 1 if field else 0)
    if told["order_type"] == 0:
        bits.put(told["order_bits"], 9)
        bits.golomb(*[3] * (told["bottom"] and not field))
    elif told["order_type"] == 1 and told["order_told"]:
        bits.golomb(*[4] * (1 + (told["bottom"] and not field)))
    bits.golomb(*[1] * told["redundant"])
    bits.put(1 if kind == B else 0, 0)
    counts = {P: 1, SP: 1, B: 2}.get(kind, 0)
    lengths = list(told["references"][:counts])
    if counts:
        override = rng.random() < 0.5
        bits.put(1, override)
        if override:
            lengths = [rng.randrange(1, 4) for _ in range(counts)]
            bits.golomb(*[length - 1 for length in lengths])
    for _ in range(counts):
        changed = rng.random() < 0.5
        bits.put(1, changed)
        if changed:
            bits.golomb(0, 5, 2, 1, 1, 0, 3)
    if counts and (told["weighted"][1] == 1 if kind == B else told["weighted"][0]):
        colour = told["chroma"] > 0 and not told["planes"]
        bits.golomb(5, *[5] * colour)
        for length in lengths:
            for _ in range(length):
                for numbers in (2, 4)[: 1 + colour]:
                    weighed = rng.random() < 0.5
                    bits.put(1, weighed).golomb(*[7] * numbers * weighed)
    if reference:
        bits.put(1, operations is not None)
        for operation in operations or ():
            bits.golomb(operation, *{1: [0], 2: [3], 3: [1, 2], 4: [1], 5: [], 6: [0]}[operation])
        bits.golomb(*[0] * (operations is not None))
    bits.golomb(4).put(200, 1)
    return unit(1, bits.bytes(stop=True), reference=reference)


def _told(rng):
    high = rng.random() < 0.6
    return {
        "high": high,
        "planes": high and rng.random() < 0.2,
        "chroma": rng.choice((0, 1, 2, 3)) if high else 1,
        "number_bits": rng.randrange(4, 17),
        "order_type": rng.randrange(3),
        "order_bits": rng.randrange(4, 17),
        "order_told": rng.random() < 0.5,
        "fields": rng.random() < 0.3,
        "bottom": rng.random() < 0.5,
        "groups": rng.choice((1, 1, 2, 3)),
        "references": (rng.randrange(1, 5), rng.randrange(1, 5)),
        "weighted": (rng.random() < 0.5, rng.randrange(3)),
        "redundant": rng.random() < 0.3,
        "number": 3,
    }


OPERATIONS = (None, [], [1], [5], [1, 5], [2, 3, 4], [6, 2, 5], [3, 1, 6])


@pytest.mark.parametrize("seed", range(300))
def test_who_empties_the_decoders_memory_is_read_behind_any_syntax(seed):
    rng = random.Random(seed)
    told, kind = _told(rng), rng.choice((P, B, INTRA, SP))
    operations = OPERATIONS[seed % len(OPERATIONS)]
    sets = ParameterSets(_sequence(rng, told) + _picture(rng, told))
    written = _slice(rng, told, kind, operations)[4:]
    assert empties_memory(written, sets) == (5 in (operations or ()))


@pytest.mark.parametrize("empties", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_numbers_begin_anew_behind_it_and_nothing_is_missed(seed, empties):
    rng = random.Random(seed)
    told = _told(rng) | {"number": 5}
    numbers = AvcReferences(b"")
    sets = _sequence(rng, told) + _picture(rng, told)
    numbers.add(sets + _slice(rng, told, P, [5] if empties else [1]))
    numbers.add(_slice(rng, told | {"number": 1}, P, None))
    numbers.add(_slice(rng, told | {"number": 2}, P, None, reference=False))
    assert numbers.lost == [False, not empties, False]
