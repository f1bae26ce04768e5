"""A message that is wrong, in words."""

from pydantic import ValidationError


def first_fault(error: ValidationError) -> str:
    """The first fault of a message and its field, in words: "filter.width_px.gte: Input should be ..."."""
    fault = error.errors(include_url=False)[0]
    parts = [str(part) for part in fault["loc"]]
    # An image and its only field have one name.
    named = [part for at, part in enumerate(parts) if at == 0 or part != parts[at - 1]]
    where = ".".join(named) or "message"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"
