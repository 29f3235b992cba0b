"""A small shop that logs as programs do: the demo's events, from threads and from an asyncio task.

Each event carries an id of its own, `receipt`, in its data, and the shop keeps the list: what it logged can
be held against what arrived.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Final, NamedTuple

from spotzee_logging.contact import contact


class Customer(NamedTuple):
    """Who comes to the shop, and what for."""

    name: str
    email: str
    item: str
    price: float


CUSTOMERS: Final = (
    Customer("ada", "ada@example.com", "lamp", 129.5),
    Customer("ben", "ben@example.com", "chair", 249.0),
    Customer("cleo", "cleo@example.com", "vase", 39.9),
    Customer("dev", "dev@example.com", "desk", 480.0),
)


class Shop:
    """The shop, for one day.

    :param logger: what it logs to, at DEBUG.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self.receipts: list[str] = []
        """The id of every event that was logged."""
        self.untagged_lines = 0
        """Lines that were logged besides, and are no events."""

    def open(self) -> None:
        """Serve every customer in a thread, and ship what they ordered from an asyncio task."""
        threads = [threading.Thread(target=self.serve, args=(customer,)) for customer in CUSTOMERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(self.ship())
        self._note("the shop closes, %d orders shipped", len(CUSTOMERS))

    def serve(self, customer: Customer) -> None:
        """One visit: unknown at first, then logged in, then an order."""
        name = customer.name
        # Short tags: a name. The contact says who, the other extras are the data.
        with contact(anonymous_id=f"anon_{name}"):
            for page in ("home", customer.item):
                extra = {"spotzee_event": "page_viewed", "page": page}
                self._logger.info("page viewed", extra={**extra, "receipt": self._receipt(f"{name}-{page}")})
            with contact(external_id=f"cust_{name}", user={"email": customer.email}):
                extra = {"spotzee_event": "logged_in", "receipt": self._receipt(f"{name}-login")}
                self._logger.info("logged in", extra=extra)
        self._note("stock of %s looked up", customer.item)
        self.order(customer)

    def order(self, customer: Customer) -> None:
        """An order, as a mapping tag: an event as the API defines it, complete in itself."""
        receipt = self._receipt(f"{customer.name}-order")
        event = {
            "name": "order_placed",
            "external_id": f"cust_{customer.name}",
            "data": {"item": customer.item, "total": customer.price, "receipt": receipt},
        }
        self._logger.info("order placed", extra={"spotzee_event": event})

    async def ship(self) -> None:
        """Two facts for each order, from tasks that take turns: the contact is each task's own."""
        await asyncio.gather(*map(self._ship_to, CUSTOMERS))

    async def _ship_to(self, customer: Customer) -> None:
        with contact(external_id=f"cust_{customer.name}"):
            for name in ("order_packed", "order_shipped"):
                receipt = self._receipt(f"{customer.name}-{name.removeprefix('order_')}")
                extra = {"spotzee_event": name, "item": customer.item, "receipt": receipt}
                self._logger.info("%s for %s", name, customer.name, extra=extra)
                await asyncio.sleep(0)

    def _receipt(self, receipt: str) -> str:
        self.receipts.append(receipt)
        return receipt

    def _note(self, text: str, *details: object) -> None:
        self.untagged_lines += 1
        self._logger.debug(text, *details)
