"""Runs the three fuzzers for a while and records executions and findings.

From tests/: `python -m campaigns.fuzzing --seconds 60 [--harness NAME ...] [--record] [--until N]
[--traces] [--coverage] [--minimise]`.

`--until` goes on, round after round of `--seconds`, until the rows of the record count N
executions of each harness together; stopped and started again, it goes on from there. A commit has
its own row.

The working corpora (build/fuzz/corpus-NAME) grow from run to run; the first start from the
committed corpus, the regressions and seeds made by the encoders. A finding is kept under
build/fuzz/findings-NAME and makes the exit status 1: fix it, and commit the input as a regression.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

import mic.publishing.reliability
from campaigns import fuzz_seeds
from mic.storage import provenance

REPOSITORY = Path(__file__).resolve().parents[2]
FUZZ = REPOSITORY / "native" / "fuzz"
BUILD = REPOSITORY / "build" / "fuzz"
HARNESSES = ("headers", "packets", "clips")
# libFuzzer also grows inputs by itself; longer ones only cost speed on the small pictures here.
MAX_LENGTH = {"headers": 256, "packets": 600, "clips": 800}
KEPT = {"headers": 120, "packets": 200, "clips": 120}


def folders(name: str) -> tuple[Path, list[Path]]:
    """The working corpus of a harness, made if absent, and what it starts from."""
    working = BUILD / f"corpus-{name}"
    working.mkdir(parents=True, exist_ok=True)
    starts = [FUZZ / "corpus" / name, FUZZ / "regressions" / name, BUILD / "seeds" / name]
    return working, [folder for folder in starts if folder.is_dir()]


def run(name: str, seconds: int, *, traces: bool = False) -> tuple[int, int, bool]:
    """Fuzzes one harness: (executions, edges reached, whether it found something).

    Inputs are drawn evenly: how rare the features of each are (entropic) would be counted anew
    after every execution, for a quarter of the time. A stack kept with every allocation would be
    looked at only after a finding, which `make replay` shows again with its stacks.
    """
    working, starts = folders(name)
    findings = BUILD / f"findings-{name}"
    findings.mkdir(exist_ok=True)
    way = "traces" if traces else "fuzz"
    command = [str(BUILD / way / name), str(working), *map(str, starts)]
    command += [f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH[name]}", "-timeout=10"]
    command += [f"-dict={FUZZ / 'bitstream.dict'}", f"-artifact_prefix={findings}/"]
    command += ["-print_final_stats=1", "-rss_limit_mb=2048", "-entropic=0"]
    environment = os.environ | {"ASAN_OPTIONS": "malloc_context_size=0"}
    log = BUILD / f"{name}.log"
    with log.open("w") as output:
        status = subprocess.run(command, stderr=output, check=False, env=environment).returncode
    text = log.read_text(errors="replace")
    done = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(r"#(\d+)", text)
    executions = int(done[-1]) if done else 0
    edges = max((int(number) for number in re.findall(r"cov: (\d+)", text)), default=0)
    if status:
        sys.stderr.write("\n".join(text.splitlines()[-40:]) + "\n")
    return executions, edges, status != 0


def recorded(name: str) -> int:
    """Executions of a harness in all rows of the record."""
    return int(_rows(f"fuzzing of {name}.*")["count"].sum())


def record(name: str, executions: int, failures: int, seconds: float) -> None:
    """Adds executions to the record's row of this harness and commit."""
    digits, _, changes = provenance.commit().partition("+")
    campaign = f"fuzzing of {name} at {digits[:7]}{'+' if changes else ''}{changes}"
    before = _rows(re.escape(campaign)).sum()
    mic.publishing.reliability.record(
        campaign,
        unit="executions under ASan and UBSan",
        count=int(before["count"]) + executions,
        failures=int(before["failures"]) + failures,
        seconds=float(before["seconds"]) + seconds,
    )


def _rows(campaign: str) -> pd.DataFrame:
    """Count, failures and seconds of the record's rows whose whole name matches an expression."""
    table = pd.read_csv(mic.publishing.reliability.path())
    chosen = table[table["campaign"].str.fullmatch(campaign)]
    return chosen[["count", "failures", "seconds"]]


def coverage() -> tuple[int, int]:
    """Lines of the parser, and how many of them no input of any corpus reaches.

    Tables made by the compiler (coefficients.hpp, tables.hpp) run at no other time, and the
    harnesses are not the parser: both are left out.
    """
    command = ["make", "-s", "-C", str(FUZZ), "coverage", "coverage-format=export -summary-only"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = missed = 0
    for file in json.loads(text[text.index("{") :])["data"][0]["files"]:
        path = Path(file["filename"]).resolve()
        if path.parent == FUZZ.parent and path.name not in ("coefficients.hpp", "tables.hpp"):
            summary = file["summary"]["lines"]
            lines += summary["count"]
            missed += summary["count"] - summary["covered"]
    return lines, missed


def minimise(name: str) -> None:
    """Replaces the committed corpus by the smallest inputs that reach the same edges."""
    working, starts = folders(name)
    merged = BUILD / f"merged-{name}"
    merged.mkdir(exist_ok=True)
    for file in merged.iterdir():
        file.unlink()
    command = [
        str(BUILD / "fuzz" / name),
        "-merge=1",
        str(merged),
        str(working),
        *map(str, starts),
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    target = FUZZ / "corpus" / name
    target.mkdir(parents=True, exist_ok=True)
    for file in target.iterdir():
        file.unlink()
    chosen = sorted(merged.iterdir(), key=lambda file: (file.stat().st_size, file.name))
    # Evenly over the sizes: the small ones reach errors, the large ones whole pictures.
    step = max(1, -(-len(chosen) // KEPT[name]))
    for file in chosen[::step]:
        (target / file.name).write_bytes(file.read_bytes())


def fuzz(name: str, seconds: int, *, traces: bool, recording: bool) -> bool:
    """One round of one harness, printed, and recorded if wanted; whether it found something."""
    start = time.monotonic()
    executions, edges, failed = run(name, seconds, traces=traces)
    taken = time.monotonic() - start
    print(f"{name}: {executions} executions, {edges} edges, {taken:.0f} s", flush=True)
    if recording:
        record(name, executions, int(failed), taken)
    return failed


def main() -> int:
    """Runs what the command line asks for; 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="in all, shared by the harnesses")
    parser.add_argument("--harness", nargs="*", choices=HARNESSES, default=HARNESSES)
    parser.add_argument("--record", action="store_true", help="into results/reliability.csv")
    parser.add_argument("--until", type=int, help="executions of each harness in the record")
    parser.add_argument("--traces", action="store_true", help="the build that traces comparisons")
    parser.add_argument("--coverage", action="store_true", help="count the lines reached")
    parser.add_argument("--minimise", action="store_true", help="renew the committed corpora")
    arguments = parser.parse_args()
    target, way = ("binaries-traces", "traces") if arguments.traces else ("binaries", "fuzz")
    lacking = [name for name in arguments.harness if not (BUILD / way / name).is_file()]
    if lacking:
        parser.error(f"{', '.join(lacking)}: not built; `make -C native/fuzz {target}` does")
    if not (BUILD / "seeds").is_dir():
        fuzz_seeds.write(BUILD / "seeds")
    seconds = max(1, arguments.seconds // len(arguments.harness))
    recording = arguments.record or arguments.until is not None
    found = False
    left = list(arguments.harness)
    while left and not found:
        for name in left:
            found |= fuzz(name, seconds, traces=arguments.traces, recording=recording)
        left = [name for name in left if recorded(name) < (arguments.until or 0)]
    if arguments.minimise:
        for name in arguments.harness:
            minimise(name)
    if arguments.coverage:
        start = time.monotonic()
        lines, missed = coverage()
        print(f"coverage: {lines - missed} of {lines} parser lines")
        if recording:
            mic.publishing.reliability.record(
                "fuzzing, lines that no input reaches",
                unit="lines of the parser",
                count=lines,
                failures=missed,
                seconds=time.monotonic() - start,
            )
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
