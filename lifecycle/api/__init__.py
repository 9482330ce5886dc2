"""JSON over HTTP, under /api/v1, for the host application."""

from lifecycle.api.routes import api

__all__ = ["api"]
