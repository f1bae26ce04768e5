"""What goes wrong with requests to a bucket, in words without any secret.

What a server answers to a refused key repeats that key, so of an answer only its code is ever told.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from lookalike.errors import Misconfigured

CODE = re.compile(r"<Code>(\w{1,64})</Code>")
STATUS = re.compile(r"status code: (\d{3})|\b(5\d\d) [A-Z]")
INVALID_PATH = re.compile(r'[Pp]ath "((?:[^"\\]|\\.)*)"')
NO_BUCKET = "NoSuchBucket"
# The key is at fault, not the object: nothing can be read with it.
KEY_REFUSED = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"),
        *("SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "InvalidClientTokenId"),
    }
)
REFUSED_STATUS = frozenset({"401", "403"})
# Where an instance's own keys are asked for, which fails where there is no such instance.
OWN_KEYS = re.compile(r"169\.254\.169\.254|latest/api/token|meta-data")


class BucketFault(Exception):
    """The server did not answer as it should; `str(error)` follows "The library ", as in "is missing".

    `is_denied`: access to this object is refused, and perhaps to this one alone.
    """

    def __init__(self, why: str, *, is_denied: bool = False) -> None:
        super().__init__(why)
        self.is_denied = is_denied


@contextmanager
def told() -> Iterator[None]:
    """Turns what obstore raises into a BucketFault."""
    try:
        yield
    except (BucketFault, Misconfigured, GeneratorExit):
        raise
    except Exception as error:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        if not isinstance(error, BaseError | OSError | ValueError):
            raise
        # Not `from error`: its text has what the server answered.
        raise _fault_of(error) from None


def _fault_of(error: Exception) -> BucketFault:  # noqa: PLR0911 (one for each kind of fault)
    text = str(error)
    code, status = code_of(error), _status_of(text)
    if code == NO_BUCKET:
        return BucketFault(f"is missing ({NO_BUCKET})")
    if code in KEY_REFUSED:
        return BucketFault(f"cannot be read with the keys that are set ({code}): give valid ones")
    if code == "AccessDenied" or status in REFUSED_STATUS:
        return BucketFault(f"cannot be read: access is denied ({code or status})", is_denied=True)
    if type(error).__name__ == "InvalidPathError":
        found = INVALID_PATH.search(text)
        return BucketFault(f"has a key that is no path, {found[1] if found else 'unnamed'!r}: rename or remove it")
    if "redirect without LOCATION" in text or code in ("PermanentRedirect", "IllegalLocationConstraintException"):
        return BucketFault("is in another region: set AWS_REGION")
    if OWN_KEYS.search(text):
        return BucketFault("has no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    if "Certificate(" in text:
        return BucketFault("cannot be reached (its certificate is not trusted: AWS_CA_BUNDLE names who signed it)")
    why = " ".join(filter(None, (status, code))) or ("no answer in time" if "timed out" in text else "no answer")
    return BucketFault(f"cannot be reached ({why})")


def code_of(error: Exception) -> str:
    """The code of a server's answer; empty if it has none."""
    found = CODE.search(str(error))
    return found[1] if found else ""


def _status_of(text: str) -> str:
    found = STATUS.search(text)
    return (found[1] or found[2]) if found else ""
