"""The same input gives the same bytes, run after run; other thread counts stay within a tolerance.

The tolerance: a training on another number of threads sums in another order, so its weights part
by rounding. After the few epochs here logits may differ by `TOLERANCE`; another seed makes them
differ by more. Rounding grows with every step: after a whole training, all but `PARTED` of the
weights are within `NEAR`. What the grid computes always runs on one thread: there, and for all
that is parsed or encoded, the bytes are the same whatever the number of threads.
"""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from campaigns.kills import published
from campaigns.stages import STAGES

import mic
import mic.publishing.reliability
from mic import bitstream, codec
from mic.inputs.tensors import ClipTensors
from mic.models.mic import Method, Mic
from mic.storage import weights
from mic.training.train import Schedule, Training, predict

TOLERANCE = 0.01
NEAR, PARTED = 0.05, 0.001
RUNS = 5


def trained(folder, *, threads=1, seed=1):
    """Checkpoint's bytes and logits of a small training."""
    draw = torch.Generator().manual_seed(0)
    count = 24
    data = ClipTensors(
        names=tuple(map(str, range(count))),
        subjects=tuple(str(k // 3) for k in range(count)),
        labels=torch.arange(count) % 3,
        classes=("a", "b", "c"),
        residual=torch.randint(-40, 41, (count, 4, 3, 32, 32), generator=draw, dtype=torch.int16),
        lengths=torch.full((count,), 4),
        identity=torch.randn(count, 8, generator=draw),
    )
    method = Method(width=8, feature_size=16, z_size=16, identity_size=4, critic_hidden=16, beta=0)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(seed)
        model = Mic(method, classes=3, identity=data.identity, steps=4, seed=seed)
        path = folder / "state.safetensors"
        schedule = Schedule(epochs=3, batch=12)
        for _ in Training(model, data, range(18), schedule=schedule, checkpoint=path).fit():
            pass
        return path.read_bytes(), predict(model, data, range(count)).logits
    finally:
        torch.set_num_threads(before)


def test_five_trainings_are_one(tmp_path):
    found = []
    for run in range(RUNS):
        (tmp_path / str(run)).mkdir()
        found.append(trained(tmp_path / str(run))[0])
        torch.rand(run)  # what else the process does must not matter
    assert len(set(found)) == 1


def test_trainings_on_other_thread_counts_agree_within_the_tolerance(tmp_path):
    _, one = trained(tmp_path, threads=1)
    for threads in (2, 3):
        (tmp_path / str(threads)).mkdir()
        _, other = trained(tmp_path / str(threads), threads=threads)
        np.testing.assert_allclose(other, one, rtol=0, atol=TOLERANCE)
    (tmp_path / "seed").mkdir()
    _, another = trained(tmp_path / "seed", seed=2)
    assert np.abs(another - one).max() > 5 * TOLERANCE


def test_what_is_encoded_and_extracted_is_the_same_on_any_number_of_threads(tmp_path):
    draw = np.random.default_rng(0)
    texture = np.kron(draw.integers(0, 256, (12, 14, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    frames = [np.roll(texture, k, 1) for k in range(12)]
    videos, arrays = set(), set()
    for run in range(RUNS):
        video = codec.encode_frames(frames, tmp_path / f"{run}.mp4", frame_rate=25).target
        videos.add(video.read_bytes())
        target = tmp_path / f"{run}.npz"
        what = ("residual", "motion", "iframe")
        mic.extract(video, target, what=what, threads=1 + run % 3)
        arrays.add(target.read_bytes())
    assert len(videos) == len(arrays) == 1
    with bitstream.open(tmp_path / "0.mp4") as stream:
        sums = [stream.accumulated([-1], space="rgb").pixels.tobytes() for _ in range(RUNS)]
    assert len(set(sums)) == 1


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", STAGES)
def test_five_processes_publish_the_same_bytes(name, tmp_path):
    """Fresh processes; the last of the five is allowed two threads where bytes must not care."""
    stage, start = STAGES[name], time.monotonic()
    source = tmp_path / "source"
    source.mkdir()
    stage.prepare(source)
    runs = []
    for run in range(RUNS + 1):
        work = tmp_path / f"run-{run}"
        work.mkdir()
        threads = "2" if run == RUNS else "1"
        subprocess.run(
            [sys.executable, *stage.arguments(source, work)],
            env=stage.environment(work) | {"OMP_NUM_THREADS": threads},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        runs.append(published(stage, work))
    *alike, threaded = runs
    differing = sum(alike[0].get(file) != one.get(file) for one in alike[1:] for file in alike[0])
    mic.publishing.reliability.record(
        f"determinism, {name}",
        unit=f"files of {RUNS} runs compared with the first",
        count=(RUNS - 1) * len(alike[0]),
        failures=differing,
        seconds=time.monotonic() - start,
    )
    assert differing == 0
    assert all(one.keys() == alike[0].keys() for one in runs)
    if name != "train":  # the only stage that trains on as many threads as there are
        assert threaded == alike[0]
        return
    one, other = (
        weights.read(tmp_path / f"run-{run}" / "model/model.safetensors").tensors
        for run in (0, RUNS)
    )
    count = sum(tensor.numel() for tensor in one.values())
    apart = sum(int(((one[n].double() - other[n].double()).abs() > NEAR).sum()) for n in one)
    mic.publishing.reliability.record(
        "determinism, train, 2 threads for 1",
        unit=f"weights compared; failed: more than {NEAR} apart",
        count=count,
        failures=apart,
        seconds=time.monotonic() - start,
    )
    assert apart <= PARTED * count
