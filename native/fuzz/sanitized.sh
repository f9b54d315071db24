#!/bin/sh
# Builds the extension with ASan and UBSan and runs the bitstream tests on it.
# Usage: sanitized.sh PYTHON [pytest arguments]   (tests/test_bitstream_*.py by default)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$1
shift
build="$here/../../build/sanitized"
bin=$(dirname "$python")
mkdir -p "$build"
nanobind=$("$python" -c 'import nanobind; print(nanobind.cmake_dir())')
PATH="$bin:$PATH" cmake -S "$here/.." -B "$build" -G Ninja -DSKBUILD=ON \
  -Dnanobind_DIR="$nanobind" -DPython_EXECUTABLE="$python" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_CXX_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all" >/dev/null
PATH="$bin:$PATH" ninja -C "$build" >/dev/null
# This extension instead of the installed one, before anything imports `mic`.
cat > "$build/sitecustomize.py" <<'PYTHON'
import importlib.util
import pathlib
import sys

path = next(pathlib.Path(__file__).parent.glob("_native*.so"))
spec = importlib.util.spec_from_file_location("mic_bitstream._native", path)
sys.modules["mic_bitstream._native"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["mic_bitstream._native"])
PYTHON
cd "$here/../.."
[ $# -gt 0 ] || set -- tests/bitstream/test_bitstream_[!lf]*.py --deselect \
  tests/bitstream/test_bitstream_access.py::test_memory_is_flat_in_clip_length
# Python itself is not built for leak checks; the fuzzers look for leaks.
LD_PRELOAD="$(c++ -print-file-name=libasan.so) $(c++ -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH="$build" \
  "$python" -m pytest -q -m "not long" "$@"
