"""The forked kernels of `make test`: where their server is not, a user's kernel takes over."""

import socket
import subprocess
import sys
import threading

import IPython
import warm_kernels


def _asked(address):
    command = [sys.executable, "-I", "-S", warm_kernels.__file__, address, "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_without_a_server_a_kernel_is_started_as_a_user_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _asked("s") == IPython.__version__


def test_a_server_that_ends_before_it_answers_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's address has at most a hundred letters
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        listener.listen()
        ended = threading.Thread(target=lambda: listener.accept()[0].close())
        ended.start()
        assert _asked("s") == IPython.__version__
        ended.join()
