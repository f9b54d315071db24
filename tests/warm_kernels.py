"""Kernels for the notebooks of `make test`: forked from one process that has the libraries loaded.

Some twenty-five notebooks run there, and a kernel needs five seconds of a processor to import
torch and what else stands in `LIBRARIES`: two minutes of the same, which say nothing new after the
first. mic itself is imported by every kernel anew. Kernels as a user has them are those of
test_notebook_runner.py, test_notebook_sabotage.py, test_jupyterlab.py and `make test-long`.

Jupyter starts a kernel by the command of its kernelspec. `serving` writes one whose command is
this file: it hands its arguments, environment, folder and streams to the server and stays for as
long as the kernel lives; the kernel ends with it. The server has a single thread when it forks.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

# Not matplotlib_inline, which enables itself in the IPython that there is when it is imported.
LIBRARIES = (
    "ipykernel.kernelapp",
    "pandas",
    "PIL.Image",
    "av",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "torch._dynamo",  # which an optimiser imports as it is made
    "torchvision.models",
    "scipy.stats",
    "scipy.optimize",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.manifold",
    "pyarrow",
    "seaborn",
)

# For the server, so that none is lost in a fork; Arrow's allocator would begin one for itself.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """A server and its kernelspec, for as long as the block lasts.

    Stdin's end ends the server, also where this process was killed.

    Args:
        folder: Empty; a short name, since a socket's address has at most a hundred letters.

    Yields:
        The folder to put on JUPYTER_PATH.
    """
    address = folder / "s"
    program = str(Path(__file__).resolve())
    spec = {
        "argv": [sys.executable, "-I", "-S", program, str(address), "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "metadata": {"debugger": True},
    }
    path = folder / "kernels/python3/kernel.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(spec))
    # It listens from here on, so that whoever asks while libraries are imported waits.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(64)
        number = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, program, str(number)],
            env=os.environ | ONE_THREAD,
            stdin=subprocess.PIPE,
            pass_fds=[number],
        )
    try:
        yield folder
    finally:
        server.communicate()


def _serve(number: int) -> None:
    """Imports, and forks a kernel for each that asks at a socket, until stdin ends."""
    listener = socket.socket(fileno=number)
    # As ipykernel says; matplotlib listens when it is imported.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    del sys.path[0]  # this file's folder
    for name in LIBRARIES:
        importlib.import_module(name)
    assert "matplotlib_inline" not in sys.modules
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"{threads} threads cannot be forked"
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [], 1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if sys.stdin in ready:
            return
        if listener not in ready:
            continue
        asked, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _be_kernel(asked)
        asked.close()


def _be_kernel(asked: socket.socket) -> None:
    """In the fork: takes over what the one that asked was started with, and runs the kernel."""
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    with asked.makefile() as file:
        order = json.loads(file.readline())
    asked.sendall(b"b")
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.setsid()
    os.chdir(order["folder"])
    server = os.environ["JPY_PARENT_PID"]
    os.environ.clear()
    os.environ.update(order["environment"] | {"JPY_PARENT_PID": server})
    sys.argv[1:] = order["arguments"]
    threading.Thread(target=_end_with, args=(asked,), daemon=True).start()
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)


def _end_with(asked: socket.socket) -> None:
    asked.recv(1)
    os._exit(1)


def _ask(address: str, arguments: list[str]) -> None:
    """What Jupyter takes for the kernel; that ends as it is asked to, not by an interrupt.

    Where the server could not begin or has ended, it becomes a kernel as a user has it.
    """
    server = socket.socket(socket.AF_UNIX)
    order = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    begun = b""
    with contextlib.suppress(OSError):
        server.connect(address)
        socket.send_fds(server, [b"k"], [0, 1, 2])
        server.sendall(json.dumps(order).encode() + b"\n")
        begun = server.recv(1)
    if not begun:
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *arguments])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server.recv(1)


if __name__ == "__main__":
    _, place, *arguments = sys.argv
    if arguments:
        _ask(place, arguments)
    else:
        _serve(int(place))
