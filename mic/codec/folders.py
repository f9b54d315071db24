"""The videos of a folder: by their names, through links, each once or by all its names."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from mic.errors import ConfigError

# Endings of what `mic_bitstream.containers.FORMATS` reads. Left out are those of sound
# (.m4a) and of still pictures (.png), although either may hold moving ones.
VIDEO_SUFFIXES = frozenset(
    (
        *(".264", ".265", ".266", ".3g2", ".3gp", ".amv", ".apng", ".asf", ".avi"),
        *(".avs2", ".avs3", ".cavs", ".cpk", ".divx", ".dnxhd", ".drc", ".dv", ".evc"),
        *(".f4v", ".flc", ".fli", ".flv", ".gif", ".gxf", ".h261", ".h263", ".h264"),
        *(".h265", ".h266", ".hevc", ".ipu", ".ivf", ".lxf", ".m1v", ".m2p", ".m2t"),
        *(".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mov"),
        *(".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nsv", ".nut", ".obu", ".ogg"),
        *(".ogm", ".ogv", ".pva", ".qt", ".rcv", ".rm", ".rmvb", ".roq", ".swf"),
        *(".ts", ".vc1", ".viv", ".vob", ".vvc", ".webm", ".wmv", ".wtv", ".xvid", ".y4m"),
    )
)
_Known = tuple[int, int]  # a file or folder by the numbers of its device and of itself
_PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm"})


def videos_below(folder: str | Path) -> list[Path]:
    """The video files of a folder and its sub-folders, as `files_below` finds them."""
    return [path for path in files_below(folder) if path.suffix.lower() in VIDEO_SUFFIXES]


def videos_by_name(folder: str | Path, *, levels: int) -> list[Path]:
    """The video files of a folder where the folders at its top say what is in them.

    `files_below` counts a folder once; here a link to a class or to a person is a class or a
    person, even if what it leads to lies in the same folder under another name. Links to a folder
    above are passed over.

    Args:
        folder: What is looked through.
        levels: How many levels of folders below it have names that say something.

    Raises:
        ConfigError: A folder may not be listed.
    """
    found = _by_name(Path(folder), levels, frozenset())
    return sorted(path for path in found if path.suffix.lower() in VIDEO_SUFFIXES)


def _by_name(folder: Path, levels: int, above: frozenset[_Known]) -> Iterator[Path]:
    if not levels:
        yield from files_below(folder, above=above)
        return
    here = folder.resolve()
    above |= {_known(one) for one in (here, *here.parents)}
    for entry in _listed(folder):
        path = folder / entry.name
        if path.is_dir():
            if _known(path) not in above:
                yield from _by_name(path, levels - 1, above)
        elif path.is_file():
            yield path


def videos_in(video: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The files meant by a file, a folder or several of them, in a stable order, each once.

    Links are followed.

    Raises:
        ConfigError: One does not exist, a folder holds no video, or something is no path.
    """
    if isinstance(video, str | bytes | os.PathLike) or not isinstance(video, Iterable):
        video = [video]
    found: list[Path] = []
    for one in map(_path, video):
        if one.exists() and not one.is_dir():
            found.append(one)  # a pipe too: its reader says what is wrong with it
            continue
        chosen = videos_below(one) if one.is_dir() else []
        if not chosen:
            raise _nothing(one)
        found += chosen
    kept = {Path.cwd() / path: path for path in reversed(found)}  # as it is called first
    return list(kept.values())[::-1]


def as_called(path: str | Path) -> Path:
    """A path made absolute by its names alone: no link is followed, `..` takes the name before.

    What a folder is called says what is in it; where a link leads to says where it is stored.
    """
    return Path(os.path.normpath(Path(path).absolute()))


def file_of(path: Path) -> Hashable:
    """What tells a file from all others, whatever it is called: links and hard links have one.

    Of a file that is not there, where the path leads to.
    """
    try:
        status = path.stat()
    except OSError:
        return path.resolve()
    return status.st_dev, status.st_ino


def _nothing(path: Path) -> ConfigError:
    if not path.is_dir():
        return ConfigError("does not exist", file=path, remedy="check the path")
    pictures = [one for one in files_below(path) if one.suffix.lower() in _PICTURE_SUFFIXES]
    if not pictures:
        return ConfigError("holds no video", file=path, remedy="check the path")
    return ConfigError(
        f"holds {len(pictures)} pictures and no video",
        file=path,
        remedy="make a film of them, for instance by `mic.codec.encode_frames`",
    )


def _path(given: object) -> Path:
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise ConfigError(f"{given!r} is no path", remedy="give a string or a pathlib.Path")
    if not os.fspath(given):
        raise ConfigError("the path is empty", remedy="name a file or a folder; '.' is this one")
    return Path(given)


def files_below(folder: str | Path, *, above: Iterable[_Known] = ()) -> list[Path]:
    """The files of a folder and its sub-folders in the order of their names.

    Links to folders are followed; a folder that is reached twice, by a link in a circle for
    instance, counts once, under its own name where it has one below `folder`. Hidden files and
    folders are left out: they are not the user's but records, system litter, what a killed run
    had half written.

    Args:
        folder: What is looked through.
        above: Folders that are not entered by a link, by device and number.

    Raises:
        ConfigError: A folder may not be listed: what is in it would be missing in silence.
    """
    folder = Path(folder)
    seen = set(above)
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for top in waiting:
            found += _walk(top, seen, links)
        waiting = sorted(links)
    return sorted(found)


def _walk(top: Path, seen: set[_Known], links: list[Path]) -> Iterator[Path]:
    """Files of the folders that were not seen yet; links to folders are put aside."""
    folders = [top]
    while folders:
        folder = folders.pop()
        known, entries = _known(folder), _listed(folder)
        if known in seen:
            continue
        seen.add(known)
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif path.is_dir():
                links.append(path)
            elif path.is_file():
                yield path


def _known(folder: Path) -> _Known:
    try:
        status = folder.stat()
    except OSError:  # vanished meanwhile; what forbids to look is told when it is listed
        return -1, -1
    return status.st_dev, status.st_ino


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder but is not hidden, in the order of names; nothing if it vanished."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        if folder.name == "lost+found":
            return []
        raise ConfigError(
            f"cannot be listed: {error.strerror}",
            file=folder,
            remedy="allow it, or move it elsewhere",
        ) from error
    return [entry for entry in entries if not entry.name.startswith(".")]
