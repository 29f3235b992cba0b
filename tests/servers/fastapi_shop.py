"""A FastAPI program whose requests say in a header who they are; `later` knows it from a database, say."""

import asyncio
import contextlib

import meeting
from fastapi import BackgroundTasks, FastAPI, WebSocket
from starlette.datastructures import Headers

from spotzee_logging.contrib.asgi import ContactMiddleware


def named(scope):
    return {"external_id": Headers(scope=scope)["Customer"]}


async def looked_up(scope):
    await asyncio.sleep(0)
    customer = Headers(scope=scope).get("Customer")
    return customer and {"external_id": customer}


app = FastAPI()
app.add_middleware(ContactMiddleware, identify=named)
later = FastAPI()
later.add_middleware(ContactMiddleware, identify=looked_up)


async def ready():
    return "ok"


async def together_async(number: int):
    await meeting.meet_async()
    meeting.log(number)


def together(number: int):
    meeting.meet()
    meeting.log(number)


async def background(number: int, tasks: BackgroundTasks):
    tasks.add_task(meeting.log, number)


async def stranger(number: int):
    meeting.log_stranger(number)


async def socket(websocket: WebSocket):
    await websocket.accept()
    meeting.log(await websocket.receive_text())
    await websocket.close()


for each in (app, later):
    each.get("/ready")(ready)
    each.get("/async/{number}")(together_async)
    each.get("/together/{number}")(together)
    each.get("/background/{number}")(background)
    each.get("/stranger/{number}")(stranger)
    each.websocket("/socket")(socket)


@contextlib.asynccontextmanager
async def no_database(_):
    raise RuntimeError("no database")
    yield


failing = ContactMiddleware(FastAPI(lifespan=no_database), named)
