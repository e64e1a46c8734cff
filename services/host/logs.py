"""One JSON object a line on standard error."""

import json
import logging
import time


class JsonFormatter(logging.Formatter):
    """A record's time, level and text, what was passed as `extra={"fields": {…}}`, and a traceback."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "stage": self._stage,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_logs(stage: str, level: str) -> None:
    """Send every logger of this process to standard error, one JSON object a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(stage))
    logging.basicConfig(level=level, handlers=[handler], force=True)
