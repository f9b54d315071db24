"""Landmark-free optical flow: dense Lucas-Kanade from the first frame, then a CNN on the flow.

Source: B. D. Lucas, T. Kanade, "An iterative image registration technique with an application to
stereo vision", IJCAI 1981, coarse to fine as in Bouguet's pyramidal form (Intel, 2000).
Classifying flow instead of pictures follows the temporal stream of K. Simonyan, A. Zisserman,
"Two-stream convolutional networks for action recognition in videos", NeurIPS 2014. MIC's tables
mark DSTA and E-ConvLSTM as users of optical flow without saying which; TV-L1 is usual and slower.

Left open: everything about the flow. Here it is computed inside the network, without weights, from
the first frame that is given to each other, as MIC's residuals start from the I-frame; of a clip
that is longer than what is sampled that is not its first. Its time is part of what a user pays.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mic.models.expression import Expression
from mic.peers.padding import encode_valid, masked_mean
from mic.peers.size import Size

# BT.601 luma.
LUMA = (0.299, 0.587, 0.114)


class LucasKanade(nn.Module):
    """Dense flow between gray pictures; has no parameters and no gradient.

    Args:
        levels: Pyramid levels, each half the size of the one before.
        iterations: Warps and solutions a level.
        window: Edge of the square over which motion is taken as constant, odd.
        damping: Added to the structure tensor's diagonal, in units of its mean: where nothing is
            to be seen, nothing moves.
    """

    def __init__(
        self, *, levels: int = 3, iterations: int = 1, window: int = 7, damping: float = 0.003
    ) -> None:
        super().__init__()
        self.levels, self.iterations = levels, iterations
        self.window, self.damping = window, damping

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Where each sample of `first` went.

        Args:
            first: (N, 1, H, W), any scale of brightness.
            second: (N, 1, H, W), the same.

        Returns:
            (N, 2, H, W): x and y in samples, first(p) is second(p + flow(p)).
        """
        with torch.autocast(first.device.type, enabled=False):
            return self._coarse_to_fine(first.float(), second.float())

    def _coarse_to_fine(self, first: Tensor, second: Tensor) -> Tensor:
        pyramid = [(first, second)]
        for _ in range(self.levels - 1):
            smaller = [
                functional.avg_pool2d(picture, 2, ceil_mode=True) for picture in pyramid[-1]
            ]
            pyramid.append((smaller[0], smaller[1]))
        flow = first.new_zeros(first.shape[0], 2, *pyramid[-1][0].shape[2:])
        for one, two in reversed(pyramid):
            if flow.shape[2:] != one.shape[2:]:
                flow = 2 * functional.interpolate(
                    flow, one.shape[2:], mode="bilinear", align_corners=False
                )
            for _ in range(self.iterations):
                flow = self._improved(flow, one, warp(two, flow))
        return flow

    def _improved(self, flow: Tensor, one: Tensor, two: Tensor) -> Tensor:
        """One flow a window that explains best what is left between `one` and the warped `two`.

        What each sample was warped by is counted with it; else neighbours that were warped
        differently would contradict each other, and the iteration diverges.
        """
        x, y = gradients(0.5 * (one + two))
        t = two - one - x * flow[:, :1] - y * flow[:, 1:]
        products = torch.cat([x * x, x * y, y * y, x * t, y * t], 1)
        xx, xy, yy, xt, yt = _window_sums(products, self.window).split(1, 1)
        damping = self.damping * (xx + yy).mean((1, 2, 3), keepdim=True) + 1e-12
        xx, yy = xx + damping, yy + damping
        best = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], 1) / (xx * yy - xy * xy)
        # A linearisation holds over about one sample.
        return flow + (best - flow).clamp(-1, 1)


def _window_sums(planes: Tensor, window: int) -> Tensor:
    """Sums over the square around each sample, cut at the edges: (N, C, H, W) -> the same.

    Rows, then columns, by shifted additions: several times as fast as torch's pooling.
    """
    for axis in (2, 3):
        pad = [0, 0, window // 2, window // 2] if axis == 2 else [window // 2, window // 2]
        padded = functional.pad(planes, pad)
        size = planes.shape[axis]
        planes = padded.narrow(axis, 0, size).clone()
        for shift in range(1, window):
            planes += padded.narrow(axis, shift, size)
    return planes


def gradients(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences in x and y, one-sided at the edges: (N, 1, H, W) -> twice the same."""
    padded = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    x = 0.5 * (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2])
    y = 0.5 * (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1])
    return x, y


def warp(pictures: Tensor, flow: Tensor) -> Tensor:
    """Reads `pictures` (N, C, H, W) at p + flow(p), bilinearly; edges are repeated."""
    height, width = pictures.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device, dtype=flow.dtype),
        torch.arange(width, device=flow.device, dtype=flow.dtype),
        indexing="ij",
    )
    place = torch.stack([x + flow[:, 0], y + flow[:, 1]], -1)
    size = torch.tensor([width, height], device=flow.device, dtype=flow.dtype)
    grid = (2 * place + 1) / size - 1
    return functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def luma(pictures: Tensor) -> Tensor:
    """(..., 3, H, W) RGB -> (..., 1, H, W)."""
    weights = pictures.new_tensor(LUMA).view(3, 1, 1)
    return (pictures * weights).sum(-3, keepdim=True)


def flow_from_first(method: LucasKanade, clips: Tensor) -> Tensor:
    """(B, T, 3, H, W) pictures -> (B, T, 2, H, W), the first frame's flow to each; 0 to itself."""
    gray = luma(clips)
    first = gray[:, :1].expand_as(gray[:, 1:])
    flow = method(first.flatten(0, 1), gray[:, 1:].flatten(0, 1))
    return functional.pad(flow.unflatten(0, first.shape[:2]), (0, 0, 0, 0, 0, 0, 1, 0))


class FlowCnn(nn.Module):
    """Flow from the first frame, frame CNN, mean over the frames, classifier.

    Args:
        classes: Number of expressions.
        size: Of the frame CNN.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = size.features
        self.flow = LucasKanade()
        self.encoder = size.encoder(channels=2)
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, z_size), logits."""
        del motion
        frames = encode_valid(self.encoder, flow_from_first(self.flow, clips), lengths)
        z = masked_mean(frames, lengths)
        return Expression(z=z, logits=self.classifier(z))
