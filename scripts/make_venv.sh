#!/usr/bin/env bash
# Makes .venv with Python 3.11, the one that every package of requirements/ is locked for.
set -euo pipefail
cd "$(dirname "$0")/.."

for python in python3.11 python3 python; do
    if "$python" -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        echo "Making .venv with $("$python" --version) ($(command -v "$python"))"
        exec "$python" -m venv .venv
    fi
done
echo "Python 3.11 with its venv module is needed, and was not found as python3.11, python3 or python." >&2
echo "Install it (Debian, Ubuntu: apt install python3.11 python3.11-venv), or use containers: make up MODE=compose" >&2
exit 1
