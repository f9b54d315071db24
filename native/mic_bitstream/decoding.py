"""A stream's packets and its decoded pictures, every complaint a typed one that names the file."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from mic_bitstream.containers import packets_of
from mic_bitstream.errors import CodecError
from mic_bitstream.files import reason

# Bytes of several recordings in a row are a file of these.
JOINED = frozenset({"mpeg", "mpegts", "matroska,webm"})
# In these it begins with a key picture, and decoding times are guesses that fall anywhere.
KEYED = frozenset({"matroska,webm"})
# MP4 in fragments can be joined too, but libavformat keeps the first film's headers for all.
FRAGMENTED = "mov,mp4"
# Seconds by which decoding times fall where another recording begins. By less they fall where
# fields are repeated and libavformat guesses.
FALL = 0.1
# Seconds by which they rise there: a clock of 33 bits that falls far is taken for one that
# wrapped.
WRAPPED = 2**32 / 90_000
_HELD_BACK = 16  # pictures of the recording before that a decoder still hands out
_HELD = 16  # packets of one transport unit that the mark of another may reach
_PEEKED = 64  # packets of MPEG-2 in which pictures are coded as fields, if they are at all
# Decoders that show what they made of a damaged picture and say nothing, unless they are told to
# stop there. Those of H.264, ProRes and others mark such a picture and are not told: they would
# refuse sound films whose lists of reference pictures are untidy.
_SILENT = frozenset(
    {"hevc", "mpeg1video", "mpeg2video", "mjpeg", "h261", "h263", "flv", "vc1", "mpeg4"}
    | {"wmv1", "wmv2", "wmv3", "msmpeg4v1", "msmpeg4v2", "msmpeg4", "rv10", "rv20"}
)


def packets(
    container: InputContainer, stream: VideoStream, path: Path
) -> Iterator[av.Packet[av.VideoStream]]:
    """The stream's packets in coding order.

    Those by which AVI repeats a picture, empty ones and DivX's of one byte, are left out. Counters
    of transport packets begin anew where two recordings were joined, and so does the clock: then
    nothing is missing.

    Raises:
        CodecError: The file is damaged, or breaks off in the middle of a packet.
    """
    doubted: list[av.Packet[av.VideoStream]] = []  # a packet marked as damaged, and what follows
    fragmented = container.format.name.startswith(FRAGMENTED)
    last: av.Packet[av.VideoStream] | None = None
    for packet in packets_of(container, stream, path):
        if repeats(packet):
            continue
        if fragmented and last is not None and _falls(last, packet) and _behind(last, packet):
            raise CodecError(
                "fragments are out of order, or films were joined byte by byte",
                file=path,
                remedy="join films with `ffmpeg -f concat`, and fragments in their order",
            )
        last = packet
        if doubted and _falls(doubted[-1], packet):
            yield from doubted
            doubted = []
        if doubted or packet.is_corrupt:
            doubted.append(packet)
            if len(doubted) > _HELD:
                break
        elif packet.size:
            yield packet
    if doubted:
        raise CodecError(
            "breaks off in the middle of a picture, or transport packets are missing",
            file=path,
            remedy="the file is damaged; get another copy",
        )


def repeats(packet: av.Packet[av.VideoStream]) -> bool:
    """Whether a packet holds nothing but the wish that the picture before stays."""
    divx = packet.size == 1 and packet.stream.codec_context.name == "mpeg4"
    return divx and bytes(packet) == b"\x7f"


def _behind(before: av.Packet[av.VideoStream], packet: av.Packet[av.VideoStream]) -> bool:
    """Whether a packet is known to lie behind another one in the file."""
    return before.pos is not None and packet.pos is not None and packet.pos > before.pos


def _falls(before: av.Packet[av.VideoStream], packet: av.Packet[av.VideoStream]) -> bool:
    """Whether decoding times, which only rise, fall here, or the clock begins anew."""
    if before.dts is None or packet.dts is None or packet.time_base is None:
        return False
    step = float((packet.dts - before.dts) * packet.time_base)
    return step < -FALL or step > WRAPPED


def decoded_frames(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    *,
    first: int = 0,
    without: Container[int] = (),
    before: Callable[[av.Packet[av.VideoStream]], None] | None = None,
    jumped: bool = False,
) -> Iterator[av.VideoFrame]:
    """The stream's pictures in the order in which they are shown, as coded.

    What cannot be decoded before the first key frame is passed over: recordings of broadcasts
    begin anywhere. Behind the first whole picture one of which the decoder made up a part is
    damage. Of VP9's spatial layers, of one time, the largest is the picture.

    Args:
        container: Just opened.
        stream: Of it.
        path: Named in errors.
        first: Number of the packet to begin with, of a key frame; those before it are not decoded.
        without: Numbers of packets that are not decoded: their pictures refer to some before
            `first`.
        before: Called with each packet before it is decoded, for instance to tell the decoder
            whether its picture may be passed over.
        jumped: The container was moved to a key frame: what is not whole from there on is damage.

    Raises:
        CodecError: It is damaged; all whole pictures before have been yielded. Or it has none.
    """
    found = _decoded(container, stream, path, first, without, before, jumped)
    layered = stream.codec_context.name in ("vp9", "libvpx-vp9")
    yield from _largest_layers(found) if layered else found


def _largest_layers(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Without the pictures that a larger one of the same time follows."""
    held: av.VideoFrame | None = None
    try:
        for frame in frames:
            larger = held is not None and frame.pts == held.pts and frame.width > held.width
            if held is not None and not larger:
                yield held
            held = frame
    except CodecError:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield held


class _MissingSamples(Exception):
    """A picture of which the decoder made up a part."""

    def __init__(self) -> None:
        super().__init__("samples are missing")


def field_structures(data: bytes) -> list[int]:
    """picture_structure of an MPEG-2 packet's pictures (ISO/IEC 13818-2, 6.3.10).

    Returns:
        1 for a top field, 2 for a bottom field, 3 for a whole picture.
    """
    found, at = [], data.find(b"\0\0\1\xb5")
    while 0 <= at < len(data) - 6:
        if data[at + 4] >> 4 == 8:  # a picture coding extension
            found.append(data[at + 6] & 3)
        at = data.find(b"\0\0\1\xb5", at + 4)
    return found


def _peeked(
    found: Iterator[av.Packet[av.VideoStream]],
) -> tuple[bool, Iterator[av.Packet[av.VideoStream]]]:
    """Whether pictures of MPEG-2 are coded as fields, and all packets."""
    held: list[av.Packet[av.VideoStream]] = []
    error: CodecError | None = None
    try:
        held.extend(itertools.islice(found, _PEEKED))
    except CodecError as damage:  # told when its turn comes
        error = damage
    fields = any({1, 2} & set(field_structures(bytes(packet))) for packet in held)

    def again() -> Iterator[av.Packet[av.VideoStream]]:
        yield from held
        if error is not None:
            raise error
        yield from found

    return fields, again()


def _stated_size(data: bytes) -> bytes:
    """Width and height of a packet's MPEG-1 or -2 sequence header (6.2.2.1); empty without one."""
    at = data.find(b"\0\0\1\xb3")
    return data[at + 4 : at + 7] if at >= 0 else b""


def _before_joints(
    found: Iterator[av.Packet[av.VideoStream]], container: str
) -> Iterator[tuple[av.Packet[av.VideoStream], bool]]:
    """Packets, each with whether another recording begins behind it, in such a container."""
    joins, keyed = container in JOINED, container in KEYED
    held: av.Packet[av.VideoStream] | None = None
    try:
        for packet in found:
            if held is not None:
                anywhere = packet.is_keyframe or not keyed
                yield held, joins and anywhere and _falls(held, packet)
            held = packet
    except CodecError:  # the packet before the damage is whole
        if held is not None:
            yield held, False
        raise
    if held is not None:
        yield held, False


def _shown_before(frame: av.VideoFrame, stamp: int | None, error: Exception) -> bool:
    """Whether a picture that waited for its turn is shown before the packet that failed.

    Others may refer to what is damaged. Where packets are missing, what was decoded is whole.
    """
    unknown = stamp is None or frame.pts is None
    return isinstance(error, CodecError) or unknown or _earlier(frame.pts, stamp)


def _earlier(stamp: int | None, other: int | None) -> bool:
    return stamp is not None and other is not None and stamp < other


def _decoded(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    first: int,
    without: Container[int],
    before: Callable[[av.Packet[av.VideoStream]], None] | None,
    jumped: bool,
) -> Iterator[av.VideoFrame]:
    context, frames = stream.codec_context, 0
    # Whether a key packet, or a whole picture, came since the beginning of the recording.
    begun = whole = jumped
    lost: int | None = None  # pictures before a recording of which nothing could be decoded yet
    found_packets = packets(container, stream, path)
    if context.name in _SILENT and "err_detect" not in context.options:
        context.options |= {"err_detect": "explode"}
    if context.name == "mpeg2video":
        fields, found_packets = _peeked(found_packets)
        if fields:
            # libavcodec counts as damage what the other field has still to bring.
            detect = context.options["err_detect"].split("+")
            kept = [flag for flag in detect if flag != "explode"]
            context.options |= {"err_detect": "+".join(kept) or "0"}

    def checked(found: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        nonlocal frames, whole
        for frame in found:
            intra = frame.key_frame and frame.pict_type == PictureType.I
            if frame.is_corrupt and (whole or intra):
                raise _MissingSamples
            whole = whole or not frame.is_corrupt
            frames += 1
            yield frame

    states_size = context.name in ("mpeg1video", "mpeg2video")
    size = b""  # of the sequence, as its header states it
    stamp: int | None = None  # of the packet that is decoded
    opening: int | None = None  # of the key packet that a recording begins with
    try:
        joined = _before_joints(found_packets, container.format.name)
        for number, (packet, joint) in enumerate(joined):
            if number < first or number in without:
                continue
            if packet.is_keyframe and not begun:
                begun, opening = True, packet.pts
            if before is not None:
                before(packet)
            if joint:  # half a picture may end a recording, and the next begins anywhere
                whole = False
            stamp = packet.pts
            now = _stated_size(bytes(packet)) if states_size else b""
            if now:
                if size and now != size:  # else the picture that waits for its turn is dropped
                    yield from checked(context.decode(None))
                    context.flush_buffers()
                size = now
            try:
                found = packet.decode()
            except av.InvalidDataError:
                # Leading pictures refer to some before the recording. And one may be cut anywhere,
                # but in other containers pictures are counted, and one would be missing.
                leads = _earlier(packet.pts, opening)
                halved = joint and container.format.name == "mpegts"
                if begun and not leads and not halved:
                    raise
                found = []
            yield from checked(found)
            if joint:
                if context.name == "hevc":  # else leading pictures refer over the joint
                    yield from checked(context.decode(None))
                    context.flush_buffers()
                begun, lost = False, frames
        stamp = None
        yield from checked(context.decode(None))
        if lost is not None and not begun and frames - lost <= _HELD_BACK:
            raise CodecError(
                "the recording that begins here cannot be decoded",
                file=path,
                remedy="cut the file there",
            )
    except (av.FFmpegError, OSError, ValueError, CodecError, _MissingSamples) as error:
        if not isinstance(error, _MissingSamples):  # behind it nothing is whole
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                for frame in context.decode(None):
                    if frame.is_corrupt or not _shown_before(frame, stamp, error):
                        break
                    frames += 1
                    yield frame
        what = error.message if isinstance(error, CodecError) else reason(error)
        remedy = getattr(error, "remedy", None)
        raise CodecError(
            what if remedy else f"cannot be decoded: {what}",
            file=path,
            place=f"after frame {frames - 1}" if frames else "at the first frame",
            remedy=remedy or "the file is damaged; get another copy",
        ) from error
    if frames == 0:
        raise no_frames(path)


def no_frames(path: Path) -> CodecError:
    """The error for a video stream without a single picture."""
    return CodecError(
        "holds no video frame", file=path, remedy="check that it is complete and not encrypted"
    )
