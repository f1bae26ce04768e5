"""Reads messages as they come from the queue, where anybody may have written anything."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lookalike.errors import Refused

Message = TypeVar("Message", bound=BaseModel)


def parsed(kind: type[Message], message: Any) -> Message:
    """The validated message. Raises Refused with the first fault, which names the field."""
    try:
        return kind.model_validate(message)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "message"
        raise Refused(f"This is no {kind.__name__}: {where}: {fault['msg']} (lookalike/messages.py has it).") from None
