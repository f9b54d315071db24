"""Outcomes of trainings that never ran: twenty people of a part, a clip of each of two classes."""

import numpy as np

from mic.experiments.cells import HISTORY, Outcome

PEOPLE = 20
TRUTH = np.tile([0, 1], PEOPLE)


def outcome(cell, answers, *, epochs=None, history=None):
    """What a cell that reads these answers comes to; its people are of its part alone.

    Args:
        cell: The cell.
        answers: (epochs that were read, clips) classes; the last line is what the tables count.
        epochs: The epochs that were read; 1, 2, ... by default.
        history: Values of `HISTORY` by name, a number an epoch of the training; NaN elsewhere.
    """
    answers = np.atleast_2d(answers)
    people = np.repeat([f"{cell.split}/{person}" for person in range(PEOPLE)], 2)
    told = np.full((cell.schedule.epochs, len(HISTORY)), np.nan)
    for name, values in (history or {}).items():
        told[:, HISTORY.index(name)] = values
    return Outcome(
        cell=cell,
        dataset="synth-ck",
        classes=("a", "b"),
        train=np.arange(0),
        test=np.arange(len(TRUTH)),
        names=tuple(f"{person}-{take}" for take, person in enumerate(people)),
        subjects=people,
        labels=TRUTH,
        logits=np.eye(2)[answers[-1]],
        z=np.zeros((len(TRUTH), 2)),
        epochs=np.arange(1, len(answers) + 1) if epochs is None else np.asarray(epochs),
        curve=answers,
        history=told,
    )
