"""Exported networks at work: files, runs by ONNX Runtime, eight-bit versions, parity."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_dynamic,
    quantize_static,
)
from torch import nn

from mic.errors import ConfigError, WeightsError
from mic.export.answer import Answer, checked
from mic.export.heads import outputs
from mic.export.networks import build, tested_part
from mic.export.program import OUTPUTS, Program, program, serialised
from mic.storage.atomic import replacing, write_bytes

# Errors only: the quantiser's and the runtime's advice is no concern of the user's.
_LOG_ERRORS = 3


class Session:
    """An exported network, ready to run on the CPU.

    Args:
        source: The `.onnx` file, or its content.
        threads: Threads within an operator.

    Raises:
        WeightsError: Not such a file.
    """

    def __init__(self, source: str | Path | bytes, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _LOG_ERRORS
        # Threads that spin between runs would steal from the decoder in front.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = source if isinstance(source, bytes) else str(source)
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own errors have no common public base
            raise WeightsError(
                f"is not a network that ONNX Runtime reads: {error}",
                file=None if isinstance(source, bytes) else source,
                remedy="export it again",
            ) from error
        self.reads_motion = len(self._session.get_inputs()) == 2

    def __call__(self, clips: np.ndarray, motion: np.ndarray | None = None) -> Answer:
        """One run.

        Args:
            clips: (B, T, 3, H, W) int16, all of the same length.
            motion: (B, T, 2, h, w) int16, where the network reads it.

        Raises:
            ConfigError: They are no such arrays, or clips of a length that cannot be computed.
        """
        if (motion is not None) != self.reads_motion:
            raise ConfigError(
                "this network reads motion" if self.reads_motion else "it reads no motion",
                remedy="pass it too" if self.reads_motion else "leave it out",
            )
        given = {"clips": clips} | ({} if motion is None else {"motion": motion})
        feeds = {
            one.name: checked(one.name, given[one.name], one.shape)
            for one in self._session.get_inputs()
        }
        if motion is not None and feeds["motion"].shape[:2] != feeds["clips"].shape[:2]:
            raise ConfigError("clips and motion are of different clips or frames")
        names = [one.name for one in self._session.get_outputs()]
        try:
            said = self._session.run(names, feeds)
        except Exception as error:  # the runtime's own errors have no common public base
            shapes = " and ".join(str(planes.shape) for planes in feeds.values())
            raise ConfigError(
                f"the network does not answer to {shapes}: {str(error).splitlines()[0]}",
                remedy="give longer clips, or export it for such ones",
            ) from error
        return Answer(**dict(zip(names, said, strict=True)))


def export(
    network: nn.Module,
    path: str | Path,
    *,
    size: tuple[int, int],
    steps: int = 16,
    motion_size: tuple[int, int] | None = None,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Writes a network as ONNX or as a program of `torch.export`.

    Args:
        network: MIC, its expression branch, or a peer.
        path: Ends in `.onnx` (see `mic.export.networks.build`) or in `.pt2` (see
            `mic.export.program`).
        size: Height and width of the input.
        steps: Frames a clip, where the file needs to know.
        motion_size: Height and width of the motion, where it is read.
        facts: What else is to be known, into the file: ONNX's metadata, or files within the
            program's archive.

    Raises:
        ConfigError: The network has no ONNX form, it reads other inputs, or the name has another
            suffix.
        StorageError: The file cannot be written.
    """
    form = suffix(path)
    write_bytes(
        path,
        content(network, form, size=size, steps=steps, motion_size=motion_size, facts=facts),
    )
    return Path(path)


def suffix(path: str | Path) -> str:
    """`.onnx` or `.pt2`, by a file's name.

    Raises:
        ConfigError: It has another suffix.
    """
    found = Path(path).suffix.lower()
    if found not in (".onnx", ".pt2"):
        raise ConfigError(
            f"no format is called {found!r}", remedy="choose a name ending in .onnx or .pt2"
        )
    return found


def content(
    network: nn.Module,
    form: str,
    *,
    size: tuple[int, int],
    steps: int = 16,
    motion_size: tuple[int, int] | None = None,
    facts: Mapping[str, str] | None = None,
) -> bytes:
    """What `export` writes.

    Args:
        network: MIC, its expression branch, or a peer.
        form: `.onnx` or `.pt2`.
        size: Height and width of the input.
        steps: Frames a clip.
        motion_size: Height and width of the motion, where it is read.
        facts: What else is to be known, into the file.
    """
    if form == ".onnx":
        model = build(network, size=size, steps=steps, motion_size=motion_size)
        onnx.helper.set_model_props(model, dict(facts or {}))
        return bytes(model.SerializeToString())
    made = program(network, size=size, steps=steps, motion_size=motion_size)
    said = {OUTPUTS: " ".join(outputs(tested_part(network)))}
    return serialised(made, dict(facts or {}) | said)


def quantise(
    source: str | Path,
    target: str | Path,
    calibration: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> Path:
    """Weights and activations in eight bits.

    The recurrent layer's activations are scaled at run time, the others by `calibration`; the
    classifier stays in floating point: it costs nothing and decides.

    Args:
        source: A file of `export`.
        target: Where the eight-bit version goes.
        calibration: Some (clips, motion) as they will come, for the activations' ranges.

    Raises:
        WeightsError: The source is no file of `export`.
        ConfigError: There is nothing to calibrate with.
    """
    calibration = list(calibration)
    if not calibration:
        raise ConfigError("there is no clip to calibrate with", remedy="give some")
    try:
        model = onnx.load(source)
    except Exception as error:  # protobuf's errors have no public base
        raise WeightsError(
            f"is no ONNX file: {error}", file=source, remedy="export it again"
        ) from error
    classifier = next(node.name for node in reversed(model.graph.node) if node.op_type == "Gemm")
    with tempfile.TemporaryDirectory(prefix="mic-int8-") as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        recurrent = Path(folder) / "recurrent.onnx"
        quantize_dynamic(
            prepared, recurrent, op_types_to_quantize=["LSTM"], weight_type=QuantType.QInt8
        )
        with replacing(target) as temporary:
            quantize_static(
                recurrent,
                temporary,
                _Calibration(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Gemm", "MatMul"],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[classifier],
            )
    return Path(target)


class _Calibration(CalibrationDataReader):
    def __init__(self, clips: Iterable[tuple[np.ndarray, np.ndarray | None]]) -> None:
        self._clips: Iterator[tuple[np.ndarray, np.ndarray | None]] = iter(clips)

    def get_next(self) -> dict[str, np.ndarray] | None:
        pair = next(self._clips, None)
        if pair is None:
            return None
        names = ("clips", "motion")
        return {name: array for name, array in zip(names, pair, strict=True) if array is not None}


@dataclass(frozen=True)
class Parity:
    """How far an exported network is from torch's.

    Attributes:
        difference: Largest absolute difference of a logit; not a number where one is none.
        same: Clips with the same label, and all of whose logits are finite.
        clips: All clips.
        largest: Largest absolute value of a logit.
    """

    difference: float
    same: int
    clips: int
    largest: float


@torch.no_grad()
def parity(
    network: nn.Module,
    session: Session | Program,
    batches: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> Parity:
    """Runs both on the same clips, torch in full precision.

    Args:
        network: What was exported.
        session: What became of it.
        batches: (clips, motion), int16.
    """
    network = copy.deepcopy(network).eval()
    difference, same, count, largest = 0.0, 0, 0, 0.0
    for clips, motion in batches:
        moved = None if motion is None else torch.from_numpy(motion).float()
        theirs = network(torch.from_numpy(clips).float(), None, moved).logits.numpy()
        ours = session(clips, motion).logits
        difference = float(np.maximum(difference, np.abs(ours - theirs).max()))
        finite = np.isfinite(ours).all(1) & np.isfinite(theirs).all(1)
        same += int((finite & (ours.argmax(1) == theirs.argmax(1))).sum())
        count += len(clips)
        largest = float(np.maximum(largest, np.abs(theirs).max()))
    return Parity(difference=difference, same=same, clips=count, largest=largest)
