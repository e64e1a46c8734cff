#!/usr/bin/env bash
# Starts, stops and uses the stack: in containers where a Docker engine answers, else as local processes.
#   scripts/stack.sh up|down|logs|generate|download|mode         (the Makefile says with which variables)
set -euo pipefail
cd "$(dirname "$0")/.."

RUN=.run
PID_FILE=$RUN/supervisord.pid
LOCAL_URL=http://127.0.0.1:${GATEWAY_PORT:-8000}
LOCAL_PORTS=("${GATEWAY_PORT:-8000}" 8001 8002 8003 8004)
# A full model needs more memory than stages are limited to for the built-in one, and time to be downloaded.
if [[ -n ${MODEL:-}${INPAINTING_MODEL:-} || ${SD_VERSION:-tiny} != tiny ]]; then
    export STAGE_MEMORY=${STAGE_MEMORY:-12g}
    START_SECONDS=${START_SECONDS:-3600}
fi
START_SECONDS=${START_SECONDS:-300}
export ALL_IN_ONE=${ALL_IN_ONE:-false}
[[ $ALL_IN_ONE == true ]] && LOCAL_PORTS+=(8005)

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

engine_answers() { docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; }

mode() {
    case ${MODE:-} in
        local | compose) say "$MODE" ;;
        '') if engine_answers; then say compose; else say local; fi ;;
        *) fail "MODE must be local or compose; got $MODE" ;;
    esac
}

local_runs() { [[ ${MODE:-} != compose ]] && [[ -f $PID_FILE ]] && kill -0 "$(cat "$PID_FILE")" 2>/dev/null; }

compose() {
    local files=(-f compose.yaml) overlay
    [[ " ${OVERLAYS:-} " != *" tls "*"shared-jobs "* ]] \
        || fail "OVERLAYS must name tls after shared-jobs, which would publish the gateways' own ports again"
    for overlay in ${OVERLAYS:-}; do
        [[ -f compose/$overlay.yaml ]] || fail "OVERLAYS must name files of compose/; there is no compose/$overlay.yaml"
        files+=(-f "compose/$overlay.yaml")
    done
    docker compose "${files[@]}" "$@"
}

compose_runs() { [[ ${MODE:-} != local ]] && engine_answers && [[ -n $(docker compose -f compose.yaml ps --quiet) ]]; }

# As compose.yaml has it: what compose/backends says, where the environment says nothing.
export_backends() {
    local name value
    while IFS='=' read -r name value; do
        if [[ $name == *_BACKEND ]]; then export "$name=${!name-$value}"; fi
    done <compose/backends
}

models_dir() {
    [[ -n ${MODELS_DIR:-} ]] || mkdir -p models
    (cd "${MODELS_DIR:-models}" 2>/dev/null && pwd) || fail "MODELS_DIR must be a folder; there is no ${MODELS_DIR:-models}"
}

# In containers that folder is /models, and MODEL, VAE and LORA name files there; here the same names lead to it.
export_models() {
    local name paths
    export INPAINTING_MODEL=${INPAINTING_MODEL:-${MODEL:-}}
    for name in MODEL INPAINTING_MODEL VAE LORA; do
        [[ -n ${!name:-} ]] || continue
        paths=,${!name}
        paths=${paths//,\/models\//,$MODELS_DIR/}
        export "$name=${paths#,}"
    done
}

up() {
    MODELS_DIR=$(models_dir)
    export MODELS_DIR
    case $(mode) in
        compose) up_compose ;;
        local) up_local ;;
    esac
}

up_compose() {
    say "Starting the stack in containers (MODE=local runs it as local processes instead)."
    compose up --build --detach --remove-orphans
    say "Waiting until every stage is ready:"
    compose exec -T --env "TRIPTYCH_KEY=${TRIPTYCH_KEY:-}" gateway python - http://127.0.0.1:8000 "$START_SECONDS" <scripts/wait_ready.py \
        || { compose logs --tail 5 >&2; fail "The stack is not ready. All its logs: make logs"; }
    greet "http://$(compose port gateway 8000)" "make logs (docker compose logs)"
}

up_local() {
    say "Starting the stack as local processes (MODE=compose runs it in containers instead)."
    mkdir -p "$RUN/logs"
    if local_runs; then
        say "It runs already."
    else
        refuse_taken_ports
        export_backends
        export_models
        rm -f "$RUN/logs/supervisord.log"
        .venv/bin/supervisord --configuration compose/supervisord.conf
    fi
    say "Waiting until every stage is ready:"
    wait_local || { tail -n 5 "$RUN"/logs/*.log >&2; fail "The stack is not ready. All its logs: $RUN/logs/"; }
    greet "$LOCAL_URL" "$RUN/logs/"
}

wait_local() {
    .venv/bin/python scripts/wait_ready.py "$LOCAL_URL" "$START_SECONDS" &
    local waiting=$!
    while kill -0 "$waiting" 2>/dev/null; do
        # Its supervisor has given a process up: waiting longer is in vain.
        if grep -q 'entered FATAL state' "$RUN/logs/supervisord.log"; then
            kill "$waiting"
            return 1
        fi
        sleep 0.5
    done
    wait "$waiting"
}

refuse_taken_ports() {
    local port
    for port in "${LOCAL_PORTS[@]}"; do
        if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            fail "Port $port is taken. Stop what listens there (make down, if it is another copy of this), and try again."
        fi
    done
}

greet() {
    cat <<EOF

Triptych is ready: $1   (the studio; its API is at $1/docs)
  make generate PROMPT="a red apple"
  curl $1/v1/txt2img -H 'Content-Type: application/json' -H 'Accept: image/png' \\
       -d '{"prompt": "a red apple"}' -o apple.png
Logs: $2
Stop: make down
EOF
}

down() {
    local stopped=no
    if local_runs; then
        stop_local
        stopped=yes
    fi
    if compose_runs; then
        docker compose -f compose.yaml --profile '*' down --remove-orphans
        stopped=yes
    fi
    [[ $stopped == yes ]] || say "Nothing of it runs."
}

stop_local() {
    local pid
    pid=$(cat "$PID_FILE")
    kill -TERM "$pid"
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || { say "Stopped the local processes."; return; }
        sleep 0.1
    done
    fail "The local processes did not stop within 30 s; their supervisor is process $pid."
}

logs() {
    if local_runs; then
        exec tail -n 50 -F "$RUN"/logs/*.log
    fi
    exec docker compose -f compose.yaml logs --follow --tail 50
}

generate() {
    local out=${OUT:-out/picture.png}
    [[ -n ${PROMPT:-} ]] || fail 'PROMPT must say what the picture shows: make generate PROMPT="a red apple"'
    mkdir -p "$(dirname "$out")"
    if local_runs; then
        .venv/bin/python -m triptych_client generate --url "$LOCAL_URL" --out "$out" -- "$PROMPT"
    elif compose_runs; then
        # The container's root file system is read-only, and `docker cp` does not see its /tmp.
        docker compose -f compose.yaml exec --env "TRIPTYCH_KEY=${TRIPTYCH_KEY:-}" gateway python -m triptych_client generate --out /tmp/picture.png -- "$PROMPT"
        docker compose -f compose.yaml exec -T gateway cat /tmp/picture.png >"$out"
        say "Written to $out"
    else
        fail "The stack does not run. Start it with: make up"
    fi
}

# Into the volume, or the folder, that the stages keep weights in; all of a model, so that a first start asks no network.
download() {
    MODELS_DIR=$(models_dir)
    export MODELS_DIR
    case $(mode) in
        compose)
            compose run --rm --build --no-deps -T text-encoder python -m triptych.download
            [[ -z ${INPAINTING_MODEL:-} ]] \
                || compose run --rm --no-deps -T inpainting python -m triptych.download diffusion image_encoder
            ;;
        local)
            local own=${INPAINTING_MODEL:-}
            export_models
            download_here
            [[ -z $own ]] || MODEL=$INPAINTING_MODEL download_here diffusion image_encoder
            ;;
    esac
}

download_here() { PYTHONPATH=.:services TF_CPP_MIN_LOG_LEVEL=2 .venv/bin/python -m triptych.download "$@"; }

case ${1:-} in
    up | down | logs | generate | download | mode) "$1" ;;
    *) fail "usage: scripts/stack.sh up|down|logs|generate|download|mode" ;;
esac
