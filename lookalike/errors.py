"""What can go wrong for a user of lookalike, each error with its remedy in the message.

LookalikeError                told in one sentence, exit code 1
|-- NotRunning                no system was found to talk to
|-- Unreachable               the broker did not answer; nothing was sent
|-- TimedOut                  it was sent and no answer came in time; it may still be done
|-- Refused                   it was answered: the input is at fault, the reason says how
|-- NoSuchJob                 no job with this id is known, or not any more
|-- Cancelled                 the job was cancelled before a worker began it
|-- Closed                    the client was closed before
|-- Misconfigured             a setting, a folder or a file is not usable
`-- CollectionMismatch        the index was made with another library, model or distance
"""


class LookalikeError(Exception):
    """Base of all of them; `str(error)` is one sentence that a person can act on."""


class NotRunning(LookalikeError):
    """No running system was found and no REDIS_URL is set."""


class Unreachable(LookalikeError):
    """The broker or the store could not be reached; nothing was done."""


class TimedOut(LookalikeError):
    """The job was sent, and no answer came in time."""


class Refused(LookalikeError):
    """The request was read and cannot be done; sending it again changes nothing."""


class NoSuchJob(LookalikeError):
    """No job with this id is known: never sent, too old, or its answer was fetched."""


class Cancelled(LookalikeError):
    """The job was cancelled before a worker began it; nothing was done."""


class Closed(LookalikeError):
    """The client was closed; nothing was done."""


class Misconfigured(LookalikeError):
    """A setting, folder or file that the system needs is not usable as it is."""


class CollectionMismatch(Misconfigured):
    """The index on this data folder was made with another library, model or distance."""
