"""Every error a person can cause: what came, what is allowed, what to do.

The message of a `CovauditError` is one plain sentence or two, fit to be shown on a page or printed by a command as it
is. It names no absolute path that the person did not type and holds no traceback.
"""

from collections.abc import Iterable


class CovauditError(Exception):
    """Base of all errors that a person caused and can cure."""

    code = "error"


class UnknownName(CovauditError):
    """A name that is not in a registry: a source, class, network, preset, reader, run."""

    code = "unknown_name"

    def __init__(self, kind: str, got: str, allowed: Iterable[str], cure: str = "") -> None:
        names = ", ".join(sorted(allowed)) or "none yet"
        super().__init__(f"Unknown {kind} '{clip(got)}'. Allowed: {names}.{' ' + cure if cure else ''}")


class BadExperiment(CovauditError):
    """An experiment that cannot be run as written."""

    code = "bad_experiment"


class NoWeights(BadExperiment):
    """An experiment that starts from ImageNet weights that cannot be had here."""

    code = "no_weights"


class Leaks(BadExperiment):
    """An experiment whose split has the same patient or image on two sides, and that does not say why."""

    code = "leakage"


class BadSource(CovauditError):
    """A source whose folder or metadata cannot be used as given."""

    code = "bad_source"


class BadImage(CovauditError):
    """An image that is refused; `reason` is one of `covaudit.sources.images.REASONS`."""

    code = "bad_image"

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class CannotExplain(CovauditError):
    """A way of explaining that says nothing of a network: its map would not be what it is called."""

    code = "cannot_explain"


class BadArchive(CovauditError):
    """An archive that is damaged, or would do harm if it were unpacked."""

    code = "bad_archive"


class BadState(CovauditError):
    """An action that the state of a run does not allow, such as cancelling a finished run."""

    code = "bad_state"


class MissingArtifact(CovauditError):
    """A file of a run that is not there (any more)."""

    code = "missing_artifact"


class BadRecord(CovauditError):
    """A run from the trash or from another machine whose rows are not what this version can keep."""

    code = "bad_record"


class DamagedDatabase(CovauditError):
    """A database whose bytes are not what was written; the message says which backup to restore, and how."""

    code = "damaged_database"


class JobFailed(CovauditError):
    """A run that cannot go on; the message becomes the run's reason."""

    code = "job_failed"


def clip(text: object, limit: int = 80) -> str:
    """The text on one line, at most `limit` characters, control characters escaped."""
    shown = str(text).encode("unicode_escape").decode("ascii") if not str(text).isprintable() else str(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
