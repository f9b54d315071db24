"""Downloading the open datasets: resumable, and nothing is believed before its digest fits.

What there is to download is asked of the dataset's home: RAVDESS's record lists files with MD5
digests, CREMA-D's repository holds a pointer with a SHA-256 for each video. Another address with
the same contents, a mirror, may be given instead. pooch verifies as well, but begins each file
anew: here an archive of half a gigabyte that breaks off is gone on with.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import http.client
import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mic.datasets import archives
from mic.errors import DatasetError, StorageError
from mic.storage import atomic

# What a server, a network or an address that is none can answer.
_FAILED = (OSError, http.client.HTTPException, ValueError)

RAVDESS_RECORD = "https://zenodo.org/api/records/1188976"
CREMAD_TEXT = "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master"
CREMAD_MEDIA = "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master"
TIMEOUT = 60.0
ATTEMPTS = 4
_CHUNK = 1 << 20
_LARGEST_TEXT = 16 << 20


@dataclass(frozen=True)
class Remote:
    """A file to be had.

    Attributes:
        url: Where.
        name: A plain file name.
        size: In bytes.
        algorithm: "md5" or "sha256".
        digest: Hexadecimal.
    """

    url: str
    name: str
    size: int
    algorithm: str
    digest: str

    def __post_init__(self) -> None:
        """Refuses what could write elsewhere or cannot be verified."""
        sound = (
            re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name)
            and self.size >= 0
            and self.algorithm in ("md5", "sha256")
            and re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", self.digest)
        )
        if not sound:
            raise DatasetError(
                f"the listing describes a file that cannot be verified: {self}",
                remedy="check the address of the source",
            )


def ravdess(
    folder: str | Path,
    *,
    source: str = RAVDESS_RECORD,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Downloads and unpacks RAVDESS's speech videos.

    Args:
        folder: Where `Actor_01` ... come to lie. Archives are removed once unpacked.
        source: The record's address; its JSON lists the files.
        progress: Called with the number of finished and of all archives.

    Raises:
        DatasetError: The source does not answer, lists nothing usable, or sends other bytes.
    """
    folder = Path(folder)
    remotes = [
        remote
        for remote in record_files(text_of(source), base=source)
        if re.fullmatch(r"Video_Speech_Actor_\d\d\.zip", remote.name)
    ]
    if not remotes:
        raise DatasetError(
            f"{source} lists no speech archives", remedy="check the address of the source"
        )
    for number, remote in enumerate(sorted(remotes, key=lambda remote: remote.name), start=1):
        done = folder / f".{remote.name}.done"
        if not _unpacked(done):
            archive = download(remote, folder)
            files = archives.extract(archive, folder, wanted=lambda name: name.endswith(".mp4"))
            archive.unlink()
            sizes = {str(file.relative_to(folder)): file.stat().st_size for file in files}
            atomic.write_text(done, json.dumps(sizes, indent=1) + "\n")
        if progress:
            progress(number, len(remotes))


def _unpacked(done: Path) -> bool:
    """Whether all files are there that came out of an archive, as its list says."""
    try:
        sizes = json.loads(done.read_text(encoding="utf-8"))
        return all((done.parent / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def cremad(
    folder: str | Path,
    *,
    source: str = CREMAD_TEXT,
    media: str = CREMAD_MEDIA,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Downloads CREMA-D's videos.

    Args:
        folder: Where `VideoFlash` comes to lie.
        source: Address of the repository's texts: the list of clips, and the pointers.
        media: Address of the files that the pointers stand for.
        progress: Called with the number of finished and of all clips.

    Raises:
        DatasetError: As `ravdess`.
    """
    folder = Path(folder) / "VideoFlash"
    table = csv.DictReader(io.StringIO(text_of(f"{source}/SentenceFilenames.csv")))
    names = [row.get("Filename", "") for row in table]
    if not all(re.fullmatch(r"1\d{3}_[A-Z_]+", name) for name in names) or not names:
        raise DatasetError(
            f"{source} has no list of clips", remedy="check the address of the source"
        )
    for number, name in enumerate(names, start=1):
        file = f"{name}.flv"
        if not (folder / file).is_file():  # only verified files bear their final name
            pointer = text_of(f"{source}/VideoFlash/{file}")
            fields = dict(line.split(" ", 1) for line in pointer.splitlines() if " " in line)
            algorithm, _, digest = fields.get("oid", "").partition(":")
            size = int(fields["size"]) if fields.get("size", "").isdecimal() else -1
            url = f"{media}/VideoFlash/{file}"
            download(Remote(url, file, size, algorithm, digest), folder)
        if progress:
            progress(number, len(names))


def record_files(text: str, *, base: str) -> Iterator[Remote]:
    """The files of a Zenodo record's JSON.

    Raises:
        DatasetError: It is not one.
    """
    try:
        for entry in json.loads(text)["files"]:
            algorithm, _, digest = entry["checksum"].partition(":")
            url = urllib.parse.urljoin(base, entry["links"]["self"])
            yield Remote(url, entry["key"], int(entry["size"]), algorithm, digest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{base} does not answer with a record", remedy="check the address of the source"
        ) from error


def download(remote: Remote, folder: str | Path) -> Path:
    """Fetches one file, going on where an earlier attempt broke off.

    Raises:
        DatasetError: It cannot be fetched, or is not what its digest says; then it is removed.
    """
    target = Path(folder) / remote.name
    if target.is_file() and _fits(target, remote):
        return target
    # Written in place under another name, not through mic.storage.atomic: half of a large file is
    # worth keeping. It gets its name by a rename once its digest fits.
    part = target.with_name(f".{remote.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot be made: {error.strerror}", file=folder, remedy="choose another folder"
        ) from error
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            _fetch(remote, part)
        except _FAILED as error:
            problem = str(error) or type(error).__name__
            continue
        if _fits(part, remote):
            part.replace(target)
            return target
        part.unlink()
        problem = f"what came is not the file of {remote.algorithm} {remote.digest}"
    raise DatasetError(
        f"{remote.url} cannot be downloaded: {problem}",
        file=target,
        remedy="check the network and the address, then run the same command again: it goes on "
        "where it stopped",
    )


def text_of(url: str) -> str:
    """A small text from the network.

    Raises:
        DatasetError: No answer, or more than 16 MB.
    """
    try:
        with _open(urllib.request.Request(url)) as answer:
            data = answer.read(_LARGEST_TEXT + 1)
            if len(data) > _LARGEST_TEXT:
                raise OSError("the answer is far too long")
            return data.decode("utf-8-sig")
    except _FAILED as error:
        raise DatasetError(
            f"{url} cannot be read: {error}", remedy="check the network and the address"
        ) from error


def _fetch(remote: Remote, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= remote.size:
        have = 0  # whole but wrong, or of another version: from the start
    request = urllib.request.Request(remote.url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with _open(request) as answer:
        resumed = have and answer.status == http.client.PARTIAL_CONTENT
        left = remote.size - (have if resumed else 0)
        with part.open("ab" if resumed else "wb") as sink:
            while left and (chunk := answer.read(min(_CHUNK, left))):
                sink.write(chunk)
                left -= len(chunk)
    if left:
        raise OSError(f"the connection ended {left} bytes early")


@contextlib.contextmanager
def _open(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    if request.type not in ("http", "https"):
        raise OSError(f"addresses of the kind {request.type!r} are not followed")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        yield answer


def _fits(file: Path, remote: Remote) -> bool:
    if file.stat().st_size != remote.size:
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, remote.algorithm).hexdigest() == remote.digest
