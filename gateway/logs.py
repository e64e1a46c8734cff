"""The log: a line a record on standard output, JSON unless it is to be read by people."""

import logging
import sys
import time

from triptych.log_lines import LogFormat, log_line


class Lines(logging.Formatter):
    """A log record as one line, its extra fields included."""

    _STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
        "message",
        "asctime",
        "taskName",
        "color_message",
    }

    def __init__(self, form: LogFormat = "json") -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in self._STANDARD},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return log_line(line, self._form)


def log_to_stdout(level: str, form: LogFormat) -> None:
    """Sends the process's log to standard output; httpx' own lines would show addresses whole."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Lines(form))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
