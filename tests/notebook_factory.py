"""Small notebooks that keep the contract, for tests that break it on purpose."""

import io

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mic import config
from mic.publishing.notebooks import Runner

PARAMETERS = 'profile = "auto"\nresults_folder = ""\nepochs = None'
CONFIG = (
    "import mic.config\n"
    "config = mic.config.from_notebook(vars(), extra={own})\n"
    "from mic.publishing import results\n"
    'run = results.Run("{name}", config, tables=("numbers",), folder=results_folder)'
)
TABLE = (
    "import pandas as pd\n"
    'frame = pd.DataFrame({{"x": [{value}]}})\n'
    'run.table(frame, "numbers", caption="Numbers.", columns={{"x": "a number"}})'
)
COMPLETE = "run.complete()"


def write(
    folder,
    name="01_probe",
    *,
    sabotage="",
    value="config.epochs",
    last=COMPLETE,
    inputs="none",
    outputs="tables `numbers`",
    parameters="",
):
    """Writes a notebook; `sabotage` is the code of a cell before the last one."""
    own = [line.split(" = ")[0] for line in parameters.splitlines()]
    cells = [
        new_markdown_cell(
            f"# Probe\n\n**Inputs:** {inputs}\n\n**Outputs:** {outputs}\n\n"
            "**Run time:** not measured"
        ),
        new_code_cell(f"{PARAMETERS}\n{parameters}".strip(), metadata={"tags": ["parameters"]}),
        new_code_cell(CONFIG.format(name=name, own=own)),
        new_code_cell(TABLE.format(value=value)),
        *([new_code_cell(sabotage)] if sabotage else []),
        new_code_cell(last),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def runner(folder, **options):
    """Runs what `write` put into `notebooks` below a folder, into `results` beside it."""
    return Runner(
        folder / "notebooks",
        config.load("smoke"),
        folder=folder / "results",
        progress=io.StringIO(),
        **options,
    )


def numbers(folder):
    """The published column of that run."""
    return pd.read_csv(folder / "results/01_probe/numbers.csv")["x"].tolist()
