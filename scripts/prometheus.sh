#!/usr/bin/env bash
# Prometheus and promtool for the tests of metrics and alerts, where they can be had without asking anybody: on
# Debian, as root. Its service is not started.
set -euo pipefail

deny=/usr/sbin/policy-rc.d
if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    echo "the tests of metrics will use $(prometheus --version 2>&1 | head -n 1)"
elif [[ $(id -u) == 0 ]] && grep -qs '^ID=debian' /etc/os-release; then
    apt-get update -qq
    if [[ ! -e $deny ]]; then
        trap 'rm -f "$deny"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$deny"
        chmod +x "$deny"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends prometheus >/dev/null
    echo "the tests of metrics will use $(prometheus --version 2>&1 | head -n 1)"
else
    echo "some tests of metrics will be skipped: they need prometheus and promtool (Debian: apt install prometheus)"
fi
