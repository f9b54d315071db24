"""The frozen networks: where their weights come from, what they see, what they give.

All give vectors of unit length, so that cosine and Euclidean distance rank pairs alike. Each
declares the crop it was trained on; `IdentityNetwork.crop` makes it from a picture and five points
found by `mic.faces`.
"""

from __future__ import annotations

import abc
import pickle
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from mic import extras, faces
from mic.errors import FaceError, WeightsError
from mic.identity.mobilefacenet import MobileFaceNet
from mic.storage import assets, pins
from mic.storage.digest import sha256_of
from mic.storage.home import home

# Larger batches are slower on a CPU: their activations fall out of its caches.
BATCH = 16

FACENET_FILE = "20180402-114759-vggface2.pt"


class IdentityNetwork(abc.ABC):
    """A frozen network that maps a face to a vector of unit length.

    Attributes:
        name: Stands in every result that depends on the network.
        dimensions: Length of the vectors.
        size: Edge of its input crop.
        margin: Margin of its crop, as in `mic.faces.similarity`.
        provenance: Who trained it on what, and under which terms it may be used.
        weights_sha256: Digest of the weights file.
    """

    name: ClassVar[str]
    dimensions: ClassVar[int]
    size: ClassVar[int] = faces.CROP_SIZE
    margin: ClassVar[float] = 0.0
    provenance: ClassVar[str]
    weights_sha256: str

    def crop(self, frame: np.ndarray, points: np.ndarray) -> np.ndarray:
        """This network's input: uint8 (size, size, 3), from a picture and its face's points."""
        return faces.align(frame, points, size=self.size, margin=self.margin)

    def embed(self, aligned_faces: np.ndarray) -> np.ndarray:
        """Embeds aligned faces.

        Args:
            aligned_faces: uint8 (N, size, size, 3) RGB, as `crop` makes them.

        Returns:
            float32 (N, dimensions), each row of length 1.

        Raises:
            FaceError: The array is not of that kind.
        """
        aligned_faces = np.asarray(aligned_faces)
        expected = (self.size, self.size, 3)
        if aligned_faces.dtype != np.uint8 or aligned_faces.shape[1:] != expected:
            raise FaceError(
                f"{self.name} was given shape {aligned_faces.shape}, type {aligned_faces.dtype}",
                remedy=f"pass uint8 (N, {self.size}, {self.size}, 3), as made by crop()",
            )
        rows = [
            self._forward(aligned_faces[start : start + BATCH])
            for start in range(0, len(aligned_faces), BATCH)
        ]
        vectors = np.concatenate([np.empty((0, self.dimensions), np.float32), *rows])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @abc.abstractmethod
    def _forward(self, batch: np.ndarray) -> np.ndarray:
        """float32 (N, dimensions) of uint8 (N, size, size, 3), of any length."""


class _TorchNetwork(IdentityNetwork):
    """A network in PyTorch with per-channel normalisation."""

    mean: ClassVar[tuple[float, float, float]]
    deviation: ClassVar[tuple[float, float, float]]

    def __init__(self, network: nn.Module, *, sha256: str, device: str | torch.device) -> None:
        self.weights_sha256 = sha256
        self._device = torch.device(device)
        self._network = network.eval().requires_grad_(False).to(self._device)
        self._mean = torch.tensor(self.mean, device=self._device).view(1, 3, 1, 1)
        self._deviation = torch.tensor(self.deviation, device=self._device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def _forward(self, batch: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(np.array(batch)).to(self._device, torch.float32)
        normalised = (pixels.permute(0, 3, 1, 2) - self._mean) / self._deviation
        return self._network(normalised).cpu().numpy()


class MobileFaceNetIdentity(_TorchNetwork):
    """The default: small, and its weights come with a package of the index."""

    name = "mobilefacenet"
    dimensions = 128
    mean = (0.485 * 255, 0.456 * 255, 0.406 * 255)  # ImageNet's, as in its training
    deviation = (0.229 * 255, 0.224 * 255, 0.225 * 255)
    provenance = pins.ASSETS["mobilefacenet"].provenance

    def __init__(self, *, device: str | torch.device = "cpu") -> None:
        file = assets.path("mobilefacenet")  # verified against its pinned SHA-256
        network = MobileFaceNet()
        _load_state(network, file)
        digest = pins.ASSETS["mobilefacenet"].sha256
        super().__init__(network, sha256=digest, device=device)


class FaceNetIdentity(_TorchNetwork):
    """The paper's: InceptionResnetV1 trained on VGGFace2 (Schroff et al. 2015; facenet-pytorch).

    No package of the index carries the weights. The user puts facenet-pytorch's release file,
    `20180402-114759-vggface2.pt`, into `MIC_HOME/weights`. We cannot pin its digest, never having
    held it: it is read as tensors only, must fit the architecture, and its digest stands in the
    results.
    """

    name = "facenet"
    dimensions = 512
    size = 160
    margin = 0.12  # about MTCNN's box with facenet's margin, but upright
    mean = (127.5, 127.5, 127.5)
    deviation = (128.0, 128.0, 128.0)
    provenance = (
        "InceptionResnetV1, 512-D, trained on VGGFace2 (web photographs, since withdrawn by its "
        "makers); weights converted by facenet-pytorch (MIT) from D. Sandberg's facenet."
    )

    def __init__(self, *, device: str | torch.device = "cpu") -> None:
        # Imported where it is needed: it imports all of torchvision, which takes a second.
        with warnings.catch_warnings():
            # In a notebook's kernel its download bar misses ipywidgets, which nothing here shows.
            warnings.filterwarnings("ignore", message="IProgress not found")
            from facenet_pytorch import InceptionResnetV1

        file = home() / "weights" / FACENET_FILE
        if not file.is_file():
            raise WeightsError(
                "FaceNet's weights are not there",
                file=file,
                remedy=f"put {FACENET_FILE} of facenet-pytorch's release v2.2.9 there, or use "
                "the network 'mobilefacenet', which needs nothing",
            )
        network = InceptionResnetV1(pretrained=None)
        _load_state(network, file, ignore=("logits.weight", "logits.bias"))
        super().__init__(network, sha256=sha256_of(file), device=device)


class DlibIdentity(IdentityNetwork):
    """dlib's ResNet (King 2017), an independent second opinion; of the extra `notebooks`.

    dlib cuts its own crop by its own landmarks: around a face of known place in ours.
    """

    name = "dlib"
    dimensions = 128
    size = 256
    margin = 0.25
    provenance = pins.ASSETS["dlib_recognition"].provenance

    def __init__(self, *, device: str | torch.device = "cpu") -> None:
        if torch.device(device).type != "cpu":
            raise WeightsError("dlib's network runs on the CPU only", remedy="use device='cpu'")
        with extras.needed("use 'mobilefacenet'"):
            import dlib
        self.weights_sha256 = pins.ASSETS["dlib_recognition"].sha256
        self._network = dlib.face_recognition_model_v1(str(assets.path("dlib_recognition")))
        self._landmarks = dlib.shape_predictor(str(assets.path("dlib_landmarks")))
        self._dlib = dlib
        # The box in which dlib's detector would frame a face whose eyes and mouth are where our
        # alignment puts them: its training boxes span brows to chin.
        scale = self.size / faces.CROP_SIZE / (1 + 2 * self.margin)
        points = (faces.REFERENCE_POINTS + self.margin * faces.CROP_SIZE) * scale
        middle = points.mean(0) + np.array([0, 0.06 * self.size])
        half = 1.35 * float(np.ptp(points[:, 1]))
        left, top = (int(value) for value in middle - half)
        right, bottom = (int(value) for value in middle + half)
        self._box = dlib.rectangle(left, top, right, bottom)

    def _forward(self, batch: np.ndarray) -> np.ndarray:
        rows = []
        for face in batch:
            face = np.ascontiguousarray(face)
            shape = self._landmarks(face, self._box)
            chip = self._dlib.get_face_chip(face, shape, 150, 0.25)
            rows.append(self._network.compute_face_descriptor(chip))
        return np.asarray(rows, np.float32)


NETWORKS: dict[str, type[IdentityNetwork]] = {
    network.name: network for network in (MobileFaceNetIdentity, FaceNetIdentity, DlibIdentity)
}


def load(name: str = "mobilefacenet", *, device: str | torch.device = "cpu") -> IdentityNetwork:
    """A frozen identity network.

    Args:
        name: A key of `NETWORKS`.
        device: Where it runs.

    Raises:
        WeightsError: No such network, or its weights or package are missing or damaged.
        AssetError: Its weights cannot be fetched.
    """
    if name not in NETWORKS:
        raise WeightsError(
            f"no identity network is called {name!r}",
            remedy=f"choose one of {', '.join(NETWORKS)}",
        )
    maker: Any = NETWORKS[name]
    return maker(device=device)


def _load_state(network: nn.Module, file: Path, *, ignore: tuple[str, ...] = ()) -> None:
    """Fills a network from a PyTorch file without running code from it."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        tensors = {key: value for key, value in state.items() if key not in ignore}
        network.load_state_dict(tensors)
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"are not the weights of {type(network).__name__}: {reason}",
            file=file,
            remedy="replace the file by the one that mic.identity.networks names",
        ) from error
