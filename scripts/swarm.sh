#!/usr/bin/env bash
# The stack on several machines: compose.yaml, compose/swarm.yaml and OVERLAYS, as a stack of Docker Swarm.
#   scripts/swarm.sh up|down|config         on a manager; TRIPTYCH_STACK is the stack's name (triptych)
set -euo pipefail
cd "$(dirname "$0")/.."

STACK=${TRIPTYCH_STACK:-triptych}

fail() { printf '%s\n' "$*" >&2; exit 1; }

config() {
    local files=(-f compose.yaml -f compose/swarm.yaml) overlay
    for overlay in ${OVERLAYS:-}; do
        [[ -f compose/$overlay.yaml ]] || fail "OVERLAYS must name files of compose/; there is no compose/$overlay.yaml"
        files+=(-f "compose/$overlay.yaml")
    done
    COMPOSE_PROJECT_NAME=$STACK docker compose "${files[@]}" config --format json | python3 scripts/swarm.py
}

manages() { [[ $(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null) == true ]]; }

up() {
    local resolve=always described
    manages || fail "This engine manages no swarm. Begin one here with: docker swarm init"
    [[ -n ${TRIPTYCH_REGISTRY:-} ]] || resolve=never  # the nodes have the images; nobody knows of digests
    described=$(config)
    docker stack deploy --prune --with-registry-auth --resolve-image "$resolve" --compose-file - "$STACK" <<<"$described"
    printf '%s\n' "docker stack services $STACK says how far it is; each node with a gateway answers at port ${GATEWAY_PORT:-8000}."
}

down() {
    manages || fail "This engine manages no swarm."
    docker stack rm "$STACK"
}

case ${1:-} in
    up | down | config) "$1" ;;
    *) fail "usage: scripts/swarm.sh up|down|config" ;;
esac
