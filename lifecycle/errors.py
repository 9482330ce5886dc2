"""The exceptions of Assent: each says what was wrong, with which value, and what to do."""


class AssentError(Exception):
    """Anything Assent refuses on purpose; the message is written for the person who asked.

    The `hint` names a command, for those who have a command line; `said` is the message without it.
    """

    status = 400
    title = "Refused"

    def __init__(self, said: object = "", hint: str = "") -> None:
        super().__init__(f"{said} {hint}".strip())
        self.said = str(said)


class InvalidInput(AssentError):
    """A value cannot be used as given."""

    status = 422
    title = "Invalid input"


class NotFound(AssentError):
    """The named thing does not exist."""

    status = 404
    title = "Not found"


class Conflict(AssentError):
    """The thing is not in a state that allows this (published twice, already terminated)."""

    status = 409
    title = "Conflict"


class RuleRefused(AssentError):
    """A rule of Assent or of a regime forbids it."""

    status = 409
    title = "Refused by a rule"


class NotYet(AssentError):
    """It cannot be done at this moment; the same again in a while can."""

    status = 503
    title = "Not yet"


class ConfigurationError(AssentError):
    """A setting is missing or wrong; the message names the variable."""

    status = 500
    title = "Wrong configuration"


class DatabaseError(AssentError):
    """The database cannot be used: unreachable, unwritable, or from another release."""

    status = 503
    title = "Database not usable"


class TemplateError(AssentError):
    """A mail template does not render; the message names template and variable."""

    status = 500
    title = "Template does not render"
