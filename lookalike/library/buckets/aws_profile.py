"""Keys, region and endpoint of a profile in AWS's shared files, which obstore itself does not read.

docs.aws.amazon.com/sdkref/latest/guide/file-format.html. The environment's own keys come first, as in all SDKs.
"""

import configparser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lookalike.errors import Misconfigured

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# A program that renews keys writes the file again: it is read this often.
READ_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class Profile:
    """What the files say; `keys` is None where there is no profile, so that the machine's own role is used."""

    keys: Callable[[], Mapping[str, str | datetime | None]] | None = None
    region: str | None = None
    endpoint_url: str | None = None


def profile_of(environment: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Profile:
    """The profile that AWS_PROFILE names, else `default` if there is one. Raises Misconfigured for one without keys."""
    named = environment.get("AWS_PROFILE")
    name = named or "default"
    found = _read(environment, name)
    region, endpoint_url = found.get("region"), found.get("endpoint_url")
    given = {name for name in KEYS if environment.get(name)}
    if len(given) == 1:
        raise Misconfigured(f"Of {' and '.join(KEYS)} only {given.pop()} is set: set both, or neither.")
    if given:
        return Profile(None, region, endpoint_url)
    if not {"aws_access_key_id", "aws_secret_access_key"} <= found.keys():
        if named is None:
            return Profile(None, region, endpoint_url)
        raise Misconfigured(
            f"The profile {named!r} of AWS_PROFILE has no keys of its own: put what "
            f"`aws configure export-credentials --profile {named} --format env` prints into the environment."
        )

    def keys() -> Mapping[str, str | datetime | None]:
        latest = {**found, **_read(environment, name)}
        return {
            "access_key_id": latest["aws_access_key_id"],
            "secret_access_key": latest["aws_secret_access_key"],
            "token": latest.get("aws_session_token"),
            "expires_at": now() + READ_EVERY,
        }

    return Profile(keys, region, endpoint_url)


def _read(environment: Mapping[str, str], name: str) -> dict[str, str]:
    """Both files, of which that of the credentials wins; what cannot be read counts as empty."""
    home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    config = Path(environment.get("AWS_CONFIG_FILE") or home / "config").expanduser()
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser()
    section = name if name == "default" else f"profile {name}"
    return {**_section(config, section), **_section(credentials, name)}


def _section(file: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read(file, "utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return dict(parser[name]) if parser.has_section(name) else {}
