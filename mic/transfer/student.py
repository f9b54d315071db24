"""The student: a small network from crops of a bitstream to the change of a face.

About four million multiplications a frame. It is trained by `mic.training.schedules`' schedules
with a mean squared error, each head in the unit of its own mean square, so that "no change" costs
one; generated action units and the teacher's blendshapes are learned together.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from mic.errors import ConfigError
from mic.synthface.action_units import CODES
from mic.training.descent import Descent, descend, seeded
from mic.training.schedules import Schedule, learning_rate
from mic.transfer.crops import EDGE, STEPS
from mic.transfer.examples import Examples
from mic.transfer.teacher import SHAPES

Input = Literal["residual", "motion", "iframe", "look"]
INPUTS: tuple[Input, ...] = get_args(Input)
_PLANES = {"residual": 1, "motion": 2, "iframe": 1, "look": 0}
# Grey levels, samples of the crop, and grey levels about the middle that make one.
_RESIDUAL, _MOTION, _LUMA = 32.0, 2.0, 64.0
_TURN, _SCALE = 0.1, 0.1  # radians and share, largest jitter of a crop beside its shift
_TOLD = 0.2  # share of training examples whose look is blanked

DEFAULT = Schedule(
    epochs=40, batch=64, learning_rate=2e-3, weight_decay=0.02, shift=0.06, gain=0.25, cutout=0.0
)


class Student(nn.Module):
    """Convolutions over a face's crop, and what the look at the I-frame said.

    Args:
        inputs: What it reads: any of `INPUTS`.
        width: Feature maps of the first layer.

    Raises:
        ConfigError: An unknown input, twice the same, or no picture among them.
    """

    def __init__(self, inputs: tuple[Input, ...], *, width: int = 16) -> None:
        super().__init__()
        if not set(inputs) <= set(INPUTS) or len(set(inputs)) < len(inputs):
            raise ConfigError(
                f"inputs are {inputs!r}", remedy=f"choose of {', '.join(INPUTS)}, each once"
            )
        planes = sum(_PLANES[name] for name in inputs)
        if not planes:
            raise ConfigError(f"no plane of a crop is among the inputs {inputs!r}")
        self.inputs = inputs
        maps = (planes, width, 2 * width, 3 * width, 4 * width)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(itertools.pairwise(maps)):
            size = 5 if number == 0 else 3
            layers += [
                nn.Conv2d(before, after, size, stride=2, padding=size // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.maps = nn.Sequential(*layers, nn.Flatten())
        features = maps[-1] * (EDGE // 16) ** 2 + ("look" in inputs) * len(SHAPES)
        self.hidden = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(features, 128), nn.ReLU(inplace=True), nn.Dropout(0.3)
        )
        self.output = nn.Linear(128, len(SHAPES) + len(CODES))

    def forward(self, planes: Tensor, look: Tensor) -> Tensor:
        """(B, C, EDGE, EDGE) planes and (B, 51) looks -> (B, 75) changes: shapes, then units."""
        features = self.maps(planes)
        if "look" in self.inputs:
            features = torch.cat([features, look], 1)
        changes: Tensor = self.output(self.hidden(features))
        return changes


@dataclasses.dataclass(frozen=True)
class Changes:
    """What a student says.

    Attributes:
        shapes: float32 (n, 51), change of the blendshapes since the I-frame.
        units: float32 (n, 24), change of the action units.
    """

    shapes: np.ndarray
    units: np.ndarray


def fit(
    examples: Examples,
    inputs: tuple[Input, ...],
    *,
    schedule: Schedule = DEFAULT,
    jitter: bool = True,
    seed: int = 0,
) -> Student:
    """Trains a student.

    Args:
        examples: Of generated people.
        inputs: What it reads.
        schedule: How long and how fast; its `flip`, `gain`, and with `jitter` its `shift`, vary
            the crops.
        jitter: Whether crops are also shifted, turned and scaled.
        seed: Of weights, order and variation. The caller's generators are left as they were.

    Raises:
        ConfigError: Inputs that cannot be, or examples without action units.
    """
    if not np.isfinite(examples.units).all():
        raise ConfigError(
            "a student cannot learn from people whose action units are not known",
            remedy="train it on `mic.transfer.examples.generated`",
        )
    with seeded(seed):
        student = Student(inputs)
        truth = torch.from_numpy(np.concatenate([examples.shapes, examples.units], 1))
        weight = _weights(truth)
        steps = max(1, math.ceil(schedule.epochs * len(examples) / schedule.batch))

        def loss(rows: Tensor) -> Tensor:
            planes, look = read(examples, rows.numpy(), inputs)
            target = truth[rows]
            if schedule.flip:
                planes, look, target = _mirrored(planes, look, target, inputs)
            if jitter:
                planes = _jittered(planes, schedule.shift, inputs)
            planes = planes * (1 + schedule.gain * (2 * torch.rand(len(rows), 1, 1, 1) - 1))
            look = look * (torch.rand(len(rows), 1) >= _TOLD)
            error: Tensor = student(planes, look) - target
            return (error.square() * weight).sum(1).mean()

        return descend(
            student,
            _batches(len(examples), schedule.batch, steps),
            loss,
            Descent(
                [student.parameters()],
                weight_decay=schedule.weight_decay,
                clip_norm=schedule.clip_norm,
            ),
            rate=lambda step: learning_rate(schedule, step / steps),
        )


@torch.no_grad()
def predict(student: Student, examples: Examples, *, batch: int = 256) -> Changes:
    """What a student says of examples.

    A blendshape stays between 0 and 1, and where it began is known from the look at the I-frame:
    changes that would lead out of that range are cut.
    """
    answers = []
    for rows in np.array_split(np.arange(len(examples)), max(1, math.ceil(len(examples) / batch))):
        planes, look = read(examples, rows, student.inputs)
        answers.append(student(planes, look).numpy())
    found = np.concatenate(answers)
    began = examples.look[examples.group]
    shapes = np.clip(began + found[:, : len(SHAPES)], 0, 1) - began
    return Changes(shapes=shapes, units=found[:, len(SHAPES) :])


def _weights(truth: Tensor) -> Tensor:
    """(75,) of squared errors: each head's sum over its targets is 1 for "no change"."""
    squares = truth.square().mean(0)
    parts = [squares[: len(SHAPES)], squares[len(SHAPES) :]]
    return torch.cat([torch.full_like(part, 1 / float(part.sum() + 1e-9)) for part in parts])


def _batches(count: int, size: int, steps: int) -> Iterator[Tensor]:
    left = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(left) < min(size, count):
            left = torch.cat([left, torch.randperm(count)])
        yield left[:size]
        left = left[size:]


def read(examples: Examples, rows: np.ndarray, inputs: tuple[Input, ...]) -> tuple[Tensor, Tensor]:
    """(n, C, EDGE, EDGE) float32 planes in the order of `INPUTS`, and (n, 51) looks."""
    group = examples.group[rows]
    planes = []
    if "residual" in inputs:
        planes.append(examples.residual[rows, None].astype(np.float32) / _RESIDUAL)
    if "motion" in inputs:
        planes.append(examples.motion[rows].astype(np.float32) / (STEPS * _MOTION))
    if "iframe" in inputs:
        luma = examples.iframe[group, None].astype(np.float32)
        planes.append(np.where(luma > 0, (luma - 128) / _LUMA, 0).astype(np.float32))
    return torch.from_numpy(np.concatenate(planes, 1)), torch.from_numpy(examples.look[group])


def _sides(names: tuple[str, ...]) -> list[int]:
    """Where each name's mirror image stands."""
    swap = {"Left": "Right", "Right": "Left", "L14": "R14", "R14": "L14"}
    mirrored = [
        next((name.replace(one, swap[one]) for one in swap if one in name), name) for name in names
    ]
    return [names.index(name) for name in mirrored]


_MIRROR_SHAPES = _sides(SHAPES)
_MIRROR = [*_MIRROR_SHAPES, *(len(SHAPES) + place for place in _sides(CODES))]


def _mirrored(
    planes: Tensor, look: Tensor, target: Tensor, inputs: tuple[Input, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    chosen = torch.rand(len(planes)) < 0.5
    other = planes[chosen].flip(3)
    if "motion" in inputs:
        other[:, _motion(inputs).start] *= -1
    planes, look, target = planes.clone(), look.clone(), target.clone()
    planes[chosen] = other
    look[chosen] = look[chosen][:, _MIRROR_SHAPES]
    target[chosen] = target[chosen][:, _MIRROR]
    return planes, look, target


def _jittered(planes: Tensor, shift: float, inputs: tuple[Input, ...]) -> Tensor:
    count = len(planes)
    angle = _TURN * (2 * torch.rand(count) - 1)
    scale = 1 + _SCALE * (2 * torch.rand(count) - 1)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    linear = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    moved = 2 * shift * (2 * torch.rand(count, 2, 1) - 1)  # the crop reaches from -1 to 1
    grid = affine_grid(torch.cat([linear, moved], 2), list(planes.shape), align_corners=False)
    planes = grid_sample(planes, grid, padding_mode="zeros", align_corners=False)
    if "motion" in inputs:
        place = _motion(inputs)
        # From places of the crop as it was to those of the new one.
        planes[:, place] = torch.einsum(
            "nij,njhw->nihw", torch.linalg.inv(linear), planes[:, place]
        )
    return planes


def _motion(inputs: tuple[Input, ...]) -> slice:
    start = int("residual" in inputs)
    return slice(start, start + 2)
