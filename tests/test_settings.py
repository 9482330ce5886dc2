"""Settings: typed, from the environment or assent.toml, and each wrong one named with its value."""

import os
from pathlib import Path

import pytest

from lifecycle.errors import ConfigurationError
from lifecycle.settings import load_settings, resource


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "assent.toml").write_text('operator = "File"\ntime_zone = "Europe/Berlin"\n')
    monkeypatch.setenv("ASSENT_OPERATOR", "Environment")
    settings = load_settings()
    assert (settings.operator, settings.time_zone) == ("Environment", "Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "TIME_ZONE",
            "Mars/Base",
            "is not a time zone of the IANA database, such as 'Europe/Berlin' (found 'Mars/Base')",
        ),
        ("DATABASE_URL", "mysql://u:secret@h/x", "must start with 'sqlite://' or 'postgresql://'"),
        ("DATABASE_URL", "nonsense", "is not a database URL"),
        ("SMTP_URL", "http://mail", "must start with smtp://"),
        ("SMTP_CONNECTIONS", "many", "should be a valid integer"),
        ("SMTP_CONNECTIONS", "0", "greater than or equal to 1 (found '0')"),
        ("RELAY_PER_HOUR", "-5", "greater than or equal to 0 (found '-5')"),
        ("MAIL_FROM", "nobody", "is not an e-mail address"),
        ("MAIL_FROM", "Acme, Inc. <legal@acme.example>", "a name with a comma stands in quotes"),
        ("PUBLIC_URL", "our site", "valid URL"),
        ("DEFAULT_LOCALE", "xx-yy-zz", "is not a known locale"),
        ("POLL_SECONDS", "0", "greater than 0"),
        ("REMINDER_DAYS", "7,soon", "valid integer"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(f"ASSENT_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert f"ASSENT_{name}" in str(refused.value)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_list_is_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_REMINDER_DAYS", "14, 3,1")
    assert load_settings().reminder_days == (14, 3, 1)


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_TIME_ZONE", "x")
    monkeypatch.setenv("ASSENT_SMTP_CONNECTIONS", "x")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert len(str(refused.value).splitlines()) == 2


def test_a_broken_settings_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "assent.toml").write_text("operator = \n")
    with pytest.raises(ConfigurationError, match=r"assent\.toml"):
        load_settings()


def test_the_signing_key_is_kept_private_and_outlives_a_restart(tmp_path: Path) -> None:
    first = load_settings(data_dir=tmp_path / "data").signing_key
    assert load_settings(data_dir=tmp_path / "data").signing_key == first
    assert os.stat(tmp_path / "data" / "secret.key").st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["templates", "migrations"])
def test_what_ships_with_assent_is_found(name: str) -> None:
    assert any(resource(name).iterdir())
