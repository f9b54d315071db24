"""Datasets: one reader each, from its published folder layout to one manifest schema.

    from mic import config, datasets

    manifest = datasets.load("synth-ck", config.load())       # generated at the first call
    manifest = datasets.load("ckplus", config.load(), path="/data/CK+")
    for line in datasets.fetch("mmi", path="/data/MMI").lines(): ...

The readers of published layouts are in `readers`, the schema and the splits in `mic.manifest`.
"""

from mic.datasets.published import DATASETS, Report, available, fetch, load

__all__ = ["DATASETS", "Report", "available", "fetch", "load"]
