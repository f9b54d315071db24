"""The demo's server: who may ask, what is answered, and that it survives whatever is sent."""

import http.client
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import mic
from mic import cli, codec
from mic.demo import DemoServer, server, sources
from mic.errors import StorageError
from mic.faces.landmarks import BLENDSHAPES
from mic.recognition.people import CLASSES
from mic.storage import assets


@pytest.fixture(scope="module")
def frames():
    """A person who is calm, then smiles: 72 pictures of 320x180."""
    return [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))]


@pytest.fixture
def demo():
    server = DemoServer()
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


def _frame(demo, session, picture, *, time):
    height, width = picture.shape[:2]
    body = np.dstack([picture, np.full((height, width), 255, np.uint8)]).tobytes()
    path = f"frame?session={session}&width={width}&height={height}&time={time}"
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


def test_a_port_that_cannot_be_had_is_said(demo, capsys):
    command = ["demo", "--no-browser", "--port"]
    assert cli.main([*command, str(demo.server_port)]) == 1
    assert "choose another --port" in capsys.readouterr().err
    for port in ("-1", "65536", "99999999"):
        assert cli.main([*command, port]) == 1
        assert f"there is no port {port}" in capsys.readouterr().err


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


def test_a_cameras_people_are_looked_at_now_and_then(demo, frames):
    about = _json(demo, "about")[1]
    assert about["classes"] == list(CLASSES)
    assert about["movements"] == list(BLENDSHAPES[1:])
    assert "fer" in about["card"]
    session = _json(demo, "camera")[1]["session"]
    answers = []
    for number, picture in enumerate(frames):
        status, answer = _frame(demo, session, picture, time=33 * number)
        assert status == 200
        answers.append(answer)
    assert [one["number"] for one in answers] == list(range(len(frames)))
    looked = [one["number"] for one in answers if one["people"][0]["looked"]]
    assert looked == list(range(0, len(frames), 4))  # 0.1 s at the least
    last = answers[-1]
    assert last["looks"] == len(looked)
    (person,) = last["people"]
    assert (person["number"], person["status"], person["label"]) == (0, "ok", "happiness")
    assert sum(person["recent"]) == pytest.approx(1, abs=1e-3)
    assert sum(person["now"]) == pytest.approx(1, abs=1e-3)
    assert len(person["movements"]) == len(BLENDSHAPES) - 1
    smile = BLENDSHAPES.index("mouthSmileLeft") - 1
    assert answers[0]["people"][0]["movements"][smile] < 0.3 < person["movements"][smile]
    left, top, right, bottom = person["box"]
    assert 0 < left < right < 320
    assert 0 < top < bottom < 180
    seen = answers[looked[-1]]
    width, height = seen["people"][0]["region"]
    region = seen["region-0"].reshape(height, width, 4)
    assert any(  # a part of the very picture
        np.array_equal(frames[looked[-1]][y : y + height, x : x + width], region[..., :3])
        for y in range(180 - height + 1)
        for x in range(320 - width + 1)
    )


def test_no_face_is_a_message(demo):
    session = _json(demo, "camera")[1]["session"]
    status, answer = _frame(demo, session, np.full((120, 160, 3), 80, np.uint8), time=0)
    assert (status, answer["people"], answer["looks"]) == (200, [], 1)
    assert answer["message"].startswith("No face is in view")


@pytest.mark.parametrize("name", ["mpeg4", "h264"])
def test_a_film_is_seen_as_predict_sees_it(demo, frames, tmp_path, name):
    path = tmp_path / "film.mp4"
    # Times are those of the stamps: the second half comes twice as fast.
    times = [0.1 * k for k in range(20)] + [2.0 + 0.05 * k for k in range(20)]
    coding = {"mpeg4": {}, "h264": {"vop_quant": 18}}[name]
    codec.encode_frames(frames[20:60], path, frame_rate=20, times=times, codec=name, **coding)
    status, answer = _json(demo, "film", body=path.read_bytes())
    method = {"mpeg4": "parsed", "h264": "decoded"}[name]
    assert (status, answer["method"]) == (200, method)
    assert answer["seconds"] == pytest.approx(3, abs=0.02)
    session = answer["session"]
    folder = demo.sources[session]._folder
    expected = mic.predict(path, rows="look")
    looked = []
    for number, time in enumerate(times):
        status, data, _ = _ask(demo, f"next?session={session}")
        frame = _unpacked(data)
        assert (status, frame["number"]) == (200, number)
        assert frame["time"] == pytest.approx(time, abs=0.002)
        assert frame["pixels"].reshape(frame["height"], frame["width"], 4).shape == (180, 320, 4)
        looked += [(number, one) for one in frame["people"] if one["looked"]]
    assert [number for number, _ in looked] == expected["frame"].tolist()
    chances = [one["now"] for _, one in looked]
    assert np.allclose(chances, expected[[f"p_{name}" for name in CLASSES]], atol=1e-3)
    if method == "parsed":
        assert frame["decoded"] <= 2  # of forty that were shown
        assert frame["regions"] >= len(looked) - 1
    assert _ask(demo, f"next?session={session}")[0] == 204
    assert folder.is_dir()
    assert _json(demo, f"close?session={session}")[0] == 200
    assert not folder.exists()
    assert _json(demo, f"next?session={session}")[0] == 410


def test_a_large_film_is_shown_small_with_its_boxes(demo, tmp_path):
    frames = list(codec.decode(assets.path("langer")))[:3]
    large = [frame.repeat(2, axis=0).repeat(2, axis=1) for frame in frames]
    codec.encode_frames(large, tmp_path / "film.mp4", frame_rate=20)
    session = _json(demo, "film", body=(tmp_path / "film.mp4").read_bytes())[1]["session"]
    frame = _unpacked(_ask(demo, f"next?session={session}")[1])
    assert (frame["width"], frame["height"]) == (640, 360)
    box = np.array(frame["people"][0]["box"])
    assert ((box >= 0) & (box <= [640, 360, 640, 360])).all()
    whole = mic.predict(tmp_path / "film.mp4", rows="look")[["left", "top", "right", "bottom"]]
    assert np.allclose(box, whole.iloc[0] / 2, atol=0.2)


def test_sessions_are_asked_for_what_they_are(demo, frames, tmp_path):
    codec.encode_frames(frames[:3], tmp_path / "film.mp4", frame_rate=20)
    film = _json(demo, "film", body=(tmp_path / "film.mp4").read_bytes())[1]["session"]
    camera = _json(demo, "camera")[1]["session"]
    assert _frame(demo, film, frames[0], time=0)[0] == 400
    assert _json(demo, f"next?session={camera}")[0] == 400


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
        ("width=20&height=20&time=30", 1599, 413),
        ("width=20&height=20&time=30", 1601, 413),
        ("width=4096&height=4096&time=30", 64, 413),
        ("width=-20&height=20&time=30", 1600, 400),
        ("width=20&height=9999999999999999999999&time=30", 1600, 400),
        ("width=20&height=20&time=-1", 1600, 400),
        ("width=20&height=20&time=9999999999", 1600, 400),
        ("width=20&height=20", 1600, 400),
        ("width=२०&height=20&time=30", 1600, 400),
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
        b"GET http://[x/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
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


def test_a_film_that_breaks_off_leaves_nothing(demo):
    head = (
        f"POST /{demo.token}/film HTTP/1.1\r\nHost: 127.0.0.1:{demo.server_port}\r\n"
        "Content-Length: 100000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", demo.server_port), timeout=300) as link:
        link.sendall(head.encode() + b"x" * 5000)
        link.shutdown(socket.SHUT_WR)
        answer = link.recv(65536)
    assert b"400" in answer.split(b"\r\n")[0]
    assert list(Path(demo.films.name).iterdir()) == []
    assert _json(demo, "about")[0] == 200


def test_two_films_sent_by_one_thread_are_seen_by_two(demo, frames, tmp_path):
    """Browsers send both over one connection, and ask for their pictures over several."""
    path = tmp_path / "film.mp4"
    codec.encode_frames(frames[40:60], path, frame_rate=20, codec="h264", vop_quant=18)
    link = http.client.HTTPConnection("127.0.0.1", demo.server_port, timeout=300)
    sessions = []
    for _ in range(2):
        link.request("POST", f"/{demo.token}/film", body=path.read_bytes())
        sessions.append(json.loads(link.getresponse().read())["session"])
    link.close()

    def seen(session):
        shown = []
        while (answer := _ask(demo, f"next?session={session}"))[0] == 200:
            shown.append([one["now"] for one in _unpacked(answer[1])["people"]])
        assert answer[0] == 204
        return shown

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(seen, sessions)
    assert len(first) == 20
    assert first == second


def test_what_fails_unforeseen_is_answered(demo, monkeypatch, capsys):
    monkeypatch.setattr("mic.demo.server.Camera", lambda: 1 / 0)
    status, answer = _json(demo, "camera")
    assert (status, answer["error"]) == (500, "That failed; the terminal says why.")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_nothing_stays_when_the_server_ends(frames, tmp_path):
    """A terminal that is closed sends a hang-up, a system that goes down a termination."""
    codec.encode_frames(frames[:5], tmp_path / "film.mp4", frame_rate=20)
    for number in (signal.SIGTERM, signal.SIGHUP):
        place = tmp_path / number.name
        place.mkdir()
        command = [sys.executable, "-m", "mic", "demo", "--no-browser"]
        environment = os.environ | {"TMPDIR": str(place)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            address = process.stdout.readline().decode().strip()
            query = urllib.request.Request(
                f"{address}film", data=(tmp_path / "film.mp4").read_bytes(), method="POST"
            )
            with urllib.request.urlopen(query, timeout=300) as answer:
                assert answer.status == 200
            assert list(place.rglob("film"))
            process.send_signal(number)
            assert process.wait(300) == 0
        assert list(place.rglob("film")) == []


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


def test_a_sender_that_stalls_is_no_full_disk(tmp_path):
    class Stalled:
        def read(self, size):
            raise TimeoutError("timed out")

    with pytest.raises(TimeoutError):
        sources._store(Stalled(), 10, tmp_path / "film.mp4")
    with pytest.raises(StorageError, match="no room"):
        sources._store(io.BytesIO(b"x" * 10), 10, tmp_path)


def test_a_source_that_nobody_asks_for_is_forgotten():
    made = DemoServer()
    try:
        old, new = made.enter(sources.Camera()), made.enter(sources.Camera())
        made.service_actions()
        assert set(made.sources) == {old, new}
        made.used[old] -= server.SECONDS_UNUSED + 1
        made.used[new] -= server.SECONDS_UNUSED - 60
        assert made.find(new) is not None
        made.service_actions()
        assert set(made.sources) == {new}
        assert made.find(old) is None
    finally:
        made.server_close()
