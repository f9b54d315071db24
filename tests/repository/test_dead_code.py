"""Nothing in `mic` and its parser that neither they, a notebook, a tool nor a test calls."""

import re
import subprocess
import sys

import nbformat
from environment_file import ROOT

# What others call or read by these names, and facts that a caller may ask for.
CALLED = {
    "Python": {"__getattr__", "__dir__", "__class__", "__call__"},
    "PyAV": {"thread_count", "skip_frame"},
    "http.server": {
        *("daemon_threads", "allow_reuse_address", "protocol_version", "server_version"),
        *("sys_version", "do_GET", "do_POST", "log_message"),
    },
    "ONNX and its runtime": {
        *("ir_version", "producer_name", "intra_op_num_threads", "inter_op_num_threads"),
        *("log_severity_level", "get_next"),
    },
    "torch": {"_check_input_dim", "num_batches_tracked", "benchmark", "example_inputs"},
    "a key of functools.lru_cache": {"mtime_ns"},
    "tables, by dataclasses.asdict": {"probe_chance"},
}


def test_no_code_is_dead(tmp_path):
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        cells = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
        (tmp_path / f"{path.parent.name}_{path.stem}.py").write_text("\n\n".join(cells))
    command = [sys.executable, "-m", "vulture", "mic", "native", "tests", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    found = re.findall(r"(?m)^((?:mic|native/mic_bitstream)/\S+): unused \w+ '(\w+)'", done.stdout)
    allowed = set().union(*CALLED.values())
    assert [f"{place}: {name}" for place, name in found if name not in allowed] == []
