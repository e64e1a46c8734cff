#!/usr/bin/env bash
# A Redis server for tests of shared jobs, where it can be had without asking anybody: on Debian, as root.
set -euo pipefail

if ! command -v redis-server >/dev/null && [[ $(id -u) == 0 ]] && grep -qs '^ID=debian' /etc/os-release; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends redis-server >/dev/null
fi
if command -v redis-server >/dev/null; then
    echo "tests of shared jobs will use $(redis-server --version)"
else
    echo "tests of shared jobs will be skipped: they need redis-server (Debian: apt install redis-server)"
fi
