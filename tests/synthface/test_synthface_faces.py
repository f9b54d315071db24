"""The generated faces: geometry that closes, textures that do not shimmer, and outside judges."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from mic import errors, identity, synthface
from mic.manifest.manifest import Clip
from mic.synthface import camera, checks, closure, harmonics, light
from mic.synthface.action_units import CODES, FACE_UNITS, face_units
from mic.synthface.camera import View
from mic.synthface.drawing import draw
from mic.synthface.fields import Texture, texture
from mic.synthface.model import Part, head
from mic.synthface.protocols import seed_of
from mic.synthface.raster import rasterize
from mic.synthface.subject import subject
from mic.synthface.tools.contact_sheet import contact_sheet, portrait

PEOPLE = [seed_of("tests", k) for k in range(12)]
REST = np.zeros(len(CODES))
JUDGED = 10  # people whom other networks are asked about


def acting(**intensity):
    activation = np.zeros(len(CODES))
    for code, value in intensity.items():
        activation[CODES.index(code.removeprefix("au"))] = value
    return activation


def visible_parts(person, activation, size=400):
    """How many samples of each part are seen from the front."""
    points = person.deform(face_units(activation))
    screen = camera.project(points, View(), size)
    found = rasterize(screen, head().triangles, height=size, width=size)
    return np.bincount(head().part[found.triangle[found.triangle >= 0]], minlength=len(Part))


def test_a_square_of_two_triangles_has_no_crack_and_no_overlap():
    rng = np.random.default_rng(1)
    for _ in range(50):
        corners = np.array([[2, 2], [28, 4], [30, 29], [3, 27]]) + rng.uniform(-1.5, 1.5, (4, 2))
        points = np.column_stack([corners, np.ones(4)]).astype(np.float32)
        both = rasterize(points, np.array([[0, 2, 1], [0, 3, 2]]), height=32, width=32)
        parts = [
            rasterize(points, np.array([one]), height=32, width=32).triangle >= 0
            for one in ([0, 2, 1], [0, 3, 2])
        ]
        assert ((both.triangle >= 0) == (parts[0] | parts[1])).all()
        assert not (parts[0] & parts[1]).any()
        rows, columns = np.nonzero(both.triangle >= 0)
        for row in np.unique(rows):  # every row is one unbroken run
            assert np.ptp(columns[rows == row]) + 1 == (rows == row).sum()


def test_the_nearer_triangle_wins_and_hidden_ones_are_left_out():
    near, far = [[0, 0, 1], [0, 16, 1], [16, 0, 1]], [[0, 0, 2], [0, 16, 2], [16, 0, 2]]
    points = np.array(far + near, np.float32)
    found = rasterize(points, np.array([[0, 1, 2], [3, 4, 5]]), height=8, width=8)
    assert (found.triangle == 1).all()
    assert (found.depth == 1).all()
    turned = rasterize(points, np.array([[2, 1, 0]]), height=8, width=8)
    assert (turned.triangle == -1).all()
    wall = np.full((8, 8), 1.5, np.float32)
    behind = rasterize(points[:3], np.array([[0, 1, 2]]), height=8, width=8, in_front_of=wall)
    assert (behind.triangle == -1).all()
    assert (behind.depth == wall).all()


def test_barycentric_weights_restore_the_position():
    points = np.array([[1, 1, 3], [3, 30, 5], [29, 4, 9]], np.float32)
    found = rasterize(points, np.array([[0, 1, 2]]), height=32, width=32)
    rows, columns = np.nonzero(found.triangle >= 0)
    second, third = found.second[rows, columns], found.third[rows, columns]
    weights = np.stack([1 - second - third, second, third], 1)
    place = weights @ points
    np.testing.assert_allclose(place[:, 0], columns + 0.5, atol=1e-4)
    np.testing.assert_allclose(place[:, 1], rows + 0.5, atol=1e-4)
    np.testing.assert_allclose(place[:, 2], found.depth[rows, columns], atol=1e-4)


def test_textures_are_sampled_bilinearly_and_coarsely_where_they_shrink():
    ramp = np.tile(np.arange(32, dtype=np.float32)[None, :, None], (32, 1, 1))
    made = texture(ramp, levels=3)
    place = np.random.default_rng(0).uniform(0.1, 0.9, (50, 2)).astype(np.float32)
    for level in range(3):
        value = made.sample(place, np.full(50, level))[:, 0]
        np.testing.assert_allclose(value, place[:, 0] * 32 - 0.5, atol=1e-3)
    assert made.level_for(np.array([0.5, 3, 12, 500])).tolist() == [0, 1, 2, 2]


def test_harmonics_are_orthonormal():
    count = 20_000
    k = np.arange(count) + 0.5
    height, azimuth = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - height**2)
    sphere = np.stack([ring * np.cos(azimuth), height, ring * np.sin(azimuth)], 1)
    values = harmonics.basis(sphere)
    product = values.T @ values * 4 * np.pi / count
    np.testing.assert_allclose(product, np.eye(harmonics.COUNT), atol=2e-3)


@pytest.mark.parametrize("seed", PEOPLE)
def test_lids_and_lips_close(seed):
    person = subject(seed)
    eyes = [Part.LEFT_EYE, Part.RIGHT_EYE]
    mouth = [Part.UPPER_TEETH, Part.LOWER_TEETH, Part.TONGUE]
    rest = visible_parts(person, REST)
    shut = visible_parts(person, acting(au43=1.0))
    assert rest[eyes].min() > 40
    assert shut[eyes].sum() <= 0.02 * rest[eyes].sum()
    assert rest[mouth].sum() <= 12
    assert visible_parts(person, acting(au26=1.0, au25=0.6))[mouth].sum() > 100


def test_no_target_with_a_caricature_is_used():
    names = " ".join(head().targets)
    for unwanted in ("pointed", "ear-shape", "baby", "child"):
        assert unwanted not in names


def test_every_action_unit_moves_the_face_where_it_should():
    person = subject(PEOPLE[0])
    rest = person.deform(face_units(REST))
    eyes, chin = 0.0, -0.75
    for code in CODES:
        moved = np.abs(person.deform(face_units(acting(**{f"au{code}": 1.0}))) - rest).sum(1)
        centre = float((rest[:, 1] * moved).sum() / moved.sum())
        assert moved.max() > 0.02, code
        if code in ("1", "2", "4"):
            assert centre > eyes + 0.05, code
        elif code in ("5", "6", "7", "43"):
            assert abs(centre - eyes) < 0.35, code
        else:
            assert chin - 0.4 < centre < eyes, code
    assert np.array_equal(face_units(REST), np.zeros(len(FACE_UNITS)))


def test_lids_slide_over_the_eyeball():
    person = subject(PEOPLE[1])
    points = person.deform(face_units(acting(au43=0.5)))
    again = points.copy()
    who = person.identity
    closure.slide_over_eyes(again, who.eye_centres, who.eye_radii)
    np.testing.assert_allclose(again, points, atol=1e-5)


def drifted(person, pixels, size=96):
    """A portrait whose head is shifted to the right."""
    view = View(shift=(pixels / size, 0.0))
    lighting = light.studio(np.random.default_rng(0))
    drawing = draw(person, REST, view=view, gaze=(0, 0), lighting=lighting, size=size)
    wall = np.full((size, size, 3), 0.3, np.float32)
    return light.develop(drawing.layer.over(wall), np.zeros((size, size, 3), np.int16)).astype(
        float
    )


def test_drifting_heads_shimmer_less_because_textures_are_filtered(monkeypatch):
    """Half a pixel of drift is close to what interpolating between whole pixels gives."""
    inner = (slice(4, -4), slice(4, -4))
    people = [subject(seed) for seed in PEOPLE[:4]]

    def shimmer():
        total = []
        for person in people:
            still, half, whole = (drifted(person, pixels) for pixels in (0.0, 0.5, 1.0))
            assert np.abs(whole[:, 1:] - still[:, :-1])[inner].mean() < 0.6
            total.append(np.abs(half - (still + whole) / 2)[inner].mean())
        return np.mean(total)

    filtered = shimmer()
    monkeypatch.setattr(Texture, "level_for", lambda self, texels: np.zeros(len(texels), np.int32))
    assert filtered < 0.85 * shimmer()
    assert filtered < 2.0


def test_the_contact_sheet_is_a_picture_of_people_by_expressions():
    sheet = contact_sheet(people=2, size=40)
    assert sheet.shape == (80, 8 * 40, 3)
    rows = sheet.reshape(2, 40, 8, 40, 3).astype(float)
    assert np.abs(rows[0] - rows[1]).mean() > 5


@pytest.fixture(scope="module")
def posed():
    """Portraits of people who each show seven classes, as pictures of clips."""
    clips, first, apex = [], [], []
    for seed in [seed_of("judges", k) for k in range(JUDGED)]:
        person = subject(seed)
        neutral = portrait(person, "neutral", seed=0, size=128)
        for label in checks.FER_CLASSES[:6]:
            clip = Clip(
                clip=f"{seed}-{label}.mp4",
                clip_id=f"{seed}-{label}",
                subject=str(seed),
                label=label,
                licence="CC0-1.0",
                sha256="0" * 64,
                frames=1,
                frame_rate=Fraction(25),
            )
            clips.append(clip)
            first.append(neutral)
            apex.append(portrait(person, label, seed=0, size=128))
    return checks.inspect(clips, np.stack(first + apex))


def test_a_face_detector_finds_them(posed):
    table = checks.detection(posed)
    assert table["pictures"].sum() == len(posed.frames)
    assert table["rate"].min() >= 0.99


def test_a_face_recognition_network_tells_them_apart(posed):
    curve, table = checks.verification(posed, resamples=50)
    assert table["eer"].item() <= 0.03
    assert curve.auc >= 0.99


def test_an_expression_network_trained_on_photographs_reads_them(posed):
    read = checks.zero_shot(posed)
    counts = checks.confusion(read)
    assert counts.sum() == len(read) == JUDGED * 7
    accuracy = np.trace(counts) / counts.sum()
    assert accuracy >= 0.50
    recall = np.diag(counts) / counts.sum(1)
    assert recall[checks.FER_CLASSES.index("happiness")] > 0.6
    table = checks.zero_shot_table(read)
    assert list(table.columns) == list(checks.ZERO_SHOT_COLUMNS)
    whole, apex = table.to_dict("records")
    assert whole["accuracy"] == accuracy
    assert (whole["n"], apex["n"]) == (JUDGED * 7, JUDGED * 6)
    assert apex["accuracy"] == np.trace(counts[:6, :6]) / counts[:6].sum()
    assert apex["accuracy_low"] < apex["accuracy"] < apex["accuracy_high"]


def test_every_identity_network_is_a_row_whether_it_is_here_or_not(posed, monkeypatch):
    def verification(seen, *, network, **_):
        if network == "facenet":
            raise errors.FaceError("its weights are elsewhere")
        return network, pd.DataFrame([{"faces": len(seen.frames), "auc": 0.9}])

    monkeypatch.setattr(checks, "verification", verification)
    curves, table = checks.networks(posed)
    assert list(table.columns) == list(checks.NETWORK_COLUMNS)
    assert set(table["network"]) == set(identity.NETWORKS)
    status = table.set_index("network")["status"]
    assert status["facenet"] == "its weights are elsewhere"
    assert set(status.drop("facenet")) == {"measured"}
    assert list(curves) == list(status.drop("facenet").index)
    assert table.set_index("network")["auc"].isna().tolist() == (status != "measured").tolist()


def test_residual_energy_sits_where_action_units_act(tmp_path):
    manifest = synthface.generate("synth-ck", tmp_path, size=64, subset=7)
    areas = []
    for clip in manifest:
        energy = checks.energy(manifest.path(clip))
        moved = checks.movement(manifest.annotation_path(clip), 64)
        person = np.isfinite(moved)
        acts = moved[person] > 0.5 * np.nanmax(moved)
        ranks = rankdata(energy[person])
        positives = acts.sum()
        area = (ranks[acts].sum() - positives * (positives + 1) / 2) / (positives * (~acts).sum())
        areas.append(area)
    assert np.mean(areas) > 0.8
    assert np.min(areas) > 0.6
