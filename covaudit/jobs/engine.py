"""The queue: every call to DBOS is here.

DBOS keeps the queues in the database of the store: one for the jobs that need a device, one for those that pool folds
and need none. An entry is a ticket, a fresh id each time that a job is queued; only the run's id and the number of the
fold cross it, as JSON. DBOS gives an entry to one worker at a time, and gives it again when that worker comes back from
the dead. What state a job is in is written in the store alone.
"""

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowSerializationFormat
from dbos import _serialization as dbos_serialization
from sqlalchemy import Connection

from covaudit.domain.run import GATHER
from covaudit.store import Store
from covaudit.store.folds import Entry

APPLICATION = "covaudit"
QUEUE = "runs"
GATHERS = "gathers"
WORKFLOW = "attempt"
VERSION = "1"
"""Pinned: by default it is a hash of the source, and after an upgrade the queued runs would wait for ever. Raise it
only when a queued entry of the old version cannot be worked on."""

POLL_S = 0.1
_LAST = 1000
"""DBOS takes the lowest number first, and calls 1 the lowest that is allowed."""


def _refuse_pickle(self: Any, serialized_data: str) -> Any:
    raise TypeError("pickled data in the queue is refused")


# DBOS still unpickles a row that says it is pickled, so whoever can write to the database could run code here.
dbos_serialization.DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[assignment,method-assign]


@lru_cache(maxsize=8)
def client(store: Store) -> DBOSClient:
    """The queue of a store, with its tables made and the queue registered."""
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.migrate(store.settings.database)  # the client alone makes no tables; 2 ms when they are there
    queue = DBOSClient(
        system_database_url=store.settings.database,
        system_database_engine=store.engine,
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
    )
    # Rows that all hosts share: one job at a time for each worker, and a worker for each device.
    for name in (QUEUE, GATHERS):
        queue.register_queue(name, worker_concurrency=1, polling_interval_sec=POLL_S)
    return queue


def enqueue(queue: DBOSClient, connection: Connection, entries: Iterable[Entry]) -> None:
    """Add entries in the caller's transaction."""
    for entry in entries:
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": GATHERS if entry.fold == GATHER else QUEUE,
            "workflow_id": entry.ticket,
            "workflow_id_reuse_policy": "reject",
            "app_version": VERSION,
            "priority": _LAST - entry.priority,
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        queue.enqueue_in_transaction(connection, options, entry.run_id, entry.fold)


def forget(store: Store, tickets: Iterable[str]) -> None:
    """Take entries out of the queue; nothing happens when they are not there."""
    for ticket in tickets:
        client(store).cancel_workflow(ticket)


def start(store: Store, worker_id: str, work: Callable[[str, int, str], None]) -> None:
    """Begin to take entries and call `work(run_id, fold, ticket)` for each, one of each queue at a time, in a thread.

    `worker_id` must belong to one process at a time: entries that a dead process of the same id held are taken again.
    """
    client(store)

    @DBOS.step(name="work")
    def step(run_id: str, fold: int, ticket: str) -> None:
        work(run_id, fold, ticket)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
    def attempt(run_id: str, fold: int = 0) -> None:
        ticket = DBOS.workflow_id
        if ticket is not None:
            step(run_id, fold, ticket)

    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": store.settings.database,
            "system_database_engine": store.engine,
            "serializer": DBOSPortableJSONSerializer(),
            "application_version": VERSION,
            "executor_id": worker_id,
            "log_level": "WARNING",
        }
    )
    DBOS.listen_queues([QUEUE, GATHERS])
    DBOS.launch()


def stop(timeout_s: int) -> None:
    """Take no more entries and wait for the present one, at most `timeout_s` seconds."""
    DBOS.destroy(workflow_completion_timeout_sec=timeout_s)
