#!/usr/bin/env bash
# Chromium for tests/browser, where it can be had without asking anybody: on Debian, as root.
set -euo pipefail

if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    echo "tests/browser will use $(chromium --version 2>/dev/null)"
elif [[ $(id -u) == 0 ]] && grep -qs '^ID=debian' /etc/os-release; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium chromium-driver >/dev/null
    echo "tests/browser will use $(chromium --version 2>/dev/null)"
else
    echo "tests/browser will be skipped: it needs chromium and chromedriver (Debian: apt install chromium chromium-driver)"
fi
