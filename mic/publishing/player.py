"""Films inside a notebook: H.264 in the page itself, because browsers play no MPEG-4 Part 2."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from IPython.display import HTML

from mic.errors import ConfigError


def side_by_side(films: Sequence[np.ndarray], *, gap: int = 4) -> np.ndarray:
    """Films of equal length and height joined into one.

    Args:
        films: `(T, H, W, 3)` uint8 each.
        gap: White pixels between two of them.
    """
    count, height = films[0].shape[:2]
    white = np.full((count, height, gap, 3), 255, np.uint8)
    parts = [part for film in films for part in (film, white)]
    return np.concatenate(parts[:-1], axis=2)


def residual_film(luma: np.ndarray, *, gain: float = 4.0) -> np.ndarray:
    """Signed luma residuals as a gray film: 128 is zero.

    Args:
        luma: `(T, H, W)` int16.
        gain: Levels of gray a unit of residual.
    """
    gray = np.clip(128 + gain * luma.astype(np.float32), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def encode_preview(
    frames: Iterable[np.ndarray], *, rate: Fraction | int = 25, zoom: int = 1, crf: int = 26
) -> bytes:
    """Encodes frames as an H.264 MP4 in memory.

    Args:
        frames: `(H, W, 3)` uint8.
        rate: Frames a second.
        zoom: Each pixel becomes `zoom` by `zoom`.
        crf: x264's constant rate factor; larger is smaller.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # the same bytes whatever the number of cores
        # So do not B pictures give: where blocks are weighed by what later pictures take from them
        # (mbtree), x264 reads memory for them that it never wrote.
        stream.options = {"crf": str(crf), "preset": "slow", "bf": "0", "movflags": "faststart"}
        for frame in frames:
            picture = np.kron(frame, np.ones((zoom, zoom, 1), np.uint8))
            picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
            video = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(video))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def show(
    frames: Sequence[np.ndarray] | np.ndarray,
    *,
    rate: Fraction | int = 25,
    zoom: int = 1,
    crf: int = 26,
    labels: Sequence[str] = (),
    caption: str,
) -> HTML:
    """A film for JupyterLab with a slider over its frames.

    It is one element of HTML, with all it needs inside, so it works wherever the page is opened.
    Pages that drop videos (GitHub) show nothing: put a static strip beside it.

    Args:
        frames: `(T, H, W, 3)` uint8, or T pictures; not necessarily moments of time.
        rate: Frames a second.
        zoom: Each pixel becomes `zoom` by `zoom`.
        crf: See `encode_preview`.
        labels: What stands beside the slider at each frame; by default its number.
        caption: What is shown, for readers and screen readers.
    """
    data = base64.b64encode(encode_preview(frames, rate=rate, zoom=zoom, crf=crf)).decode()
    texts = list(labels) or [
        f"frame {number} of {len(frames) - 1}" for number in range(len(frames))
    ]
    if len(texts) != len(frames):
        raise ConfigError(f"{len(texts)} labels for {len(frames)} frames")
    caption = html.escape(caption)
    # The middle of a frame's time: neither rounding nor the neighbour decides what is seen.
    place = f"(Number(slider.value) + 0.5) / {float(rate)!r}"
    number = f"Math.min({len(frames) - 1}, Math.floor(film.currentTime * {float(rate)!r}))"
    parts = (
        "const figure = this.closest('figure'), film = figure.querySelector('video'), "
        "slider = figure.querySelector('input'), label = figure.querySelector('output');"
    )
    say = "label.textContent = JSON.parse(slider.dataset.labels)[slider.value]"
    moved = f"{parts} film.pause(); film.currentTime = {place}; {say}"
    played = f"{parts} if (!film.paused) {{ slider.value = {number}; {say} }}"
    return HTML(
        f'<figure><video controls loop muted playsinline aria-label="{caption}" '
        f'ontimeupdate="{played}" src="data:video/mp4;base64,{data}"></video>'
        f'<div><input type="range" min="0" max="{len(frames) - 1}" value="0" '
        f'aria-label="frame shown" style="width: 60%; max-width: 30em" '
        f'data-labels="{html.escape(json.dumps(texts))}" oninput="{moved}"> '
        f"<output>{html.escape(texts[0])}</output></div>"
        f"<figcaption>{caption}</figcaption></figure>"
    )
