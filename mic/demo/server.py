"""The HTTP side of the demo: who may ask, what may be asked, and the answers as bytes."""

from __future__ import annotations

import http
import json
import secrets
import struct
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from mic.demo.live import LiveFrame, LivePerson
from mic.demo.sources import Camera, Film, Shown, Source
from mic.errors import MicError
from mic.faces.landmarks import BLENDSHAPES
from mic.recognition.people import CLASSES, SUMMARY

_PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "app.js": ("app.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    # The page loads nothing but its own two files, and no other page may embed or read it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' "
    "'unsafe-inline'; img-src data: blob:; media-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# What the page says before anything is recognised.
_ABOUT = {"classes": CLASSES, "movements": BLENDSHAPES[1:], "card": SUMMARY}
_SECONDS_IDLE = 30.0
# Of a source: a page asks for each picture, one in a hidden tab once a minute at least.
SECONDS_UNUSED = 1800.0
_LENGTH_DIGITS = 15  # of a request, in decimal
MAX_SESSIONS = 4
MAX_PIXELS = 1280 * 720
MAX_FILM_BYTES = 2 << 30


class _Refusal(Exception):
    """A request that is answered with an error; the status and what the page should say."""

    def __init__(self, status: int, error: str, remedy: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.remedy = status, error, remedy


class DemoServer(ThreadingHTTPServer):
    """Serves the page; `serve_forever()` until `shutdown()`, as its base class.

    Args:
        port: 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, *, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(16)
        self.sources: dict[str, Source] = {}
        self.used: dict[str, float] = {}  # when each was asked for last, by the monotonic clock
        self.lock = threading.Lock()
        self.films = tempfile.TemporaryDirectory(prefix="mic-demo-", ignore_cleanup_errors=True)
        # Never another interface: the pictures of a camera are not for the network.
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """The page's URL, token included."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def enter(self, source: Source) -> str:
        """Keeps a source under a new name; the oldest goes when there are too many."""
        name = secrets.token_urlsafe(8)
        with self.lock:
            stale = list(self.sources)[: max(0, len(self.sources) - MAX_SESSIONS + 1)]
            closing = [self.sources.pop(old) for old in stale]
            self.sources[name] = source
            self.used[name] = time.monotonic()
        for old in closing:
            old.close()
        return name

    def find(self, name: str) -> Source | None:
        """A source that is to be used now; None of an unknown name."""
        with self.lock:
            self.used[name] = time.monotonic()
            return self.sources.get(name)

    def service_actions(self) -> None:
        """Forgets sources that no page asks for; `serve_forever` calls it all the time."""
        least = time.monotonic() - SECONDS_UNUSED
        with self.lock:
            unused = [name for name in self.sources if self.used[name] < least]
            closing = [self.sources.pop(name) for name in unused]
            self.used = {name: when for name, when in self.used.items() if name in self.sources}
        for source in closing:
            source.close()

    def leave(self, name: str) -> None:
        """Forgets a source and what it holds; an unknown name is no error."""
        with self.lock:
            source = self.sources.pop(name, None)
        if source is not None:
            source.close()

    def handle_error(self, request: Any, client_address: object) -> None:
        """Keeps quiet about a browser that went away in the middle of an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Closes the socket and every source, and deletes the films, also half sent ones."""
        super().server_close()
        for name in list(self.sources):
            self.leave(name)
        self.films.cleanup()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "mic"
    sys_version = ""
    timeout = _SECONDS_IDLE
    server: DemoServer

    def do_GET(self) -> None:
        self._answer(self._page)

    def do_POST(self) -> None:
        self._answer(self._call)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: below the command line nobody prints."""

    def _answer(self, work: Callable[[str], tuple[int, str, bytes]]) -> None:
        try:
            self._remaining = self._length()
            status, kind, body = work(self._admitted())
        except _Refusal as refusal:
            status, kind, body = _problem(refusal.status, refusal.error, refusal.remedy)
        except MicError as error:
            place = f"{error.place}: " if error.place else ""
            status, kind, body = _problem(422, place + error.message, error.remedy or "")
        except TimeoutError:
            status, kind, body = _problem(408, "The request took too long.", "")
        except ConnectionError:
            raise  # the browser went away: nobody waits for an answer
        except Exception:
            self.server.handle_error(self.request, self.client_address)
            status, kind, body = _problem(500, "That failed; the terminal says why.", "")
        # What was not read would be taken for the next request of this connection.
        self.close_connection = self.close_connection or self._remaining > 0
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _length(self) -> int:
        self._remaining = 1
        text = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not text.isascii() or not text.isdigit():
            raise _Refusal(411, "The request does not say its length.")
        if len(text) > _LENGTH_DIGITS:
            raise _Refusal(413, "That is far too long.")
        return int(text)

    def _admitted(self) -> str:
        """The path below the token, when the request may be answered at all."""
        port = self.server.server_port
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        # A foreign page can make the browser resolve its own name to this machine, but then the
        # Host header carries that name, and the Origin header the page's.
        if self.headers.get("Host") not in hosts:
            raise _Refusal(403, "This server answers to 127.0.0.1 only.")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            raise _Refusal(403, "Another page may not ask this server.")
        path = self._address.path
        token, _, rest = path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refusal(404, "Not found.", "Open the address that `mic demo` printed.")
        return rest

    def _page(self, path: str) -> tuple[int, str, bytes]:
        if path not in _PAGE:
            raise _Refusal(404, "Not found.")
        name, kind = _PAGE[path]
        return 200, kind, resources.files("mic.demo").joinpath("page", name).read_bytes()

    def _call(self, path: str) -> tuple[int, str, bytes]:
        match path:
            case "about":
                return _json(_ABOUT)
            case "camera":
                return _json({"session": self.server.enter(Camera())})
            case "film":
                return self._film()
            case "close":
                self.server.leave(self._query("session"))
                return _json({})
            case "frame":
                return self._camera_frame()
            case "next":
                return self._film_frame()
        raise _Refusal(404, "Not found.")

    def _film(self) -> tuple[int, str, bytes]:
        if not 0 < self._remaining <= MAX_FILM_BYTES:
            limit = f"{MAX_FILM_BYTES >> 30} GB"
            raise _Refusal(413, f"The file is empty or over {limit}.", "Choose another one.")
        film = Film(self._body, self._remaining, below=Path(self.server.films.name))
        facts = {"seconds": round(film.seconds, 3), "method": film.method}
        return _json({"session": self.server.enter(film), **facts})

    def _camera_frame(self) -> tuple[int, str, bytes]:
        source = self._source
        if not isinstance(source, Camera):
            raise _Refusal(400, "This session is a film.")
        seconds = self._number("time", 0, 10**9) / 1000
        return packed(source.push(self._pixels(), seconds))

    def _film_frame(self) -> tuple[int, str, bytes]:
        source = self._source
        if not isinstance(source, Film):
            raise _Refusal(400, "This session is a camera.")
        shown = source.next()
        return (204, "text/plain", b"") if shown is None else packed(shown.frame, shown)

    @property
    def _source(self) -> Source:
        source = self.server.find(self._query("session"))
        if source is None:
            raise _Refusal(410, "This session has ended.", "Start the camera or open a video.")
        return source

    def _pixels(self) -> np.ndarray:
        width, height = self._number("width", 16, 4096), self._number("height", 16, 4096)
        size = 4 * width * height
        if width * height > MAX_PIXELS or self._remaining != size:
            raise _Refusal(413, "The picture is not as large as it says, or too large.")
        samples = np.frombuffer(self._body.read(size), np.uint8)
        return samples.reshape(height, width, 4)[..., :3]

    @property
    def _body(self) -> _Body:
        return _Body(self)

    @property
    def _address(self) -> urllib.parse.SplitResult:
        try:
            return urllib.parse.urlsplit(self.path)
        except ValueError as error:
            raise _Refusal(400, "That is no address.") from error

    def _query(self, name: str) -> str:
        found = urllib.parse.parse_qs(self._address.query).get(name, [""])
        return found[0]

    def _number(self, name: str, low: int, high: int) -> int:
        text = self._query(name)
        digits = text.isascii() and text.isdigit() and len(text) <= 12
        if not digits or not low <= int(text) <= high:
            raise _Refusal(400, f"{name} must be a whole number from {low} to {high}.")
        return int(text)


class _Body:
    """The request's body and not a byte more; an end too early is an error."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler

    def read(self, size: int) -> bytes:
        data = self._handler.rfile.read(min(size, self._handler._remaining))
        self._handler._remaining -= len(data)
        if len(data) < size and self._handler._remaining:
            self._handler.close_connection = True
            raise _Refusal(400, "The request broke off.")
        return data


def packed(frame: LiveFrame, shown: Shown | None = None) -> tuple[int, str, bytes]:
    """One answer: length (uint32, little endian), JSON, then the arrays that its `parts` lists.

    Args:
        frame: What is known.
        shown: The picture, if the page did not send it.
    """
    number, scale = (frame.number, 1.0) if shown is None else (shown.number, shown.scale)
    here = number == frame.number
    parts: dict[str, bytes] = {}
    facts: dict[str, object] = {
        "number": number,
        "time": round(frame.time if shown is None else shown.time, 4),
        "message": frame.message,
        "people": [_facts(one, scale, here=here) for one in frame.people],
        "looks": frame.looks,
        "decoded": frame.work.decoded,
        "regions": frame.work.regions,
    }
    for person in frame.people if here else ():
        if person.region is not None:
            parts[f"region-{person.number}"] = _opaque(person.region)
    if shown is not None:
        facts["height"], facts["width"] = shown.picture.shape[:2]
        parts["pixels"] = _opaque(shown.picture)
    facts["parts"] = {name: len(part) for name, part in parts.items()}
    text = json.dumps(facts).encode()
    head = struct.pack("<I", len(text))
    return 200, "application/octet-stream", b"".join([head, text, *parts.values()])


def _facts(person: LivePerson, scale: float, *, here: bool) -> dict[str, object]:
    looked = here and person.looked
    region = person.region if looked else None
    return {
        "number": person.number,
        "status": person.status,
        "box": _rounded(person.box * scale, 1),
        "looked": looked,
        "label": person.label,
        "recent": _rounded(person.recent),
        "now": _rounded(person.now),
        "pose": None if person.pose is None else _rounded(np.array(person.pose), 1),
        "movements": None if person.blendshapes is None else _rounded(person.blendshapes[1:]),
        "region": None if region is None else [region.shape[1], region.shape[0]],
    }


def _rounded(values: np.ndarray | None, digits: int = 4) -> list[float] | None:
    return None if values is None else [round(float(value), digits) for value in values]


def _opaque(picture: np.ndarray) -> bytes:
    """RGBA, as a canvas wants it."""
    alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
    return np.concatenate([picture, alpha], axis=2).tobytes()


def _json(value: Mapping[str, object]) -> tuple[int, str, bytes]:
    return 200, "application/json", json.dumps(value).encode()


def _problem(status: int, error: str, remedy: str) -> tuple[int, str, bytes]:
    texts = {"error": _sentence(error), "remedy": _sentence(remedy)}
    body = texts | {"status": http.HTTPStatus(status).phrase}
    return status, "application/json", json.dumps(body).encode()


def _sentence(text: str) -> str:
    """With a capital and a full stop: the library's errors are parts of longer ones."""
    return text and text[0].upper() + text[1:].rstrip(".") + "."
