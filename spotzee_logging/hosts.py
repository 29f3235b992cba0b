"""What programs that host ours do in their own way: each is looked up among the modules, and never imported."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

_IS_3_12 = sys.version_info[:2] == (3, 12)


def call_at_a_celery_childs_end(call: Callable[[], object]) -> None:
    """Call at the end of a child of Celery's prefork pool, which calls neither atexit nor finalizers."""
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        # The uid keeps it one call, however many of the forks between here and the child ask for it.
        signals.worker_process_shutdown.connect(
            lambda **_: call(), weak=False, dispatch_uid="spotzee_logging"
        )


def let_gevent_resolve_at_exit() -> None:
    """At an exit of Python 3.12, which starts no thread, have gevent resolve names without one.

    Its resolver uses threads of a pool, and starts the first of them when the first name is asked for: events
    that are delivered only at exit would find no way to the API.
    """
    gevent, monkey = sys.modules.get("gevent"), sys.modules.get("gevent.monkey")
    if not _IS_3_12 or gevent is None or monkey is None or not monkey.is_module_patched("socket"):
        return
    hub = gevent.get_hub()
    if type(hub.resolver).__module__ == "gevent.resolver.thread" and not hub.threadpool.size:
        hub.resolver = importlib.import_module("gevent.resolver.blocking").Resolver(hub)


def may_fork_in_c() -> bool:
    """Whether the host may fork without Python's hooks: uWSGI does, unless it is told otherwise."""
    return "uwsgi" in sys.modules


def call_at_uwsgis_end(call: Callable[[], object]) -> None:
    """Call at the end of a uWSGI process also where it skips Python's own (skip-atexit-teardown)."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    earlier = getattr(uwsgi, "atexit", None)

    def call_both() -> None:
        try:
            if earlier is not None:
                earlier()
        finally:
            call()

    uwsgi.atexit = call_both  # type: ignore[attr-defined]  # the one hook that uWSGI looks for
