"""`mic extract`, `mic predict` and `mic demo`: what one does with one's own videos."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import time
import webbrowser
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from mic.cli import terminal
from mic.errors import ClusterError, ConfigError, MicError, StorageError, printable
from mic.processes import cluster
from mic.storage import atomic

_FILMS = (".mp4", ".mkv", ".avi")  # that hold H.264, the last one evenly spaced pictures only


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-commands of this module."""
    _add_extract(commands)
    _add_predict(commands)
    _add_demo(commands)


def _add_extract(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "extract", help="residuals, motion and I-frames of videos as arrays, pictures or films"
    )
    terminal.add_videos(command)
    command.add_argument(
        "--what",
        default="residual",
        help="of residual, motion, backward (vectors of B-frames), iframe; separated by commas",
    )
    command.add_argument("--scale", type=int, default=1, help="1, 2, 4 or 8: sides of 1/scale")
    command.add_argument("--space", default="rgb", help="rgb or ycbcr")
    command.add_argument(
        "--out",
        default="npz",
        help="npz, png (a folder of pictures) or mp4, named after the video; or, of one video, "
        "a file ending in .npz or .mp4",
    )
    command.add_argument("--to", type=Path, default=Path(), help="folder for the results")
    command.add_argument("--method", default="auto", help="auto, bitstream, reencoded, decoded")
    command.add_argument("--mask", action="store_true", help="mark damage instead of stopping")
    command.add_argument("--threads", type=int, default=1)
    terminal.add_scheduler(command)
    command.set_defaults(command=_extract)


def _extract(options: argparse.Namespace) -> int:
    from mic.codec import videos_in
    from mic.extraction import extract
    from mic.extraction.extract import FORMATS

    videos, failed = videos_in(options.videos), 0
    named = options.out not in FORMATS
    if named and (len(videos) > 1 or Path(options.out).suffix not in (".npz", ".mp4")):
        raise ConfigError(
            f"--out is {options.out!r}",
            remedy=f"choose of {', '.join(FORMATS)}, or name a .npz or .mp4 file for one video",
        )
    work = functools.partial(
        extract,
        what=tuple(options.what.split(",")),
        scale=options.scale,
        space=options.space,
        method=options.method,
        on_error="mask" if options.mask else "raise",
        threads=options.threads,
    )
    suffix = "" if options.out == "png" else f".{options.out}"
    names = [
        options.out if named else f"{stem}_{options.what.replace(',', '_')}{suffix}"
        for stem in _distinct(videos)
    ]
    targets = [options.to / name for name in names]
    read = atomic.files(videos)
    for target in targets if options.out != "png" else ():
        atomic.check_writable(target, sources=read)  # of all of them, before any is written
    for video, target, promise in _started(work, videos, targets):
        start = time.perf_counter()
        try:
            if promise is not None:
                made, speed = promise.result(), ""
            else:
                with terminal.progress(printable(video.name), unit="frames") as progress:
                    made = work(video, target, progress=progress)
                speed = f", {made.frames / (time.perf_counter() - start):.0f} frames/s"
        except MicError as error:
            if len(videos) == 1 or type(error) is ClusterError:
                raise
            failed += 1
            print(f"mic: {error}", file=sys.stderr)
            continue
        damage = f", {made.damaged} damaged" if made.damaged else ""
        print(f"{printable(target)}: {made.frames} frames{damage}, {made.method}{speed}")
    return 1 if failed else 0


def _started(
    work: Callable[..., Any], videos: list[Path], targets: list[Path]
) -> Iterator[tuple[Path, Path, Future[Any] | None]]:
    """Each video with its target and, where a cluster is named, the promise of its result."""
    with cluster.connected(*{target.parent for target in targets}) as executor:
        tasks = list(zip(videos, targets, strict=True))
        promises = [executor.submit(work, *task) if executor else None for task in tasks]
        try:
            for task, promise in zip(tasks, promises, strict=True):
                yield *task, promise
        finally:
            for promise in filter(None, promises):
                promise.cancel()


def _distinct(videos: list[Path]) -> list[str]:
    """A name for each video's results: its stem, with folder and suffix where stems are equal."""
    from mic.codec import as_called

    stems = Counter(video.stem for video in videos)
    names = [
        video.stem
        if stems[video.stem] == 1
        else f"{as_called(video).parent.name}_{video.stem}_{video.suffix[1:]}"
        for video in videos
    ]
    for name, count in Counter(names).items():
        if count > 1:
            same = [
                printable(video)
                for video, other in zip(videos, names, strict=True)
                if other == name
            ]
            raise ConfigError(
                f"the results of {' and '.join(same[:2])} would have one name",
                remedy="extract them with two commands and another --to",
            )
    return names


def _add_predict(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "predict",
        help="expressions of people in videos, a row a window",
        description="Expressions, head pose and facial movements of everybody in videos. Each "
        "face is followed as a person and looked at one to three times a second; the columns "
        "box_from and values_from say what was looked at, carried by motion vectors, or lies "
        "between two looks. Probabilities p_* and confidence are of the fer network, checked on "
        "a few dozen clips only; yaw, pitch, roll in degrees, blendshapes (0 to 1) and action "
        "units by FACS number (AU01 ...: blendshapes by another name, no coder's intensities) "
        "are of MediaPipe's face landmarker. docs/columns.md says of each how it was checked.",
    )
    terminal.add_videos(command)
    command.add_argument(
        "--out", type=Path, metavar="FILE", help=".csv, .parquet or .json; default: CSV printed"
    )
    command.add_argument(
        "--rows", default="window", help="window (default), look or frame: what a row is of"
    )
    command.add_argument(
        "--overlay", type=Path, metavar="FILM.mp4", help="the video with the answers drawn in"
    )
    command.add_argument("--window", type=float, default=2.0, help="seconds a window (2)")
    command.add_argument(
        "--hop", type=float, default=None, help="seconds from window to window (half a window)"
    )
    command.add_argument(
        "--network",
        default=None,
        help="pictures (real people; default) or residual (the paper's own, learned on generated "
        "faces; default with --weights)",
    )
    command.add_argument("--weights", type=Path, help="of residual: a file that `mic train` wrote")
    command.add_argument(
        "--method", default="auto", help="of residual: auto, bitstream or reencoded"
    )
    command.add_argument("--device", default="auto", help="of residual: auto, cpu or cuda")
    command.set_defaults(command=_predict)


def _check_overlay(target: Path, video: Path) -> None:
    """Refuses a film that could not be written, before anybody is recognised."""
    from mic.codec import Video, check_target, pace

    if target.suffix.lower() not in _FILMS:
        raise ConfigError(
            f"no overlay is written into {target.suffix or 'a file without a suffix'}",
            file=target,
            remedy=f"end the name in {', '.join(_FILMS)}",
        )
    times = None
    with contextlib.suppress(MicError):  # said where it is read
        opened = Video(video, survey=True)
        times = opened.times.tolist() if pace(opened)[1] else None
    check_target(target, times=times, codec="h264", vop_quant=22)


def _predict(options: argparse.Namespace) -> int:
    from mic import recognition as prediction
    from mic.codec import videos_in
    from mic.recognition.moments import Work

    videos = videos_in(options.videos)
    if options.overlay is not None and options.rows != "window":
        raise ConfigError("--overlay draws windows", remedy="leave out --rows, or --overlay")
    if options.overlay is not None and len(videos) != 1:
        raise ConfigError(f"--overlay is of one video, not of {len(videos)}", remedy="name one")
    if options.out is not None:
        prediction.checked_suffix(options.out)
    for place in filter(None, (options.out, options.overlay)):
        atomic.check_writable(place, sources=videos)
    if options.overlay is not None:
        _check_overlay(options.overlay, videos[0])
    task = prediction.Task(
        network=options.network,
        rows=options.rows,
        window=options.window,
        hop=options.hop,
        weights=options.weights,
        method=options.method,
        device=options.device,
    )
    task.load()
    rows: list[dict[str, object]] = []
    pictures, decoded, printed = 0, 0, 0

    def add(row: dict[str, object]) -> None:
        nonlocal printed
        printed += 1
        if options.out is not None or options.overlay is not None:
            rows.append(row)
        if options.out is None:
            # At once: whoever reads the pipe need not wait for the end of the video.
            terminal.clear()
            terminal.write(prediction.csv_lines(row, task, head=printed == 1))

    start, failed = time.perf_counter(), 0
    try:
        for video in videos:
            work, before, frames = Work(), printed, 0
            try:
                with terminal.progress(printable(video.name), unit="frames") as progress:
                    for row in task.rows_of(video, progress=progress, work=work):
                        add(row)
                        frames = 1 + int(row["last_frame" if "last_frame" in row else "frame"])
            except StorageError:
                raise  # what is printed goes nowhere: nothing more is worth finding
            except MicError as error:
                if len(videos) == 1 and printed == before:
                    raise
                failed += 1
                add({"video": printable(video), "error": str(error)})
                print(f"mic: {error}", file=sys.stderr)
            # Behind the last row there may be pictures at which nobody looked.
            pictures, decoded = pictures + max(frames, work.pictures), decoded + work.decoded
        seconds = time.perf_counter() - start
        if options.out is not None:
            prediction.save(prediction.as_table(rows, task), options.out)
    except BaseException:  # memory that ends with the table, as well
        # What was found is not to be found again.
        for number, row in enumerate(rows if options.out is not None else ()):
            terminal.write(prediction.csv_lines(row, task, head=number == 0))
        raise
    if options.overlay is not None:
        from mic.publishing import film

        classes = task.classes
        captions = [film.Caption.of(row, classes) for row in rows if not row["error"]]
        film.overlay(videos[0], options.overlay, captions, classes=classes)
    cost = "" if task.residual else f", {decoded} of them decoded whole"
    noun = {"window": "windows", "look": "looks", "frame": "rows"}[task.rows]
    print(
        f"{len(videos)} videos ({failed} failed), {printed - failed} {noun}, {pictures} frames"
        f"{cost} in {seconds:.1f} s: {pictures / seconds:.0f} frames/s; {task.name}\n"
        f"{task.summary}",
        file=sys.stderr,
    )
    return 1 if failed else 0


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "demo",
        help="a page on this machine: people of a camera or file, as predict sees them",
        description="Opens a page that asks for the camera or for a video file, which stays on "
        "this machine, and shows what `mic predict` makes of it while it plays.",
    )
    command.add_argument("--port", type=int, default=0, help="default: a free one")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> int:
    from mic.demo import DemoServer

    if not 0 <= options.port <= 65535:
        raise ConfigError(
            f"there is no port {options.port}",
            remedy="choose one of 1024 to 65535, or leave it out",
        )
    try:
        server = DemoServer(port=options.port)
    except OSError as error:
        raise ConfigError(
            f"port {options.port} cannot be used: {error.strerror}", remedy="choose another --port"
        ) from error
    print(f"{server.address}\nOpen it in a browser on this machine; Ctrl-C ends it.", flush=True)
    if not options.no_browser:
        webbrowser.open(server.address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0
