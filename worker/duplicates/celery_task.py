"""The task that finds duplicates, as Celery runs it: acknowledged when it is done, so that another resumes it."""

from typing import Any

from celery import Celery, Task

from lookalike.errors import LookalikeError
from lookalike.library.errors import Unavailable
from lookalike.messages import DuplicatesMessage
from lookalike.redis_keys import DUPLICATES
from lookalike.settings import Settings
from worker.answers import Answer
from worker.child_process import ChildProcess
from worker.duplicates.task import run_duplicates
from worker.tasks import parse_message, retry_task

TRY_AGAIN_S = 2.0


def define_duplicates(app: Celery, settings: Settings, process: ChildProcess) -> None:
    """Adds the task to the app. It has no time limit: it may take hours, and what it has compared stays."""

    @app.task(
        name=DUPLICATES,
        bind=True,
        acks_late=True,
        acks_on_timeout=False,
        reject_on_worker_lost=True,
        max_retries=None,
        throws=(LookalikeError,),
    )
    def duplicates(self: Task, message: Any) -> Answer:
        """Answers a DuplicatesMessage with a DuplicatesReply."""
        asked = parse_message(DuplicatesMessage, message)
        process.begin(self.request.id, comes_again=True)
        try:
            return run_duplicates(self, settings, process, asked)
        except Unavailable as error:
            raise retry_task(self, error, TRY_AGAIN_S, process.sleep) from error
