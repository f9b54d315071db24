"""What is coded in a video, as arrays, pictures or a film: `mic.extract` and `mic extract`.

    mic.extract("face.mp4", "face.npz", what=("residual", "motion"), scale=2)
    with numpy.load("face.npz") as data:
        data["residual"]                     # int16 (T, H / 2, W / 2, 3)

Videos of any length pass through in chunks; the output appears whole or not at all.
"""

from mic.extraction.extract import ExtractReport, extract

__all__ = ["ExtractReport", "extract"]
