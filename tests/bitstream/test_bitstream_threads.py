"""Threads are kept between calls, and forks find none of them: plainly and in a DataLoader."""

import os
import subprocess
import sys

import pytest
from oracles.encoders import Options, synthetic

# Each in a process of its own, which has no other threads than the parser's.
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

FORKS = """
import os
import sys
import numpy as np
import mic_bitstream

def threads():
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1

def samples(count):
    found = stream.residual(threads=count)
    sums = stream.accumulated(threads=count)
    return [found.y, found.cb, found.cr, sums.y, sums.broken, stream.motion(threads=count).blocks]

def same(count):
    return all(map(np.array_equal, samples(count), expected))

def child_is_right():
    child = os.fork()
    if child == 0:
        right = same(2)
        # A child's child as well; its own threads are as little in the way.
        if right and os.fork() == 0:
            os._exit(0 if same(2) else 1)
        os._exit(0 if right and os.wait()[1] == 0 else 1)
    return os.waitpid(child, 0)[1] == 0

stream = mic_bitstream.open(sys.argv[1])
expected = samples(1)
alone = threads()
assert same(2)
if sys.platform == "linux":
    assert threads() > alone, "threads stay for the next call"
for _ in range(5):
    assert child_is_right()
    assert threads() == alone, "none stays when the process forks"
    assert same(3)
print("right")
"""

LOADER = """
import sys
import torch
from torch.utils.data import DataLoader, Dataset
import mic_bitstream

torch.set_num_threads(1)

class Sums(Dataset):
    def __init__(self, stream):
        self.stream = stream
    def __len__(self):
        return 8
    def __getitem__(self, index):
        first = index * 2
        rows = self.stream.residual(range(first, first + 2), threads=2)
        return torch.from_numpy(rows.y.astype("int64").sum((1, 2)))

stream = mic_bitstream.open(sys.argv[1])
clips = Sums(stream)
expected = torch.stack([clips[k] for k in range(len(clips))])  # the parent has threads now
for _ in range(2):
    found = torch.cat(list(DataLoader(clips, 2, num_workers=2, multiprocessing_context="fork")))
    assert torch.equal(found, expected)
    assert torch.equal(clips[3], expected[3])
assert expected.any()
print("right")
"""


@pytest.mark.parametrize("program", [FORKS, LOADER], ids=["fork", "DataLoader"])
def test_forked_processes_have_threads_of_their_own(program, tmp_path):
    path = synthetic(tmp_path, Options(width=64, height=48, frames=16, gop=4, noise=3))
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(
        command, env=os.environ | ALONE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr
