"""Requests that are made to meet: each waits in the midst of its view until as many as can be served are there."""

import asyncio
import logging
import threading

from spotzee_logging import SpotzeeHandler

TOGETHER = 4

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(SpotzeeHandler())

_barrier = threading.Barrier(TOGETHER)
_waiting = []


def meet():
    """Wait in a thread for the others."""
    _barrier.wait(10)


async def meet_async():
    """Wait in a task for the others."""
    mine = asyncio.get_running_loop().create_future()
    _waiting.append(mine)
    if len(_waiting) == TOGETHER:
        for each in _waiting:
            each.set_result(None)
        _waiting.clear()
    await asyncio.wait_for(mine, 10)


def log(number):
    """An event of whoever acts."""
    logger.info("x", extra={"spotzee_event": "asked", "number": int(number)})


def log_stranger(number):
    """An event that stands for itself: it must get nothing of anybody."""
    extra = {"spotzee_event": "browsed", "anonymous_id": f"anon_{number}", "number": int(number)}
    logger.info("x", extra=extra)
