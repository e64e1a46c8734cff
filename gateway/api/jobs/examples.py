"""Jobs that the API's page offers to hand in."""

from typing import Any

JOB_EXAMPLES: dict[str, Any] = {
    "a job": {
        "summary": "A picture that is fetched later",
        "value": {
            "kind": "txt2img",
            "request": {"prompt": "a red apple on a blue background", "preview_every": 5},
        },
    },
}
