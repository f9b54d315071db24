"""On a full disk the cache, a training's state and a re-encoding fail by name and lose nothing."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
    import subprocess, sys
    from pathlib import Path
    from mic.errors import StorageError
    disk = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], check=True)
    def refused(function, *arguments, **options):
        before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
        try:
            function(*arguments, **options)
        except StorageError as error:
            assert "No space left" in str(error) and "Remedy: free" in str(error), error
        else:
            raise AssertionError("written to a full disk")
        after = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
        assert {path: after.get(path) for path in before} == before
        return sorted(path.name for path in after.keys() - before.keys())
"""
STAGES = {
    "cache": """
        import numpy as np
        from mic.storage import cache
        stage = cache.Stage(name="disk", version=1)
        def made(count):
            return lambda: {"x": np.arange(count)}
        cache.fetch(stage, inputs=["small"], compute=made(10), folder=disk)
        options = {"inputs": ["large"], "folder": disk}
        assert refused(cache.fetch, stage, compute=made(100_000), **options) == []
        found = cache.fetch(stage, inputs=["small"], compute=None, folder=disk)
        assert found["x"].tolist() == list(range(10))
        cache.fetch(stage, compute=made(20), **options)  # there is room for this one
    """,
    "checkpoint": """
        import torch
        from mic.storage.checkpoint import Checkpoint
        path = disk / "training.safetensors"
        Checkpoint(tensors={"w": torch.ones(3)}, facts={"epoch": 1}).save(path)
        assert refused(Checkpoint(tensors={"w": torch.ones(99_999)}, facts={}).save, path) == []
        assert Checkpoint.load(path).facts == {"epoch": 1}
    """,
    "re-encoding": """
        import numpy as np
        from mic import codec
        source = Path(sys.argv[2])
        noise = np.random.default_rng(0)
        def encode(name, size):
            pictures = (noise.integers(0, 256, (size, size, 3), np.uint8) for _ in range(4))
            codec.encode_frames(pictures, source / name, frame_rate=25)
        encode("a.mp4", 32)
        codec.reencode_tree(source, disk, jobs=1)
        encode("b.mp4", 256)
        assert refused(codec.reencode_tree, source, disk, jobs=1) == []
        assert codec.probe(disk / "a.mp4").frames == 4
    """,
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux mounts a disk of its own")
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_a_typed_error_and_keeps_what_is_there(stage, tmp_path):
    (tmp_path / "disk").mkdir()
    code = textwrap.dedent(PRELUDE) + textwrap.dedent(STAGES[stage]) + "\nsys.exit(17)"
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", code]
    arguments = [str(tmp_path / "disk"), str(tmp_path / "source")]
    process = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert process.returncode == 17, process.stderr
