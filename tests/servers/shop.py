"""A WSGI program that the servers run: a request for /7 logs event 7 and answers with the process's id."""

import logging
import os

from spotzee_logging import SpotzeeHandler

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(SpotzeeHandler())


def log(number):
    logger.info("x", extra={"spotzee_event": "asked", "external_id": "cust_001", "number": number})


if "LOG_AT_IMPORT" in os.environ:
    log(int(os.environ["LOG_AT_IMPORT"]))


def application(environ, start_response):
    number = environ["PATH_INFO"].strip("/")
    if number.isdigit():
        log(int(number))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
