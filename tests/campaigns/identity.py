"""Identity removal where there is identity to remove, attacked; resumable.

    python -m campaigns.identity run [--folds 3] [--seeds 1] [--draws 1] [--seconds 3600]
    python -m campaigns.identity publish --results ../results      # from tests/

`run` erases and attacks what notebook 05 has trained, trains regularisers and their placebos on
decoded pictures, most wanted first, and plants known identity, until the time is over.
All of it lies in the store (`MIC_HOME`), so that each call goes on where the last one ended; with
more folds, seeds, draws and conditions asked for, it adds to what is there. `publish` makes
results/identity/ of the rows whose folds and seeds are all there, and says which are not.
"""

import argparse
import itertools
import time
from collections import Counter

from mic.config import Profile, load
from mic.experiments import inversion, plan, removal, removal_tables
from mic.experiments.cells import compute, is_stored
from mic.experiments.data import Dataset
from mic.experiments.removal import Planting, Way
from mic.processes.workers import torch_threads
from mic.publishing import plots, results

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2)
# What faces are drawn from.
DRAWN = (removal.NONE, "MINE (MIC)", "linear, z_I", "kernel, names")


def ways(options: argparse.Namespace, data: Dataset, config: Profile) -> list[Way]:
    """All that is asked for, what is wanted most first; what needs no training before the rest."""
    found = []
    for condition in options.conditions:
        alone = removal.left_alone(data, config, condition, folds=options.folds)
        found += alone
        for way in alone:
            found += removal.erased(way, draws=options.draws)
    trained = removal.trained(data, config, folds=options.folds, seeds=options.seeds)
    found += removal.answers(trained)
    return found + [way for way in trained if way.row != removal.NONE]


def plantings(options: argparse.Namespace, data: Dataset, config: Profile) -> list[Planting]:
    """Known identity in the features of the first condition, a draw a fold."""
    alone = removal.left_alone(data, config, options.conditions[0], folds=options.folds)
    rounds = range(options.draws)
    return [
        Planting(alone=way, code=code, share=share, draw=turn * options.folds + place)
        for turn in rounds
        for code, share in itertools.product(("trace", "sign"), SHARES)
        for place, way in enumerate(alone)
    ]


def run(options: argparse.Namespace) -> None:
    """Attacks, plants and trains what is missing, until the time is over."""
    deadline = time.monotonic() + options.seconds
    config = load(options.profile, jobs=1)
    data = plan.dataset("synth-ck", config)
    asked = ways(options, data, config)
    work = [*asked, *plantings(options, data, config)]
    with torch_threads(1):
        for number, one in enumerate(work, 1):
            if time.monotonic() > deadline:
                print(f"stopped in front of {number} of {len(work)}")
                return
            start = time.process_time()
            if isinstance(one, Planting):
                name = f"planted, {one.code}, {one.share:g}, draw {one.draw}"
                removal.seen(one, compute(one.alone.data, one.alone.cell))
            else:
                name = f"{one.row}, {one.cell.split}, seed {one.cell.seed}, draw {one.draw}"
                removal.attacked(one, compute(one.data, one.cell))
            print(f"{number} of {len(work)}: {name}: {time.process_time() - start:.0f} s")


def drawings(data: Dataset, config: Profile) -> list[list[inversion.Drawn]]:
    """What is drawn of each part of the people whose trainings are stored."""
    known = removal.trained(data, config, folds=config.folds, seeds=1)
    pictures = inversion.aligned(data)
    plain = plan.method(config, regulariser="none", beta=0.0)
    found = []
    for cell in plan.cells(data, config, {"none": plain}, folds=config.folds, seeds=[0]):
        mine = [way for way in known if way.cell.split == cell.split]
        ways = {way.row: way for way in mine if way.row in DRAWN}
        ways |= {way.row: way for way in removal.erased(ways[removal.NONE], draws=1)}
        residuals = Way(
            condition="residuals", row="none, residuals", placebo_of="", data=data, cell=cell
        )
        chosen = [*(ways[row] for row in DRAWN), residuals]
        if all(is_stored(way.data, way.cell) for way in chosen):
            done = [(way, compute(way.data, way.cell)) for way in chosen]
            found.append(inversion.drawings(done, pictures))
    return found


def publish(options: argparse.Namespace) -> None:
    """Tables and figures of what `run` left."""
    config = load(options.profile, jobs=1)
    data = plan.dataset("synth-ck", config)
    asked = ways(options, data, config)
    whole = Counter(way.row for way in asked)
    stored = [way for way in asked if removal.is_attacked(way) and is_stored(way.data, way.cell)]
    there = Counter(way.row for way in stored)
    missing = sorted(row for row in whole if there[row] < whole[row])
    kept = [way for way in stored if way.row not in missing]
    found = [(way, removal.attacked(way, compute(way.data, way.cell))) for way in kept]
    planted = [one for one in plantings(options, data, config) if removal.is_seen(one)]
    power = [(one, removal.seen(one, compute(data, one.alone.cell))) for one in planted]
    alone = {
        condition: [
            compute(way.data, way.cell)
            for way in removal.left_alone(data, config, condition, folds=options.folds)
        ]
        for condition in options.conditions
    }
    run = results.Run(
        "identity",
        config,
        tables=(
            *("identity_removal", "identity_attacks", "identity_power", "identity_regression"),
            "identity_inversion",
        ),
        figures=("identity_attacks", "identity_power", "identity_inversion"),
        folder=options.results,
    )
    for source, digest in data.sources().items():
        run.uses(source, digest)
    people = len(set(data.manifest.column("subject")))
    size = (
        f"{data.name}: n {len(data.manifest)}, {people} people in {options.folds} parts; "
        f"{options.seeds} seed, {options.draws} draw a part; profile {config.name}"
    )
    attacks = removal_tables.attacks_table(found)
    run.table(
        attacks,
        "identity_attacks",
        caption=f"Attackers on unseen people, by way of removing identity. {size}.",
        columns=removal_tables.ATTACKS,
    )
    run.table(
        removal_tables.summary_table(found, attacks),
        "identity_removal",
        caption=f"What the strongest attacker finds, and what removal costs. {size}.",
        columns=removal_tables.SUMMARY,
    )
    seen = removal_tables.power_table(power)
    run.table(
        seen,
        "identity_power",
        caption=f"What each attacker sees of planted identity of a known amount. {size}.",
        columns=removal_tables.POWER,
    )
    run.table(
        removal_tables.regression_table(
            alone, data.identities(), data.coefficients(), data.gains()
        ),
        "identity_regression",
        caption=f"R2 of identity coefficients beside verification, on the same clips. {size}.",
        columns=removal_tables.REGRESSION,
    )
    drawn = drawings(data, config)
    reached = run.table(
        inversion.table(drawn, data),
        "identity_inversion",
        caption=f"Faces drawn from features: does face recognition find the person? {size}.",
        columns=inversion.COLUMNS,
    )
    run.figure(inversion.figure(drawn[0], reached), "identity_inversion")
    run.figure(removal_tables.figure(attacks), "identity_attacks")
    run.figure(removal_tables.power_figure(seen), "identity_power")
    run.complete()
    if missing:
        print(f"not whole, left out: {', '.join(missing)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("--profile", default="default")
    parser.add_argument(
        "--conditions", nargs="+", choices=removal.CONDITIONS, default=[removal.PICTURES]
    )
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--results", default="../results")
    options = parser.parse_args()
    plots.use_style()
    (run if options.what == "run" else publish)(options)


if __name__ == "__main__":
    main()
