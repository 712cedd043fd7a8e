"""The `portico` command. It imports a command's module when that command is given, so that `--help` answers at once."""

import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

import click

from domain.errors import DomainError
from entrypoints.cli.loading import loading
from entrypoints.cli.messages import print_message, reason_of
from entrypoints.cli.signals import Ended, ended_by_signals
from entrypoints.settings import SettingsError

DONE = 0
REFUSED = 1
SIGNALLED = 128
"""And the signal's number, as shells count. A usage error is 2, and click's own affair."""

COMMANDS = {
    "serve": ("entrypoints.cli.serve", "Serve the API."),
    "worker": ("entrypoints.cli.worker", "Deliver mail and purge what expired."),
    "users": ("entrypoints.cli.users", "Accounts."),
    "items": ("entrypoints.cli.items", "Items."),
    "mail": ("entrypoints.cli.mail", "The outbox."),
    "api-keys": ("entrypoints.cli.api_keys", "API keys."),
    "keys": ("entrypoints.cli.keys", "Keys that sign access tokens."),
    "audit": ("entrypoints.cli.audit", "The audit trail."),
    "database": ("entrypoints.cli.database", "The database's schema."),
    "settings": ("entrypoints.cli.settings", "Show the effective settings, secrets masked."),
    "openapi": ("entrypoints.cli.openapi", "Write the OpenAPI document."),
}
"""Each command: the module where it is, under its own name with `_` for `-`, and its line in the help."""


class _Portico(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        with loading(module):
            command: click.Command = getattr(importlib.import_module(module), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - likewise
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command("portico", cls=_Portico, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portico", message="%(prog)s %(version)s")
def portico() -> None:
    """Accounts, sessions and items: run the server, and do on its own machine what its API does.

    A command exits with 0 when it is done, 1 when it is refused, with the reason on stderr, and 2 when it is misused.
    """


def main() -> None:
    """Run the command that the process was started with, and end with its exit code."""
    _fill_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a poor encoding lacks is better escaped than a reason to fail when all is done.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with ended_by_signals():
            code = run(sys.argv[1:])
    except KeyboardInterrupt as another:
        # It came when the command was ending for a first one: systemd can send two at once.
        code = _code_of(another)
    sys.exit(code)


def _code_of(interrupt: BaseException | None) -> int:
    return SIGNALLED + (interrupt.number if isinstance(interrupt, Ended) else signal.SIGINT)


def _fill_closed_streams() -> None:
    """Open nothing in the place of standard streams that are closed. `sys` has None for stdin and stdout all the same.

    What is opened next would get their numbers: libuv aborts on that, and a database would be what others write to.
    That nobody hears what stderr is told is no reason to fail, as logs would, nor to tell it on stdout, as click does.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code. The one place where errors become exit codes.

    =======================================  ====  ==================================
    what happened                            code  on stderr
    =======================================  ====  ==================================
    nothing out of the ordinary              0
    a `DomainError` of any kind, a bad       1     the reason, on one line
    setting, stdout closed by its reader
    a usage error                            2     the usage, and what is wrong
    Ctrl-C                                   130   how far it came
    SIGTERM                                  143   likewise
    SIGHUP                                   129   likewise
    anything else: a bug                     1     its traceback
    =======================================  ====  ==================================
    """
    try:
        portico.main(list(arguments), prog_name="portico", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as abort:
        return _code_of(abort.__cause__)
    except (DomainError, SettingsError) as error:
        print_message(f"portico: {reason_of(error)}")
        return REFUSED
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        # The help and the version, which click prints itself.
        from entrypoints.cli.files import give_up  # noqa: PLC0415 - they need nothing else of it

        give_up(sys.stdout)
        print_message(f"portico: Can't write stdout: {error.strerror}.")
        return REFUSED
    return DONE
