"""A method's network before its first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from mic.inputs.tensors import ClipTensors
from mic.models.mic import Method, Mic
from mic.peers import PeerMethod, PeerModel
from mic.training.descent import seeded


@overload
def initial_network(
    method: Method, data: ClipTensors, rows: Sequence[int], *, seed: int
) -> Mic: ...


@overload
def initial_network(
    method: PeerMethod, data: ClipTensors, rows: Sequence[int], *, seed: int
) -> PeerModel: ...


@overload
def initial_network(
    method: Method | PeerMethod, data: ClipTensors, rows: Sequence[int], *, seed: int
) -> Mic | PeerModel: ...


def initial_network(
    method: Method | PeerMethod, data: ClipTensors, rows: Sequence[int], *, seed: int
) -> Mic | PeerModel:
    """The network of a method with random weights, on the CPU.

    Args:
        method: MIC's or a peer's.
        data: Its classes, its frames a clip and its apex pictures give the shapes.
        rows: The training clips; what z_I is reduced to is fitted on them alone.
        seed: Of the weights. The caller's generators are left as they were.
    """
    with seeded(seed):
        if isinstance(method, PeerMethod):
            return PeerModel(method, classes=len(data.classes))
        return Mic(
            method,
            classes=len(data.classes),
            identity=data.identity[list(rows)].cpu(),
            apex_size=None if data.apex is None else (data.apex.shape[1], data.apex.shape[2]),
            steps=data.residual.shape[1],
            seed=seed,
        )
