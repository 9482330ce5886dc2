"""`assent serve` and `assent bot` as processes: what starts together stops together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.cli import serving
from tests.cli.conftest import Assent

STAND_IN = "import sys, time; open(sys.argv[1], 'w').write('up'); time.sleep(60)"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process in the bot's place, which writes a file once it is up."""
    up = tmp_path / "up"
    monkeypatch.setattr(serving, "BOT", [sys.executable, "-c", STAND_IN, str(up)])
    monkeypatch.setenv("ASSENT_DISCORD_TOKEN", "a-token")
    return up


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


@pytest.mark.usefixtures("stand_in")
def test_the_bot_runs_beside_us_and_stops_with_us(stand_in: Path):
    with serving._bot_beside() as child:
        wait_for(stand_in)
        assert child.poll() is None
    assert child.wait(10) == -signal.SIGTERM


def test_a_bot_that_stops_by_itself_is_told_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(serving, "BOT", [sys.executable, "-c", "raise SystemExit(3)"])
    with serving._bot_beside() as child:
        child.wait(10)
        for _ in range(100):
            if "exit 3" in (said := capsys.readouterr().err):
                break
            time.sleep(0.05)
    assert "The Discord bot stopped (exit 3); the rest goes on." in said


@pytest.fixture
def serving_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`assent serve --bot` whose bot is a stand-in, ended whatever the test does."""
    script = (
        "import signal, sys; from lifecycle.cli import main, serving\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job is born deaf to it
        f"serving.BOT = [sys.executable, '-c', {STAND_IN!r}, 'up']\n"
        "main(['serve', '--bot'])\n"
    )
    root = str(Path(__file__).parents[2])
    environment = {"PYTHONPATH": root, "PATH": os.environ["PATH"], "ASSENT_DISCORD_TOKEN": "x"}
    process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment, text=True)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_both(number: signal.Signals, serving_process: subprocess.Popen[str], tmp_path: Path):
    wait_for(tmp_path / "up")
    serving_process.send_signal(number)
    assert serving_process.wait(15) == 128 + number


def test_serving_without_a_token_says_that_the_bot_is_off(assent: Assent):
    assert assent("serve", "--bot").err == serving.BOT_IS_OFF + "\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_starts_the_parts_asked_for_and_ends_cleanly_at_a_signal(number: signal.Signals, tmp_path: Path):
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [sys.executable, "-m", "lifecycle", "serve", "--worker"],
        cwd=tmp_path,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "Running the worker; Ctrl-C ends it.\n"
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(15) in {0, 128 + number}
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
