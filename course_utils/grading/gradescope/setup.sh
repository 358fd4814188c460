#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image. If a step fails, so does the build.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")"

# Ubuntu 22.04, Gradescope's default, has 3.11 beside its own Python 3.10.
python=python3
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || python=python3.11
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$python" "$python-venv"

"$python" -m venv /opt/convnet-labs
python=/opt/convnet-labs/bin/python
mapfile -t torch < <(grep -E '^torch(vision)?\b' requirements.txt)
"$python" -m pip install --no-cache-dir --index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" "${torch[@]}"
"$python" -m pip install --no-cache-dir --requirement requirements.txt

"$python" -m compileall -q course
PYTHONPATH=course "$python" -P -c 'import course_utils.grading.gradescope.__main__'
