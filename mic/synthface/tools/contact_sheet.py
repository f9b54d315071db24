"""The contact sheet of generated faces: people by expressions.

Run as:

    python -m mic.synthface.tools.contact_sheet results/00_workflow/synthface_contact_sheet.png
"""

from __future__ import annotations

import io
import sys

import numpy as np
from PIL import Image

from mic.storage.atomic import write_bytes
from mic.synthface import light, scenery
from mic.synthface.action_units import PROTOTYPES, sample
from mic.synthface.camera import View
from mic.synthface.drawing import draw
from mic.synthface.protocols import seed_of
from mic.synthface.subject import Subject, subject


def portrait(person: Subject, label: str, *, seed: int, size: int) -> np.ndarray:
    """uint8 (size, size, 3): one posed expression in studio light, without sensor noise."""
    rng = np.random.default_rng((person.identity.seed, seed))
    lighting = light.studio(rng)
    wall = scenery.backdrop(rng, size)
    turn = tuple(rng.normal(0, [0.10, 0.05, 0.04]))
    activation = sample(rng, label, weakest=0.85, strongest=1.0)
    drawing = draw(
        person,
        activation,
        view=View(turn=turn),
        gaze=(-0.5 * turn[0], 0.0),
        lighting=lighting,
        size=size,
        spectacled=True,
    )
    return light.develop(drawing.layer.over(wall), np.zeros((size, size, 3), np.int16))


def contact_sheet(*, people: int = 8, size: int = 120, seed: int = 2) -> np.ndarray:
    """Rows of people, columns of expressions in the order of `PROTOTYPES`.

    Args:
        people: Rows.
        size: Pixels along either side of a face.
        seed: Seed of the people.
    """
    rows = []
    for k in range(people):
        person = subject(seed_of("contact sheet", seed, k))
        faces = [portrait(person, label, seed=seed, size=size) for label in PROTOTYPES]
        rows.append(np.concatenate(faces, axis=1))
    return np.concatenate(rows)


def main(target: str) -> None:
    """Writes the contact sheet as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(contact_sheet()).save(buffer, format="PNG", optimize=True)
    write_bytes(target, buffer.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
