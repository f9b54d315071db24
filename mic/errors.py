"""Every error that `mic` raises on bad input: typed, naming the file, the place, the remedy.

Those of videos and bitstreams are the parser's own, from the distribution that `mic` depends on.
"""

from mic_bitstream.errors import (
    BitstreamError,
    CodecError,
    ConfigError,
    ExtraError,
    MicError,
    UnsupportedSyntaxError,
    printable,
)

__all__ = [
    "AssetError",
    "BitstreamError",
    "ClusterError",
    "CodecError",
    "ConfigError",
    "DatasetError",
    "ExtraError",
    "FaceError",
    "LostTaskError",
    "MicError",
    "NotebookError",
    "ResultError",
    "StorageError",
    "UnsupportedSyntaxError",
    "WeightsError",
    "printable",
]


class StorageError(MicError):
    """A write that could not be completed; what stood there before is untouched."""


class AssetError(MicError):
    """A file of the package index that cannot be fetched or is not the pinned one."""


class DatasetError(MicError):
    """A dataset folder or manifest that does not hold what its layout promises."""


class FaceError(MicError):
    """A face stage that was used wrongly (a clip without a face is a status, not an error)."""


class WeightsError(MicError):
    """Weights that are missing, damaged, of the wrong shape or not in an allowed format."""


class ResultError(MicError):
    """A table, figure or provenance record that breaks its schema."""


class NotebookError(MicError):
    """A notebook that broke the contract or did not run to its completion marker."""


class ClusterError(MicError):
    """A scheduler that does not answer, or a worker that is not fit for the task."""


class LostTaskError(ClusterError):
    """A task whose worker process died, here or, one after the other, on a cluster."""
