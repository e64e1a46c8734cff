"""One line a record on standard error, JSON unless it is to be read by people."""

import logging
import time

from triptych.log_lines import LogFormat, log_line


class Lines(logging.Formatter):
    """A record's time, level and text, what was passed as `extra={"fields": {…}}`, and a traceback."""

    def __init__(self, stage: str, form: LogFormat = "json") -> None:
        super().__init__()
        self._stage = stage
        self._form = form

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
        return log_line(line, self._form)


def set_up_logs(stage: str, level: str, form: LogFormat) -> None:
    """Send every logger of this process to standard error, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(stage, form))
    logging.basicConfig(level=level, handlers=[handler], force=True)
