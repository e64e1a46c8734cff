"""A gateway, asked over HTTP."""

import json
import time
from collections.abc import Callable
from typing import Any, Self

import httpx

from .errors import BadUsage, ClientError, Failed, from_answer
from .events import read_events
from .words import describe_stages

POLL_SECONDS = 0.5
PROBE_SECONDS = 10.0
EVENT_STREAM = "text/event-stream"
ACCEPT = f"{EVENT_STREAM}, application/json;q=0.5"

Watch = Callable[[dict[str, Any]], None]


class Gateway:
    """Raises ClientErrors: Refused, or Failed. The `key` is empty for a gateway that asks for none."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._key = key.strip()
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        timeout = httpx.Timeout(None, connect=PROBE_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._client = httpx.Client(base_url=self.url, timeout=timeout, headers=headers)
        except httpx.InvalidURL as error:
            raise self._absent(error) from None
        except UnicodeEncodeError:
            raise BadUsage("--key, or TRIPTYCH_KEY, must be a key as the gateway gave it.") from None
        return self

    def __exit__(self, *error: object) -> None:
        if self._client:
            self._client.close()

    def look(self, path: str) -> httpx.Response:
        """The answer to a GET, whatever it is. Raises Failed where none comes."""
        return self._get(path)

    def stages(self) -> list[dict[str, Any]]:
        """What GET /v1/stages lists."""
        response = self._get("/v1/stages")
        body = _json(response)
        if response.status_code != 200:
            raise from_answer(response.status_code, body if isinstance(body, dict) else {})
        if not isinstance(body, list):
            raise self._stranger(response)
        return body

    def wait(self, needless: frozenset[str], seconds: float, tell: Callable[[str], None]) -> None:
        """Until every stage is ready but those that are needless; `tell` hears what is waited for."""
        until = time.monotonic() + seconds
        while pending := self._pending(needless):
            if time.monotonic() > until:
                raise Failed(f"The stages are not ready: {pending}. See: triptych stages --url {self.url}")
            tell(f"Waiting for {pending}")
            time.sleep(POLL_SECONDS)

    def make(
        self, route: str, fields: dict[str, Any], files: dict[str, bytes], watch: Watch
    ) -> dict[str, Any]:
        """The gateway's JSON for this request; `watch` gets what its events of progress say."""
        request: dict[str, Any] = {"data": fields, "files": files} if files else {"json": fields}
        try:
            with self._http.stream("POST", route, headers={"Accept": ACCEPT}, **request) as response:
                return self._follow(response, watch)
        except httpx.ConnectError as error:
            raise self._absent(error) from None
        except httpx.HTTPError as error:
            raise Failed(f"The gateway at {self.url} broke off: {error}. Its log says more.") from None

    @property
    def _http(self) -> httpx.Client:
        assert self._client, "the gateway is used outside of its with block"
        return self._client

    def _follow(self, response: httpx.Response, watch: Watch) -> dict[str, Any]:
        if response.status_code != 200 or EVENT_STREAM not in response.headers.get("content-type", ""):
            return self._plain(response)
        for event in read_events(response.iter_lines()):
            if event.name == "result":
                return event.data
            if event.name == "error":
                raise from_answer(event.data["status"], event.data)
            if event.name == "progress":
                watch(event.data)
        raise Failed("The gateway broke off before the picture was done; its log says more. Try again.")

    def _plain(self, response: httpx.Response) -> dict[str, Any]:
        """An answer that is no stream: an error, or that of a gateway that does not stream."""
        response.read()
        body = _json(response)
        if not isinstance(body, dict):
            raise self._stranger(response)
        if response.status_code != 200:
            raise from_answer(response.status_code, body)
        return body

    def _pending(self, needless: frozenset[str]) -> str:
        """The stages that are not ready and how each is, empty when all are; raises for one that failed."""
        response = self._get("/ready")
        if response.status_code == 200:
            return ""
        body = _json(response)
        if not isinstance(body, dict):
            raise self._stranger(response)
        pending = [stage for stage in body.get("stages", []) if not stage["ready"]]
        pending = [stage for stage in pending if stage["stage"] not in needless and not stage.get("model")]
        for stage in pending:
            if all(replica["state"] == "failed" for replica in stage["replicas"]):
                raise Failed(f"The {stage['stage']} stage failed: {stage['replicas'][0]['error']}")
        return describe_stages(pending)

    def _get(self, path: str) -> httpx.Response:
        try:
            return self._http.get(path, timeout=PROBE_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._absent(error) from None

    def _absent(self, error: Exception) -> ClientError:
        todo = "Start it with make up, or name another with --url or TRIPTYCH_URL."
        return Failed(f"No gateway answers at {self.url}: {error}. {todo}")

    def _stranger(self, response: httpx.Response) -> ClientError:
        return Failed(f"{response.request.url} is not the gateway: {response.text[:100]!r}")


def _json(response: httpx.Response) -> Any:
    """What the body says; None where it is no JSON."""
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
