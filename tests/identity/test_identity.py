"""Identity networks: frozen, pinned, cached, and their verification quality measured right."""

import os
import pickle
import sys
from itertools import islice

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mic import codec, faces, identity
from mic.errors import ExtraError, FaceError, WeightsError
from mic.faces import Status
from mic.identity.networks import FACENET_FILE
from mic.processes.workers import torch_threads
from mic.storage import assets
from mic.storage.digest import sha256_of


@pytest.fixture(scope="module")
def network():
    return identity.load("mobilefacenet")


def test_the_embedding_is_the_one_of_the_published_code(network):
    y, x = np.mgrid[0:112, 0:112]
    pattern = np.stack([2 * y, x + y, 255 - 2 * x], axis=2).astype(np.uint8)
    # Computed once with the network code of the package facesdk 0.0.8 itself.
    expected = [-0.0469502, -0.0368649, 0.0202461, -0.0045453, 0.0242790, 0.1347315]
    embedding = network.embed(pattern[None])
    np.testing.assert_allclose(embedding[0, :6], expected, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-6)


def test_rows_do_not_depend_on_the_batch(network):
    batch = np.random.default_rng(0).integers(0, 256, (19, 112, 112, 3), np.uint8)
    together = network.embed(batch)
    assert together.shape == (19, 128)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together[17:18], network.embed(batch[17:18]), atol=1e-5)
    assert network.embed(batch[:0]).shape == (0, 128)


def test_real_people_are_told_apart(network):
    embeddings, subjects = [], []
    for name in ("carphone", "langer", "single_face"):
        frames = list(islice(codec.decode(assets.path(name)), 0, 60, 20))
        for frame, found in zip(frames, faces.detector().detect(frames), strict=True):
            embeddings.append(network.embed(network.crop(frame, found.points)[None])[0])
            subjects.append(name)
    curve = identity.roc_curve(np.array(embeddings), subjects)
    assert curve.auc == 1.0
    assert curve.eer == 0.0


@pytest.mark.parametrize(
    "faces_array",
    [
        np.zeros((1, 112, 112, 3), np.float32),
        np.zeros((112, 112, 3), np.uint8),
        np.zeros((1, 96, 96, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(network, faces_array):
    with pytest.raises(FaceError, match="crop"):
        network.embed(faces_array)


def test_z_i_is_computed_once_a_clip(network, tmp_path, monkeypatch):
    paths = [assets.path("carphone"), assets.path("no_face")]
    embeddings, statuses = identity.of_clips(paths, network=network, folder=tmp_path)
    assert statuses.tolist() == [Status.OK, Status.NO_FACE]
    assert np.isnan(embeddings[1]).all()
    with torch_threads(1):
        frame, found = faces.detect_clip(paths[0])
        direct = network.embed(network.crop(frame, found.points)[None])[0]
    np.testing.assert_array_equal(embeddings[0], direct)
    monkeypatch.setattr(faces, "detect_clip", None)  # a second computation would fail
    again = identity.of_clip(paths[0], network=network, folder=tmp_path)
    assert (again.status, again.network) == (Status.OK, "mobilefacenet")
    np.testing.assert_array_equal(again.embedding, direct)


def test_no_clips_give_no_rows(network):
    embeddings, statuses = identity.of_clips([], network=network)
    assert embeddings.shape == (0, 128)
    assert statuses.shape == (0,)


def test_facenet_takes_the_users_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=FACENET_FILE):
        identity.load("facenet")
    torch.manual_seed(0)
    state = InceptionResnetV1(pretrained=None).state_dict()
    state |= {"logits.weight": torch.zeros(8631, 512), "logits.bias": torch.zeros(8631)}
    file = tmp_path / "weights" / FACENET_FILE
    file.parent.mkdir()
    torch.save(state, file)
    network = identity.load("facenet")
    embedding = network.embed(np.full((2, 160, 160, 3), 90, np.uint8))
    assert embedding.shape == (2, 512)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    assert network.weights_sha256 == sha256_of(file)


class Payload:
    """A pickle that would create a file when it is loaded."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("kind", ["pickle", "junk", "empty", "other network"])
def test_a_hostile_or_wrong_weights_file_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))
    file = tmp_path / "weights" / FACENET_FILE
    file.parent.mkdir()
    target = tmp_path / "owned"
    if kind == "pickle":
        file.write_bytes(pickle.dumps(Payload(str(target)), protocol=2))
    elif kind == "other network":
        torch.save({"weight": torch.zeros(3)}, file)
    else:
        file.write_bytes(b"" if kind == "empty" else b"not a network")
    with pytest.raises(WeightsError, match="InceptionResnetV1"):
        identity.load("facenet")
    assert not target.exists()


def test_dlib_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)  # as on a machine without it
    with pytest.raises(ExtraError, match=r"mic-faces\[notebooks\]"):
        identity.load("dlib")


def test_an_unknown_network_is_refused():
    with pytest.raises(WeightsError, match="mobilefacenet"):
        identity.load("arcface")


def test_every_network_states_its_provenance():
    for name, network in identity.NETWORKS.items():
        assert network.name == name
        assert len(network.provenance) > 60
    assert "withdrawn" in identity.NETWORKS["mobilefacenet"].provenance


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
            identity.roc_curve(vectors, subjects)
        return
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = (units @ units.T)[left, right]
    curve = identity.roc_curve(vectors, subjects)
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
    table = identity.verification(embeddings, owners, seed=3, resamples=400)
    row = table.iloc[0]
    large = identity.roc_curve(*gaussian_embeddings(400, 1.2, seed=9))
    assert row.auc_low < large.auc < row.auc_high
    assert row.eer_low < large.eer < row.eer_high
    assert row.auc_low < row.auc < row.auc_high
    assert row.eer_high - row.eer_low < 0.1
    again = identity.verification(embeddings, owners, seed=3, resamples=400)
    assert table.equals(again)


def test_faces_that_were_not_found_are_left_out_and_counted():
    embeddings, owners = gaussian_embeddings(10, 0.5)
    holed = embeddings.copy()
    holed[[0, 7]] = np.nan
    row = identity.verification(holed, owners, seed=0, resamples=20).iloc[0]
    assert (row.faces, row.without_face, row.subjects) == (38, 2, 10)
    keep = np.isfinite(holed).all(1)
    assert row.auc == identity.roc_curve(embeddings[keep], owners[keep]).auc


def test_embeddings_and_subjects_must_match():
    with pytest.raises(FaceError, match="row"):
        identity.roc_curve(np.zeros((3, 2)), ["a", "b"])
