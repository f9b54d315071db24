"""What the repository may contain and name: `python tests/audit.py`, which `make audit` calls.

Rules that need no network: every pin hashed, only known file formats, nothing that unpickles, no
text of whatever encoding a machine has, no address of a package registry. Known vulnerabilities
are asked of `pip-audit` where it is installed, and said where it is not.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from environment_file import ROOT

# By suffix; a file without one is allowed by its name, or as an input of the fuzzers.
FORMATS = {
    *(".cff", ".clang-format", ".cpp", ".css", ".csv", ".dict", ".gitignore", ".hpp", ".html"),
    *(".in", ".ipynb", ".js", ".json", ".lock", ".md", ".mplstyle", ".npz", ".png", ".py"),
    *(".pyi", ".safetensors", ".sh", ".sub", ".svg", ".toml", ".txt", ".yaml", ".yml"),
}
NAMES = {"LICENSE", "Makefile", "SHA256SUMS", "py.typed", "run", ".clang-format", ".gitignore"}
CORPUS = ("native/fuzz/corpus/", "native/fuzz/regressions/")
HOSTS = tuple(
    name.encode()
    for name in ("pypi" + ".org", "python" + "hosted", "conda" + ".anaconda", "npm" + "js.org")
)
# What turns bytes into code. Modules that do nothing else are not imported at all; pickle writes
# too and has its own errors.
MODULES = {"cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "pandas.read_pickle", "pd.read_pickle"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "yaml.load", "yaml.unsafe_load"),
    *("eval", "exec"),
}
# Their first bytes, whatever they are called: pickles, and the archives that torch writes.
MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x93NUMPY")


def tracked() -> list[Path]:
    """The files that Git tracks, those deleted in the working tree excepted."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def faults(files: list[Path], *, root: Path = ROOT) -> Iterator[str]:
    """Every broken rule, a line each: the file, the place and what is wrong."""
    for path in files:
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        if name.startswith(CORPUS):
            continue
        if path.suffix not in FORMATS and path.name not in NAMES:
            yield f"{name}: files of this format are not kept here"
        if path.suffix == ".npz":
            yield from _of_npz(path, name)
        elif data.startswith(MAGIC):
            yield f"{name}: is a pickle or an archive by its first bytes"
        if b"\0" not in data[:4096]:
            yield from (f"{name}: names a package registry" for host in HOSTS if host in data)
        if name.startswith("mic/") and path.suffix == ".py":
            yield from _of_code(data.decode(), name)
        if path.suffix == ".ipynb":
            yield from _of_notebook(data.decode(), name)
        if path.name == "requirements.lock":
            yield from _of_lock(data.decode(), name)
    yield from _of_makefile((root / "Makefile").read_text())


def _of_npz(path: Path, name: str) -> Iterator[str]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            for member in arrays.files:
                arrays[member]
    except (ValueError, OSError, TypeError) as error:
        yield f"{name}: is no archive of plain numbers: {error}"


def _of_code(text: str, name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.partition(".")[0] in MODULES:
                yield f"{name}:{node.lineno}: imports {module}"
        if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "torch.hub"):
            yield f"{name}:{node.lineno}: takes names out of {node.module}, where they are hidden"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if called in UNSAFE and options.get("weights_only") != "True":
            yield f"{name}:{node.lineno}: {called} may run what it reads"
        if options.get("weights_only", "True") != "True":
            yield f"{name}:{node.lineno}: weights_only={options['weights_only']}"
        if options.get("allow_pickle", "False") != "False":
            yield f"{name}:{node.lineno}: allow_pickle={options['allow_pickle']}"
        if called.endswith(".read_text") and not node.args and "encoding" not in options:
            yield f"{name}:{node.lineno}: reads text in whatever encoding the machine has"
        if options.get("shell") == "True":
            yield f"{name}:{node.lineno}: {called} runs text"


def _of_notebook(text: str, name: str) -> Iterator[str]:
    # A page that shows it must have nothing to run and nothing to fetch.
    for words in ("<script", "application/javascript", "javascript:", 'src=\\"http'):
        if words in text.lower():
            yield f"{name}: an output holds {words}"


def _of_lock(text: str, name: str) -> Iterator[str]:
    for entry in re.split(r"\n(?=\S)", text.strip()):
        if "--hash=sha256:" not in entry:
            yield f"{name}: {entry.split()[0]} has no hash"


def _of_makefile(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if "pip install" in line and "--require-hashes" not in line and "--editable ." not in line:
            yield f"Makefile: installs past the lock: {line.strip()}"


def vulnerabilities() -> int:
    """Asks `pip-audit` about the lock; 0 where it is not installed, which is said."""
    program = shutil.which("pip-audit", path=Path(sys.executable).parent) or shutil.which(
        "pip-audit"
    )
    if program is None:
        print(
            "known vulnerabilities: not asked for, because pip-audit is not installed; on a "
            "machine with a network: pip install pip-audit && make audit"
        )
        return 0
    command = [program, "--require-hashes", "--disable-pip", "-r", str(ROOT / "requirements.lock")]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Prints what is wrong; the number of faults decides the exit code."""
    files = tracked()
    found = list(faults(files))
    for fault in found:
        print(fault)
    print(f"{len(files)} files, {len(found)} faults")
    return 1 if vulnerabilities() or found else 0


if __name__ == "__main__":
    sys.exit(main())
