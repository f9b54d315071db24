"""What an accuracy costs in bits: residuals against decoded pictures, BD-rates with intervals.

    python -m campaigns.class_rates run [--jobs 2]            # from tests/; resumable
    python -m campaigns.class_rates publish [--results ../results]

`run` sends `synth-ck` over nine sizes and quantisers and trains a network for each, on residuals
and on decoded pictures, and one on all of each; `publish` writes results/class_rates/ of what is
stored.
"""

from __future__ import annotations

import argparse
import dataclasses

import pandas as pd
from matplotlib.figure import Figure

from campaigns.lowrate import senders
from mic.config import Profile, load
from mic.experiments import given
from mic.lowrate import class_rates, residuals
from mic.lowrate.residuals import Ladder
from mic.lowrate.rungs import Rung
from mic.publishing import plots, results

RUNGS = ((1, 2), (1, 5), (1, 10), (1, 20), (2, 6), (2, 16), (4, 6), (4, 16), (8, 6))


def ladders(config: Profile) -> dict[str, Ladder]:
    """Notebook 08's network and training, on residuals and on pictures less the first."""
    made = dataclasses.replace(
        senders(config).ladder,
        rungs=tuple(Rung(factor=factor, quantiser=quantiser) for factor, quantiser in RUNGS),
        mixes=(residuals.MIXED,),
    )
    return {"residuals": made, "pictures": dataclasses.replace(made, shown="pictures")}


def figure(table: pd.DataFrame) -> Figure:
    """Accuracy over the rate, a panel a kind of model, from zero to one, with intervals.

    Lines join the rungs that no cheaper one equals.
    """
    models = list(dict.fromkeys(name.rpartition(", ")[2] for name in table["sender"]))
    made = Figure(figsize=(10.8, 3.9), layout="constrained")
    panels = made.subplots(1, len(models), sharex=True, sharey=True)
    for axis, model in zip(panels, models, strict=True):
        chosen = table[table["sender"].str.endswith(f", {model}")]
        for turn, (name, part) in enumerate(chosen.groupby("sender", sort=False)):
            ordered = part.sort_values("bit_rate")
            rates, found = ordered["bit_rate"] / 1000, ordered["accuracy"]
            style = {"marker": "osD"[turn], "color": f"C{turn}", "elinewidth": 0.8}
            label = str(name).rpartition(", ")[0]
            bars = plots.reach(ordered, "accuracy")
            axis.errorbar(rates, found, bars, linestyle="", label=label, **style)
            best = found > found.cummax().shift(fill_value=-1.0)
            axis.plot(rates[best], found[best], color=f"C{turn}", marker="")
        axis.set_xscale("log")
        axis.set(title=model, xlabel="kbit/s", ylim=(0, 1.02))
    panels[0].set_ylabel("accuracy (95 % interval over people)")
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return made


def publish(config: Profile, folder: str) -> None:
    """Writes the tables and the figure."""
    names = ("class_rates_accuracy", "class_rates_bd_rate")
    run = results.Run("class_rates", config, tables=names, figures=names[:1], folder=folder)
    made = ladders(config)
    for source, digest in given.first([], config).sources().items():
        run.uses(source, digest)
    found = class_rates.tables(made["residuals"], made["pictures"], resamples=config.bootstrap)
    sizes = [f"n {found[0]['n'].max()}", f"{found[0]['subjects'].max()} people"]
    captions = (
        "Accuracy over the rate of synth-ck: decoded pictures less the first, and accumulated "
        "residuals with and without the I-VOP's bits.",
        "BD-rate on accuracy against decoding for the network of the finest pictures; one "
        "training a model. Nine rungs of several sizes rise nowhere all along: points that are "
        "worthwhile.",
    )
    for name, table, caption in zip(names, found, captions, strict=True):
        columns = {column: class_rates.COLUMNS[column] for column in table}
        run.table(table, name, caption=run.caption(caption, *sizes), columns=columns)
    run.figure(figure(found[0]), names[0])
    run.complete()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--profile", default="default")
    parser.add_argument("--results", default="../results")
    options = parser.parse_args()
    plots.use_style()
    config = load(options.profile, jobs=options.jobs)
    if options.what == "publish":
        return publish(config, options.results)
    for name, ladder in ladders(config).items():
        residuals.run(ladder, jobs=options.jobs)
        print(f"{name}: trained and tested", flush=True)


if __name__ == "__main__":
    main()
