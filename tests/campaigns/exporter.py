"""What torch's own ONNX exporter makes of our networks, beside the graphs that we write; minutes.

    python -m campaigns.exporter [--results ../results]     # from tests/, on an idle machine

Needs the packages onnxscript and onnx_ir, which nothing else here needs. Torch makes some layers'
exports differ from the second one in a process on, so each network has a process of its own, in
which it is exported twice.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import export_networks as networks
import onnx
import pandas as pd
import seaborn as sns
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from campaigns import front
from mic import export, peers
from mic.errors import ConfigError
from mic.export.program import whole
from mic.publishing import results
from mic.speed import measure

NAME = "exporter_networks"
KINDS = (*networks.MIC, *sorted(peers.PEERS))
_ROUNDS = 41
_COLUMNS = {
    "network": "as `tests/export_networks.py` builds it: small, not trained",
    "length": "frames a clip of torch's file: any, as exported, or refused by the exporter",
    "length_again": "the same of a second export in one process",
    "length_ours": "frames a clip of the file that `mic.export` writes; none where it writes none",
    "difference": "largest difference of a logit of torch's file from torch",
    "difference_ours": "the same of ours",
    "seconds": "seconds that torch's export takes, the process warm",
    "seconds_ours": "the same of ours",
    "nodes": "nodes of torch's graph",
    "nodes_ours": "nodes of ours",
    "time_ratio": "run time of torch's file to ours: one clip, ONNX Runtime, one thread, "
    f"processor time, median of {_ROUNDS} interleaved pairs",
}  # fmt: skip


def _torchs(network: nn.Module, path: Path, *, motion: bool, any_length: bool) -> float:
    """Writes the file by torch's exporter; how many seconds that took."""
    inputs = networks.clips(2, motion=motion)
    shape: dict[int, Any] = {0: torch.export.Dim("batch")}
    if any_length:
        shape[1] = torch.export.Dim("steps")
    given = tuple(torch.from_numpy(one) for one in inputs if one is not None)
    began = time.perf_counter()
    made = torch.onnx.export(
        whole(network),
        given,
        dynamo=True,
        dynamic_shapes={"clips": shape} | ({"motion": shape} if motion else {}),
        input_names=["clips", "motion"][: len(given)],
        output_names=["logits", "z"],
        verbose=False,
    )
    made.save(path)
    return time.perf_counter() - began


def _length(network: nn.Module, kind: str, path: Path) -> tuple[str, float, float]:
    """What lengths torch's exporter allows, the difference of its file, and its seconds."""
    motion, least = kind in networks.WITH_MOTION, 1 + (kind in networks.WITH_FIRST)
    tried = (("any", [networks.STEPS, least, 9]), ("as exported", [networks.STEPS]))
    for said, lengths in tried[kind == "mic-concat" :]:
        try:
            seconds = _torchs(network, path, motion=motion, any_length=said == "any")
            session = export.Session(path)
            found = export.parity(network, session, networks.batches(kind, lengths))
        except Exception:  # what torch and ONNX Runtime raise has no common base
            continue
        return said, found.difference, seconds
    return "refused", float("nan"), float("nan")


def one(kind: str) -> dict[str, Any]:
    """The row of a network."""
    network = networks.network(kind)
    row: dict[str, Any] = {"network": kind}
    with tempfile.TemporaryDirectory(prefix="mic-exporter-") as name:
        first, again, ours = (Path(name) / f"{part}.onnx" for part in ("first", "again", "ours"))
        row["length"], row["difference"], _ = _length(network, kind, first)
        row["length_again"], _, row["seconds"] = _length(network, kind, again)
        began = time.perf_counter()
        try:
            motion = (8, 8) if kind in networks.WITH_MOTION else None
            size = (networks.EDGE, networks.EDGE)
            export.export(network, ours, size=size, steps=networks.STEPS, motion_size=motion)
        except ConfigError:
            return row | {"length_ours": "none"}
        row["seconds_ours"] = time.perf_counter() - began
        session = export.Session(ours)
        row["length_ours"], lengths = "any", [networks.STEPS, 9]
        try:
            found = export.parity(network, session, networks.batches(kind, lengths))
        except Exception:  # ONNX Runtime's have no public base
            row["length_ours"] = "as exported"
            found = export.parity(network, session, networks.batches(kind, lengths[:1]))
        row["difference_ours"] = found.difference
        row["nodes_ours"] = len(onnx.load(ours).graph.node)
        if not first.exists():
            return row
        row["nodes"] = len(onnx.load(first).graph.node)
        clips = networks.batches(kind, [networks.STEPS])[0]
        sessions = {"torch": export.Session(first), "ours": session}
        tasks = {name: lambda _, run=run: run(*clips) for name, run in sessions.items()}
        timings = measure.interleaved(tasks, rounds=_ROUNDS, burst=20)
    row["time_ratio"] = measure.ratios(timings, "ours", column="cpu_seconds")["torch"]
    return row


def figure(table: pd.DataFrame) -> Figure:
    """Run time of torch's files to ours, a network a row."""
    drawn, axis = plt.subplots(figsize=(6.4, 4.2))
    sns.stripplot(table.dropna(subset="time_ratio"), x="time_ratio", y="network", ax=axis, size=7)
    axis.axvline(1, color="0.3", linestyle=":")
    axis.set(xlabel="run time of torch's file to ours", ylabel="", xlim=(0, None))
    return drawn


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == ["one"]:
        warnings.simplefilter("ignore")
        print(json.dumps(one(sys.argv[2])))
        return
    if importlib.util.find_spec("onnxscript") is None:
        raise ConfigError("needs the package onnxscript", remedy="pip install onnxscript")
    options, config = front.asked(__doc__)
    made = results.Run("exporter", config, tables=[NAME], figures=[NAME], folder=options.results)
    rows = []
    for kind in KINDS:
        asked = [sys.executable, "-m", "campaigns.exporter", "one", kind]
        answer = subprocess.run(asked, check=True, capture_output=True, text=True)
        rows.append(json.loads(answer.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    made.table(
        table,
        NAME,
        caption=made.caption(
            f"Networks as the exporter of torch {torch.__version__} writes them, and as "
            "`mic.export` does.",
            f"{len(table)} networks",
            f"{networks.STEPS} frames of {networks.EDGE}x{networks.EDGE}",
        ),
        columns=_COLUMNS,
    )
    made.figure(figure(table), NAME)
    made.complete()


if __name__ == "__main__":
    main()
