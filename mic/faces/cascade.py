"""MTCNN (Zhang et al. 2016): three networks, each looking closer at what the last one let pass.

P-Net slides over a pyramid of the picture, R-Net and O-Net see single candidates; overlapping
candidates are thinned out in between. The weights are those that the package facenet-pytorch
carries. Its code is not used: importing it imports all of torchvision, 1.5 s of processor time
where this module takes 0.15 s, and to find the faces of a picture as much as this (a ratio of
1.03, median of 96 pictures of 24 videos). Its boxes and points differ in their last bits, by at
most 3e-4 samples; `tests/faces/test_faces.py` holds the two against each other.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mic.errors import FaceError

# Edges of the three networks' inputs; the pyramid's step; candidates looked at together.
_P_EDGE, _R_EDGE, _O_EDGE = 12, 24, 48
_STEP = 0.709
_TOGETHER = 512
# Max-pooling after each convolution, with a stride of 2; 0 is none.
_POOLS = {"pnet": (2, 0, 0), "rnet": (3, 3, 0), "onet": (3, 3, 2, 0)}


class Faces(NamedTuple):
    """The faces of one picture.

    Attributes:
        boxes: float32 (k, 4): left, top, right, bottom in samples.
        scores: float32 (k,): probabilities.
        points: float32 (k, 5, 2).
    """

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray


class Network:
    """P-Net, R-Net or O-Net.

    Args:
        name: "pnet", "rnet" or "onet".
        device: Where it runs.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self._pools = _POOLS[name]
        self._weights = torch.load(_file(name), map_location=device, weights_only=True)

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """Looks at normalised pictures.

        Args:
            pictures: float32 (n, 3, h, w).

        Returns:
            The probability of a face (n, ...); offsets of the box's corners in parts of its edges
            (n, 4, ...); of O-Net also the points in such parts (n, 10), five x and then five y.
        """
        x = pictures
        for layer, pool in enumerate(self._pools, 1):
            x = F.prelu(self._apply(F.conv2d, f"conv{layer}", x), self._slopes(layer))
            if pool:
                x = F.max_pool2d(x, pool, 2, ceil_mode=True)
        layer = len(self._pools) + 1
        if f"dense{layer}.weight" not in self._weights:
            scores, offsets = (self._apply(F.conv2d, f"conv{layer}_{head}", x) for head in (1, 2))
            return [scores.softmax(1)[:, 1], offsets]
        x = x.permute(0, 3, 2, 1).flatten(1)  # the order of Matlab, in which it was trained
        x = F.prelu(self._apply(F.linear, f"dense{layer}", x), self._slopes(layer))
        heads = [name for name in self._weights if name.startswith(f"dense{layer + 1}_")]
        count = len(heads) // 2  # weight and bias of each
        scores, *others = (
            self._apply(F.linear, f"dense{layer + 1}_{head}", x) for head in range(1, count + 1)
        )
        return [scores.softmax(1)[:, 1], *others]

    def _slopes(self, layer: int) -> Tensor:
        return self._weights[f"prelu{layer}.weight"]

    def _apply(self, function: Callable[..., Tensor], name: str, x: Tensor) -> Tensor:
        return function(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])


class Cascade:
    """The three networks together.

    Args:
        smallest: Edge in samples of the smallest face to look for.
        thresholds: Least probability of a face after each network.
        device: Where they run.
    """

    def __init__(
        self, *, smallest: int, thresholds: tuple[float, float, float], device: torch.device
    ) -> None:
        self._smallest, self._thresholds, self._device = smallest, thresholds, device
        self._p_net = Network("pnet", device)
        self._r_net = Network("rnet", device)
        self.o_net = Network("onet", device)

    @torch.inference_mode()
    def detect(self, pictures: np.ndarray) -> list[Faces]:
        """Finds all faces of pictures of one size.

        Args:
            pictures: uint8 (N, H, W, 3) RGB.
        """
        images = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
        images = images.permute(0, 3, 1, 2).float()
        boxes, owners = self._proposed(images)
        boxes, owners, scores, offsets, _ = self._looked_at(
            images, boxes, owners, self._r_net, _R_EDGE, self._thresholds[1]
        )
        kept = _thinned(boxes, scores, owners, 0.7)
        boxes = _square(_moved(boxes[kept], offsets[kept], by=1))
        boxes, owners, scores, offsets, points = self._looked_at(
            images, boxes, owners[kept], self.o_net, _O_EDGE, self._thresholds[2]
        )
        edges = boxes[:, 2:] - boxes[:, :2] + 1
        points = points.reshape(-1, 2, 5).transpose(0, 2, 1)
        points = edges[:, None] * points + boxes[:, None, :2] - 1
        boxes = _moved(boxes, offsets, by=1)
        kept = _thinned(boxes, scores, owners, 0.7, of_smaller=True)
        found = [kept[owners[kept] == number] for number in range(len(images))]
        return [Faces(boxes[chosen], scores[chosen], points[chosen]) for chosen in found]

    def _proposed(self, images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Squares that P-Net thinks are faces, and whose picture each is of."""
        found = [self._at_scale(images, scale) for scale in self._scales(*images.shape[2:])]
        boxes, owners, scores, offsets = (
            np.concatenate(part) for part in zip(*found, strict=True)
        )
        kept = _thinned(boxes, scores, owners, 0.7)
        return _square(_moved(boxes[kept], offsets[kept], by=0)), owners[kept]

    def _scales(self, height: int, width: int) -> Iterator[float]:
        scale = _P_EDGE / self._smallest
        shorter = min(height, width) * scale
        while shorter >= _P_EDGE:
            yield scale
            scale, shorter = scale * _STEP, shorter * _STEP

    def _at_scale(self, images: Tensor, scale: float) -> tuple[np.ndarray, ...]:
        height, width = images.shape[2:]
        size = int(height * scale + 1), int(width * scale + 1)
        scores, offsets = self._p_net(_normalised(F.interpolate(images, size=size, mode="area")))
        owners, rows, columns = (scores >= self._thresholds[0]).nonzero(as_tuple=True)
        # P-Net's outputs are two samples of its input apart.
        corners = 2 * torch.stack([columns, rows], 1).float()
        boxes = torch.cat([(corners + 1) / scale, (corners + _P_EDGE) / scale], 1).floor()
        chosen = scores[owners, rows, columns], offsets[owners, :, rows, columns]
        found = [part.cpu().numpy() for part in (boxes, owners, *chosen)]
        kept = _thinned(found[0], found[2], found[1], 0.5)
        return tuple(part[kept] for part in found)

    def _looked_at(
        self,
        images: Tensor,
        boxes: np.ndarray,
        owners: np.ndarray,
        network: Network,
        edge: int,
        threshold: float,
    ) -> tuple[np.ndarray, ...]:
        """What a network lets pass: boxes, owners, scores, offsets, points (of O-Net)."""
        height, width = images.shape[2:]
        whole = np.trunc(boxes).astype(np.int64)  # counts samples from 1
        first, last = np.maximum(whole[:, :2], 1), np.minimum(whole[:, 2:], (width, height))
        inside = (last >= first).all(1)
        boxes, owners = boxes[inside], owners[inside]
        if not len(boxes):
            nothing = np.empty((0, 4), np.float32)
            return nothing, owners, nothing[:, 0], nothing, np.empty((0, 10), np.float32)
        crops = [
            F.interpolate(images[owner, None, :, y - 1 : y_end, x - 1 : x_end], edge, mode="area")
            for owner, (x, y), (x_end, y_end) in zip(
                owners, first[inside], last[inside], strict=True
            )
        ]
        parts = _normalised(torch.cat(crops)).split(_TOGETHER)
        outputs = [
            torch.cat(part).cpu().numpy() for part in zip(*map(network, parts), strict=True)
        ]
        sure = outputs[0] > threshold
        points = outputs[2][sure] if len(outputs) > 2 else np.empty((0, 10), np.float32)
        return boxes[sure], owners[sure], outputs[0][sure], outputs[1][sure], points


def _file(name: str) -> Path:
    package = importlib.util.find_spec("facenet_pytorch")  # finds, does not import
    places = package.submodule_search_locations if package else None
    if not places:
        raise FaceError(
            "the package facenet-pytorch, which carries MTCNN's weights, is not installed",
            remedy="install the environment again: make environment",
        )
    return Path(places[0]) / "data" / f"{name}.pt"


def _normalised(pictures: Tensor) -> Tensor:
    return (pictures - 127.5) * 0.0078125


def _moved(boxes: np.ndarray, offsets: np.ndarray, *, by: int) -> np.ndarray:
    """Box regression: corners shifted by parts of their edges, which count `by` samples more."""
    edges = boxes[:, 2:] - boxes[:, :2] + np.float32(by)
    return boxes + offsets * np.tile(edges, 2)


def _square(boxes: np.ndarray) -> np.ndarray:
    """The squares around the same middles with the longer edges."""
    edges = boxes[:, 2:] - boxes[:, :2]
    longest = edges.max(1, keepdims=True)
    corners = boxes[:, :2] + edges * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([corners, corners + longest], 1)


def _thinned(
    boxes: np.ndarray,
    scores: np.ndarray,
    owners: np.ndarray,
    most: float,
    *,
    of_smaller: bool = False,
) -> np.ndarray:
    """Non-maximum suppression: indices of the boxes that stay, the surest first.

    A box goes where it overlaps a surer one of the same picture too much.

    Args:
        boxes: float32 (n, 4).
        scores: float32 (n,).
        owners: (n,) the picture of each.
        most: Largest overlap that stays: intersection over union.
        of_smaller: Overlap is intersection over the smaller box, and boxes hold their last
            samples.
    """
    more = np.float32(1 if of_smaller else 0)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + more, axis=1)
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[waiting, :2])
        high = np.minimum(boxes[best, 2:], boxes[waiting, 2:])
        shared = np.prod(np.maximum(high - low + more, 0), axis=1)
        base = (
            np.minimum(areas[best], areas[waiting])
            if of_smaller
            else areas[best] + areas[waiting] - shared
        )
        waiting = waiting[(shared <= np.float32(most) * base) | (owners[waiting] != owners[best])]
    return np.array(kept, np.int64)
