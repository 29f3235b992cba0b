"""A handler of somebody else's, for tests of who sees a record."""

import logging


class Keeper(logging.Handler):
    """Somebody else's handler."""

    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.records = []

    def emit(self, record):
        self.records.append(record)
