"""The demo's server: who may ask, what is answered, and that it survives whatever is sent."""

import http.client
import json
import socket
import struct
import threading
import urllib.parse

import numpy as np
import pytest
import recogniser_factory

from mic import codec, synthface
from mic.demo import DemoServer, server
from mic.recognition.live import LiveSession
from mic.recognition.recogniser import Recogniser


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A generated face in a room, uint8 (T, 160, 200, 3)."""
    folder = tmp_path_factory.mktemp("made")
    manifest = synthface.generate("synth-ck", folder, subset=1, size=128)
    face = np.stack(list(codec.decode(manifest.path(manifest.clips[0]))))
    room = np.full((len(face), 160, 200, 3), 96, np.uint8)
    room[:, 16:144, 36:164] = face
    return room


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    return Recogniser.load(recogniser_factory.write(tmp_path_factory.mktemp("w")), device="cpu")


@pytest.fixture
def demo(recogniser):
    server = DemoServer(
        lambda: LiveSession(recogniser), classes=recogniser.card.classes, card="Random."
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _ask(demo, path, *, method="POST", body=b"", headers=None, token=None):
    link = http.client.HTTPConnection("127.0.0.1", demo.server_port, timeout=300)
    prefix = demo.token if token is None else token
    link.request(method, f"/{prefix}/{path}", body=body, headers=headers or {})
    answer = link.getresponse()
    return answer.status, answer.read(), answer


def _json(demo, path, **options):
    status, body, _ = _ask(demo, path, **options)
    return status, json.loads(body)


def _frame(demo, session, picture, query="&gop=30&quant=3"):
    height, width = picture.shape[:2]
    body = np.dstack([picture, np.full((height, width), 255, np.uint8)]).tobytes()
    path = f"frame?session={session}&width={width}&height={height}{query}"
    status, data, _ = _ask(demo, path, body=body)
    return status, _unpacked(data) if status == 200 else json.loads(data)


def _unpacked(data):
    length = struct.unpack("<I", data[:4])[0]
    facts = json.loads(data[4 : 4 + length])
    place = 4 + length
    for name, size in facts["parts"].items():
        facts[name] = np.frombuffer(data[place : place + size], np.uint8)
        place += size
    assert place == len(data)
    return facts


def test_it_listens_on_this_machine_only(demo):
    assert demo.server_address[0] == "127.0.0.1"
    assert demo.address.startswith(f"http://127.0.0.1:{demo.server_port}/")
    assert len(demo.token) >= 20


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(demo):
    for path, kind in (
        ("", "text/html"),
        ("style.css", "text/css"),
        ("app.js", "text/javascript"),
    ):
        status, body, answer = _ask(demo, path, method="GET")
        assert status == 200
        assert answer.getheader("Content-Type").startswith(kind)
        policy = answer.getheader("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "connect-src 'self'" in policy
        assert b"http://" not in body
        assert b"https://" not in body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1"}, 403),
    ],
)
def test_other_pages_and_names_are_refused(demo, headers, status):
    for path, method in (("", "GET"), ("about", "POST"), ("camera", "POST")):
        assert _ask(demo, path, method=method, headers=headers)[0] == status


def test_nothing_is_told_without_the_token(demo):
    for token in ("", "x", demo.token[:-1], demo.token + "x"):
        for path, method in (("", "GET"), ("about", "POST"), ("../about", "POST")):
            assert _ask(demo, path, method=method, token=token)[0] == 404
    for path in ("server.py", "../server.py", "page/index.html", "..%2fserver.py", "/etc/passwd"):
        assert _ask(demo, path, method="GET")[0] == 404
    assert _ask(demo, "about", method="GET")[0] == 404
    assert _ask(demo, "about", method="PUT")[0] == 501


def test_a_camera_picture_is_coded_parsed_and_recognised(demo, clip):
    assert _json(demo, "about")[1] == {
        "classes": ["anger", "happiness", "surprise"],
        "card": "Random.",
    }
    session = _json(demo, "camera")[1]["session"]
    answers = [_frame(demo, session, picture)[1] for picture in clip[:10]]
    assert [one["kind"] for one in answers] == ["I"] + 9 * ["P"]
    assert [one["group"] for one in answers] == list(range(10))
    assert "neutral" in answers[0]["message"]
    last = answers[-1]
    assert sum(last["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert last["label"] in recogniser_factory.CLASSES
    assert last["residual"].shape == (128 * 128,)
    assert (answers[0]["residual"] == 128).all()  # an I-frame has no residual
    assert last["residual"].std() > 1
    assert last["motion"].shape == (16 * 16 * 2,)
    assert last["bits"] > 0
    corners = np.array(last["box"])
    middle = corners.mean(0)
    assert np.abs(middle - [100, 80]).max() < 20
    assert _json(demo, f"neutral?session={session}")[0] == 200
    assert _frame(demo, session, clip[10])[1]["kind"] == "I"
    assert _frame(demo, session, clip[11], "&gop=30&quant=9")[1]["kind"] == "I"  # another coding


def test_no_face_is_a_message(demo):
    session = _json(demo, "camera")[1]["session"]
    status, answer = _frame(demo, session, np.full((120, 160, 3), 80, np.uint8))
    assert (status, answer["box"], answer["label"]) == (200, None, None)
    assert answer["message"].startswith("No face is in view")


def test_a_film_is_played_to_its_end_and_forgotten(demo, clip, tmp_path):
    codec.encode_frames(clip[:5], tmp_path / "film.avi", frame_rate=20)
    status, answer = _json(demo, "film", body=(tmp_path / "film.avi").read_bytes())
    assert (status, answer["rate"]) == (200, 20.0)
    session = answer["session"]
    folder = demo.sources[session]._folder
    path = f"next?session={session}&gop=30&quant=2"
    for number in range(5):
        status, data, _ = _ask(demo, path)
        frame = _unpacked(data)
        assert (status, frame["group"]) == (200, number)
        assert frame["pixels"].reshape(frame["height"], frame["width"], 4).shape == (160, 200, 4)
    assert _ask(demo, path)[0] == 204
    assert folder.is_dir()
    assert _json(demo, f"close?session={session}")[0] == 200
    assert not folder.exists()
    assert _json(demo, path)[0] == 410


def test_what_is_no_film_is_said_with_a_remedy(demo):
    status, answer = _json(demo, "film", body=b"no film at all" * 99)
    assert status == 422
    assert answer["error"].startswith("Cannot be opened as a video")
    assert answer["remedy"].startswith("Check")
    assert demo.sources == {}
    assert _json(demo, "film")[0] == 413


def test_the_oldest_session_gives_way(demo):
    names = [_json(demo, "camera")[1]["session"] for _ in range(server.MAX_SESSIONS + 2)]
    assert list(demo.sources) == names[2:]


@pytest.mark.parametrize(
    ("query", "size", "status"),
    [
        ("width=20&height=20&gop=30&quant=3", 1599, 413),
        ("width=20&height=20&gop=30&quant=3", 1601, 413),
        ("width=4096&height=4096&gop=30&quant=3", 64, 413),
        ("width=-20&height=20&gop=30&quant=3", 1600, 400),
        ("width=20&height=9999999999999999999999&gop=30&quant=3", 1600, 400),
        ("width=20&height=20&gop=0&quant=3", 1600, 400),
        ("width=20&height=20&gop=30&quant=32", 1600, 400),
        ("width=20&height=20&gop=30", 1600, 400),
        ("width=२०&height=20&gop=30&quant=3", 1600, 400),
    ],
)
def test_wrong_pictures_are_refused(demo, query, size, status):
    session = _json(demo, "camera")[1]["session"]
    path = f"frame?session={session}&{urllib.parse.quote(query, safe='=&-')}"
    found, answer = _json(demo, path, body=bytes(size))
    assert found == status
    assert answer["error"]
    assert _json(demo, "about")[0] == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9e9\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"",
    ],
)
def test_raw_nonsense_ends_the_connection_alone(demo, raw):
    with socket.create_connection(("127.0.0.1", demo.server_port), timeout=300) as link:
        link.sendall(raw)
        link.shutdown(socket.SHUT_WR)
        answer = b""
        while part := link.recv(65536):
            answer += part
    assert not answer or answer.startswith(b"HTTP/1.") or b"Error response" in answer
    assert _json(demo, "about")[0] == 200


def test_a_film_that_breaks_off_leaves_nothing(demo, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    head = (
        f"POST /{demo.token}/film HTTP/1.1\r\nHost: 127.0.0.1:{demo.server_port}\r\n"
        "Content-Length: 100000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", demo.server_port), timeout=300) as link:
        link.sendall(head.encode() + b"x" * 5000)
        link.shutdown(socket.SHUT_WR)
        answer = link.recv(65536)
    assert b"400" in answer.split(b"\r\n")[0]
    assert list(tmp_path.iterdir()) == []
    assert _json(demo, "about")[0] == 200


def test_a_browser_that_goes_away_is_no_news(demo, capsys):
    demo.daemon_threads = False  # so that closing waits for them
    link = socket.create_connection(("127.0.0.1", demo.server_port), timeout=300)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    head = f"GET /{demo.token}/ HTTP/1.1\r\nHost: 127.0.0.1:{demo.server_port}\r\n\r\n"
    link.sendall(head.encode() * 50)
    link.close()  # with a reset, while fifty answers are on their way
    assert _json(demo, "about")[0] == 200
    demo.shutdown()
    demo.server_close()  # who would complain has complained by then
    assert capsys.readouterr().err == ""
