#!/usr/bin/env bash
# Every documented combination of compose files is in order. Skipped where there is no docker compose.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker compose version >/dev/null 2>&1; then
    echo "compose files: not checked, there is no docker compose here"
    exit 0
fi

export DIFFUSION_URL=https://diffusion.example INPAINTING_URL=https://inpainting.example
for overlays in "" ports gpu "ports gpu" jax "ports jax" torch "gpu torch" all-in-one "all-in-one gpu" \
    diffusion-remote inpainting-remote "diffusion-remote inpainting-remote" "diffusion-remote ports"; do
    files=(-f compose.yaml)
    for overlay in $overlays; do files+=(-f "compose/$overlay.yaml"); done
    echo "docker compose ${files[*]} config --quiet"
    docker compose "${files[@]}" config --quiet
done
