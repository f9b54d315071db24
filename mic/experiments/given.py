"""The data that a run is given: `ckplus=/data/CK+`, `synth-ck`, `mine=/data/clips`.

A name alone is a generated protocol, or a published dataset that was fetched before. A published
dataset's name with a folder is read from there by its own reader and built below `MIC_HOME` by the
first who asks. Any other name needs class folders, or a table. Without any, a study runs on the
generated protocols, in the profile's sizes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from mic import datasets
from mic.config import Profile
from mic.datasets import published, synth
from mic.errors import ConfigError, DatasetError
from mic.experiments import own
from mic.experiments.data import Dataset
from mic.inputs.coverage import LeftOut, check_share
from mic.manifest.manifest import Manifest
from mic.storage import provenance

# Generated protocol and the dataset whose shape it has.
COUNTERPARTS = {
    "synth-ck": "CK+",
    "synth-ck-shifted": "CK+",
    "synth-mmi": "MMI",
    "synth-afew": "AFEW",
}
LABELLED = ("synth-ck", "synth-mmi", "synth-afew")
RATED = "synth-avec"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """One dataset of a run.

    Attributes:
        name: As its rows are called.
        path: Where it lies; None for a generated one, or one that was fetched before.
    """

    name: str
    path: Path | None = None

    @property
    def kind(self) -> Literal["generated", "published", "own"]:
        """Who made it."""
        if self.name in synth.SIZES:
            return "generated"
        return "published" if self.name in datasets.DATASETS else "own"

    @property
    def rated(self) -> bool:
        """Whether its labels are traces over time instead of classes."""
        if self.kind == "published":
            return not datasets.DATASETS[self.name].classes
        return self.name == RATED


def parse(texts: Sequence[str]) -> tuple[Given, ...]:
    """The datasets of `--data` or of a notebook's parameter `datasets`, in their order.

    Args:
        texts: `NAME` or `NAME=PATH` each.

    Raises:
        ConfigError: A name comes twice, cannot be a name, or needs a path that is not given.
    """
    found: dict[str, Given] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        name = published.canonical(name.strip())
        one = Given(name=name, path=Path(path).expanduser() if path else None)
        if _NAME.fullmatch(name) is None:
            raise ConfigError(
                f"{name!r} cannot name a dataset",
                place=text,
                remedy="write NAME=FOLDER with a name of small letters, digits, - and _",
            )
        if equals and not path.strip():  # as of a variable of the shell that is not set
            raise ConfigError(
                "names no folder",
                place=text,
                remedy=f"write {name}=FOLDER, or {name} alone for what is known by that name",
            )
        if name in found:
            raise ConfigError(
                f"the dataset {name!r} is given twice",
                place=text,
                remedy=f"give one of them; the other as OTHERNAME={path or 'FOLDER'} if it is "
                "a manifest or class folders",
            )
        if one.kind == "own" and one.path is None:
            known = ", ".join([*datasets.DATASETS, *published.ALIASES, *synth.SIZES])
            raise ConfigError(
                f"there is no dataset {name!r}",
                place=text,
                remedy=f"choose one of {known}, or give the folder of your own: {name}=FOLDER",
            )
        if one.kind == "generated" and one.path is not None:
            raise ConfigError(
                f"{name} is generated and takes no folder",
                place=text,
                remedy=f"write {name} alone, or give the folder another name: mine={path}",
            )
        found[name] = one
    places: dict[str, Given] = {}
    for one in found.values():
        if one.kind == "published" and one.path is not None:
            other = places.setdefault(datasets.DATASETS[one.name].folder_name, one)
            if other.path is not None and other.path.resolve() != one.path.resolve():
                raise ConfigError(
                    f"{other.name} and {one.name} share their clips, which are made of one folder",
                    place=f"{one.name}={one.path}",
                    remedy="give both the same, or run them one after the other",
                )
    return tuple(found.values())


def counterpart(name: str) -> str:
    """The dataset of the papers' tables that a dataset is, or whose shape it has; else empty."""
    if name in datasets.DATASETS:
        return datasets.DATASETS[name].stands_for
    return COUNTERPARTS.get(name, "")


def shown(name: str) -> str:
    """The dataset's name if its pictures show people, whose licence has a say; else empty."""
    return "" if name in synth.SIZES else name


def labelled(texts: Sequence[str], config: Profile) -> dict[str, Dataset]:
    """The datasets with classes that a study runs on: those given, else the generated protocols.

    Raises:
        ConfigError: Something is given, but nothing with classes.
        DatasetError: One cannot be used; see `load`.
    """
    chosen = [one for one in parse(texts or LABELLED) if not one.rated]
    if not chosen:
        raise ConfigError(
            f"{', '.join(texts)}: nothing with classes is given",
            remedy="give a dataset with classes too, or run notebook 08 only",
        )
    return {one.name: load(one, config) for one in chosen}


def check_unchanged(records: Iterable[Path], digests: Mapping[str, str]) -> None:
    """Refuses results that are of other data than the run began with.

    Whoever still unpacks an archive has more clips in the later notebooks than in the first.

    Args:
        records: Provenance of the notebooks' results.
        digests: SHA-256 of the datasets' manifests at the beginning, by name.

    Raises:
        DatasetError: A notebook saw another; both are named.
    """
    for path in records:
        seen = provenance.read(path)["data"]
        for name, digest in digests.items():
            if seen.get(name, digest) != digest:
                raise DatasetError(
                    f"the clips of {name} changed while the notebooks ran",
                    file=path,
                    remedy="wait until nothing is copied there any more, then run it again",
                )


def outputs(stem: str, names: Iterable[str]) -> dict[str, str]:
    """Names of tables or figures that each dataset has one of: `stem_ck`, `stem_of_ckplus`."""
    return {
        name: f"{stem}_{name.removeprefix('synth-') if name in synth.SIZES else f'of_{name}'}"
        for name in names
    }


def first(texts: Sequence[str], config: Profile) -> Dataset:
    """The first dataset with classes that is given, or `synth-ck`: for studies of one dataset."""
    chosen = [one for one in parse(texts) if not one.rated] or [Given(name=LABELLED[0])]
    return load(chosen[0], config)


def rated(texts: Sequence[str], config: Profile) -> Manifest:
    """The dataset with traces of valence: the one given, else `synth-avec`.

    Faces are shown half as large again as the profile says, so that a crop of 96 samples is not
    enlarged.
    """
    chosen = [one for one in parse(texts or [RATED]) if one.rated]
    if len(chosen) != 1:
        raise ConfigError(
            f"{', '.join(texts)}: {'no' if not chosen else 'more than one'} dataset with traces",
            remedy="give one, as recola=FOLDER",
        )
    return load(chosen[0], dataclasses.replace(config, size=config.size * 3 // 2)).manifest


def load(one: Given, config: Profile, *, progress: Progress | None = None) -> Dataset:
    """A dataset ready for the grid: generated, read from a published layout, or somebody's own.

    Clips of a published dataset that are missing, damaged or mislabelled are left out, named with
    the reason and counted in `Dataset.coverage`, as long as they are few.

    Args:
        one: Which.
        config: Picture size, numbers of generated clips, `jobs`.
        progress: Called with the number of finished and of all clips.

    Raises:
        DatasetError: It is not there, or too much of it is at fault.
    """
    if one.kind == "generated":
        return Dataset(manifest=synth.load(one.name, config, progress=progress))
    if one.kind == "own":
        assert one.path is not None  # `parse` saw to it
        return own.load(one.name, one.path, config, progress=progress)
    folder = one.path or published.known_folder(one.name)
    if folder is None:
        return Dataset(
            manifest=datasets.load(one.name, config, progress=progress),
            published=datasets.DATASETS[one.name].clips,
        )
    report = datasets.fetch(
        one.name,
        path=folder,
        allow_faults=True,
        size=config.size,
        jobs=config.worker_count(),
        progress=progress,
    )
    # Two faults of a clip leave out one clip.
    lost = list({fault.clip: fault for fault in reversed(report.faults) if fault.clip}.values())
    lost.reverse()
    structural = [fault for fault in report.faults if fault.fatal and not fault.clip]
    if report.manifest is None or structural:
        worst = (structural or [fault for fault in report.faults if fault.fatal])[:3]
        listed = "; ".join(f"{fault.file}: {fault.message}" for fault in worst)
        remedies = list(dict.fromkeys(fault.remedy for fault in worst))
        remedies.append(f"`mic fetch {one.name} --path FOLDER` lists everything")
        if report.manifest is not None:
            remedies.append(
                "with --allow-faults it makes a manifest of what is there, which a run takes as "
                "MYNAME=MANIFEST"
            )
        raise DatasetError(
            f"{datasets.DATASETS[one.name].title} is not whole: {listed}",
            file=folder,
            remedy="; ".join(remedies),
        )
    root = report.root or folder
    absent = tuple(
        LeftOut(path=root / fault.file, reason=fault.message, clip=fault.clip) for fault in lost
    )
    check_share(absent, len(report.manifest) + len(absent))
    return Dataset(
        manifest=report.manifest,
        absent=absent,
        published=datasets.DATASETS[one.name].clips,
    )
