"""Running a pinned TensorFlow Lite network on one thread, without the runtime's remarks."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mic import extras

with extras.needed():
    from ai_edge_litert.interpreter import Interpreter


class Network:
    """A network of one input.

    Args:
        content: The bytes of a `.tflite` file, already verified.
        threads: Of the interpreter.
    """

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        with _silent():
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """All outputs for one input, float32 of the shape that the network was built for."""
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index).copy() for index in self._outputs]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Holds standard error back: the runtime announces its delegate there and has no switch."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
