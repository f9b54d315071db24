"""`mic fetch NAME`: what a dataset needs, what is wrong with a folder, and its manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mic.config import Profile
from mic.datasets import archives, download, synth
from mic.datasets.readers.afew import AFEW
from mic.datasets.readers.avec import AVEC
from mic.datasets.readers.build import build, manifest_name
from mic.datasets.readers.ckplus import CKPLUS, CKPLUS_SIX
from mic.datasets.readers.cremad import CREMAD, CREMAD_CROWD
from mic.datasets.readers.mmi import MMI, MMI_FRONTAL
from mic.datasets.readers.ravdess import RAVDESS, RAVDESS_WITH_SONG
from mic.datasets.readers.source import Dataset, selected
from mic.errors import ConfigError, DatasetError
from mic.manifest.manifest import Fault, Manifest
from mic.storage.atomic import write_bytes, write_text
from mic.storage.home import home, locked

_EVERY = (
    *(CKPLUS, CKPLUS_SIX, MMI, MMI_FRONTAL, AFEW, AVEC),
    *(RAVDESS, RAVDESS_WITH_SONG, CREMAD, CREMAD_CROWD),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _EVERY}
# Other names of the same: AVEC 2016's faces are RECOLA's; six classes of CK+ are of 106 people.
ALIASES: dict[str, str] = {"recola": "avec", "ckplus-106": "ckplus-six"}
# Common spellings that have characters which a name may not have.
_SPELT = {"ck+": "ckplus", "crema-d": "cremad"}
_DOWNLOADS: dict[str, Callable[..., None]] = {
    "ravdess": download.ravdess,
    "cremad": download.cremad,
}
_SHOWN = 40  # faults of one kind that a report lists; the rest is counted


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What was found out about a dataset.

    Attributes:
        name: The dataset's.
        title: Its full name.
        root: The folder that was read, or None if there was none to read.
        needs: What the dataset needs and how one gets it; empty for generated ones.
        counts: What the folder holds, by name.
        expected: The same in the literature.
        faults: Everything wrong.
        manifest: The result, unless a fault is fatal or nothing was built.
    """

    name: str
    title: str
    root: Path | None
    needs: str
    counts: Mapping[str, int]
    expected: Mapping[str, int]
    faults: tuple[Fault, ...]
    manifest: Manifest | None

    @property
    def sound(self) -> bool:
        """Whether the dataset can be used as published."""
        return self.root is not None and not any(fault.fatal for fault in self.faults)

    def lines(self) -> Iterator[str]:
        """The report as text."""
        yield self.title
        if self.root is None:
            yield self.needs
            return
        yield f"read from {self.root}"
        if self.counts or self.expected:
            yield f"{'':34}{'here':>8}{'literature':>12}"
        for name in [*self.expected, *sorted(self.counts.keys() - self.expected.keys())]:
            here, there = self.counts.get(name, 0), self.expected.get(name)
            mark = "" if there is None or here == there else "  differs"
            yield f"{name:34}{here:>8}{'' if there is None else there:>12}{mark}"
        for fatal, heading in ((True, "to mend"), (False, "notes")):
            listed = [fault for fault in self.faults if fault.fatal is fatal]
            if listed:
                yield f"{heading}: {len(listed)}"
            yield from (f"  {fault}" for fault in listed[:_SHOWN])
            if len(listed) > _SHOWN:
                yield f"  ... and {len(listed) - _SHOWN} more"
        if self.manifest is not None:
            yield f"manifest: {self.manifest.root / 'manifest.csv'} ({len(self.manifest)} clips)"
        elif not self.sound:
            yield "nothing was built: mend the faults, or add --allow-faults to go on without"


def load(
    name: str,
    config: Profile,
    *,
    path: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """A dataset ready for use: generated, or built from the folder that the user has.

    Args:
        name: A generated protocol or a key of `DATASETS`.
        config: Picture size, numbers of generated clips, `jobs`.
        path: Folder of a published dataset; by default the one that the environment variable
            `MIC_<NAME>` names, as MIC_CKPLUS, or that of the last sound `mic fetch`.
        progress: Called with the number of finished and of all clips.

    Raises:
        ConfigError: No such dataset.
        DatasetError: It is not there, or its folder has faults that are fatal.
    """
    if name in synth.SIZES:
        return synth.load(name, config, progress=progress)
    dataset = find(name)
    path = path or known_folder(name)
    if path is None:
        known = _target(dataset, config.size) / manifest_name(dataset)
        if known.is_file():  # the original is gone, its clips are still here
            if (mark := _mark(known)).is_file():
                raise DatasetError(
                    f"was made of a copy that was not whole: {mark.read_text('utf-8').strip()}",
                    file=known,
                    remedy=f"give the folder: {name}=FOLDER, or --path FOLDER to `mic fetch`; the "
                    "manifest under a name of your own takes what is there",
                )
            return Manifest.load(known)
        raise DatasetError(
            f"{dataset.title} is not on this machine",
            remedy=f"get it ({dataset.home}), then run `mic fetch {name} --path FOLDER`, or set "
            f"{_variable(dataset)} to the folder",
        )
    report = fetch(
        name, path=path, size=config.size, jobs=config.worker_count(), progress=progress
    )
    if report.manifest is None:
        fatal = [fault for fault in report.faults if fault.fatal]
        raise DatasetError(
            f"{len(fatal)} faults, the first: {fatal[0]}",
            file=path,
            remedy=f"run `mic fetch {name} --path {path}` for the whole list",
        )
    return report.manifest


def known_folder(name: str) -> Path | None:
    """Where a published dataset lies, as its environment variable or the last sound fetch tells.

    Raises:
        ConfigError: No such dataset.
    """
    dataset = find(name)
    told = os.environ.get(_variable(dataset))
    return Path(told).expanduser() if told else _remembered(dataset)


def available(name: str) -> bool:
    """Whether `load` has what it needs: the folder of the dataset, or clips built from it."""
    if name in synth.SIZES:
        return True
    dataset = find(name)
    if folder := os.environ.get(_variable(dataset)):
        return Path(folder).expanduser().is_dir()
    built = home() / "datasets" / f"{dataset.folder_name}-*" / manifest_name(dataset)
    return _remembered(dataset) is not None or any(home().glob(str(built.relative_to(home()))))


def fetch(
    name: str,
    *,
    path: str | Path | None = None,
    download_it: bool = False,
    source: str | None = None,
    allow_faults: bool = False,
    size: int | None = 128,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Report:
    """Checks a published dataset and builds its manifest.

    Args:
        name: A key of `DATASETS`.
        path: The user's folder, or one archive of it; None: only say what is needed.
        download_it: Download an open dataset first, into `path` or below `MIC_HOME`.
        source: Address to download from instead of the dataset's home.
        allow_faults: Build also if a fault is fatal, without the clips concerned.
        size: Edge of the clips, which are cut to the face; None keeps the whole pictures.
        jobs: Worker processes.
        progress: Called with the number of finished and of all clips.
        **options: Fields of `mic.codec.EncodeOptions`.

    Returns:
        The report; its `manifest` is set if the dataset is sound or faults are allowed.

    Raises:
        ConfigError: No such dataset, or it is not open.
        DatasetError: The path does not exist, an archive is hostile, a download fails, or no
            clip at all is usable.
        StorageError: `MIC_HOME` cannot be written.
    """
    dataset = find(name)
    if download_it:
        path = _downloaded(dataset, path, source, progress)
    if path is None:
        return _report(dataset, None, {}, (), None, asked=name)
    root = _opened(dataset, Path(path).expanduser())
    scan = selected(dataset, dataset.scan(root))
    if not scan.sources and not any(fault.fatal for fault in scan.faults):
        left = "; ".join(f"{n} {what}" for what, n in scan.counts.items() if "left out" in what)
        nothing = Fault(
            file=".",
            message=f"holds no clip of {dataset.title}{f' ({left})' if left else ''}",
            remedy="give the folder that holds what `mic fetch` lists as expected",
        )
        scan = dataclasses.replace(scan, faults=(*scan.faults, nothing))
    fatal = any(fault.fatal for fault in scan.faults)
    if not scan.sources or (fatal and not allow_faults):
        return _report(dataset, root, scan.counts, scan.faults, None)
    target = _target(dataset, size)
    with locked(target.with_name(f".{target.name}.lock")):
        manifest, unreadable = build(
            dataset, root, scan, target, size=size, jobs=jobs, progress=progress, **options
        )
        # Whoever finds the clips without the folder they were made of is told what they lack.
        mark = _mark(target / manifest_name(dataset))
        # A clip that the reader leaves out and calls no fault is bad in every copy.
        lacking = [one for one in scan.faults if one.fatal]
        lacking += [one for one in unreadable if one.fatal or one.clip]
        if lacking:
            write_bytes(mark, f"{len(lacking)} faults, the first: {lacking[0]}\n".encode())
        else:
            mark.unlink(missing_ok=True)
    if not fatal:
        write_bytes(_memory(dataset), os.fsencode(root.resolve()) + b"\n")
    return _report(dataset, root, scan.counts, (*scan.faults, *unreadable), manifest)


def canonical(name: str) -> str:
    """The name of a dataset however it is spelt ("CK+", "RECOLA"); another name as it is."""
    folded = _SPELT.get(name.casefold(), name.casefold())
    folded = ALIASES.get(folded, folded)
    return folded if folded in DATASETS or folded in synth.SIZES else name


def find(name: str) -> Dataset:
    """A published dataset or variant by its name or another name of it.

    Raises:
        ConfigError: There is none.
    """
    name = canonical(name)
    if name not in DATASETS:
        raise ConfigError(
            f"there is no dataset {name!r}",
            remedy=f"choose one of {', '.join([*DATASETS, *ALIASES, *synth.SIZES])}",
        )
    return DATASETS[name]


def _variable(dataset: Dataset) -> str:
    """The environment variable that may name the folder."""
    return f"MIC_{dataset.folder_name.upper()}"


def _target(dataset: Dataset, size: int | None) -> Path:
    return home() / "datasets" / f"{dataset.folder_name}-{size or 'whole'}"


def _mark(manifest: Path) -> Path:
    """The file beside a manifest that lists the faults of the copy it was made of."""
    return manifest.with_suffix(".faults")


def _memory(dataset: Dataset) -> Path:
    return home() / "datasets" / f"{dataset.folder_name}.path"


def _remembered(dataset: Dataset) -> Path | None:
    """The folder of the last sound `fetch`, if it is still there."""
    try:
        path = Path(os.fsdecode(_memory(dataset).read_bytes().removesuffix(b"\n")))
    except OSError:
        return None
    return path if path.is_dir() else None


def _downloaded(
    dataset: Dataset,
    path: str | Path | None,
    source: str | None,
    progress: Callable[[int, int], None] | None,
) -> Path:
    if dataset.folder_name not in _DOWNLOADS:
        raise ConfigError(
            f"{dataset.title} is not open to everybody",
            remedy=f"{dataset.access[0].lower()}{dataset.access[1:].rstrip('.')} ({dataset.home})",
        )
    folder = home() / "downloads" / dataset.folder_name if path is None else Path(path)
    given = {} if source is None else {"source": source}
    if source is not None and dataset.folder_name == "cremad":
        given["media"] = source  # a mirror has the videos where the pointers would be
    with locked(folder.parent / f".{dataset.folder_name}.lock"):
        _DOWNLOADS[dataset.folder_name](folder, progress=progress, **given)
    return folder


def _opened(dataset: Dataset, path: Path) -> Path:
    """The folder to read: the given one, or where the given archive was unpacked.

    Each archive has a folder of its own: what another held must not fill what this one lacks.
    """
    if path.is_dir():
        return path
    if not path.is_file():
        raise DatasetError(
            "does not exist", file=path, remedy="give the folder of the unpacked dataset"
        )
    if path.suffix.lower() == ".csv":
        raise DatasetError(
            "is no folder",
            file=path,
            remedy=f"give the folder of {dataset.title}; `mic run` takes a manifest under a name "
            f"of its own, --data mine={path}",
        )
    where = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
    folder = home() / "downloads" / f"{dataset.folder_name}-{where}"
    status = path.stat()
    stamp = f"{status.st_size} {status.st_mtime_ns}\n"
    with locked(folder.with_name(f".{folder.name}.lock")):
        mark = folder / ".archive"
        if folder.is_dir() and not (mark.is_file() and mark.read_text(encoding="utf-8") == stamp):
            shutil.rmtree(folder)  # of an earlier archive of this name
        write_text(mark, stamp)
        archives.extract(path, folder)
    return folder


def _report(
    dataset: Dataset,
    root: Path | None,
    counts: Mapping[str, int],
    faults: tuple[Fault, ...],
    manifest: Manifest | None,
    *,
    asked: str = "",
) -> Report:
    needs = "\n".join(
        [
            f"reference: {dataset.reference}",
            f"home:      {dataset.home}",
            f"licence:   {dataset.licence}",
            f"access:    {dataset.access}",
            "expected folder:",
            *(f"  {line}" for line in dataset.layout.splitlines()),
            f"then run: mic fetch {asked or dataset.name} --path FOLDER",
        ]
    )
    return Report(
        name=dataset.name,
        title=dataset.title,
        root=root,
        needs=needs,
        counts=dict(counts),
        expected=dataset.expected,
        faults=faults,
        manifest=manifest,
    )
