"""A PostgreSQL server of one's own for tests: real, on a free port, gone when they end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from importlib.util import find_spec
from pathlib import Path

import pytest
from ports import free_port

PASSWORD = "never-shown"


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    binaries: Path
    folder: Path
    port: int

    def start(self) -> None:
        """Let it run, after `crash` too."""
        safe = "-c fsync=off -c full_page_writes=off"  # of a crash of the machine, which no test brings about
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 {safe}"
        log = self.folder / "log"
        _run(self.binaries / "pg_ctl", "-D", self.folder / "data", "-w", "-t", "60", "-l", log, "-o", options, "start")

    def crash(self) -> None:
        """End it at once, without any clearing up."""
        _run(self.binaries / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        return f"postgresql://triage:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """URL of an empty database."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server, and stop it at the end; skip the test, with the reason, where none is installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed")
    if find_spec("psycopg") is None:
        pytest.skip("the extra `postgres` isn't installed")
    folder = Path(tempfile.mkdtemp(prefix="triage-postgres-"))  # tmp_path can't be entered by another user
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD, "utf-8")
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            shutil.chown(secret, "postgres", "postgres")
        access = ("-U", "triage", "-A", "scram-sha-256", f"--pwfile={secret}")
        _run(binaries / "initdb", "-D", folder / "data", *access, "-E", "UTF8", "--no-sync")
        server = Postgres(binaries, folder, free_port())
        server.start()
        try:
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    folders += [Path(p) for p in sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    return next((f for f in folders if (f / "initdb").exists()), None)


def _run(*command: object) -> None:
    """Run a server's tool; it refuses to be root."""
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*as_user, *map(str, command)], cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
