"""Typed settings from the environment (`ASSENT_*`) and `assent.toml`, checked at start."""

import os
import re
import secrets
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from pydantic import AnyHttpUrl, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from lifecycle.errors import ConfigurationError
from lifecycle.notices.hooks import Webhook

PACKAGE = Path(__file__).parent


def resource(name: str) -> Path:
    """Where a folder shipped with Assent lies: inside the installed package, or beside it in a checkout."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


class Settings(BaseSettings):
    """Everything an operator can set. Instants and periods follow `time_zone`; sizes and rates name their unit."""

    model_config = SettingsConfigDict(env_prefix="ASSENT_", toml_file="assent.toml", extra="ignore")

    data_dir: Path = Path("data")
    database_url: str = ""
    operator: str = "Your company"
    public_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8700")
    time_zone: str = "UTC"
    default_locale: str = "en"

    smtp_url: str = "smtp://127.0.0.1:25"
    mail_from: str = "notices@localhost"
    reply_to: str = ""
    inbox_address: str = ""
    inbox_listen: str = ""
    wording_dir: Path | None = None
    dkim_key: Path | None = None
    dkim_selector: str = ""
    dkim_domain: str = ""
    webhook: Webhook | None = None
    smtp_connections: Annotated[int, Field(ge=1, le=100)] = 10
    smtp_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    lease_seconds: Annotated[float, Field(gt=0)] = 120.0
    relay_per_second: Annotated[int, Field(ge=0)] = 0
    relay_per_hour: Annotated[int, Field(ge=0)] = 0

    discord_token: str = ""
    discord_api_url: str = ""
    discord_staff_channel_id: int = 0

    secret_key: str = ""
    api_token: str = ""
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    reminder_days: Annotated[tuple[int, ...], NoDecode] = (7, 1)
    inactivity_days: Annotated[int, Field(ge=0)] = 0
    inactivity_notice_days: Annotated[int, Field(ge=1)] = 30
    request_regime: str = "contract"
    staff_email: str = ""
    erasure_wait_days: Annotated[int, Field(ge=0)] = 3
    erase_after_termination_days: Annotated[int, Field(ge=0)] = 0
    inactivity_warning_days: Annotated[tuple[int, ...], NoDecode] = (7, 1)
    answer_threshold: float | None = None
    closest_threshold: float | None = None
    model_dir: Path | None = None
    model_locales: Annotated[tuple[str, ...], NoDecode] = ("en",)
    llm_url: str = ""
    llm_key: str = ""
    llm_model: str = "default"
    llm_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @field_validator("model_dir", "wording_dir", "dkim_key", mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("reminder_days", "inactivity_warning_days", "model_locales", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """In the environment a list is written with commas: `7,1`."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database, such as 'Europe/Berlin'") from None
        return value

    @field_validator("default_locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        try:
            Locale.parse(value, sep="-")
        except (UnknownLocaleError, ValueError):
            raise ValueError("is not a known locale, such as 'en' or 'de-AT'") from None
        return value

    @field_validator("database_url")
    @classmethod
    def _supported_database(cls, value: str) -> str:
        if not value:
            return value
        try:
            url = make_url(value)
        except ArgumentError:
            raise ValueError("is not a database URL, such as 'sqlite:////var/lib/assent/assent.sqlite3'") from None
        if url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ValueError("must start with 'sqlite://' or 'postgresql://'")
        driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[url.get_backend_name()]
        return url.set(drivername=driver).render_as_string(hide_password=False)

    @field_validator("smtp_url")
    @classmethod
    def _smtp_scheme(cls, value: str) -> str:
        if not value.startswith(("smtp://", "smtps://", "smtp+starttls://")):
            raise ValueError(
                "must start with smtp://, smtp+starttls:// or smtps://, such as 'smtp://mail.example.com:587'"
            )
        return value

    @field_validator("inbox_address")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        local, _, domain = value.rpartition("@")
        if value and not (re.fullmatch(r"[A-Za-z0-9._-]{1,24}", local) and re.fullmatch(r"[A-Za-z0-9.-]+", domain)):
            raise ValueError("is not a plain address such as 'assent@in.acme.example'; '+…' is added to its name")
        return value

    @field_validator("inbox_listen")
    @classmethod
    def _listener(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (url.scheme not in {"lmtp", "smtp"} or not url.hostname or _port(url) is None):
            raise ValueError("must be lmtp:// or smtp:// with host and port, such as 'lmtp://127.0.0.1:8724'")
        return value

    @field_validator("mail_from", "reply_to", "staff_email")
    @classmethod
    def _one_address(cls, value: str) -> str:
        if value and ("@" not in parseaddr(value)[1] or any(c in value for c in "\r\n")):
            raise ValueError(
                "is not an e-mail address, such as 'Acme <notices@acme.example>'; a name with a comma stands in quotes"
            )
        return value

    @model_validator(mode="after")
    def _inbox_whole(self) -> Self:
        if self.inbox_listen and not self.inbox_address:
            raise ValueError("ASSENT_INBOX_LISTEN needs ASSENT_INBOX_ADDRESS: the address at which mail comes in")
        return self

    @model_validator(mode="after")
    def _dkim_whole(self) -> Self:
        if (self.dkim_key is None) != (not self.dkim_selector):
            raise ValueError("ASSENT_DKIM_KEY and ASSENT_DKIM_SELECTOR go together: set both, or none")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'assent.sqlite3'}"

    @property
    def contact(self) -> str:
        """The bare address at which a person answers."""
        return parseaddr(self.reply_to or self.mail_from)[1]

    @cached_property
    def sender(self) -> str:
        """The bare address that mail comes from."""
        return parseaddr(self.mail_from)[1]

    @cached_property
    def base_url(self) -> str:
        return str(self.public_url).rstrip("/")

    @cached_property
    def signing_key(self) -> str:
        """ASSENT_SECRET_KEY, or a random key kept in the data folder so that signed links outlive a restart."""
        return self.secret_key or _kept_secret(self.data_dir / "secret.key")


def _kept_secret(path: Path) -> str:
    ensure_writable(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii").strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(32)
        file.write(key)
    return key


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        return None


def ensure_writable(folder: Path) -> None:
    """Make the data folder, its owner's alone; raises ConfigurationError naming ASSENT_DATA_DIR if it cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {str(folder)!r} cannot be written ({error.strerror}). "
            "Set ASSENT_DATA_DIR to a folder that this user may write."
        ) from None


def load_settings(**overrides: Any) -> Settings:
    """The settings in force here; raises ConfigurationError that names each wrong variable and its value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("\n".join(map(_explain, error.errors()))) from None
    except ValueError as error:
        raise ConfigurationError(f"assent.toml cannot be read: {error}") from None


SECRET = {"secret_key", "llm_key", "api_token", "discord_token", "database_url", "smtp_url", "webhook"}


def _explain(problem: Any) -> str:
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ") + "."
    field = str(problem["loc"][0])
    shown = "" if field in SECRET else f" (found {problem['input']!r})"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if part := ".".join(map(str, problem["loc"][1:])):
        message = f"{part}: {message}"
    return f"ASSENT_{field.upper()} {message[0].lower()}{message[1:]}{shown}."
