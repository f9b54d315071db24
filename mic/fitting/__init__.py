"""Training on one's own videos: a folder of class folders in, a network for `mic predict` out.

    result = mic.fitting.fit("my-videos", "my-model")
    result.accuracy, result.confusion, result.leakage        # on people not trained on
    mic.predict("new.mp4", weights="my-model/model.safetensors")

Videos go through the very steps of `mic.predict`: the face of the first picture is cropped and
followed by nothing but the stream. The shipped network is made by the same steps from generated
faces (`mic.fitting.shipped`).
"""

from mic.fitting.clips import Labelled, Recipe, class_folders
from mic.fitting.training import Fit, fit

__all__ = ["Fit", "Labelled", "Recipe", "class_folders", "fit"]
