"""Type checkers see a tracked function exactly as it was. Checked by mypy --strict and pyright, not run."""

# An ignored error that is not there is an error: mypy by warn_unused_ignores, and
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from typing_extensions import assert_type

from spotzee_logging.tracking import Call, Draft, Tracking, arg, elapsed, error, result, track

Item = TypeVar("Item")


@track
def bare(a: int, *, b: str = "") -> float:
    return 1.0


@track("called", external_id=arg.a, data={"seconds": elapsed, "all": [result.x, {"why": error.args[0]}]})
def called(a: int, *, b: str = "") -> float:
    return 1.0


@track()
def empty(a: int) -> float:
    return 1.0


assert_type(bare(1, b="x"), float)
assert_type(called(1, b="x"), float)
assert_type(empty(1), float)
bare("x")  # type: ignore[arg-type]
called(1, c=2)  # type: ignore[call-arg]
called()  # type: ignore[call-arg]


@track
async def bare_async(a: int) -> float:
    return 1.0


@track("x", external_id=lambda call: str(call.arguments["a"]))
async def called_async(a: int) -> float:
    return 1.0


async def main() -> None:
    assert_type(await bare_async(1), float)
    assert_type(await called_async(1), float)
    await called_async("x")  # type: ignore[arg-type]
    coroutine: Coroutine[Any, Any, float] = called_async(1)
    assert_type(await coroutine, float)
    async for item in called_async_items(1):
        assert_type(item, int)
    async with track("x", external_id="c") as draft:
        assert_type(draft, Draft)


@track
def bare_items(n: int) -> Iterator[int]:
    yield 1


@track("x", external_id="c")
def called_items(n: int) -> Generator[int, str, bytes]:
    yield 1
    return b""


@track("x", external_id="c")
async def called_async_items(n: int) -> AsyncGenerator[int, None]:
    yield 1


assert_type(bare_items(1), Iterator[int])
assert_type(called_items(1), Generator[int, str, bytes])
assert_type(called_async_items(1), AsyncGenerator[int, None])


@track("x", external_id="c")
def generic(items: list[Item]) -> Item:
    return items[0]


assert_type(generic([1]), int)
assert_type(generic(["a"]), str)


class Account:
    user_id = "u1"

    @track
    def bare(self, a: int) -> float:
        return 1.0

    @track("x", external_id=arg.self.user_id)
    def called(self, a: int) -> float:
        return 1.0

    @track("x", external_id=arg.self.user_id)
    async def called_async(self, a: int) -> float:
        return 1.0

    @classmethod
    @track("x", external_id="c")
    def inner_class(cls, a: int) -> float:
        return 1.0

    @staticmethod
    @track("x", external_id="c")
    def inner_static(a: int) -> float:
        return 1.0

    @track("x", external_id="c")
    @classmethod
    def outer_class(cls, a: int) -> float:
        return 1.0

    @track("x", external_id="c")
    @staticmethod
    def outer_static(a: int) -> float:
        return 1.0

    @property
    @track("x", external_id="c")
    def value(self) -> float:
        return 1.0


account = Account()
assert_type(account.bare(1), float)
assert_type(account.called(1), float)
assert_type(Account.called(account, 1), float)
assert_type(account.inner_class(1), float)
assert_type(Account.inner_class(1), float)
assert_type(account.inner_static(1), float)
assert_type(Account.outer_class(1), float)
assert_type(Account.outer_static(1), float)
assert_type(account.value, float)
account.called("x")  # type: ignore[arg-type]
Account.inner_class("x")  # type: ignore[arg-type]
Account.inner_static("x")  # type: ignore[arg-type]
Account.outer_static("x")  # type: ignore[arg-type]


@track("ordered", external_id=arg.customer)
@dataclass
class Order:
    customer: str
    total: int = 1


order: Order = Order("c1", total=2)
assert_type(Order("c1").total, int)
Order(1)  # type: ignore[arg-type]


@contextmanager
@track("held", external_id="c")
def hold() -> Generator[int, None, None]:
    yield 1


with hold() as held:
    assert_type(held, int)

with track("x", external_id="c", data={"seconds": elapsed}) as draft:
    assert_type(draft, Draft)
    assert_type(draft.data, dict[str, Any])
    assert_type(draft.user, dict[str, Any])
    assert_type(draft.external_id, "str | None")
    assert_type(draft.name, str)
    draft.data["rows"] = 3
    draft.external_id = "c2"
    draft.anonymous_id = 3  # type: ignore[assignment]
    draft.extra = 3  # type: ignore[attr-defined]

assert_type(track("x"), Tracking)


def wanted(call: Call) -> bool:
    assert_type(call.elapsed, float)
    assert_type(call.error, "BaseException | None")
    return call.error is None


track("x", when=wanted, on="both", level="WARNING", logger="shop", user={"email": arg.email})
track("x", user={"email": "a@example.com", "data": {"n": 1}})
track(3)  # type: ignore[call-overload]
track("x", on="exit")  # type: ignore[call-overload]
track("x", external_id=3)  # type: ignore[call-overload]
track("x", data=3)  # type: ignore[call-overload]
track("x", level=1.5)  # type: ignore[call-overload]
track("x", colour="red")  # type: ignore[call-overload]
track("x")(3)  # type: ignore[type-var]
arg.total * 2  # type: ignore[operator]

function: Callable[[int], float] = empty
