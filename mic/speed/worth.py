"""What speed is worth: times as fast as whom, at which accuracy, and which aims that reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mic.experiments import plan
from mic.speed.contestants import PAPER_SIZE

# Times the frames a second of these peers, at equal or better accuracy.
AIM_PEERS = ("Mode VLSTM", "FAN+ResNet18")
AIM_FASTER = 10.0
# Times those of the fastest method on decoded frames, whoever it is.
AIM_FASTEST = 3.0
# Times the clip's own frame rate at this size or above.
AIM_REALTIME, AIM_SIZE = 30.0, (640, 480)

_CLIP = ["width", "height", "frames"]
_PLACE = {
    "width": "of the clip, samples",
    "height": "of the clip, samples",
    "frames": "of the clip",
}
# What the columns of `worth_table` and of `aims_table` mean.
WORTH: Mapping[str, str] = {
    **_PLACE,
    "method": "row of MIC",
    "against": "peer; at its paper's size, on its own grid, with the accuracy of the size and "
    "grid that were trained",
    "faster": "times the peer's frames a second: the quotient of both rows' ratios to MIC, each "
    "the median over the rounds",
    "faster_cpu": "the same in CPU time",
    "accuracy": "of the row, of people it was not trained with",
    "accuracy_against": "of the peer",
    "gain": "their difference",
    "settings": "of the row: chosen on validation people, its own or elsewhere, or the default",
    "settings_against": "the peer's",
}
AIMS: Mapping[str, str] = {
    **_PLACE,
    "aim": "times what, at equal or better accuracy",
    "wanted": "times",
    "method": "MIC, and the fastest row as accurate as whom it is compared with",
    "against": "whom it is compared with",
    "reached": "times, in CPU time",
    "accuracy": "of the row",
    "accuracy_against": "of whom it is compared with; empty for real time",
    "settings": "of the row: chosen on validation people, its own or elsewhere, or the default",
    "settings_against": "of whom it is compared with",
    "holds": "whether it is reached",
}


def worth_table(methods: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """How many times as fast as each peer a row of MIC is, beside both accuracies.

    Args:
        methods: From `study.method_table`, of any clips, one thread and batch size.
        accuracy: Columns row, accuracy and settings; see `mic.publishing.own_rows.preferring`.
            A peer of its paper's size and grid stands with the accuracy of the same peer as it
            was trained.

    Returns:
        One line a pair and clip: width, height, frames, method, against, faster (times the frames
        a second), faster_cpu (the same in CPU time), accuracy, accuracy_against, gain (their
        difference, share of clips), settings, settings_against.
    """
    known, settings = (accuracy.set_index("row")[name] for name in ("accuracy", "settings"))
    lines = []
    for clip, part in methods.groupby(_CLIP, sort=False):
        rows = part.set_index("method")
        pictures = rows.index[rows["domain"] == "pictures"]
        for mine in (row for row in plan.SPEED_ROWS if row in rows.index and row in known):
            for peer in (peer for peer in pictures if _trained(peer) in known):
                theirs = known[_trained(peer)]
                lines.append(
                    dict(zip(_CLIP, clip, strict=True))
                    | {
                        "method": mine,
                        "against": peer,
                        "faster": rows.loc[peer, "relative"] / rows.loc[mine, "relative"],
                        "faster_cpu": rows.loc[peer, "relative_cpu"]
                        / rows.loc[mine, "relative_cpu"],
                        "accuracy": known[mine],
                        "accuracy_against": theirs,
                        "gain": known[mine] - theirs,
                        "settings": settings[mine],
                        "settings_against": settings[_trained(peer)],
                    }
                )
    return pd.DataFrame(lines, columns=list(WORTH))


def aims_table(worth: pd.DataFrame, methods: pd.DataFrame) -> pd.DataFrame:
    """Which aims are reached, on which clip and by whom: MIC itself, and the best of its rows.

    Args:
        worth: From `worth_table`.
        methods: What that was made of.

    Returns:
        Columns width, height, frames, aim, wanted (times), method, against, reached (times, CPU
        time), accuracy, accuracy_against (NaN for the aim of real time), settings and
        settings_against, holds.
    """
    lines = []
    for clip, part in worth.groupby(_CLIP, sort=False):
        where = dict(zip(_CLIP, clip, strict=True))
        for peer in AIM_PEERS:
            for name in (peer, peer + PAPER_SIZE):
                pairs = part[part["against"] == name]
                lines += _lines(where, f"{AIM_FASTER:g} x {peer}", AIM_FASTER, pairs)
        # The fastest of the others is the one against which a row gains least time.
        least = part.loc[part.groupby("method")["faster_cpu"].idxmin()]
        lines += _lines(where, f"{AIM_FASTEST:g} x fastest on frames", AIM_FASTEST, least)
    rows = worth.drop_duplicates("method").set_index("method")
    known = rows["accuracy"]
    large = methods[(methods["width"] >= AIM_SIZE[0]) & (methods["height"] >= AIM_SIZE[1])]
    for clip, part in large.groupby(_CLIP, sort=False):
        times = part[part["method"].isin(known.index)]
        times = times.assign(
            faster_cpu=times["realtime"] * times["ms_per_clip"] / times["cpu_ms"],
            against="the clip itself",
            accuracy=times["method"].map(known),
            accuracy_against=float("nan"),
            settings=times["method"].map(rows["settings"]),
            settings_against="",
            gain=0.0,
        )
        where = dict(zip(_CLIP, clip, strict=True))
        lines += _lines(where, f"{AIM_REALTIME:g} x real time", AIM_REALTIME, times)
    return pd.DataFrame(lines, columns=list(AIMS))


def sentences(aims: pd.DataFrame) -> Sequence[str]:
    """The aims as text: what holds, what does not, and by how much, one line each."""
    return [
        f"{line.width}x{line.height}, {line.frames} frames, {line.aim}: {line.method} "
        f"{line.reached:.1f} x {line.against} at accuracy {line.accuracy:.3f}"
        + ("" if pd.isna(line.accuracy_against) else f" against {line.accuracy_against:.3f}")
        + (" - holds" if line.holds else " - missed")
        for line in aims.itertuples()
    ]


def rivals(accuracy: pd.DataFrame) -> Sequence[str]:
    """Who is not shown to be less accurate than MIC, and what it costs, the fastest first.

    That is not to say that they are as accurate: the interval says how much they may be apart.

    Args:
        accuracy: Columns row, accuracy, difference, difference_low, difference_high (from MIC, on
            the same clips), fps; rows that were not timed are left out.
    """
    accuracy = accuracy[accuracy["fps"].notna()]
    same = accuracy[(accuracy["difference_high"] >= 0) | (accuracy["row"] == "MIC")]
    return [
        f"{line.row}: {line.fps:.0f} frames per second at accuracy {line.accuracy:.3f}"
        + (
            ""
            if pd.isna(line.difference)
            else f", {line.difference:+.3f} [{line.difference_low:+.3f}, "
            f"{line.difference_high:+.3f}] from MIC"
        )
        for line in same.sort_values("fps", ascending=False).itertuples()
    ]


def _trained(peer: str) -> str:
    return peer.removesuffix(PAPER_SIZE)


def _lines(
    where: dict[str, int], aim: str, wanted: float, pairs: pd.DataFrame
) -> list[dict[str, object]]:
    """MIC's line, and that of the fastest row that is as accurate as whom it is compared with."""
    if pairs.empty:
        return []
    able = pairs[pairs["gain"] >= 0]
    chosen = pairs[pairs["method"] == "MIC"].index.tolist()
    if len(able):
        chosen.append(able["faster_cpu"].idxmax())
    return [
        {
            **where,
            "aim": aim,
            "wanted": wanted,
            "method": line["method"],
            "against": line["against"],
            "reached": line["faster_cpu"],
            "accuracy": line["accuracy"],
            "accuracy_against": line["accuracy_against"],
            "settings": line["settings"],
            "settings_against": line["settings_against"],
            "holds": bool(line["faster_cpu"] >= wanted and line["gain"] >= 0),
        }
        for line in (pairs.loc[index] for index in dict.fromkeys(chosen))
    ]
