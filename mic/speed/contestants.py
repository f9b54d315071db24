"""Who is timed: MIC's variants, its peers, the outsider, each as a pipeline for one kind of clip.

Networks carry random weights: time does not depend on them. Every method runs on the engine that
suits it best: on processors ONNX Runtime where a network has an ONNX form, otherwise torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from mic.config import Profile
from mic.errors import ConfigError
from mic.experiments import plan
from mic.experiments.peers import OUTSIDER, WIDTH
from mic.faces.fer import Fer
from mic.inputs.tensors import Representation
from mic.models.expression import ExpressionNetwork
from mic.models.mic import Method
from mic.peers import PEERS, PeerMethod, PeerModel, parameter_count
from mic.speed import pipelines
from mic.speed.clips import TimedClip
from mic.speed.pipelines import Answer, Runner

CLASSES = 7
PAPER_SIZE = " (paper's size)"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A method as it is timed.

    Attributes:
        row: Its name in the tables.
        answer: Files to labels.
        engine: What runs the network.
        domain: `compressed` or `pictures`.
        parameters: Of the network, 0 where unknown.
    """

    row: str
    answer: Answer
    engine: str
    domain: str
    parameters: int


def scale_for(clip: TimedClip) -> int:
    """The scale at which a clip is nearest above the 56 samples that networks are given."""
    edge = min(clip.width, clip.height)
    return max(scale for scale in (1, 2, 4, 8) if scale == 1 or edge / scale >= 56)


def contestants(
    clip: TimedClip,
    config: Profile,
    *,
    rows: Mapping[str, plan.Variant] = plan.SPEED_ROWS,
    peers: Iterable[str] = tuple(PEERS),
    width: int = WIDTH,
    threads: int = 1,
    device: str = "cpu",
    outsider: bool = True,
) -> list[Contestant]:
    """All that are timed on a clip.

    Args:
        clip: Decides the sizes that networks see.
        config: Frames that are sampled, the seed of the weights, MIC's network.
        rows: MIC's variants by row.
        peers: Keys of `PEERS`; those of another paper size are added at that size as well.
        width: Of the peers, as they are trained.
        threads: Of parser, decoder and network.
        device: Where networks run.
        outsider: Whether the outsider is timed too.
    """
    torch.manual_seed(config.seed)
    seen = Representation(steps=config.steps, scale=scale_for(clip))
    build = _Builder(clip=clip, threads=threads, device=device)
    found = [
        build.mic(row, variant.method(config), variant.representation(seen))
        for row, variant in rows.items()
    ]
    for name in peers:
        sizes = {"": width, PAPER_SIZE: PEERS[name].paper_width}
        for suffix, wide in sizes.items():
            if suffix == "" or wide != width:
                grid = 0 if suffix else PEERS[name].searched
                method = PeerMethod(peer=name, width=wide, grid=grid)
                found.append(build.peer(method, suffix, seen))
    if outsider:
        network = Fer(threads=threads)
        found.append(
            Contestant(
                row=OUTSIDER,
                answer=pipelines.outsider(network, steps=config.steps, threads=threads),
                engine="LiteRT",
                domain="pictures",
                parameters=0,
            )
        )
    return found


@dataclass(frozen=True, kw_only=True)
class _Builder:
    """Makes contestants for one clip and one place where networks run."""

    clip: TimedClip
    threads: int
    device: str

    def mic(self, row: str, method: Method, seen: Representation) -> Contestant:
        network = expression_network(method, steps=seen.steps)
        runner, engine = self._runner(network, seen)
        return Contestant(
            row=row,
            answer=pipelines.compressed(runner, seen, threads=self.threads),
            engine=engine,
            domain="compressed",
            parameters=parameter_count(network),
        )

    def peer(self, method: PeerMethod, suffix: str, like: Representation) -> Contestant:
        peer = PEERS[method.peer]
        model = PeerModel(method, classes=CLASSES).eval()
        parsed = peer.reads != "pictures"
        seen = Representation(
            kind=peer.shown,
            steps=like.steps,
            scale=like.scale,
            with_motion=peer.reads == "compressed",
        )
        runner, engine = self._runner(model, seen)
        if parsed:
            answer = pipelines.compressed(runner, seen, threads=self.threads)
        else:
            size = self._size(seen.scale)
            answer = pipelines.pictures(
                runner,
                steps=seen.steps,
                size=size,
                relative=seen.kind == "decoded",
                threads=self.threads,
            )
        return Contestant(
            row=peer.title + suffix,
            answer=answer,
            engine=engine,
            domain="compressed" if parsed else "pictures",
            parameters=parameter_count(model),
        )

    def _runner(self, network: nn.Module, seen: Representation) -> tuple[Runner, str]:
        if self.device != "cpu":
            return pipelines.torch_runner(network, device=self.device), f"torch, {self.device}"
        try:
            runner = pipelines.onnx_runner(
                network,
                size=self._size(seen.scale),
                steps=seen.steps,
                motion_size=self._blocks() if seen.with_motion else None,
                threads=self.threads,
            )
        except ConfigError:  # no ONNX form
            return pipelines.torch_runner(network), "torch"
        return runner, "ONNX Runtime"

    def _size(self, scale: int) -> tuple[int, int]:
        return -(-self.clip.height // scale), -(-self.clip.width // scale)

    def _blocks(self) -> tuple[int, int]:
        """Motion vectors come per 8x8 block of whole macroblocks."""
        return 2 * -(-self.clip.height // 16), 2 * -(-self.clip.width // 16)


def expression_network(method: Method, *, steps: int = 16) -> ExpressionNetwork:
    """The expression branch that a method tests with, weights at random."""
    return ExpressionNetwork(CLASSES, **method.network_options(steps=steps)).eval()
