"""What an installation may lack, and how to get it.

`pip install mic-faces` brings the parser of the bitstream, `mic.extract` and the re-encoding. All
else is in extras, and who asks for it without them is told which.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mic.errors import ExtraError

# `mic` on the package index is another project.
DISTRIBUTION = "mic-faces"
# The smallest extra that holds a package; keys are what is imported.
EXTRAS = {
    "ai_edge_litert": "predict",
    "pandas": "predict",
    "scipy": "predict",
    "torch": "predict",
    "torchvision": "predict",
    "facenet_pytorch": "train",
    "matplotlib": "train",
    "sklearn": "train",
    "onnx": "export",
    "onnxruntime": "export",
    "dask": "cluster",
    "distributed": "cluster",
    "IPython": "notebooks",
    "dlib": "notebooks",
    "nbformat": "notebooks",
    "papermill": "notebooks",
    "pyarrow": "notebooks",
    "seaborn": "notebooks",
}


@contextlib.contextmanager
def needed(reason: str = "") -> Iterator[None]:
    """Imports of optional packages stand in this block, or of modules that need them.

    Args:
        reason: What else than installing it would help, for the remedy.

    Raises:
        ExtraError: One of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        found = missing(error, reason)
        if found is None:
            raise
        raise found from error


def missing(error: ModuleNotFoundError, reason: str = "") -> ExtraError | None:
    """The error that names the extra; None where none brings the module.

    Args:
        error: What an import raised.
        reason: See `needed`.
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    command = f"run `pip install '{DISTRIBUTION}[{EXTRAS[package]}]'`"
    return ExtraError(
        f"the package {package} is not installed",
        remedy=f"{command}, or {reason}" if reason else command,
    )
