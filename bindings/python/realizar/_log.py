# SPDX-License-Identifier: MIT
"""The libraries' log lines become records of Python's logger "realizar": silent unless asked for."""
from __future__ import annotations

import atexit
import logging

from . import lowlevel

logger = logging.getLogger("realizar")
logger.addHandler(logging.NullHandler())

# in the order of trueno_log_level
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING)


def _write(level: int, line: str) -> None:
    logger.log(_LEVELS[level], "%s", line)


lowlevel.set_log_target(_write)
# a thread that computes while the interpreter goes down must not enter Python any more
atexit.register(lowlevel.set_log_target, None)
