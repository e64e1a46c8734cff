"""Clients of a gateway that write down what they see."""

import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import requests
from PIL import Image

from host.settings import Settings
from tests.contract.test_tensors import STAGES as TAKEN
from tests.contract.test_tensors import tensors
from tests.e2e.pictures import data_of
from tests.mortal import until
from tests.tiny import PICTURE
from triptych.wire import encode_tensor

PATIENCE_SECONDS = 150
NOBODY = 0
"""The status where nothing answered."""
FOLDER = re.escape(tempfile.gettempdir())
PLACE = re.compile(rf"http://127\.0\.0\.1:\d+|http://\w+\.test:\d+|{FOLDER}/[\w./-]+")
PAUSE_SECONDS = 0.3
JOB_SECONDS = 180
BODIES = 16
BODY_BYTES = Settings.model_fields["max_body_bytes"].default


@dataclass(frozen=True)
class Answer:
    status: int
    sentence: str
    seconds: float
    retry_after: str = ""


@dataclass
class Accepted:
    """The jobs that the gateway took."""

    ids: list[str] = field(default_factory=list)
    refused: list[Answer] = field(default_factory=list)


def body_for(stage: str, seed: int) -> tuple[str, dict[str, Any]]:
    """A kind of request that needs this stage, and its body."""
    asked: dict[str, Any] = {"prompt": "a red apple on a blue background", "seed": seed, "steps": 5}
    if stage != "inpainting":
        return "txt2img", asked
    image, mask = Image.new("RGB", PICTURE, "yellow"), Image.new("L", PICTURE)
    mask.paste(255, (16, 16, 80, 112))
    return "inpaint", {**asked, "image": data_of(image), "mask": data_of(mask)}


def ask(url: str, stage: str, seed: int, **more: object) -> Answer:
    """One picture, or what more there is in the request."""
    kind, body = body_for(stage, seed)
    body |= more
    return _noted(lambda: requests.post(f"{url}/v1/{kind}", json=body, timeout=PATIENCE_SECONDS))


def hand_in(url: str, stage: str, seed: int, accepted: Accepted) -> Answer:
    """One job."""
    kind, body = body_for(stage, seed)
    order = {"kind": kind, "request": {**body, "steps": 10}}
    ids: list[str] = []

    def post() -> requests.Response:
        response = requests.post(f"{url}/v1/jobs", json=order, timeout=PATIENCE_SECONDS)
        if response.status_code == 202:
            ids.append(response.json()["id"])
        return response

    answer = _noted(post)
    accepted.ids += ids
    if not ids:
        accepted.refused.append(answer)
    return answer


def lost(url: str, accepted: Accepted) -> list[str]:
    """What became of the jobs whose pictures cannot be fetched once all have ended."""
    return [came for id in accepted.ids if (came := _became(url, id))]


def _became(url: str, id: str) -> str:
    job = f"{url}/v1/jobs/{id}"

    def ended() -> bool:
        try:
            return requests.get(job, timeout=10).json().get("state") not in ("queued", "running")
        except requests.RequestException:
            return False

    try:
        until(ended, JOB_SECONDS, 0.1)
        result = requests.get(f"{job}/result", headers={"Accept": "image/png"}, timeout=30)
    except (AssertionError, requests.RequestException) as error:
        return f"{id}: {error}"
    return "" if result.status_code == 200 else f"{id}: {result.text[:300]}"


def does_its_part(url: str, stage: str, seed: int) -> bool:
    """Whether this stage, asked by its contract, answers; what it has kept is of other seeds."""
    body: dict[str, Any] = {"inputs": f"a red apple {seed}"}
    if stage in TAKEN:
        names, fields = TAKEN[stage]
        texts = [encode_tensor(tensor) for tensor in tensors(names, seed).values()]
        body = {**fields, "seed": seed, "inputs": texts if len(texts) > 1 else texts[0]}
    try:
        return requests.post(url, json=body, timeout=PATIENCE_SECONDS).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def flood(url: str) -> Iterator[None]:
    """Within the block a stage is sent many bodies at once, each as large as it takes one."""
    body = bytes(BODY_BYTES)

    def send(_: int) -> None:
        with suppress(requests.RequestException):
            requests.post(url, data=body, timeout=PATIENCE_SECONDS)

    with ThreadPoolExecutor(BODIES) as pool:
        pool.map(send, range(BODIES))
        yield


@contextmanager
def asking(url: str, stage: str, clients: int = 3, seed: int = 0) -> Iterator[list[Answer]]:
    """So many clients ask for one picture after another until the block ends; their answers, as they come."""
    answers: list[Answer] = []
    stopping = threading.Event()

    def go_on(number: int) -> None:
        count = 0
        while not stopping.is_set():
            count += 1
            answers.append(ask(url, stage, seed + 1000 * number + count))
            stopping.wait(PAUSE_SECONDS if answers[-1].status != 200 else 0)

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _noted(post: Callable[[], requests.Response]) -> Answer:
    began = time.monotonic()
    try:
        response = post()
    except requests.RequestException as error:
        return Answer(NOBODY, f"no answer ({type(error).__name__})", time.monotonic() - began)
    seconds = time.monotonic() - began
    sentence = "" if response.ok else response.json()["error"]["message"]
    return Answer(response.status_code, sentence, seconds, response.headers.get("retry-after", ""))


def summary(answers: Sequence[Answer]) -> str:
    """How many of each status, how late at most, and the sentence of the most frequent error of each."""
    said = []
    for status in sorted({answer.status for answer in answers}):
        these = [answer for answer in answers if answer.status == status]
        latest = max(answer.seconds for answer in these)
        name = "pictures" if status == 200 else f"× {status}" if status else "× no answer"
        again = next((f", Retry-After {one.retry_after}" for one in these if one.retry_after), "")
        sentence, _ = Counter(one.sentence for one in these).most_common(1)[0]
        quoted = f": “{PLACE.sub('…', sentence)}”" if status > 200 else ""
        said.append(f"{len(these)} {name} within {latest:.1f} s{again}{quoted}")
    return "; ".join(said).replace("|", "/")
