"""What a user's type checker sees of the modules for frameworks. Checked by mypy --strict and pyright, not run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Request
from starlette.applications import Starlette
from starlette.types import Scope

from spotzee_logging import Settings
from spotzee_logging.contrib.asgi import ContactMiddleware
from spotzee_logging.contrib.celery import carry_contacts
from spotzee_logging.contrib.flask import bind_contacts
from spotzee_logging.contrib.identify import ContactFields
from spotzee_logging.errors import MissingLibrary, SpotzeeError


def of_request(request: Request) -> ContactFields | None:
    return {"external_id": request.headers["Customer"], "user": {"locale": "en-AU"}}


def of_scope(scope: Scope) -> ContactFields | None:
    return {"external_id": scope["user"].identity}


async def of_scope_async(scope: Scope) -> ContactFields | None:
    return None


def of_task(task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ContactFields | None:
    return {"anonymous_id": args[0]}


bind_contacts(Flask("shop"), of_request)
bind_contacts(Flask("shop"), lambda request: {"external_id": request.headers["Customer"]})
bind_contacts(Flask("shop"), lambda request: {"id": "x"})  # type: ignore[arg-type,return-value]
app = Starlette()
app.add_middleware(ContactMiddleware, identify=of_scope)
app.add_middleware(ContactMiddleware, identify=of_scope_async)
ContactMiddleware(app, of_scope)
carry_contacts()
carry_contacts(of_task)
error: SpotzeeError = MissingLibrary("spotzee_logging.contrib.django", "django")
Settings("sk_x", redact=("password",))
Settings("sk_x", redact=None)
Settings("sk_x", redact=7)  # type: ignore[arg-type]
