"""Identity networks: frozen, pinned, cached, and able to tell real people apart."""

import os
import pickle
import sys
from itertools import islice

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from mic import codec, faces, identity
from mic.errors import ExtraError, FaceError, WeightsError
from mic.faces import Status
from mic.identity.networks import FACENET_FILE
from mic.processes.workers import torch_threads
from mic.storage import assets
from mic.storage.digest import sha256_of
from mic.synthface.judging.verification import roc_curve


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
    curve = roc_curve(np.array(embeddings), subjects)
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
