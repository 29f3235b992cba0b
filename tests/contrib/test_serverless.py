"""`flushing`: at the end of an invocation everything has been delivered, before the process is frozen."""

import asyncio
import functools
import inspect
import threading
import time

import pytest

from conftest import tag
from spotzee_logging import errors
from spotzee_logging.contrib.serverless import flushing


@pytest.fixture
def log(make_handler, make_logger):
    """Logs an event that would wait for an hour."""
    logger = make_logger(make_handler(flush_interval_seconds=3600))
    return lambda number=0: logger.info("x", extra={"spotzee_event": tag(number)})


def test_a_block_delivers_at_its_end(sandbox, log):
    """What a block logs has arrived when the block is left."""
    with flushing(timeout=10):
        log()
        assert sandbox.events() == []

    assert len(sandbox.events()) == 1


def test_a_function_delivers_at_its_end(sandbox, log):
    """A decorated function returns what it returns, under its own name, and its events have arrived."""

    @flushing(timeout=10)
    def handler(event, context=None):
        """Says more."""
        log()
        return event, context

    assert handler({"id": 1}, context=2) == ({"id": 1}, 2)
    assert len(sandbox.events()) == 1
    assert (handler.__name__, handler.__doc__) == ("handler", "Says more.")
    assert list(inspect.signature(handler).parameters) == ["event", "context"]


def test_a_coroutine_function_delivers_at_its_end(sandbox, log):
    """So does a coroutine function, which stays one."""

    @flushing(timeout=10)
    async def handler(event):
        log()
        return event

    assert inspect.iscoroutinefunction(handler)
    assert asyncio.run(handler(3)) == 3
    assert len(sandbox.events()) == 1


def test_an_object_with_a_coroutine_to_call(sandbox, log):
    """An object whose `__call__` is a coroutine function is taken for one."""

    class Handler:
        async def __call__(self):
            log()

    asyncio.run(flushing(timeout=10)(functools.update_wrapper(Handler(), log))())

    assert len(sandbox.events()) == 1


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised(sandbox, log, failure):
    """A function that fails, or leaves, delivers all the same, and what it raises comes out."""

    @flushing(timeout=10)
    def handler():
        log()
        raise failure

    with pytest.raises(failure):
        handler()

    assert len(sandbox.events()) == 1


def test_a_cancelled_coroutine_delivers(sandbox, log):
    """A task that is cancelled delivers before it ends, and ends cancelled."""

    async def cancel_it():
        @flushing(timeout=10)
        async def handler():
            log()
            begun.set()
            await asyncio.Event().wait()

        begun = asyncio.Event()
        task = asyncio.create_task(handler())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_it())

    assert len(sandbox.events()) == 1


def test_the_event_loop_goes_on(sandbox, log):
    """While a coroutine waits for a slow server, the others of its loop run, also where its executor is full."""
    sandbox.faults([{"delay": 0.5}])
    go_on = threading.Event()

    async def both():
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(None, go_on.wait, 30) for _ in range(64)]
        handling = asyncio.create_task(handler())
        ticks = 0
        while not handling.done():
            await asyncio.sleep(0.01)
            ticks += 1
        go_on.set()
        await asyncio.gather(*jobs)
        return ticks

    @flushing(timeout=10)
    async def handler():
        log()

    assert asyncio.run(both()) >= 10
    assert len(sandbox.events()) == 1


def test_an_async_block_delivers_at_its_end(sandbox, log):
    """`async with` is the same for a block of a coroutine."""

    async def invocation():
        async with flushing(timeout=10):
            log()

    asyncio.run(invocation())

    assert len(sandbox.events()) == 1


def test_a_coroutine_that_no_asyncio_runs(sandbox, log):
    """Under a loop of another kind it waits in place: late is better than never."""

    @flushing(timeout=10)
    async def handler():
        log()

    with pytest.raises(StopIteration):
        handler().send(None)

    assert len(sandbox.events()) == 1


def test_the_timeout_holds(sandbox, log, caplog):
    """Where the server hangs the invocation ends in time, and a line says that events wait."""
    sandbox.faults([{"hang": True}])
    started = time.monotonic()

    with flushing(timeout=0.2):
        log()

    assert time.monotonic() - started < 5  # and not the ten that the request may take
    assert "events pending" in caplog.text


def test_what_was_late_is_delivered_by_the_next_invocation(sandbox, make_handler, make_logger):
    """Nothing is lost by a timeout: the next invocation's flush delivers it, once."""
    sandbox.faults([{"hang": True}])
    logger = make_logger(make_handler(flush_interval_seconds=3600, read_timeout_seconds=0.5))

    with flushing(timeout=0.1):
        logger.info("x", extra={"spotzee_event": tag(1)})
    with flushing(timeout=20):
        logger.info("x", extra={"spotzee_event": tag(2)})

    assert sorted(event["data"]["number"] for event in sandbox.events()) == [1, 2]


def test_generator_functions_are_refused():
    """A generator's body runs after the call: to decorate one is an error that says what to write."""

    def generate():
        yield

    async def generate_async():
        yield

    for function in (generate, generate_async):
        with pytest.raises(errors.InvalidSettings, match="with flushing"):
            flushing()(function)
