"""The files that serve a group, as far as this machine can try them: a service, a proxy, a container."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.command_line import commands
from engine.paths import ASSETS, PROJECT

SERVING = ASSETS / "serving"


def needs(program: str) -> str:
    """Return where a program is, also where only the machine's keeper finds it; skips where it is not."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return found or pytest.skip(f"{program} is not installed")


def test_the_service_is_one(tmp_path):
    unit = (SERVING / "longmem@.service").read_text()
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    words = command.removeprefix("ExecStart=").replace("%i", "7860").split()
    assert (PROJECT / Path(words[1]).name).is_file()
    commands.parse(words[2:], installed=False)
    place = tmp_path / "longmem@7860.service"
    place.write_text(unit.replace(words[0], sys.executable))
    found = subprocess.run([needs("systemd-analyze"), "verify", str(place)], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_proxy_takes_its_settings(tmp_path):
    program, openssl = needs("nginx"), needs("openssl")
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=books.example.org"]
    place = ["-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"]
    subprocess.run([openssl, *made, *place], check=True, capture_output=True)
    site = (SERVING / "nginx.conf").read_text().replace("/etc/ssl/longmem", str(tmp_path))
    for port in ("80", "443"):  # which need not be free here, nor allowed
        site = site.replace(f"listen {port}", f"listen 127.0.0.1:5{port.zfill(4)}")
    (tmp_path / "site.conf").write_text(site)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    whole = (
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {places} include {tmp_path}/site.conf; }}"
    )
    (tmp_path / "nginx.conf").write_text(whole)
    tried = [program, "-t", "-e", tmp_path / "errors", "-c", tmp_path / "nginx.conf"]
    found = subprocess.run(tried, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_what_the_container_copies_is_there_and_its_command_is_one():
    lines = [
        shlex.split(line, comments=True) for line in (SERVING / "Containerfile").read_text().splitlines()
    ]
    copied = [name for words in lines if words[:1] == ["COPY"] for name in words[2:-1]]
    assert {name for name in copied if not (PROJECT / name).exists()} == set()
    assert {"app", "engine", "ingest", "assets", "launch.py", "pyproject.toml"} <= set(copied)
    (command,) = (words[1:] for words in lines if words[:1] == ["CMD"])
    commands.parse([word.strip("[],") for word in command], installed=False)
