"""What the campaigns that publish one study have in common: arguments, profile, style."""

import argparse
from pathlib import Path

from mic.config import Profile, load
from mic.publishing import plots

COMMITTED = "../results"


def asked(
    text: str,
    *,
    seconds: float | None = None,
    folds: int | None = None,
    data: str | None = None,
    seeds: int | None = None,
) -> tuple[argparse.Namespace, Profile]:
    """What the command line asks for; figures get the house's style.

    Args:
        text: The campaign's docstring, whose first line `--help` shows.
        seconds: Of a campaign that is resumed: after which no further training is begun. It has
            the words `run` and `publish`.
        folds: Of a campaign that may test fewer: how many unless told otherwise.
        data: Of a campaign that also runs on given data: what it runs on unless told otherwise.
            Tables of other data do not go over the committed ones.
        seeds: Of a campaign that may train several times: how often unless told otherwise.

    Returns:
        profile, results and what else was asked; the profile, one job.
    """
    parser = argparse.ArgumentParser(description=text.partition("\n")[0])
    if seconds is not None:
        parser.add_argument("what", choices=["run", "publish"])
        parser.add_argument("--seconds", type=float, default=seconds)
    if folds is not None:
        parser.add_argument("--folds", type=int, default=folds)
    if seeds is not None:
        parser.add_argument("--seeds", type=int, default=seeds)
    if data is not None:
        parser.add_argument("--data", default=data, metavar="NAME=FOLDER")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--results", default=COMMITTED)
    options = parser.parse_args()
    writes = seconds is None or options.what == "publish"
    over = Path(options.results).resolve() == Path(COMMITTED).resolve()
    if data is not None and options.data != data and writes and over:
        parser.error(f"{COMMITTED} holds the tables of {data}; name a folder with --results")
    plots.use_style()
    fewer = {} if folds is None else {"folds": options.folds}
    return options, load(options.profile, jobs=1, **fewer)
