"""Errors a user can mend: each names what is wrong, where, and the remedy, in the reader's language.

The command line prints ``error.text(locale)`` and exits with ``error.exit_code``; a traceback is reserved for our
own defects. Parameters must never carry personal data (domain.md section 12).
"""

from __future__ import annotations

from enum import IntEnum

from models.messages import DEFAULT_LOCALE, text


class ExitCode(IntEnum):
    """What the command line answers to the shell; documented in docs/command-line.md."""

    OK = 0
    DEFECT = 1  # an error of ours, with a traceback in the log
    BAD_INPUT = 2  # usage, settings, mapping or files the user can mend
    WITH_PROBLEMS = 3  # the run completed, but some dealers or files failed and are listed
    FAILED = 4  # the run stopped; run it again to continue after the last finished step
    BUSY = 5  # another run holds this workspace


class UserError(Exception):
    """An error the user can mend.

    ``key`` names a message in ``models/locales``; ``params`` fill it (file, row, column, candidates, ...).
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, key: str, **params: object) -> None:
        self.key = key
        self.params = params
        super().__init__(key)

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """What is wrong and how to mend it, in ``locale``."""
        return text(self.key, locale, **self.params)

    def __str__(self) -> str:
        return self.text("en")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.key, self.params)


def _rebuild(kind: type[UserError], key: str, params: dict[str, object]) -> UserError:
    return kind(key, **params)


class SettingsError(UserError):
    """The workspace's settings, key or folder cannot be used."""


class CatalogueError(UserError):
    """A catalogue file (reasons, indicators, playbook, ...) breaks its rules."""


class MappingError(UserError):
    """A source mapping is wrong or does not fit the files it names."""


class NotesError(UserError):
    """A file of qualitative notes breaks its form or holds personal data."""


class SourceError(UserError):
    """A source file, folder or query cannot be read."""


class LifecycleError(UserError):
    """A plan may not make this step, or not by this actor."""


class NotAvailableError(UserError):
    """What is asked for cannot be answered with the data or version at hand; says what is missing."""


class BusyError(UserError):
    """Another run holds the workspace."""

    exit_code = ExitCode.BUSY


class RunFailedError(UserError):
    """The run stopped at a step; finished steps are kept."""

    exit_code = ExitCode.FAILED
