"""The interface as one application."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI

from lifecycle import __version__
from lifecycle.api import (
    answers,
    casefiles,
    choices,
    documents,
    erasures,
    imports,
    notices,
    people,
    requests,
    rollouts,
    terminations,
    versions,
)
from lifecycle.api.problems import Bearer, explain_errors
from lifecycle.db import Database
from lifecycle.settings import Settings


def api(settings: Settings, database: Database, clock: Callable[[], datetime]) -> FastAPI:
    """The interface as an application of its own, to be mounted at /api/v1."""
    app = FastAPI(title="Assent", version=__version__, docs_url=None, redoc_url=None)
    app.state.settings, app.state.database, app.state.clock = settings, database, clock
    app.add_middleware(Bearer, token=settings.api_token)
    explain_errors(app)
    for thing in (
        documents,
        versions,
        rollouts,
        people,
        choices,
        casefiles,
        imports,
        terminations,
        notices,
        requests,
        erasures,
        answers,
    ):
        app.include_router(thing.router)
    return app
