"""Low bit rate on more people: the trained networks of notebook 08, tested on people nobody saw.

    python -m campaigns.lowrate run [--seeds 15]               # from tests/; resumable
    python -m campaigns.lowrate publish [--seeds 15] [--results ../results] [--quick]

`run` draws the people, trains what is not in the store (nothing, after notebooks 05 and 08 of the
default profile) and predicts; then it sends labels, features and videos and attacks them.
`publish` writes results/lowrate/ from what is stored, `--quick` without non-joint-S, whose faces
take longer to restore than all else.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mic.config import Profile, load
from mic.experiments import given
from mic.lowrate import claims, crowd, methods, paper, residuals, sending, study
from mic.lowrate import sequences as valence
from mic.lowrate.transmission import Channel
from mic.lowrate.views import Corpus
from mic.models.mic import Method
from mic.publishing import plots, results
from mic.training.schedules import Schedule

SEEDS = 15  # of `synth-avec`, from 1 on: 18 people each, none of them trained on
_STEP = 3  # every third of the drawn pictures is scored: neighbours, 0.2 s apart, say the same


def comparison(config: Profile, seeds: int) -> study.Study:
    """Notebook 08's training corpus, and the crowd of so many seeds to test on."""
    manifest = given.rated([], config)
    trained = valence.load(manifest, "train")
    shortest = min(len(one.valence) / one.frame_rate for one in trained)
    candidates = np.arange(0.0, min(4.4, shortest / 3), 0.4).round(1)
    thin = [valence.thinned(one, 5) for one in trained]
    delay, _ = valence.estimate_delay(thin, list(candidates))
    tested = crowd.people(config, range(1, seeds + 1))
    return study.Study(
        Corpus.store([valence.compensated(one, delay) for one in trained], step=5),
        Corpus.store([valence.compensated(one, delay) for one in tested], step=_STEP),
        config.factors,
        study.recipe_for(config),
        resamples=config.bootstrap,
    )


def senders(config: Profile) -> sending.Senders:
    """Notebook 08's ladder of residual networks, and notebook 05's networks."""
    data = given.first([], config)
    rungs = ((1, 2), (1, 10), (2, 6), (4, 6))
    ladder = residuals.Ladder(
        manifest=data.manifest,
        identity=np.nan_to_num(data.identities()),
        rungs=tuple(residuals.Rung(factor=f, quantiser=q) for f, q in rungs),
        method=Method(beta=0.0),
        schedule=Schedule(epochs=config.epochs),
        steps=8,
        edge=config.size // 4,
        folds=max(2, config.folds),
        seed=config.seed,
    )
    return sending.Senders(data=data, config=config, ladder=ladder)


def run(compared: study.Study) -> None:
    """Predicts what is not stored, a network and a channel at a time: it may be stopped."""
    sharp = Channel()
    methods.run(
        [(methods.high_resolution(compared.recipe), [sharp])], compared.train, compared.test
    )
    # Cells that restore faces take most of the time and come last.
    cells = [
        (c, Channel(factor=f)) for f in compared.factors for c in compared.methods(f).values()
    ]
    for cell, channel in sorted(cells, key=lambda pair: pair[0].use == "separate"):
        methods.run([(cell, [channel])], compared.train, compared.test)
        print(f"factor {channel.factor}, {cell.use}, trained on {len(cell.train)}", flush=True)
    sending.table(senders(load("default", jobs=1)))  # keeps what attackers found


def figure(table: pd.DataFrame) -> Figure:
    """CCC by factor, a line a method, with intervals, from the constant's 0 to 1."""
    made = Figure(figsize=(7.2, 4.0), layout="constrained")
    axis = made.subplots()
    factors = sorted(set(table["factor"]))
    shown = table[table["method"] != study.CONSTANT]
    for turn, (name, part) in enumerate(shown.groupby("method", sort=False)):
        places = np.array([factors.index(factor) for factor in part["factor"]])
        spread = np.stack([part["ccc"] - part["ccc_low"], part["ccc_high"] - part["ccc"]])
        axis.errorbar(
            places + 0.09 * (turn - 2), part["ccc"], spread, marker="osD^v"[turn], label=name
        )
    axis.axhline(0, color="0.4", linestyle=":", label="constant")
    axis.set_xticks(range(len(factors)), [f"1/{factor}" for factor in factors])
    axis.set(xlabel="size sent", ylabel="CCC (95 % interval over people)", ylim=(-0.1, 1))
    axis.legend(ncols=3)
    return made


def sending_figure(table: pd.DataFrame) -> Figure:
    """Accuracy and leakage over the rate, a line a kind of message, with intervals over people."""
    made = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = made.subplots(1, 2, sharex=True)
    texts = {
        "accuracy": "accuracy (95 % interval over people)",
        "auc": "strongest attacker's AUC: same person?",
    }
    for axis, (name, text) in zip(panels, texts.items(), strict=True):
        for turn, (sent, part) in enumerate(table.groupby("sent", sort=False)):
            spread = [part[name] - part[f"{name}_low"], part[f"{name}_high"] - part[name]]
            axis.errorbar(
                part["bit_rate"] / 1000,
                part[name],
                np.maximum(spread, 0),
                marker="*osPD^"[turn],
                markersize=10 if sent == sending.LABEL else 5,
                elinewidth=0.8,
                label=sent,
            )
        axis.set_xscale("log")
        axis.set(xlabel="kbit/s", ylabel=text)
    panels[0].set_ylim(0, 1.02)
    panels[1].set_ylim(0.4, 1.02)
    panels[1].axhline(0.5, color="0.4", linestyle=":")
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return made


def _sizes(table: pd.DataFrame) -> list[str]:
    """What a table was asked about, for its caption: pictures or clips, and people."""
    return [f"n {table['n'].max()}", f"{table['subjects'].max()} people"]


def publish(compared: study.Study, folder: str, *, seeds: int, quick: bool) -> None:
    """Writes the tables and the figure."""
    names = ("lowrate_people", "lowrate_people_gains", "lowrate_people_claims")
    sent = "lowrate_sending"
    made = results.Run(
        "lowrate",
        load("default"),
        tables=(*names, sent),
        figures=(names[0], sent),
        folder=folder,
    )
    made.uses("synth-avec, training people", compared.train.digest)
    made.uses(f"synth-avec, seeds 1 to {seeds}", compared.test.digest)
    table = study.factor_table(compared, without=["non-joint-S"] if quick else [])
    for name, frame, caption in (
        (names[0], table, "Valence of people of other seeds: method by factor, uncoded."),
        (names[1], study.gain_table(compared), "CCC that joint-OA gains, on the same people."),
        (
            names[2],
            paper.claim_table(compared, separate=not quick),
            "The paper's claims on uncoded faces.",
        ),
    ):
        text = made.caption(caption, *_sizes(frame))
        made.table(frame, name, caption=text, columns=claims.describe(frame))
    made.figure(figure(table), names[0])
    everything = senders(load("default", jobs=1))
    for source, digest in everything.data.sources().items():
        made.uses(source, digest)
    made.table(
        found := sending.table(everything),
        sent,
        caption=made.caption(
            "What may be sent of a clip: rate, accuracy, and what it tells of the person.",
            *_sizes(found),
        ),
        columns=sending.COLUMNS,
    )
    made.figure(sending_figure(found), sent)
    made.complete()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--results", default="../results")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    plots.use_style()
    compared = comparison(load("default", jobs=1), options.seeds)
    if options.what == "run":
        run(compared)
    else:
        publish(compared, options.results, seeds=options.seeds, quick=options.quick)


if __name__ == "__main__":
    main()
