"""The trained network as others use it: a stream in, class probabilities out.

What is needed to rebuild the network and to feed it stands in the weights file beside the
tensors, as a `Card`; nothing is guessed from shapes, nothing is unpickled.

    recogniser = Recogniser.load()                    # the shipped weights
    arrays = recogniser.read(stream)                  # an open stream or a part of one
    recogniser.probabilities([arrays])                # float32 (1, classes)
    recogniser.answers([arrays])[0].valence           # a float, where it was trained with ratings
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

import mic
from mic.bitstream import Stream
from mic.errors import ConfigError, WeightsError, printable
from mic.inputs.tensors import Kind, Representation, represent
from mic.models.expression import ExpressionNetwork
from mic.models.mic import Mic
from mic.models.novelty import Novelty
from mic.recognition.framing import Framing
from mic.storage import weights

SHIPPED = Path(mic.__file__).with_name("weights")
DEFAULT = "synth.safetensors"
# Lines of `sha256sum`: a damaged checkout is found out.
PINS = SHIPPED / "SHA256SUMS"
_FORMAT = "mic-expression-1"
# A window that is parsed while it passes has no file to decode again.
_DECODED = ("decoded", "decoded_frames", "fusion")
# Longer windows than anybody has; a card that asks for more asks for all the memory.
_MOST_STEPS = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What a weights file says about itself.

    Attributes:
        classes: Names, in the order of the network's outputs.
        representation: What the network sees of a stream.
        network: Arguments of `ExpressionNetwork` but `classes`.
        edge: Side in samples of the square clips that it was trained on.
        vop_quant: Quantiser of those clips.
        frame_rate: Their frames a second.
        margin: How the face sits in them: part of the aligned crop's edge added on each side.
        drop: How much lower than the crop's middle the clip's middle lies, in parts of the edge.
        valence: Whether the file also holds a linear layer from z_E to valence.
        novelty: Whether it also knows how far features of such clips lie from each other.
        summary: Trained on what, how accurate, and what not to expect; one or two sentences.
    """

    classes: tuple[str, ...]
    representation: Representation
    network: Mapping[str, Any]
    edge: int = 128
    vop_quant: int = 2
    frame_rate: float = 25.0
    margin: float = 0.0
    drop: float = 0.0
    valence: bool = False
    novelty: bool = False
    summary: str = ""

    def to_metadata(self) -> dict[str, str]:
        """As text, for the weights file."""
        return {"format": _FORMAT, "card": json.dumps(dataclasses.asdict(self), sort_keys=True)}

    @classmethod
    def of(cls, found: weights.Weights) -> Card:
        """Reads the card of a weights file.

        Raises:
            WeightsError: It has none, or one that is damaged.
        """
        try:
            if found.metadata.get("format") != _FORMAT:
                raise ValueError(f"its format is {found.metadata.get('format')!r}")
            facts = json.loads(found.metadata["card"])
            if not isinstance(facts, dict):
                raise ValueError(f"it is a {type(facts).__name__}")
            fields = {field.name for field in dataclasses.fields(cls)}
            if newer := sorted(facts.keys() - fields):
                raise WeightsError(
                    f"has a card of another version, with {', '.join(map(printable, newer[:3]))}",
                    file=found.path,
                    remedy="use the version of mic that wrote it",
                )
            if not isinstance(facts["classes"], list):
                raise ValueError(f"classes is {facts['classes']!r}")
            facts["classes"] = tuple(facts["classes"])
            facts["representation"] = Representation(**facts["representation"])
            card = cls(**facts)
            card.check()
        except (KeyError, TypeError, ValueError, OverflowError, ConfigError) as error:
            raise WeightsError(
                f"has no card that tells how to use it: {error}",
                file=found.path,
                remedy="write it with `mic.recognition.recogniser.save`, as `mic train` does",
            ) from error
        return card

    def check(self) -> None:
        """Refuses what no clip can be made for.

        Raises:
            ValueError: A field is of another type, or out of its range.
        """
        numbers = (self.edge, self.vop_quant, self.frame_rate, self.margin, self.drop)
        sound = all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
        named = all(type(name) is str and name for name in self.classes)
        if not sound:
            raise ValueError(f"of edge, vop_quant, frame_rate, margin, drop {numbers} one is none")
        if not (named and self.classes):
            raise ValueError(f"classes is {self.classes!r}: no names")
        if not isinstance(self.network, Mapping):
            raise ValueError(f"network is {self.network!r}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have one name")
        if type(self.valence) is not bool or type(self.novelty) is not bool:
            raise ValueError(f"valence is {self.valence!r}, novelty {self.novelty!r}")
        if type(self.edge) is not int or not 16 <= self.edge <= 1024 or self.frame_rate <= 0:
            raise ValueError("a field is out of its range")
        if type(self.vop_quant) is not int or not 1 <= self.vop_quant <= 31:
            raise ValueError(f"vop_quant is {self.vop_quant}")
        if not (0 <= self.margin <= 2 and -1 <= self.drop <= 1):
            raise ValueError(f"margin is {self.margin}, drop {self.drop}")
        seen = self.representation
        if seen.kind not in get_args(Kind) or type(seen.with_motion) is not bool:
            raise ValueError(f"kind is {seen.kind!r}, with_motion {seen.with_motion!r}")
        if type(seen.steps) is not int or not seen.steps <= _MOST_STEPS:
            raise ValueError(f"steps is {seen.steps!r}")
        if type(seen.scale) is not int:
            raise ValueError(f"scale is {seen.scale!r}")
        if seen.kind in _DECODED:
            raise ValueError("it works on decoded pictures")
        if self.network.get("motion") and not seen.with_motion:
            raise ValueError("the network reads motion, and its clips have none")
        steps = self.network.get("steps", seen.steps)
        if self.network.get("pooling") == "concat" and steps != seen.steps:
            raise ValueError("the network's steps are not those of the clips")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What a network says of one clip.

    Attributes:
        probabilities: float32 (classes,); sums to 1.
        valence: -1 to 1; None if it was not trained with ratings.
        novelty: How unlike what it learned the clip is (`mic.models.novelty`): above 1, less alike
            than nearly all clips of its kind; None if the weights do not tell.
    """

    probabilities: np.ndarray
    valence: float | None
    novelty: float | None


class Recogniser:
    """An expression network ready for use.

    Args:
        network: In evaluation mode, on its device.
        card: What it was trained on.
        name: Of the weights, for outputs.
    """

    def __init__(self, network: ExpressionNetwork, card: Card, *, name: str) -> None:
        self.network = network.eval()
        self.card = card
        self.name = name
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, path: str | Path | None = None, *, device: str = "auto") -> Recogniser:
        """Rebuilds a network from its weights file.

        Args:
            path: A file that `save` wrote; None: the shipped one, checked against its pin.
            device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:1".

        Raises:
            WeightsError: The file is missing, damaged, hostile or of another network.
            ConfigError: There is no such device.
        """
        file = SHIPPED / DEFAULT if path is None else Path(path)
        found = weights.read(file, sha256=_pin(DEFAULT) if path is None else None)
        card = Card.of(found)
        try:
            network = ExpressionNetwork(len(card.classes), **card.network)
            if card.valence:
                network.add_module("valence", torch.nn.Linear(network.z_size, 1))
            if card.novelty:
                network.add_module("novelty", Novelty(len(card.classes), network.z_size))
        except (TypeError, ConfigError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"describes no network that can be built: {error}",
                file=file,
                remedy="use the version of mic that wrote it",
            ) from error
        weights.load_into(network, found)
        name = f"{file.name} ({found.sha256[:12]})"
        return cls(network.to(chosen_device(device)), card, name=name)

    def frame(self, points: np.ndarray) -> Framing:
        """The crop in which a face with these points sits as in the training clips."""
        card = self.card
        return Framing.of(points, edge=card.edge, margin=card.margin, drop=card.drop)

    def read(self, stream: Stream, *, framing: Framing | None = None) -> dict[str, np.ndarray]:
        """What the network sees of a stream.

        Args:
            stream: Its first frame is what the others are compared with.
            framing: Where the face sits, if the stream shows more than the crop.

        Raises:
            BitstreamError: The stream is damaged.
        """
        wanted = self.card.representation
        if framing is None:
            return represent(stream, wanted)
        # The coarsest scale that is still finer than the network's input.
        size = self.card.edge // wanted.scale
        scale = max((s for s in (1, 2, 4, 8) if framing.side / s >= size), default=1)
        arrays = represent(stream, dataclasses.replace(wanted, scale=scale))
        planes = framing.residuals(arrays["residual"], scale=scale, size=size)
        return arrays | {"residual": planes}

    def probabilities(self, clips: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
        """Class probabilities of clips, as `answers` gives them: float32 (N, classes)."""
        found = [answer.probabilities for answer in self.answers(clips)]
        return np.stack(found) if found else np.empty((0, len(self.card.classes)), np.float32)

    @torch.inference_mode()
    def answers(self, clips: Sequence[Mapping[str, np.ndarray]]) -> list[Answer]:
        """What the network says of clips of any lengths.

        Args:
            clips: As `read` returns them: `residual` (T, 3, h, w), and `motion` (T, 2, h', w')
                where the network has a motion branch.

        Raises:
            WeightsError: The network's answer is not finite.
        """
        answers = []
        for clip in clips:
            residual = torch.from_numpy(clip["residual"])[None].to(self._device).float()
            motion = None
            if self.network.motion_encoder is not None:
                motion = torch.from_numpy(clip["motion"])[None].to(self._device).float()
            z, logits = self.network(residual, None, motion)
            valence = novelty = None
            if self.card.novelty:
                novelty = float(self.network.get_submodule("novelty")(z.float())[0])
            if self.card.valence:
                layer = self.network.get_submodule("valence")
                valence = float(layer(z.float())[0, 0].clamp(-1, 1))
            chances = torch.softmax(logits[0].float(), 0).cpu().numpy()
            told = [float(chances.sum()), valence or 0.0, novelty or 0.0]
            if not np.isfinite(told).all():
                raise WeightsError(
                    "answers with what is no number",
                    file=self.name,
                    remedy="train again, or use other weights",
                )
            answers.append(Answer(probabilities=chances, valence=valence, novelty=novelty))
        return answers


def save(
    path: str | Path,
    model: Mic,
    card: Card,
    *,
    valence: torch.nn.Linear | None = None,
    novelty: Novelty | None = None,
) -> str:
    """Writes what testing needs of a trained model: the expression branch alone.

    Args:
        path: Ends in `.safetensors`.
        model: After training.
        card: What it was trained on.
        valence: From z_E to valence, exactly if the card says that there is one.
        novelty: Of z_E, exactly if the card says that there is one.

    Returns:
        SHA-256 of the file.

    Raises:
        WeightsError: The training diverged, or the name has another suffix.
        StorageError: The file cannot be written.
        ConfigError: The card promises a layer that is not given, or the other way round.
    """
    added = {"valence": valence, "novelty": novelty}
    tensors = dict(model.expression.state_dict())
    for name, module in added.items():
        if getattr(card, name) != (module is not None):
            raise ConfigError(f"the card and the layer disagree about {name}", file=path)
        if module is not None:
            tensors |= {f"{name}.{part}": value for part, value in module.state_dict().items()}
    return weights.write(path, tensors, metadata=card.to_metadata())


def chosen_device(device: str) -> torch.device:
    """The device meant by a name.

    Raises:
        ConfigError: There is no such device on this machine.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"there is no device {device!r} here: {str(error).splitlines()[0]}",
            remedy="choose 'cpu', or 'auto'",
        ) from error
    return chosen


def _pin(name: str) -> str:
    lines = PINS.read_text(encoding="utf-8").splitlines() if PINS.is_file() else []
    pins = {line.split()[1]: line.split()[0] for line in lines if len(line.split()) == 2}
    if name not in pins:
        raise WeightsError(
            f"has no digest of {name}",
            file=PINS,
            remedy="restore the checkout, or run `mic train-shipped`",
        )
    return pins[name]
