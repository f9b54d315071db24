"""How well embeddings tell people apart, measured right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mic.errors import FaceError
from mic.synthface.judging.verification import roc_curve, verification


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    subjects=st.lists(st.integers(0, 5), min_size=4, max_size=30),
    coarse=st.booleans(),
)
def test_the_auc_is_the_rank_statistic(seed, subjects, coarse):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(subjects), 3)) + 2 * np.eye(6)[subjects][:, :3]
    if coarse:  # many equal scores
        vectors = np.round(vectors)
        vectors[~vectors.any(1)] = 1
    left, right = np.triu_indices(len(subjects), 1)
    same = np.asarray(subjects)[left] == np.asarray(subjects)[right]
    if same.all() or not same.any():
        with pytest.raises(FaceError, match="no pairs"):
            roc_curve(vectors, subjects)
        return
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = (units @ units.T)[left, right]
    curve = roc_curve(vectors, subjects)
    assert curve.auc == pytest.approx(roc_auc_score(same, scores), abs=1e-9)
    # The equal error rate lies between the two errors of every threshold that brackets it.
    false_rejects = 1 - curve.true_accepts
    assert np.minimum(curve.false_accepts, false_rejects).max() <= curve.eer + 1e-9
    assert curve.eer <= np.maximum(curve.false_accepts, false_rejects).min() + 1e-9


def gaussian_embeddings(subjects, spread, seed=1, dimensions=40):
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(subjects), 4)
    centres = rng.normal(size=(subjects, dimensions))
    return centres[owners] + spread * rng.normal(size=(len(owners), dimensions)), owners


def test_the_table_has_the_truth_in_its_interval_and_is_reproducible():
    embeddings, owners = gaussian_embeddings(40, 1.2)
    table = verification(embeddings, owners, seed=3, resamples=400)
    row = table.iloc[0]
    large = roc_curve(*gaussian_embeddings(400, 1.2, seed=9))
    assert row.auc_low < large.auc < row.auc_high
    assert row.eer_low < large.eer < row.eer_high
    assert row.auc_low < row.auc < row.auc_high
    assert row.eer_high - row.eer_low < 0.1
    again = verification(embeddings, owners, seed=3, resamples=400)
    assert table.equals(again)


def test_faces_that_were_not_found_are_left_out_and_counted():
    embeddings, owners = gaussian_embeddings(10, 0.5)
    holed = embeddings.copy()
    holed[[0, 7]] = np.nan
    row = verification(holed, owners, seed=0, resamples=20).iloc[0]
    assert (row.faces, row.without_face, row.subjects) == (38, 2, 10)
    keep = np.isfinite(holed).all(1)
    assert row.auc == roc_curve(embeddings[keep], owners[keep]).auc


def test_embeddings_and_subjects_must_match():
    with pytest.raises(FaceError, match="row"):
        roc_curve(np.zeros((3, 2)), ["a", "b"])
