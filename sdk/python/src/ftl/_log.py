# SPDX-License-Identifier: Apache-2.0
"""Writes the records of logging as FTL's structured log: one JSON object per line on stdout."""

import codecs
import io
import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from typing import BinaryIO, TextIO, cast

from ftl._context import current

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"))
# The attributes of every record; any other attribute comes from `extra=`.
_STANDARD = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": next((name for least, name in _LEVELS if record.levelno >= least), "debug"),
            "message": super().format(record),
            "logger": record.name,
        }
        call = current()
        if call is not None:
            line["verb"] = call.verb
            if call.request_id:
                line["request_id"] = call.request_id
        taken = _STANDARD | line.keys()
        line.update((key, value) for key, value in vars(record).items() if key not in taken)
        return json.dumps(line, default=str, ensure_ascii=False)


class LineWriter(io.TextIOWrapper):
    """
    Writes whole lines to stdout. print() writes a line in pieces, and many calls print at the same time, so without
    this class the pieces of different lines would mix. Lines that nobody can read are dropped: a module answers calls
    without its log, too.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(bytes_of(stream), encoding="utf-8", errors="backslashreplace")
        self._lock = threading.RLock()
        self._begun: dict[int, str] = {}

    def write(self, text: str) -> int:
        lines, end, rest = text.rpartition("\n")
        thread = threading.get_ident()
        with self._lock:
            begun = self._begun.pop(thread, "")
            if end:
                self.write_line(begun + lines)
                begun = ""
            if begun or rest:
                self._begun[thread] = begun + rest
        return len(text)

    def write_line(self, line: str) -> None:
        with self._lock:
            self._put(line + "\n")

    def flush(self) -> None:
        with self._lock:
            self._put(self._begun.pop(threading.get_ident(), ""))

    def _put(self, text: str) -> None:
        try:
            super().write(text)
            super().flush()
        except (OSError, ValueError):  # its reader has gone, or the module has closed it
            if not self.closed:
                self._write_nowhere()

    def _write_nowhere(self) -> None:
        """Makes room for what is buffered, which would fail again when the program ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, self.fileno())
        except (OSError, ValueError):  # it is no file
            pass
        finally:
            os.close(nowhere)

    def end_line(self) -> None:
        """Ends the line that the calling thread has begun."""
        with self._lock:
            begun = self._begun.pop(threading.get_ident(), "")
            if begun:
                self.write_line(begun)


class IntoText(io.RawIOBase):
    """The bytes for a stream of text, such as a StringIO that a module has put in place of stdout."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        data = bytes(cast(bytes, content))
        self._stream.write(self._decoder.decode(data))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


def bytes_of(stream: TextIO | None) -> BinaryIO:
    """Where the bytes of a stream go. Python has None in place of a stream that was closed when the program began."""
    try:
        if stream is not None:
            stream.flush()
            return stream.buffer if hasattr(stream, "buffer") else cast(BinaryIO, io.BufferedWriter(IntoText(stream)))
    except (OSError, ValueError):  # closed since
        pass
    return open(os.devnull, "wb")


class LineHandler(logging.Handler):
    def __init__(self, out: LineWriter) -> None:
        super().__init__()
        self._out = out
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._out.write_line(self.format(record))
        except Exception:
            self.handleError(record)


def install() -> LineWriter:
    """Replaces stdout. Sets up logging, unless the module has done so itself."""
    out = LineWriter(sys.stdout)
    sys.stdout = out
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(LineHandler(out))
        root.setLevel(logging.INFO)
    return out
