"""Downloads: resumed, verified, and from nowhere that cannot be verified."""

import hashlib
import http.server
import json
import threading
import zipfile

import dataset_trees as trees
import pytest

from mic import datasets
from mic.datasets import download
from mic.datasets.download import Remote
from mic.errors import DatasetError, StorageError


class Site(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; may break connections off or ignore ranges."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and self.server.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        body = content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.files, server.requests, server.breaks, server.ranges = {}, [], 0, True
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


CONTENT = bytes(range(256)) * 4096


def remote(site, *, content: bytes = CONTENT, **changes) -> Remote:
    fields = {
        "url": f"{site.url}/file",
        "name": "file.zip",
        "size": len(content),
        "algorithm": "sha256",
        "digest": hashlib.sha256(content).hexdigest(),
    }
    return Remote(**(fields | changes))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_off_download_is_completed(site, tmp_path, ranges):
    site.files["/file"] = CONTENT
    site.breaks, site.ranges = 2, ranges
    file = download.download(remote(site), tmp_path)
    assert file.read_bytes() == CONTENT
    assert [item.name for item in tmp_path.iterdir()] == ["file.zip"]
    if ranges:
        half = len(CONTENT) // 2
        assert [asked for _, asked in site.requests] == [
            None,
            f"bytes={half}-",
            f"bytes={half + half // 2}-",
        ]
    site.requests.clear()
    download.download(remote(site), tmp_path)
    assert site.requests == []


def test_what_an_earlier_run_left_is_used(site, tmp_path):
    site.files["/file"] = CONTENT
    (tmp_path / ".file.zip.part").write_bytes(CONTENT[:1000])
    download.download(remote(site), tmp_path)
    assert site.requests == [("/file", "bytes=1000-")]


def test_a_wrong_part_is_thrown_away(site, tmp_path):
    site.files["/file"] = CONTENT
    (tmp_path / ".file.zip.part").write_bytes(b"x" * 1000)
    assert download.download(remote(site), tmp_path).read_bytes() == CONTENT


def test_other_bytes_are_refused(site, tmp_path):
    site.files["/file"] = CONTENT[::-1]
    with pytest.raises(DatasetError, match="not the file of sha256"):
        download.download(remote(site), tmp_path)
    assert not list(tmp_path.iterdir())


def test_more_bytes_than_announced_are_not_read(site, tmp_path):
    site.files["/file"] = CONTENT + b"and more"
    assert download.download(remote(site), tmp_path).read_bytes() == CONTENT


def test_an_absent_site_is_an_error_with_a_remedy(site, tmp_path):
    with pytest.raises(DatasetError, match="goes on"):
        download.download(remote(site), tmp_path)
    with pytest.raises(DatasetError, match="not followed"):
        download.text_of("file:///etc/hostname")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../up.zip"},
        {"name": "/etc/passwd"},
        {"name": ".hidden"},
        {"name": ""},
        {"size": -1},
        {"algorithm": "crc32"},
        {"digest": "short"},
        {"digest": ""},
    ],
)
def test_a_listing_that_cannot_be_trusted_is_refused(site, changes):
    with pytest.raises(DatasetError, match="cannot be verified"):
        remote(site, **changes)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": [{"key": "a"}]}', '{"files": 3}'])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(DatasetError, match="record"):
        list(download.record_files(text, base="http://x"))


def test_ravdess_comes_from_its_record(site, tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    tree = trees.ravdess(tmp_path / "data")
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted((tree / "Video_Speech_Actor_01").rglob("*")):
            packed.write(file, file.relative_to(tree / "Video_Speech_Actor_01"))
    content = archive.read_bytes()
    site.files["/files/v1"] = content
    site.files["/record"] = json.dumps(
        {
            "files": [
                {
                    "key": name,
                    "size": len(content),
                    "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                    "links": {"self": f"{site.url}/files/v1"},
                }
                for name in ("Video_Speech_Actor_01.zip", "Audio_Speech_Actors_01-24.zip")
            ]
        }
    ).encode()
    source = f"{site.url}/record"
    seen = []
    report = datasets.fetch(
        "ravdess", download_it=True, source=source, progress=lambda *done: seen.append(done)
    )
    assert report.sound
    assert report.counts["speech takes"] == 60
    assert seen[0] == (1, 1)
    assert not list((tmp_path / "home").rglob("*.wav"))
    site.requests.clear()
    assert datasets.fetch("ravdess", download_it=True, source=source).sound
    assert [path for path, _ in site.requests] == ["/record"]
    clip = next((tmp_path / "home").rglob("*.mp4"))
    content = clip.read_bytes()
    clip.unlink()
    assert datasets.fetch("ravdess", download_it=True, source=source).sound
    assert clip.read_bytes() == content


def test_cremad_comes_by_its_pointers(site, tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    names = ("1001_DFA_ANG_XX", "1002_TIE_NEU_XX")
    table = "Stimulus_Number,Filename\n" + "".join(f"{k},{name}\n" for k, name in enumerate(names))
    site.files["/text/SentenceFilenames.csv"] = table.encode()
    for seed, name in enumerate(names):
        content = trees.video(tmp_path / f"{name}.flv", seed=seed, count=3).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\n"
        pointer += f"size {len(content)}\n"
        site.files[f"/text/VideoFlash/{name}.flv"] = pointer.encode()
        site.files[f"/media/VideoFlash/{name}.flv"] = content
    folder = tmp_path / "cremad"
    download.cremad(folder, source=f"{site.url}/text", media=f"{site.url}/media")
    assert len(datasets.fetch("cremad", path=folder).manifest) == 2
    site.requests.clear()
    download.cremad(folder, source=f"{site.url}/text", media=f"{site.url}/media")
    assert [path for path, _ in site.requests] == ["/text/SentenceFilenames.csv"]


def test_a_source_without_what_is_sought_is_refused(site, tmp_path):
    site.files["/record"] = b'{"files": []}'
    with pytest.raises(DatasetError, match="no speech archives"):
        download.ravdess(tmp_path, source=f"{site.url}/record")
    site.files["/text/SentenceFilenames.csv"] = b"Filename\n../../etc\n"
    with pytest.raises(DatasetError, match="no list of clips"):
        download.cremad(tmp_path, source=f"{site.url}/text")


def test_addresses_and_folders_that_are_none_are_said(site, tmp_path):
    for address in ("foo", "http://[bad/"):
        with pytest.raises(DatasetError, match="cannot be read"):
            download.text_of(address)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        download.download(remote(site), tmp_path / "file" / "below")
