"""What each notebook of the project writes, and the line that it begins with.

A notebook's parameters cell is followed by

    from mic.publishing import lesson

    config, run = lesson.start("02_residuals", vars())

which checks the parameters, and opens the `mic.publishing.results.Run` with the tables and
figures that `LESSONS` declares for it. The notebook's first cell names the same outputs for
readers; a test compares the two.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from mic import config, extras
from mic.errors import ConfigError
from mic.storage import provenance

with extras.needed():
    from mic.publishing.results import Run

# Parameters of the notebooks that also run on datasets that somebody gives: see `mic run --data`.
_GIVEN = ("datasets", "show_people")
# Parameters that are no fields of a profile, and what each has to be.
_TEXTS = "a list of texts, as [] or ['ckplus=/data/CK+']"
_KINDS = {
    "profile": (str, "a text, as 'smoke'"),
    "results_folder": (str, "a text, '' for the profile's own"),
    "datasets": (list, _TEXTS),
    "show_people": (bool, "True or False"),
    "clip": (str, "a text, as 'langer'"),
}
# Those that may name a file.
FILES = ("clip",)
# What lessons import beside `mic`, some of it in the middle of a long run.
_IMPORTED = ("IPython", "matplotlib", "pandas", "scipy", "sklearn", "torch")


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What one notebook declares.

    Attributes:
        tables: Names of the tables that it writes, all of them.
        figures: Names of the figures that it writes, all of them.
        parameters: Names of its own parameters, beside those that every notebook has:
            `profile`, `results_folder` and the fields of `mic.config.Profile`.
        committed: Whether it reads committed results, so that it needs a checkout.
    """

    tables: tuple[str, ...]
    figures: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    committed: bool = False


LESSONS: Mapping[str, Lesson] = {
    "00_workflow": Lesson(
        tables=("face_detection", "identity_networks", "zero_shot_expression"),
        figures=(
            "synthface_contact_sheet",
            "workflow",
            "identity_roc",
            "zero_shot_confusion",
            "residual_energy_map",
        ),
    ),
    "01_reencoding": Lesson(
        tables=("reencoding_clips", "reencoding_quality", "reencoding_gop", "reencoding_ladder"),
        figures=("reencoding_gop", "reencoding_ladder", "reencoding_rungs"),
    ),
    "02_residuals": Lesson(
        tables=("residual_exactness", "residual_energy"),
        figures=("residual_anatomy", "residual_frames", "residual_energy"),
        parameters=("clip",),
    ),
    "03_mine": Lesson(
        tables=("mi_closed_form", "mi_estimators", "mi_sample_size"),
        figures=("mi_estimators", "mi_min_min", "mi_sample_size"),
        committed=True,
    ),
    "04_training": Lesson(
        tables=("training_accuracy", "training_curves", "training_optimism"),
        figures=("training_curves", "training_accuracy"),
        parameters=_GIVEN,
        committed=True,
    ),
    "05_ablations": Lesson(
        tables=(
            "ablation_rows",
            "ablation_representations",
            "ablation_wild",
            "ablation_regularisers",
            "ablation_shift",
        ),
        figures=(
            "ablation_representations",
            "ablation_wild",
            "ablation_leakage",
        ),
        parameters=_GIVEN,
        committed=True,
    ),
    "06_confusion_matrices": Lesson(
        tables=(
            "confusion_counts",
            "confusion_recalls",
            "confusion_subjects",
            "confusion_hardest",
            "confusion_marks",
        ),
        figures=(
            "confusion_ck",
            "confusion_mmi",
            "confusion_afew",
            "confusion_calibration",
            "confusion_hardest",
            "confusion_features",
        ),
        parameters=_GIVEN,
    ),
    "07_speed": Lesson(
        tables=(
            "speed_methods",
            "speed_sizes",
            "speed_datasets",
            "speed_parts",
            "speed_engines",
            "speed_batches",
            "speed_parity",
            "speed_worth",
            "speed_aims",
            "peers",
            "peers_accuracy",
        ),
        figures=("speed_stages", "speed_parts", "speed_growth", "accuracy_over_time"),
        parameters=_GIVEN,
        committed=True,
    ),
    "08_low_bitrate": Lesson(
        tables=(
            "lowrate_delay",
            "lowrate_factors",
            "lowrate_gains",
            "lowrate_mixing",
            "lowrate_options",
            "lowrate_temporal",
            "lowrate_rates",
            "lowrate_codecs",
            "lowrate_hull",
            "lowrate_bd_rate",
            "lowrate_claims",
            "lowrate_residual",
            "lowrate_speed",
        ),
        figures=(
            "lowrate_bd_rate",
            "lowrate_examples",
            "lowrate_factors",
            "lowrate_features",
            "lowrate_mixing",
            "lowrate_rates",
            "lowrate_residual",
        ),
        parameters=_GIVEN,
        committed=True,
    ),
    "09_paper_comparison": Lesson(
        tables=("comparison_ck", "comparison_mmi", "comparison_afew", "comparison_apex"),
        figures=("comparison",),
        parameters=_GIVEN,
        committed=True,
    ),
    "10_real_people": Lesson(
        tables=(
            *("people_networks", "people_clips", "people_files", "people_codings"),
            "people_cost",
        ),
        figures=("people_confusion", "people_reliability", "people_course"),
    ),
    "11_transfer": Lesson(
        tables=(
            "transfer_inputs",
            "transfer_growth",
            "transfer_disfa",
            "transfer_clips",
            "transfer_holding",
            "transfer_speed",
        ),
        figures=(
            "transfer_scenes",
            "transfer_crops",
            "transfer_inputs",
            "transfer_growth",
            "transfer_disfa",
            "transfer_clips",
            "transfer_holding",
        ),
        committed=True,
    ),
}


def start(notebook: str, namespace: Mapping[str, Any]) -> tuple[config.Profile, Run]:
    """Begins a notebook: checks its parameters and opens its outputs.

    Called once, in the cell after the parameters: whatever is set by then is a parameter, so that
    a name mistyped on papermill's command line is an error here.

    Args:
        notebook: The notebook's name without suffix, one of `LESSONS`.
        namespace: The notebook's variables, `vars()`. `profile` names the preset, `results_folder`
            where results go (empty: see `mic.publishing.results.folder_of`).

    Returns:
        The profile that the parameters describe, and the run that takes tables and figures.

    Raises:
        ConfigError: No such notebook, or a parameter that it does not have.
        ResultError: See `mic.publishing.results.folder_of`.
        StorageError: The results folder cannot be written.
        ExtraError: Something that lessons import is not installed.
    """
    with extras.needed():
        for name in _IMPORTED:
            importlib.import_module(name)
    if notebook not in LESSONS:
        raise ConfigError(
            f"there is no notebook {notebook!r}",
            remedy="declare its outputs in `mic.publishing.lesson.LESSONS`, "
            "or open a `mic.publishing.results.Run` with outputs of your own",
        )
    declared = LESSONS[notebook]
    if isinstance(namespace.get("run"), Run):
        raise ConfigError(
            "this cell has run before",
            file=f"{notebook}.ipynb",
            remedy="restart the kernel and run all cells: parameters are read once",
        )
    if declared.committed and not (provenance.repository() / provenance.PUBLISHED).is_file():
        raise ConfigError(
            "reads committed results, and no checkout of mic is here",
            file=f"{notebook}.ipynb",
            remedy="run it in a clone of the repository, or clone that into this folder as "
            "mic-source",
        )
    _check(namespace)
    profile = config.from_notebook(namespace, extra=declared.parameters)
    run = Run(
        notebook,
        profile,
        tables=declared.tables,
        figures=declared.figures,
        folder=namespace.get("results_folder", ""),
        datasets=namespace.get("datasets", ()),
        show_people=namespace.get("show_people", False),
    )
    return profile, run


def _check(namespace: Mapping[str, Any]) -> None:
    """Refuses values that mean something else than was meant: papermill makes `false` a text."""
    for name, (kind, wanted) in _KINDS.items():
        value = namespace.get(name, kind())
        right = isinstance(value, kind)
        if name == "datasets" and isinstance(value, (list, tuple)):
            right = all(isinstance(one, str) for one in value)
        if not right:
            raise ConfigError(
                f"parameter {name!r} is {value!r}, a {type(value).__name__}",
                remedy=f"give {wanted}; papermill's -p takes it for a number, True, False or a "
                "text, its -y for whatever YAML says",
            )
