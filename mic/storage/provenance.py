"""Where a result comes from: code, configuration, data, versions and device, as plain JSON."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import mic
import mic_bitstream
from mic.config import Profile, usable_cores
from mic.errors import ResultError
from mic.storage import atomic

# What every record holds, and as what.
_RECORDED = {
    "notebook": str,
    "outputs": dict,
    "tables": dict,
    "data": dict,
    "commit": str,
    "code_digest": str,
    "config": dict,
    "device": dict,
    "versions": dict,
}

_OPTIONAL = ("parameters", "inputs")

# The published numbers, which every checkout has.
PUBLISHED = Path("results", "paper.csv")
# The packages whose version can change a number.
_PACKAGES = ("av", "facenet-pytorch", "matplotlib", "numpy", "pandas", "scikit-learn", "scipy")


def repository() -> Path:
    """The checkout that `mic` was imported from.

    Of an installed wheel the one in which one works, or that lies here as `mic-source`, as the
    notebooks tell to clone it; the working folder if there is none.
    """
    root, here = Path(mic.__file__).resolve().parents[1], Path.cwd()
    if (root / "pyproject.toml").is_file():
        return root
    near = (here, *here.parents, here / "mic-source")
    return next((place for place in near if (place / PUBLISHED).is_file()), here)


@functools.cache
def commit() -> str:
    """The checkout's commit, with "+changes" when code differs from it; "unknown" without Git."""
    root = repository()
    # Results and executed notebooks are what a run writes; they do not make its code another.
    code = ["--", "mic", "native", "pyproject.toml", "requirements.lock"]
    try:
        head = git(root, "describe", "--always", "--abbrev=40", "--exclude=*").strip()
        changes = git(root, "status", "--porcelain", *code)
    except ResultError:
        return "unknown"
    return f"{head}+changes" if changes.strip() else head


def git(root: Path, *arguments: str) -> str:
    """What Git prints of a checkout.

    Args:
        root: Its folder. That of a folder above is another repository.
        *arguments: As of the command line.

    Raises:
        ResultError: Git is not there or refuses, or the folder is no checkout.
    """
    command = ["git", "-C", str(root)]
    try:
        top = subprocess.run(
            [*command, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
        ).stdout.removesuffix("\n")
        if Path(top).resolve() != root.resolve():
            raise ResultError(
                "is no Git checkout", file=root, remedy="clone the repository in place of a copy"
            )
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=True
        ).stdout
    except FileNotFoundError as error:
        raise ResultError("git is not installed", file=root, remedy="install it") from error
    except (OSError, subprocess.CalledProcessError) as error:
        said = [
            line for line in (getattr(error, "stderr", None) or str(error)).splitlines() if line
        ]
        raise ResultError(
            f"git: {said[-1].strip() if said else error}",
            file=root,
            remedy="see that `git status` works in that folder",
        ) from error


@functools.cache
def code_digest() -> str:
    """SHA-256 over every source file of the package and its native part, 16 digits.

    Unlike `commit` it is the same before and after a commit, and works without Git.
    """
    digest = hashlib.sha256()
    for initialiser in (mic.__file__, mic_bitstream.__file__):
        root = Path(initialiser).resolve().parent
        files = [*root.rglob("*.py"), *root.rglob("*.npz"), *root.parent.glob("*.?pp")]
        for path in sorted(files):
            digest.update(path.relative_to(root.parent).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def device() -> dict[str, str | int]:
    """The processor, its core count, and what torch sees, if the run uses torch."""
    torch = sys.modules.get("torch")  # importing it would take longer than what is recorded
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": usable_cores(),
        # What torch's and oneDNN's kernels were chosen by: sums are taken in another order.
        "instructions": torch.backends.cpu.get_cpu_capability() if torch else "unknown",
        "precision": _precision(torch),
        "torch_threads": torch.get_num_threads() if torch else 0,
        "accelerator": (
            torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "none"
        ),
    }


def _precision(torch: ModuleType | None) -> str:
    """What trainings were computed in; see `mic.training.train`."""
    if torch is None or not torch.cuda.is_available() or not torch.backends.cudnn.allow_tf32:
        return "float32"
    return "float32, convolutions in TF32"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages whose version can change a number."""
    found = {"python": platform.python_version(), "mic": mic.__version__}
    for name in (*_PACKAGES, "torch", "torchvision"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def record(config: Profile, *, data: dict[str, str] | None = None) -> dict[str, Any]:
    """The provenance of a run.

    Args:
        config: The profile that the run was made with.
        data: SHA-256 of each input manifest or file, by name.
    """
    return {
        "config": dataclasses.asdict(config),
        "config_digest": config.digest(),
        "commit": commit(),
        "code_digest": code_digest(),
        "data": dict(sorted((data or {}).items())),
        "versions": versions(),
        "device": device(),
    }


def made_by(folder: str | Path, table: str, *, command: str, **facts: object) -> None:
    """Notes in `made_by.json` what made a table that no `mic.publishing.results.Run` published.

    Args:
        folder: Where the table lies; what is noted of others there stays.
        table: Its name, without suffix.
        command: How it is made again.
        facts: What else a reader should know: rounds, meanings of columns.

    Raises:
        StorageError: It cannot be written; the old one is untouched.
    """
    path = Path(folder) / "made_by.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    known[table] = {
        "command": command,
        **facts,
        "commit": commit(),
        "code_digest": code_digest(),
        "device": device(),
        "versions": versions(),
    }
    atomic.write_text(path, json.dumps(known, indent=1, sort_keys=True) + "\n")


def read(path: str | Path) -> dict[str, Any]:
    """The provenance of a notebook's results, as `mic.publishing.results.Run` wrote it.

    Args:
        path: A `provenance.json` below `results/`.

    Raises:
        ResultError: It cannot be read, or is no provenance record.
    """
    try:
        record: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        wrong = [name for name, kind in _RECORDED.items() if type(record[name]) is not kind]
        wrong += [name for name in _OPTIONAL if type(record.get(name, {})) is not dict]
        wrong += [name for name, one in record["tables"].items() if type(one) is not dict]
        if type(record["config"].get("name", "")) is not str:
            wrong.append("config.name")
        if wrong:
            raise ValueError(f"{', '.join(wrong)} is not what it should be")
    except OSError as error:
        raise ResultError(
            f"cannot be read: {error.strerror}",
            file=path,
            remedy="name a results/NN_name/provenance.json",
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultError(
            f"is not a provenance record: {error}",
            file=path,
            remedy="run its notebook again: `mic run --only ... --force`",
        ) from error
    return record
