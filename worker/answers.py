"""What a task returns: a reply that travels as JSON, and that Celery's log and Flower show in words."""

from pydantic import BaseModel

from lookalike.client.told import told


class Answer:
    """A reply. Celery shows `repr` of what a task returns, and its JSON encoder asks an object for `__json__`."""

    def __init__(self, reply: BaseModel) -> None:
        self.reply = reply

    def __json__(self) -> object:
        """The reply as the contract has it."""
        return self.reply.model_dump()

    def __repr__(self) -> str:
        return told(self.reply)
