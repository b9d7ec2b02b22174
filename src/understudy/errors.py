"""Every error that Understudy raises on purpose.

    UnderstudyError
    ├── InputError              what the user gave cannot be used
    │   ├── PictureError        the reference image
    │   ├── ClipError           the driving video
    │   ├── CharacterError      nobody to animate in the reference image
    │   ├── PerformerError      nobody to follow in the driving video
    │   └── RequestError        an option or a file that goes with it
    ├── ModelError              a network's file, or what runs it, is missing or wrong
    ├── EngineError             the engine could not make the video
    └── ServiceError            the service cannot do what was asked of it
        ├── FormError           a request to the service has the wrong form
        ├── AuthError           the caller is not known
        ├── AccountError        the account may not do that now
        ├── TaskError           no such task or element, or it is past that
        ├── FetchError          a source could not be fetched
        ├── SettingError        a setting cannot be used
        └── UnavailableError    a part of the service is away or broken

A code is stable: programs may compare it. The message names what was found and the limit; ``fix`` says what to
do about it. Bad input never ends in any other exception.
"""

from __future__ import annotations


class UnderstudyError(Exception):
    """Something went wrong that Understudy can explain.

    ``code`` is stable and machine-readable, ``value`` is what was found, ``limit`` what is allowed (both already
    rendered with their units, or None), ``fix`` is one sentence on what to do.
    """

    def __init__(
        self, code: str, message: str, *, value: str | None = None, limit: str | None = None, fix: str
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.value = value
        self.limit = limit
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix} [{self.code}]"

    def fields(self) -> dict[str, str | None]:
        """What one process tells another of it."""
        return {
            "kind": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "value": self.value,
            "limit": self.limit,
            "fix": self.fix,
        }


class InputError(UnderstudyError):
    """What the user gave cannot be used."""


class PictureError(InputError):
    """The reference image cannot be read or breaks a limit."""


class ClipError(InputError):
    """The driving video cannot be read or breaks a limit."""


class CharacterError(InputError):
    """No character that can be animated was found in the reference image."""


class PerformerError(InputError):
    """No performer who can be followed was found in the driving video."""


class RequestError(InputError):
    """An option, or a file given with it, cannot be used."""


class ModelError(UnderstudyError):
    """A network's file is missing or wrong, or what runs it is not installed: the tracker's, the learned matte's."""


class EngineError(UnderstudyError):
    """The engine could not make the video."""


class ServiceError(UnderstudyError):
    """The service cannot do what was asked of it."""


class FormError(ServiceError):
    """A request to the service has the wrong form. Codes: those of ``FORM_CODES``."""


class AuthError(ServiceError):
    """The caller is not known. Codes: those of ``AUTH_CODES``."""


class AccountError(ServiceError):
    """The account may not do that now. Codes: those of ``ACCOUNT_CODES``."""


class TaskError(ServiceError):
    """There is no such task or element for this account, or it is past that. Codes: those of ``TASK_CODES``."""


class FetchError(ServiceError):
    """A source could not be fetched, or may not be: its address, its answer, its size."""


class SettingError(ServiceError):
    """A setting (flag, variable or line of the settings file) cannot be used."""


class UnavailableError(ServiceError):
    """A part of the service is away or broken. Codes: those of ``UNAVAILABLE_CODES``."""


FORM_CODES = frozenset(
    {
        "body_unreadable",  # not JSON, or not an object
        "body_too_large",
        "field_missing",
        "field_invalid",
        "model_unknown",
        "external_id_taken",
        "idempotency_conflict",
        "route_unknown",
        "method_unknown",
    }
)
AUTH_CODES = frozenset({"auth_missing", "auth_invalid", "auth_not_yet", "auth_expired"})
ACCOUNT_CODES = frozenset({"account_disabled", "balance_used_up", "too_many_tasks"})
TASK_CODES = frozenset({"task_unknown", "task_ended", "task_running", "element_unknown"})
UNAVAILABLE_CODES = frozenset({"unavailable", "internal", "maintenance", "dialect_off"})
SERVICE_CODES = FORM_CODES | AUTH_CODES | ACCOUNT_CODES | TASK_CODES | UNAVAILABLE_CODES
"""What an entrance of the service may answer at once. Every dialect has a row for each of them."""
