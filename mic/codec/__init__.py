"""Video in and out: probe, decode, re-encode to the MPEG-4 that `mic.bitstream` reads.

Replaces the replication's `reencode.sh`. PyAV does the work, so no FFmpeg is built or called.

    mic.codec.reencode("in.avi", "out.mp4")                 # what the script does, one file
    mic.codec.reencode_tree("videos", "videos-mpeg4")       # a tree of class folders
    mic.codec.encode_frames(frames, "out.mp4", frame_rate=25, vop_quant=4)
    mic.codec.probe("in.avi").frame_rate
    for picture in mic.codec.Video("in.avi").pictures(): ...  # picture.time, picture.rgb
    for frame in mic.codec.decode("in.avi"): ...            # uint8 (H, W, 3)

`mic.experiments.reencoding` measures rate and distortion.
"""

from mic.codec.encode import check_target, encode_frames, reencode
from mic.codec.folders import (
    VIDEO_SUFFIXES,
    as_called,
    file_of,
    videos_below,
    videos_by_name,
    videos_in,
)
from mic.codec.live import LiveEncoder
from mic.codec.options import EncodeOptions
from mic.codec.picture import Picture
from mic.codec.probe import VideoInfo, decode, probe
from mic.codec.timing import pace
from mic.codec.tree import ClipOutcome, TreeReport, reencode_tree
from mic.codec.video import Video
from mic.codec.writing import EncodeReport

__all__ = [
    "VIDEO_SUFFIXES",
    "ClipOutcome",
    "EncodeOptions",
    "EncodeReport",
    "LiveEncoder",
    "Picture",
    "TreeReport",
    "Video",
    "VideoInfo",
    "as_called",
    "check_target",
    "decode",
    "encode_frames",
    "file_of",
    "pace",
    "probe",
    "reencode",
    "reencode_tree",
    "videos_below",
    "videos_by_name",
    "videos_in",
]
