"""The error tree.

::

    RefinebioError                    code, message, remedy, exit status
    ├── InputError                    the caller's input is wrong: file, line, remedy (exit 2)
    │   ├── MalformedFileError        a file is not what it claims to be
    │   ├── LowQualityError           a file can be read, but its measurements cannot be used
    │   ├── UncertainTableError       a table can be read in several ways, and a person has to say in which
    │   ├── UnsupportedAccessionError a text is no accession of a grammar we know
    │   └── AmbiguousAccessionError   an accession names several experiments
    ├── NotFoundError                 nothing is known under that name (exit 3)
    ├── ConfigurationError            a setting is missing or contradicts another
    ├── ArchiveError                  a public archive did not give what was asked for
    │   ├── TransientArchiveError     worth trying again: time-out, reset, 5xx, 429, an error page with status 200
    │   ├── ArchiveNotFoundError      the archive does not have it
    │   ├── AccessControlledError     the archive has it behind an access committee (dbGaP, EGA)
    │   └── MalformedPayloadError     the answer came, but its content is wrong (not JSON, truncated gzip)
    │       └── ChecksumMismatchError size or md5 differs from what the archive announced
    ├── ToolError                     an external program
    │   ├── ToolMissingError          is not installed: names the package
    │   └── ToolFailedError           exited non-zero, was killed or left no output: its own words are kept
    ├── ObjectStoreError              the object store refused or lost something
    └── RunUnderWayError              a run works on what was to be removed

Every class carries a stable ``code`` (used by ``--json`` output, GraphQL ``extensions.code`` and the ledger's
reasons) and says whether trying again can help (``retryable``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar


class RefinebioError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What happened, in words a biologist understands.
        remedy: What to do next; shown after the message.
    """

    code: ClassVar[str] = "internal_error"
    exit_status: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def to_dict(self) -> dict[str, Any]:
        """The error as ``--json`` and GraphQL show it."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class InputError(RefinebioError):
    """The caller's input is wrong.

    Args:
        message: What is wrong.
        path: The file at fault, if there is one.
        line: 1-based line in that file.
        remedy: What to do next.
    """

    code = "bad_input"
    exit_status = 2

    def __init__(
        self, message: str, *, path: str | Path | None = None, line: int | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.path = None if path is None else Path(path)
        self.line = line

    @property
    def location(self) -> str:
        """``file:line``, ``file`` or an empty string."""
        if self.path is None:
            return ""
        return f"{self.path}:{self.line}" if self.line is not None else str(self.path)

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.location}: {text}" if self.path is not None else text

    def to_dict(self) -> dict[str, Any]:
        """The error with its file and line."""
        return super().to_dict() | {"file": None if self.path is None else str(self.path), "line": self.line}


class MalformedFileError(InputError):
    """A file is not what it claims to be (wrong header, truncated, an error page instead of data)."""

    code = "malformed_file"


class LowQualityError(InputError):
    """A file can be read, but what was measured cannot be used (an array with too many zeros)."""

    code = "low_quality"


class UncertainTableError(InputError):
    """A table whose columns are not clear enough to take values from it.

    Args:
        message: What is doubtful.
        path: The file.
        line: 1-based line of the header.
        remedy: What a person should look at.
        confidence: Of the likeliest reading, 0 to 1.
        evidence: What was found.
    """

    code = "uncertain_table"

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        remedy: str | None = None,
        confidence: float = 0.0,
        evidence: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, path=path, line=line, remedy=remedy)
        self.confidence = confidence
        self.evidence = evidence

    def to_dict(self) -> dict[str, Any]:
        """The error with the likeliest reading's confidence, and what was found."""
        return super().to_dict() | {"confidence": self.confidence, "evidence": list(self.evidence)}


class UnsupportedAccessionError(InputError):
    """A text that follows no accession grammar we know."""

    code = "unsupported_accession"


class AmbiguousAccessionError(InputError):
    """An accession that names several experiments (a project of several studies)."""

    code = "ambiguous_accession"


class NotFoundError(RefinebioError):
    """Nothing is known under that name."""

    code = "not_found"
    exit_status = 3


class ConfigurationError(RefinebioError):
    """A setting is missing, malformed or contradicts another."""

    code = "bad_configuration"
    exit_status = 2


class ArchiveError(RefinebioError):
    """A public archive did not give what was asked for."""

    code = "archive_error"

    def __init__(self, message: str, *, url: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.url = url

    def to_dict(self) -> dict[str, Any]:
        """The error with the address that was asked."""
        return super().to_dict() | {"url": self.url}


class TransientArchiveError(ArchiveError):
    """The archive is unwell right now (time-out, reset, 5xx, 429, an error page with status 200).

    Trying again later can help.
    """

    code = "archive_unavailable"
    retryable = True


class ArchiveNotFoundError(ArchiveError):
    """The archive does not have it."""

    code = "archive_not_found"
    exit_status = 3


class AccessControlledError(ArchiveError):
    """The archive has it, but behind an access committee (dbGaP, EGA)."""

    code = "controlled_access"


class MalformedPayloadError(ArchiveError):
    """An answer came, but its content is not what the archive promises (not JSON, truncated gzip, wrong columns)."""

    code = "malformed_payload"


class ChecksumMismatchError(MalformedPayloadError):
    """Size or md5 of a download differs from what the archive announced, also after downloading again."""

    code = "checksum_mismatch"


class ToolError(RefinebioError):
    """An external program could not do its work."""

    code = "tool_error"


class ToolMissingError(ToolError):
    """An external program is not installed."""

    code = "tool_missing"


class ToolFailedError(ToolError):
    """An external program exited non-zero, was killed by a signal, or left no output.

    Args:
        message: What failed.
        exit_status_of_tool: Its exit status; negative for a signal, as in :mod:`subprocess`.
        output: The tool's own last words (standard error), kept for the ledger.
    """

    code = "tool_failed"

    def __init__(
        self, message: str, *, exit_status_of_tool: int | None = None, output: str = "", remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_status_of_tool = exit_status_of_tool
        self.output = output

    def to_dict(self) -> dict[str, Any]:
        """The error with the tool's exit status and last words."""
        return super().to_dict() | {"exit_status": self.exit_status_of_tool, "output": self.output}


class ObjectStoreError(RefinebioError):
    """The object store refused or lost something."""

    code = "object_store_error"
    retryable = True


class RunUnderWayError(RefinebioError):
    """A run works right now on what was to be removed."""

    code = "run_under_way"
    retryable = True
