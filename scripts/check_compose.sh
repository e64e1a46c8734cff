#!/usr/bin/env bash
# Every documented combination of compose files is in order. Skipped where there is no docker compose.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker compose version >/dev/null 2>&1; then
    echo "compose files: not checked, there is no docker compose here"
    exit 0
fi

export TEXT_ENCODER_URL=https://text.example DIFFUSION_URL=https://diffusion.example
export INPAINTING_URL=https://inpainting.example DECODER_URL=https://decoder.example
export ALL_IN_ONE_URL=https://all.example DOMAIN=pictures.example FINE_TUNED_MODEL=/models/tuned.safetensors
for overlays in "" keys tls "keys tls" ports gpu "ports gpu" jax "ports jax" torch "gpu torch" all-in-one "all-in-one gpu" \
    diffusion-remote inpainting-remote decoder-remote "diffusion-remote inpainting-remote" \
    "diffusion-remote decoder-remote" "diffusion-remote inpainting-remote decoder-remote" \
    "diffusion-remote ports" "decoder-remote gpu" one-unet "one-unet gpu" all-in-one-remote endpoints \
    fine-tuned "fine-tuned gpu" "fine-tuned one-unet" "fine-tuned observability" \
    observability "observability ports" "observability keys" "observability tls" shared-jobs "shared-jobs endpoints" \
    "shared-jobs ports" "shared-jobs tls" swarm "swarm one-unet swarm-gpu" "swarm swarm-secrets" "swarm all-in-one" \
    "swarm shared-jobs swarm-shared-jobs" "swarm fine-tuned swarm-gpu"; do
    files=(-f compose.yaml)
    for overlay in $overlays; do files+=(-f "compose/$overlay.yaml"); done
    echo "docker compose ${files[*]} config --quiet"
    docker compose "${files[@]}" config --quiet
done
