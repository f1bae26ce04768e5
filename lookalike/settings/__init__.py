"""All settings, read once from the environment and passed on. Knows no part of the system."""

import os
import sys
from pathlib import Path

from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator

from lookalike.errors import Misconfigured
from lookalike.redis_keys import Keys
from lookalike.settings.environment_check import unknown_variables
from lookalike.settings.index import Distance, IndexSettings, Quantization
from lookalike.settings.pages import LogFormat, PageSettings
from lookalike.settings.producer import ProducerSettings
from lookalike.settings.quiet_hours import QuietHours
from lookalike.settings.secret_checks import (
    check_api_key,
    check_broker_url,
    check_flower_auth,
    check_web_auth,
    is_loopback,
    with_password,
)
from lookalike.settings.system import SystemSettings
from lookalike.settings.worker import WorkerSettings

__all__ = [
    "Distance",
    "LogFormat",
    "Quantization",
    "Settings",
    "read_settings",
    "service_settings",
    "variable_of",
]


# Their fields are in the order of docs/settings.md: those of the last class first.
class Settings(PageSettings, WorkerSettings, ProducerSettings, IndexSettings, SystemSettings):
    """Settings of every part, `LOOKALIKE_` and the name in capitals in the environment.

    `REDIS_URL`, `QDRANT_URL` and `QDRANT_API_KEY` have their usual names.
    """

    @field_validator("extensions", "ignore", "ignore_defaults", "web_names", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for line in value.splitlines() for word in line.split(",") if word.strip())
        return value

    @field_validator("write_consistency_factor")
    @classmethod
    def _at_most_all_copies(cls, value: int | None, info: ValidationInfo) -> int | None:
        copies = info.data.get("replication_factor") or 1
        if value is not None and value > copies:
            raise ValueError(f"must not be above LOOKALIKE_REPLICATION_FACTOR, which is {copies}")
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            QuietHours.parsed(value)
        return value

    @field_validator("web_host")
    @classmethod
    def _is_asked_for_a_secret(cls, value: str, info: ValidationInfo) -> str:
        if not is_loopback(value) and info.data.get("web_auth") is None:
            raise ValueError("the gallery listens beyond this machine only with LOOKALIKE_WEB_AUTH (user:password)")
        return value

    @field_validator("flower_auth", "qdrant_api_key", "redis_url", "target_api_key", "web_auth")
    @classmethod
    def _secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        checks = {
            "flower_auth": check_flower_auth,
            "qdrant_api_key": check_api_key,
            "redis_url": check_broker_url,
            "web_auth": check_web_auth,
            "target_api_key": check_api_key,
        }
        if value is not None:
            checks[str(info.field_name)](value.get_secret_value())
        return value

    @property
    def library_folder(self) -> Path | None:
        """The folder of the library; None if none is set, and for a library on object storage."""
        return self.library if isinstance(self.library, Path) else None

    @property
    def keys(self) -> Keys:
        """Queues and keys of this system."""
        return Keys(self.name)

    @property
    def quiet_span(self) -> QuietHours | None:
        """The quiet hours, if there are any."""
        return None if self.quiet_hours is None else QuietHours.parsed(self.quiet_hours)

    @property
    def processes(self) -> int:
        """Ingest processes of a machine with these settings."""
        return self.ingest_processes or os.cpu_count() or 1


def read_settings(**given: object) -> Settings:
    """Settings from the environment; what is given wins. Raises Misconfigured naming every fault at once.

    A variable that looks like a setting and is none is a fault: ignored, it would leave the default in force unseen.
    """
    unknown = [*unknown_variables(os.environ, map(variable_of, Settings.model_fields))]
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = [f"{variable_of(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors()]
        # Not `from error`: its own text has the values, secrets included.
        raise _misconfigured(wrong + unknown) from None
    if unknown:
        raise _misconfigured(unknown)
    if settings.redis_url is None or settings.redis_password is None:
        return settings
    url = with_password(settings.redis_url.get_secret_value(), settings.redis_password.get_secret_value())
    return settings.model_copy(update={"redis_url": SecretStr(url)})


def service_settings() -> Settings:
    """Settings of a program that Celery loads; a fault ends it with one sentence, not with Celery's traceback."""
    try:
        return read_settings()
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def variable_of(field: str) -> str:
    """Environment variable of a field: "settle_s" -> "LOOKALIKE_SETTLE_S"."""
    known = Settings.model_fields.get(field)
    if known is None:
        return field
    return str(known.validation_alias or f"LOOKALIKE_{field.upper()}")


def _misconfigured(faults: list[str]) -> Misconfigured:
    return Misconfigured(f"Settings are wrong: {'; '.join(faults)}. All settings are listed in docs/settings.md.")
