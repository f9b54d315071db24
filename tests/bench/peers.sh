#!/bin/sh
# Makes an environment of a bench: the project's own .venv, plus the peers of a lock.
# Usage: peers.sh FOLDER LOCK   (prints nothing; FOLDER/bin/python runs the bench afterwards)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project="$here/../../.venv"
folder=$1
lock="$here/$2"
if cmp -s "$lock" "$folder/requirements.lock"; then exit 0; fi
"$project/bin/python" -m venv --clear "$folder"
packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
  --require-hashes -r "$lock"
# What the peers need (NumPy, torch, PyAV) comes from the project's lock, so that both run on the
# same versions.
echo "import site; site.addsitedir(\"$(packages "$project")\")" > "$(packages "$folder")/project.pth"
# torchcodec looks for FFmpeg's libraries by their plain names; PyAV ships them under others.
mkdir -p "$folder/ffmpeg"
av=$("$project/bin/python" -c 'import av, pathlib; print(pathlib.Path(av.__file__).parents[1])')
for library in "$av"/av.libs/lib*.so.*; do
  plain=$(basename "$library" | sed -E 's/-[0-9a-f]{8}\.so\.([0-9]+).*/.so.\1/')
  ln -sf "$library" "$folder/ffmpeg/$plain"
done
cp "$lock" "$folder/requirements.lock"
