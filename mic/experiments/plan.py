"""The rows of our tables, defined once, so that notebooks share the cells they have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from mic.config import Profile
from mic.errors import ConfigError
from mic.experiments import given, settings
from mic.experiments.cells import Cell, grid
from mic.experiments.data import Dataset
from mic.experiments.recoded import recoded
from mic.inputs.tensors import Kind, Representation
from mic.models.expression import Backbone
from mic.models.mic import Method
from mic.peers import PeerMethod
from mic.training.schedules import Schedule

# Generated protocol and the dataset whose shape it has.
PROTOCOLS: Mapping[str, str] = {name: given.COUNTERPARTS[name] for name in given.LABELLED}

# The papers' ablation: what each row changes in MIC.
PAPER_ROWS: Mapping[str, Mapping[str, Any]] = {
    "MIC": {},
    "MIC-MI": {"regulariser": "none"},
    "MIC-MI+Adv": {"regulariser": "discriminator"},
    "MIC-Î": {"beta": 0.0},
    "MIC+T": {"motion": True},
    "MIC+ResNet6": {"backbone": "resnet6"},
}

# What else may keep z_E and z_I apart, what tells most first. Kernel measures lie in [0, 1] and
# take a larger weight than estimates in nats.
REGULARISERS: Mapping[str, Mapping[str, Any]] = {
    "none": {"regulariser": "none"},
    "MINE (MIC)": {},
    "discriminator": {"regulariser": "discriminator"},
    "erasure": {"regulariser": "none", "erase": True},
    "nHSIC": {"regulariser": "nhsic", "alpha": 1.0},
    "nHSIC + erasure": {"regulariser": "nhsic", "alpha": 1.0, "erase": True},
    "dCor": {"regulariser": "dcor", "alpha": 1.0},
    "SMILE": {"regulariser": "smile"},
    "vCLUB": {"regulariser": "vclub", "alpha": 0.01},
    "reversal": {"regulariser": "reversal"},
    "NWJ": {"regulariser": "nwj"},
    "InfoNCE": {"regulariser": "infonce"},
    "Gaussian MI": {"regulariser": "copula", "alpha": 0.01},
}

# The first needs a decoder; it is what the others are measured against.
REPRESENTATIONS: Mapping[str, Mapping[str, Any]] = {
    "decoded - I-frame": {"kind": "decoded"},
    "accumulated": {"kind": "accumulated"},
    "accumulated, CoViAR": {"kind": "accumulated_coviar"},
    "raw residuals (the papers)": {"kind": "raw"},
    "segment sums": {"kind": "segment"},
    "motion vectors": {"kind": "motion"},
    "decoded frames": {"kind": "decoded_frames"},
    "I-frame carried + accumulated": {"kind": "carried"},
}
# Those that say what is lost without a decoder, for the protocols beside synth-ck.
REFERENCES = (
    "decoded - I-frame",
    "accumulated",
    "raw residuals (the papers)",
    "decoded frames",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """A row of the speed study: what the network sees and how large it is.

    Attributes:
        changes: Of the method.
        kind: Of the representation.
        coarser: Times the scale that others see; 1/8 of the picture is the end.
        fewer: Into how many parts the number of frames is divided.
    """

    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: Kind = "accumulated"
    coarser: int = 1
    fewer: int = 1

    def method(self, config: Profile) -> Method:
        """MIC as the profile has it, changed."""
        return method(config, **self.changes)

    def representation(self, like: Representation) -> Representation:
        """Another row's representation, changed; motion comes where the method reads it."""
        return dataclasses.replace(
            like,
            kind=self.kind,
            steps=max(1, like.steps // self.fewer),
            scale=min(8, like.scale * self.coarser),
            with_motion=bool(self.changes.get("motion", False)),
        )


_SMALL: Mapping[str, Any] = {"feature_size": 128, "z_size": 128}
# What validation people of `synth-ck` chose for MIC, with its terms and without (`results/equal`).
SEARCHED: Mapping[str, Any] = {"grid": 4}

# What is timed, and trained in the same form to see what it is worth. The fast ones take what
# costs no more than parsing, at half the size and of half the frames, into a quarter of the LSTM's
# width; on the validation people of `synth-ck` that was no worse.
SPEED_ROWS: Mapping[str, Variant] = {
    "MIC": Variant(changes=SEARCHED),
    "MIC-fast": Variant(kind="running", coarser=2, fewer=2, changes=_SMALL),
    "MIC-fast, raw": Variant(kind="raw", coarser=2, fewer=2, changes=_SMALL),
    "MIC, raw residuals": Variant(kind="raw", changes=SEARCHED),
    "MIC, half size": Variant(coarser=2, changes=SEARCHED),
    "MIC+T": Variant(changes={"motion": True, **SEARCHED}),
    "MIC+ResNet6": Variant(changes={"backbone": "resnet6", **SEARCHED}),
}

# One knob at a time, of `mic.experiments.sensitivity`.
SWEEPS: Mapping[str, Sequence[Any]] = {
    "alpha": (0.1, 0.3, 1.0),
    "beta": (0.0, 0.5, 1.0),
    "steps": (4, 16),
    "scale": (2, 4),
    "vop_quant": (2, 8, 20),
    "gop": ("one", 12),
    "identity network": ("mobilefacenet", "known", "dlib"),
}


def dataset(name: str, config: Profile) -> Dataset:
    """A dataset by its name or as `NAME=PATH`, with the default identity network.

    See `mic.experiments.given` for what may be given.
    """
    (one,) = given.parse([name])
    return given.load(one, config)


def backbone(config: Profile) -> Backbone:
    """The profile's, by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    names: tuple[Backbone, ...] = get_args(Backbone)
    for known in names:
        if known == config.backbone:
            return known
    raise ConfigError(
        f"there is no backbone {config.backbone!r}",
        remedy=f"choose one of {', '.join(names)}",
    )


def method(config: Profile, **changes: Any) -> Method:
    """MIC as the profile has it, with changes."""
    return dataclasses.replace(Method(backbone=backbone(config)), **changes)


def schedule(config: Profile, *, data: str = "", **changes: Any) -> Schedule:
    """The training that the profile asks for on a dataset, with changes.

    Args:
        config: The profile.
        data: Name of the dataset: `paper` trains each of the paper's as it says.
        **changes: Fields of `Schedule`.
    """
    return dataclasses.replace(settings.schedule(config, given.counterpart(data)), **changes)


def representation(config: Profile, **changes: Any) -> Representation:
    """Residuals of the profile's kind, in its number and scale, with changes."""
    like = Representation(kind=settings.kind(config), steps=config.steps, scale=config.scale)
    return dataclasses.replace(like, **changes)


def rows(config: Profile, table: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a table that the profile computes, its reference row included."""
    return dict(list(table.items())[: config.rows or None])


def values(data: Dataset, config: Profile, knob: str) -> list[Any]:
    """The values of a knob of `SWEEPS` that the profile computes and the dataset can answer."""
    found = SWEEPS[knob][: config.rows or None]
    return [value for value in found if value != "known" or data.generated]


def methods(
    config: Profile, table: Mapping[str, Mapping[str, Any]], *, searched: bool = False
) -> dict[str, Method]:
    """The methods of a table such as `PAPER_ROWS`, those rows that the profile computes.

    Args:
        config: The profile.
        table: What each row changes.
        searched: Whether all have `SEARCHED` besides, as peers have the grids chosen for them.
    """
    also = SEARCHED if searched else {}
    return {row: method(config, **changes, **also) for row, changes in rows(config, table).items()}


def variant_cells(data: Dataset, config: Profile, table: Mapping[str, Variant]) -> list[Cell]:
    """Cells of rows that differ in what they see, over the profile's folds and seeds."""
    found = []
    for row, variant in table.items():
        like = variant.representation(representation(config))
        found += cells(data, config, {row: variant.method(config)}, like=like)
    return found


def cells(
    data: Dataset,
    config: Profile,
    table: Mapping[str, Method | PeerMethod],
    *,
    like: Representation | None = None,
    folds: int | None = None,
    seeds: Sequence[int] | None = None,
    **options: Any,
) -> list[Cell]:
    """Cells of some rows over the profile's folds and seeds.

    Args:
        data: The dataset.
        config: Folds, seeds, epochs, representation.
        table: Rows, name and method.
        like: Another representation than the profile's.
        folds: Another number of folds than the profile's.
        seeds: Other seeds than the profile's.
        **options: Further arguments of `grid`, `schedule` and `target` for instance.
    """
    options = {"schedule": schedule(config, data=data.name), "parts": config.parts, **options}
    return grid(
        data,
        table,
        representation=like or representation(config),
        folds=config.folds if folds is None else folds,
        seeds=range(config.seed, config.seed + config.seeds) if seeds is None else seeds,
        **options,
    )


def swept(
    data: Dataset, config: Profile, knob: str, value: Any
) -> tuple[Dataset, dict[str, Method], Representation]:
    """What one value of a knob of `SWEEPS` changes, all else as the profile has it.

    Args:
        data: The dataset.
        config: The profile.
        knob: A key of `SWEEPS`.
        value: One of its values.

    Returns:
        The dataset (re-encoded, for a knob of the stream), a row named as the value, and the
        representation: what `cells` takes.
    """
    change, look = {}, {}
    if knob in ("alpha", "beta"):
        change = {knob: value}
    elif knob in ("steps", "scale"):
        look = {knob: value}
    elif knob == "identity network":
        data = dataclasses.replace(data, network=value)
    elif (knob, value) not in (("vop_quant", 2), ("gop", "one")):  # what the clips are coded with
        copies = recoded(data.manifest, jobs=config.worker_count(), **{knob: value})
        data = dataclasses.replace(data, manifest=copies)
    return data, {str(value): method(config, **change)}, representation(config, **look)
