"""What the server says no with. Each refusal carries the HTTP status that Qdrant gives for it.

Refused                400 .. 422, becomes Qdrant's error answer
├── BadInput           400 the request cannot be understood, or names what does not fit the collection
├── OutOfBounds        422 understood, but a value lies outside its range
├── NotFound           404 no such collection, alias or point
├── Conflict           409 there is one already
├── Unauthorized       401 without the key that this server was given
├── Forbidden          403 not from this machine, or not from a program
└── TooLarge           400 the body is above the limit, as Qdrant answers: 413 is what proxies say
HostFault              500 the engine failed, or its process died
IndexingFailed         logged and shown with the collection; searched exactly as before, and tried again
CannotStart            one sentence on stderr, exit code 1
"""


class Refused(Exception):
    """The request is at fault; the same request will be refused again."""

    status = 400


class BadInput(Refused):
    """The request cannot be understood or does not fit the collection."""

    status = 400


class OutOfBounds(Refused):
    """A value lies outside its range."""

    status = 422


class NotFound(Refused):
    """There is no such collection, alias or point."""

    status = 404


class Conflict(Refused):
    """There is one of that name already."""

    status = 409


class Unauthorized(Refused):
    """The request does not bring the key that this server was given."""

    status = 401


class Forbidden(Refused):
    """The request may come from a web page in a browser."""

    status = 403


class TooLarge(Refused):
    """The body is above the limit."""

    status = 400


class HostFault(Exception):
    """The engine could not do it (a full disk, say), or the process that has the shard open died."""

    status = 500


class IndexingFailed(Exception):
    """The index could not be built; the collection is what it was."""


class CannotStart(Exception):
    """The server cannot run with what it was given; the message says what to change."""
