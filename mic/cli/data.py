"""`mic fetch`: what a dataset needs, what a folder of it lacks, and its manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mic import config
from mic.cli import terminal
from mic.errors import ConfigError
from mic.storage import atomic

if TYPE_CHECKING:
    from mic.manifest import Manifest


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-commands of this module."""
    command = commands.add_parser(
        "fetch",
        help="check, download or generate a dataset; without a name, list them",
        description="Checks a published dataset that you have, names what is missing, and builds "
        "its clips; or generates the clips of a protocol. Stopped and started again, it goes on. "
        "Without --path it says what the folder should hold. The clips are kept under MIC_HOME "
        "(~/.cache/mic); docs/datasets has a page for each dataset.",
    )
    command.add_argument(
        "name",
        nargs="?",
        default="",
        metavar="NAME",
        help="a dataset, or `assets`: what packages of the index carry; without it, a list",
    )
    command.add_argument("--path", type=Path, help="folder (or archive) of the published dataset")
    command.add_argument("--download", action="store_true", help="get an open dataset first")
    command.add_argument("--source", help="address to download from instead of its home")
    command.add_argument(
        "--allow-faults", action="store_true", help="build without the clips that are at fault"
    )
    command.add_argument(
        "--profile", default="auto", help="size of pictures and of generated data"
    )
    command.add_argument(
        "--class-folders",
        type=Path,
        metavar="FOLDER",
        help="also copy the clips into folders named as their classes, as `mic train` reads them",
    )
    terminal.add_scheduler(command)
    command.set_defaults(command=_fetch, resumed=True)


def _fetch(options: argparse.Namespace) -> int:
    from mic import datasets
    from mic.datasets import synth
    from mic.storage import assets, pins

    profile = config.load(options.profile)
    if not options.name:
        for name in synth.SIZES:
            print(f"{name:18}{'':8}generated at its first use")
        for name, dataset in datasets.DATASETS.items():
            state = "here" if datasets.available(name) else "absent"
            print(f"{name:18}{state:8}{dataset.title}")
        print(f"{'assets':18}{'':8}clips and weights that packages of the index carry")
        return 0
    if options.name == "assets":
        for asset in pins.ASSETS.values():
            if asset.default:
                print(f"{assets.path(asset.name)}\n  {asset.package.licence}: {asset.provenance}")
        return 0
    with terminal.progress(options.name, unit="clips") as progress:
        if options.name in synth.SIZES:
            if options.path or options.download or options.source:
                raise ConfigError(
                    f"{options.name} is generated here",
                    remedy="leave --path, --download and --source out",
                )
            manifest = datasets.load(options.name, profile, progress=progress)
            print(f"manifest: {manifest.root / 'manifest.csv'} ({len(manifest)} clips)")
            _copy_into_classes(manifest, options.class_folders)
            return 0
        report = datasets.fetch(
            options.name,
            path=options.path,
            download_it=options.download,
            source=options.source,
            allow_faults=options.allow_faults,
            size=profile.size,
            jobs=profile.worker_count(),
            progress=progress,
        )
    print("\n".join(report.lines()))
    if report.manifest is not None:
        _copy_into_classes(report.manifest, options.class_folders)
    return 0 if report.root is None or report.manifest is not None else 1


def _copy_into_classes(manifest: Manifest, folder: Path | None) -> None:
    if folder is None:
        return
    for clip in manifest:
        if not clip.label:
            raise ConfigError(
                f"the clips of {manifest.root} have no classes", remedy="leave out --class-folders"
            )
        # A folder of the subject, because only generated clips are named by it.
        source = manifest.path(clip)
        target = folder / clip.label / clip.subject / source.name
        atomic.write_bytes(target, source.read_bytes(), durable=False)
    print(f"class folders: {folder}")
