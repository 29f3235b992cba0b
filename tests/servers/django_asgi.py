"""The asgi.py of a Django project for uvicorn, as docs/how-to/workers.md has it: its last line delivers on SIGTERM."""

from django_shop import asgi as application

from spotzee_logging import flush_on_sigterm

__all__ = ["application"]

flush_on_sigterm()
