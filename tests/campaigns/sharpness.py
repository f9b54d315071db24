"""How much fine detail is left of faces that were blurred, enlarged, made smaller or coded.

    cd tests && python -m campaigns.sharpness FOLDER ...

of pictures of the films in the folders given and of three assets. It prints what
`mic/faces/sharpness.py` and docs/columns.md quote: a line a treatment, and how many are called
blurred.
"""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from campaigns.light import FILMS
from campaigns.tilt import looked
from mic import codec
from mic.faces.blazeface import BlazeFace
from mic.faces.landmarks import Landmarker
from mic.faces.sharpness import BLURRED, detail
from mic.storage import assets

_EVERY, _FIRST, _LAST = 20, 5, 80
Treatment = Callable[[Image.Image, float], Image.Image]


def smaller(across: float) -> Treatment:
    """A face as if it were so many samples across; none where it is smaller."""

    def treated(image: Image.Image, face: float) -> Image.Image:
        factor = min(1.0, across / face)
        size = (round(image.width * factor), round(image.height * factor))
        return image.resize(size, Image.Resampling.BICUBIC)

    return treated


def enlarged(across: float) -> Treatment:
    """A face of so many samples across, in as many as it had."""

    def treated(image: Image.Image, face: float) -> Image.Image:
        return smaller(across)(image, face).resize(image.size, Image.Resampling.BICUBIC)

    return treated


def blurred(part: float) -> Treatment:
    """A Gauss filter whose deviation is a part of the face."""
    return lambda image, face: image.filter(ImageFilter.GaussianBlur(float(part * face)))


def coded(quality: int) -> Treatment:
    """JPEG."""

    def treated(image: Image.Image, face: float) -> Image.Image:
        kept = io.BytesIO()
        image.save(kept, "JPEG", quality=quality)
        return Image.open(kept).convert("RGB")

    return treated


TREATMENTS: dict[str, Treatment] = {
    "as it is": lambda image, face: image,
    **{f"{across} samples": smaller(across) for across in (90, 75, 60, 50, 40)},
    **{f"JPEG {quality}": coded(quality) for quality in (50, 20, 10, 5)},
    **{f"blurred by {part:.1%}": blurred(part) for part in (0.01, 0.015, 0.02, 0.03, 0.04, 0.05)},
    **{f"enlarged from {across}": enlarged(across) for across in (48, 36, 30, 24, 16)},
}


def main() -> None:
    """Prints the table."""
    finder, landmarker = BlazeFace(), Landmarker()
    found: dict[str, list[float]] = {name: [] for name in TREATMENTS}
    for path in [*codec.videos_in(sys.argv[1:]), *map(assets.path, FILMS)]:
        for picture in itertools.islice(codec.decode(path), _FIRST, _LAST + 1, _EVERY):
            mesh = looked(picture, finder, landmarker)
            if mesh is None:
                continue
            face = float(max(mesh.box[2:] - mesh.box[:2]))
            for name, treatment in TREATMENTS.items():
                treated = np.asarray(treatment(Image.fromarray(picture), face))
                again = looked(treated, finder, landmarker)
                if again is not None:
                    found[name].append(detail(treated, again))
    print("treatment,faces,least,median,most,called_blurred")
    for name, values in found.items():
        least, middle, most = np.percentile(values, (0, 50, 100))
        called = sum(value < BLURRED for value in values)
        print(f"{name},{len(values)},{least:.5f},{middle:.5f},{most:.5f},{called}")


if __name__ == "__main__":
    main()
