"""A small shop that logs as programs do: the demo's events, from threads and from asyncio tasks.

Each event carries an id of its own, `receipt`, in its data, and the shop keeps the list: what it logged can
be held against what arrived.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Generator
from typing import Final, NamedTuple

from spotzee_logging.contact import contact
from spotzee_logging.markers import arg, result
from spotzee_logging.tracking import track

# Outside of logging's tree: no other handler hears it, and the process's logging stays as it is.
LOGGER: Final = logging.Logger("shop", logging.DEBUG)  # noqa: LOG001


class Customer(NamedTuple):
    """Who comes to the shop, and what for."""

    name: str
    email: str
    item: str
    price: float

    @property
    def external_id(self) -> str:
        """The shop's own id of the customer, once known."""
        return f"cust_{self.name}"


CUSTOMERS: Final = (
    Customer("ada", "ada@example.com", "lamp", 129.5),
    Customer("ben", "ben@example.com", "chair", 249.0),
    Customer("cleo", "cleo@example.com", "vase", 39.9),
    Customer("dev", "dev@example.com", "desk", 480.0),
)


class Shop:
    """The shop, for one day; it logs to `LOGGER`."""

    def __init__(self) -> None:
        self.receipts: list[str] = []
        """The id of every event that was logged."""
        self.untagged_lines = 0
        """Lines that were logged besides, and are no events."""

    def open(self) -> None:
        """Serve every customer in a thread, pack what they ordered in asyncio tasks, and bring it."""
        threads = [threading.Thread(target=self.serve, args=(customer,)) for customer in CUSTOMERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(self.ship())
        for customer in CUSTOMERS:
            stops = list(self.deliver(customer))
            self._note("%d stops on the way", len(stops))
        self._note("the shop closes, %d orders shipped", len(CUSTOMERS))

    def serve(self, customer: Customer) -> None:
        """One visit: unknown at first, then logged in, then an order."""
        name = customer.name
        # Short tags: a name. The contact says who, the other extras are the data.
        with contact(anonymous_id=f"anon_{name}"):
            for page in ("home", customer.item):
                extra = {"spotzee_event": "page_viewed", "page": page}
                LOGGER.info("page viewed", extra={**extra, "receipt": self._receipt(f"{name}-{page}")})
            with contact(external_id=customer.external_id, user={"email": customer.email}):
                extra = {"spotzee_event": "logged_in", "receipt": self._receipt(f"{name}-login")}
                LOGGER.info("logged in", extra=extra)
        self._note("stock of %s looked up", customer.item)
        self.order(customer)
        self.pay(customer)

    def order(self, customer: Customer) -> None:
        """An order, as a mapping tag: an event as the API defines it, complete in itself."""
        receipt = self._receipt(f"{customer.name}-order")
        event = {
            "name": "order_placed",
            "external_id": customer.external_id,
            "data": {"item": customer.item, "total": customer.price, "receipt": receipt},
        }
        LOGGER.info("order placed", extra={"spotzee_event": event})

    @track(
        "order_paid",
        external_id=arg.customer.external_id,
        data={"total": arg.customer.price, "receipt": result},
        logger=LOGGER,
    )
    def pay(self, customer: Customer) -> str:
        """A payment, as a tracked function: the event reads its argument and what it returns."""
        return self._receipt(f"{customer.name}-paid")

    async def ship(self) -> None:
        """Two facts for each order, from tasks that take turns: the contact is each task's own."""
        await asyncio.gather(*map(self._ship_to, CUSTOMERS))

    async def _ship_to(self, customer: Customer) -> None:
        with contact(external_id=customer.external_id):
            await self.pack(customer)
            receipt = self._receipt(f"{customer.name}-shipped")
            extra = {"spotzee_event": "order_shipped", "item": customer.item, "receipt": receipt}
            LOGGER.info("shipped to %s", customer.name, extra=extra)

    @track("order_packed", data={"item": arg.customer.item, "receipt": result}, logger=LOGGER)
    async def pack(self, customer: Customer) -> str:
        """Packing, as a tracked coroutine: the contact is that of the task it runs in."""
        await asyncio.sleep(0)
        return self._receipt(f"{customer.name}-packed")

    @track(
        "parcel_delivered",
        external_id=arg.customer.external_id,
        data={"item": arg.customer.item, "receipt": result},
        logger=LOGGER,
    )
    def deliver(self, customer: Customer) -> Generator[str, None, str]:
        """A round, as a tracked generator: the event is sent when it ends, with what it returns."""
        yield "depot"
        yield customer.item
        return self._receipt(f"{customer.name}-delivered")

    def _receipt(self, receipt: str) -> str:
        self.receipts.append(receipt)
        return receipt

    def _note(self, text: str, *details: object) -> None:
        self.untagged_lines += 1
        LOGGER.debug(text, *details)
