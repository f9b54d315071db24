"""Networks as programs of `torch.export`: graph and weights in a `.pt2` file, without our code."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mic.errors import ConfigError, WeightsError
from mic.export.answer import Answer, checked
from mic.export.heads import outputs
from mic.export.networks import check_inputs, tested_part
from mic.models.expression import ExpressionNetwork

# The file within the archive that names what the program answers, in order.
OUTPUTS = "outputs"


class _Whole(nn.Module):
    """A network as it is asked in use: integers of whole clips in, logits and z out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor, motion: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, T, 3, H, W) and (B, T, 2, h, w) integers -> (B, classes), (B, z_size)."""
        moved = None if motion is None else motion.float()
        answer = self.network(clips.float(), None, moved)
        return answer.logits, answer.z


class _WholeExpression(_Whole):
    """The expression branch without what padding needs, which no exported graph can follow."""

    network: ExpressionNetwork

    def forward(self, clips: Tensor, motion: Tensor | None = None) -> tuple[Tensor, ...]:
        """As `_Whole`, and what `mic.export.heads.outputs` names besides."""
        network = self.network
        frames = network.encoder(clips.float().flatten(0, 1))
        if motion is not None and network.motion_encoder is not None:
            frames = frames + network.motion_encoder(motion.float().flatten(0, 1))
        states, (last, _) = network.lstm(frames.unflatten(0, clips.shape[:2]))
        if network.pooling == "last":
            z = last[-1]
        elif network.attention is not None:
            z = (network.attention(states).softmax(1) * states).sum(1)
        else:
            z = states.mean(1) if network.pooling == "mean" else states.flatten(1)
        more: list[Tensor] = []
        for name in outputs(network)[2:]:
            said: Tensor = network.get_submodule(name)(z)
            more.append(said[:, 0].clamp(-1, 1) if name == "valence" else said)
        return network.classifier(z), z, *more


def whole(network: nn.Module) -> nn.Module:
    """A copy of a network that an exporter can follow: (clips, motion) integers, logits and z.

    Args:
        network: MIC, its expression branch, or a peer.
    """
    network = tested_part(network)
    kind = _WholeExpression if isinstance(network, ExpressionNetwork) else _Whole
    return kind(copy.deepcopy(network).cpu()).eval().requires_grad_(False)


@torch.no_grad()
def program(
    network: nn.Module,
    *,
    size: tuple[int, int],
    steps: int = 16,
    motion_size: tuple[int, int] | None = None,
) -> torch.export.ExportedProgram:
    """A trained network as an exported program: any batch, `steps` frames a clip.

    Args:
        network: MIC, its expression branch, or a peer.
        size: Height and width of `clips`.
        steps: Frames a clip.
        motion_size: Height and width of `motion`, where it is read.

    Raises:
        ConfigError: Other inputs than the network reads.
    """
    check_inputs(tested_part(network), size=size, steps=steps, motion_size=motion_size)
    # Two clips: a batch of one would be taken for a constant.
    inputs = [torch.zeros(2, steps, 3, *size, dtype=torch.int16)]
    if motion_size is not None:
        inputs.append(torch.zeros(2, steps, 2, *motion_size, dtype=torch.int16))
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        # Of recurrent layers, whose own list of weights torch sets again while it looks at them.
        warnings.filterwarnings("ignore", message="The tensor attributes", category=UserWarning)
        return torch.export.export(
            whole(network), tuple(inputs), dynamic_shapes=({0: batch},) * len(inputs)
        )


def serialised(made: torch.export.ExportedProgram, facts: Mapping[str, str]) -> bytes:
    """The content of a `.pt2` file."""
    # Where the code lay that was traced is nobody's business, and would differ between checkouts;
    # what it was traced with is as large as a fifth of the network, all of it zeros.
    for node in made.graph.nodes:
        node.meta.pop("stack_trace", None)
    made.example_inputs = None
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Of the same lists: torch finds their tensors twice and asks whether all is on the CPU.
        warnings.filterwarnings("ignore", message="No complete tensor", category=UserWarning)
        torch.export.save(made, buffer, extra_files=dict(facts))
    return buffer.getvalue()


class Program:
    """An exported program, ready to run on the CPU. Load only files that you trust.

    Args:
        source: The `.pt2` file, or its content.

    Raises:
        WeightsError: Not such a file.
    """

    def __init__(self, source: str | Path | bytes) -> None:
        file = None if isinstance(source, bytes) else source
        facts = {OUTPUTS: ""}
        try:
            made = torch.export.load(
                io.BytesIO(source) if isinstance(source, bytes) else source, extra_files=facts
            )
            self._run = made.module()
        except Exception as error:  # torch's own errors have no common base
            raise WeightsError(
                f"is not a program that torch reads: {error}",
                file=file,
                remedy="export it again",
            ) from error
        self._outputs = facts[OUTPUTS].split() or ["logits", "z"]  # as before there were more

    @torch.no_grad()
    def __call__(self, clips: np.ndarray, motion: np.ndarray | None = None) -> Answer:
        """One run; see `mic.export.Session`. The length of clips is that of the export."""
        inputs = [torch.from_numpy(checked("clips", clips, ("B", "T", 3, "H", "W")))]
        if motion is not None:
            inputs.append(torch.from_numpy(checked("motion", motion, ("B", "T", 2, "h", "w"))))
        try:
            said = self._run(*inputs)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            shapes = " and ".join(str(tuple(planes.shape)) for planes in inputs)
            raise ConfigError(
                f"the program was not exported for {shapes}: {str(error).splitlines()[0]}",
                remedy="give what it was exported for, or export it again",
            ) from error
        return Answer(
            **{name: value.numpy() for name, value in zip(self._outputs, said, strict=True)}
        )
