"""What all commands share: how a fault is told, and options that mean the same everywhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from config.errors import ConfigError, MonitorError
from monitor.errors import StartError


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The hospital's configuration (hospital.yaml).")]
OptionalConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="The hospital's configuration (hospital.yaml).")
]
Timezone = Annotated[str, typer.Option(help="Zone of stamps that have none, where no configuration tells.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output and nothing else there.")]


def answering(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors a user can mend into a message and an exit status; never a traceback with log content."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (ConfigError, StartError) as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from None
        except MonitorError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            _leave_reader()
        except SystemExit as end:
            if not isinstance(end.__context__, BrokenPipeError):  # what rich makes of it
                raise
            _leave_reader()

    return run


def _leave_reader() -> None:
    """The reader has seen enough (`| head`): what is still in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0) from None
