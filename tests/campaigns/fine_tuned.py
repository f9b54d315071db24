"""An attacker that fine-tunes the network, beside one with random weights; resumable.

    python -m campaigns.fine_tuned run [--seconds 3600]                     # from tests/
    python -m campaigns.fine_tuned publish [--results ../results]

`run` attacks what is not in the store until the time is over (two to five minutes a part of the
people). `publish` writes results/fine_tuned/ of the starts whose parts are all there.
"""

import time

from campaigns import front
from mic.experiments import fine_tuned, plan
from mic.processes.workers import torch_threads
from mic.publishing import results

NAMES = ("fine_tuned_attacks",)


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=3600.0)
    data = plan.dataset("synth-ck", config)
    deadline = time.monotonic() + options.seconds
    found = {}
    with torch_threads(1):
        for start in fine_tuned.STARTS:
            cells = start.cells(data, config)
            for cell in cells:
                if fine_tuned.is_attacked(data, start, cell):
                    continue
                if options.what == "publish" or time.monotonic() > deadline:
                    print(
                        f"not there: {fine_tuned.INPUTS[start.kind]}, {start.name}, {cell.split}"
                    )
                    break
                begun = time.process_time()
                fine_tuned.attacked(data, start, cell)
                spent = time.process_time() - begun
                print(f"{start.kind}, {start.name}, {cell.split}: {spent:.0f} s", flush=True)
            else:
                found[start] = [fine_tuned.attacked(data, start, cell) for cell in cells]
    if options.what == "run":
        return
    against = {start.kind for start in found if start.row == fine_tuned.RANDOM}
    found = {start: parts for start, parts in found.items() if start.kind in against}
    if not found:
        raise SystemExit("nothing is there to publish: run first")
    made = results.Run("fine_tuned", config, tables=NAMES, figures=NAMES, folder=options.results)
    for source, digest in data.sources().items():
        made.uses(source, digest)
    table = fine_tuned.table(found)
    table = made.table(
        table,
        NAMES[0],
        caption=f"Attackers that fine-tune the network, on unseen people. {data.name}: n "
        f"{len(data.manifest)}, {table['people'].max()} people in {table['folds'].max()} parts; "
        f"seed {config.seed}; profile {config.name}.",
        columns=fine_tuned.COLUMNS,
    )
    made.figure(fine_tuned.figure(table), NAMES[0])
    made.complete()


if __name__ == "__main__":
    main()
