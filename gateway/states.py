"""How a replica is found to be, for those who operate the gateway."""

from pydantic import ValidationError

from .errors import GatewayError, StageTimeout, StageUnavailable
from .faults import error_text
from .info import Info, Readiness, State, Vitals
from .replicas import Replica


async def state_of(replica: Replica) -> State:
    """Asks `/ready`, which ours have, else `/health`, which an endpoint's server has. Never raises."""
    if replica.condition:
        return State(replica.url, replica.condition, error=replica.breaker.error)
    if replica.on_hugging_face:
        return State(replica.url, "on demand")
    try:
        _, body = await replica.get("/ready")
        return _own_state(replica, body) or await _plain_state(replica)
    except (StageUnavailable, StageTimeout) as error:
        return State(replica.url, "unreachable", error=error.message)
    except GatewayError as error:
        return State(replica.url, "failed", error=error.message)


async def info_of(replica: Replica, state: State) -> Info | None:
    """What one of ours announces that is ready; None of any other, which is left alone."""
    if state.endpoint != "triptych" or not state.ready:
        return None
    try:
        return await replica.info()
    except GatewayError:
        return None


def _own_state(replica: Replica, body: bytes) -> State | None:
    """The `/ready` of ours; None where the answer is something else."""
    try:
        said = Readiness.model_validate_json(body)
    except ValidationError:
        return None
    if said.stage != replica.stage:
        error = replica.faults.another_stage(said.stage).message
        return State(replica.url, "failed", error=error, endpoint="triptych")
    vitals = Vitals(programs=said.programs, queue=said.queue, memory=said.memory)
    return State(replica.url, said.state, said.progress, said.error, "triptych", vitals)


async def _plain_state(replica: Replica) -> State:
    response, body = await replica.get("/health")
    if response.status_code == 200:
        return State(replica.url, "warm", endpoint="plain")
    state = "starting" if response.status_code in (502, 503) else "failed"
    error = f"GET /health answered {response.status_code}: {error_text(body)}"
    return State(replica.url, state, error=error, endpoint="plain")
