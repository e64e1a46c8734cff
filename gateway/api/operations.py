"""What operators and their programs ask: is it alive, is it ready, where is what, how much."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from ..info import Info, Vitals
from ..keys.guard import is_stranger
from ..replicas import Replica
from ..runtime import Runtime, runtime_of
from ..stages import Stage
from ..states import info_of, state_of

RETRY_AFTER = 2

router = APIRouter(tags=["operations"])


class ReplicaState(BaseModel):
    """One address of a stage and what it says of itself."""

    url: Annotated[str, Field(description="Empty to those without a key, where the gateway has keys.")]
    state: Annotated[
        str,
        Field(
            description="The stage's own word (starting, downloading, verifying, loading, compiling, warm, "
            "failed, stopping); unreachable; on demand: a Hugging Face Endpoint, not asked as it may sleep; "
            "waking: requests are held until it is awake; paused, unauthorized, misplaced: what it answered."
        ),
    ]
    progress: Annotated[float | None, Field(description="0 to 1, where the state has one.")]
    error: str | None
    endpoint: Annotated[str | None, Field(description="triptych, plain, or null where it could not be told.")]


class StageState(BaseModel):
    stage: str
    model: Annotated[
        str | None, Field(description="What `model` in a request names; null: the standard one.")
    ]
    ready: bool
    replicas: list[ReplicaState]


class Readiness(BaseModel):
    status: Annotated[str, Field(description="ready, or not ready.")]
    stages: list[StageState]


class ReplicaDetails(ReplicaState):
    group: Annotated[
        int, Field(description="Equals have the same; a lower one is asked before a higher one.")
    ]
    requests: Annotated[int, Field(description="How many it has, as far as the gateway knows.")]
    breaker: Annotated[
        str, Field(description="Of its circuit: closed, open where it failed too often, half_open.")
    ]
    vitals: Annotated[Vitals | None, Field(description="How it fares, where it says so.")]
    info: Annotated[Info | None, Field(description="What the replica announces; null for a plain endpoint.")]


class StageDetails(BaseModel):
    stage: str
    model: Annotated[
        str | None, Field(description="What `model` in a request names; null: the standard one.")
    ]
    replicas: list[ReplicaDetails]


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the gateway itself is alive; says nothing of the stages."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"model": Readiness}})
async def ready(request: Request, response: Response) -> Readiness:
    """200 when every stage that is switched on can take a request, 503 until then.

    A stage whose address is empty is off and not waited for. Where the gateway has keys, who comes without
    one sees neither addresses nor errors.
    """
    stages = await _stage_states(runtime_of(request), is_stranger(request))
    is_ready = all(stage.ready for stage in stages)
    if not is_ready:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return Readiness(status="ready" if is_ready else "not ready", stages=stages)


@router.get("/v1/stages")
async def stages(request: Request) -> list[StageDetails]:
    """Every stage that is switched on: its replicas, their state and what they announce."""
    return list(await asyncio.gather(*(_stage_details(stage) for stage in runtime_of(request).stages)))


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    return Response(runtime_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _stage_states(runtime: Runtime, to_stranger: bool) -> list[StageState]:
    async def one(stage: Stage) -> StageState:
        states = await stage.states()
        hidden = {"url": "", "error": None} if to_stranger else {}
        replicas = [ReplicaState(**{**vars(state), **hidden}) for state in states]
        ready = any(state.ready for state in states)
        return StageState(stage=stage.name, model=stage.model, ready=ready, replicas=replicas)

    return list(await asyncio.gather(*(one(stage) for stage in runtime.stages)))


async def _stage_details(stage: Stage) -> StageDetails:
    replicas = await asyncio.gather(*(_replica_details(one) for one in await stage.replicas()))
    return StageDetails(stage=stage.name, model=stage.model, replicas=list(replicas))


async def _replica_details(replica: Replica) -> ReplicaDetails:
    state = await state_of(replica)
    info = await info_of(replica, state)
    return ReplicaDetails(
        **vars(state),
        group=replica.group,
        requests=replica.load.requests,
        breaker=replica.breaker.position,
        info=info,
    )
