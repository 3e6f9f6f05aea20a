"""The queue: every call to DBOS is here.

DBOS keeps the queue in the database of the store. An entry of it is a ticket, a fresh id each time that a run is
queued; only the run's id crosses it, as JSON. DBOS gives an entry to one worker at a time, and gives it again when that
worker comes back from the dead. What state a run is in is written in the store alone.
"""

import logging
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowSerializationFormat
from dbos import _serialization as dbos_serialization
from sqlalchemy import Connection

from covaudit.store import Store

APPLICATION = "covaudit"
QUEUE = "runs"
WORKFLOW = "attempt"
VERSION = "1"
"""Pinned: by default it is a hash of the source, and after an upgrade the queued runs would wait for ever. Raise it
only when a queued entry of the old version cannot be worked on."""

POLL_S = 0.25


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
    # A row that all hosts share: one run at a time for each worker, and a worker for each device.
    queue.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLL_S)
    return queue


def new_ticket(run_id: str) -> str:
    """An id that no entry of the queue ever had."""
    return f"{run_id}.{secrets.token_hex(4)}"


def enqueue(queue: DBOSClient, connection: Connection, run_id: str, ticket: str) -> None:
    """Add an entry in the caller's transaction."""
    options: EnqueueOptions = {
        "workflow_name": WORKFLOW,
        "queue_name": QUEUE,
        "workflow_id": ticket,
        "workflow_id_reuse_policy": "reject",
        "app_version": VERSION,
        "serialization_type": WorkflowSerializationFormat.PORTABLE,
    }
    queue.enqueue_in_transaction(connection, options, run_id)


def forget(store: Store, ticket: str) -> None:
    """Take an entry out of the queue; nothing happens when it is not there."""
    client(store).cancel_workflow(ticket)


def start(store: Store, worker_id: str, work: Callable[[str, str], None]) -> None:
    """Begin to take entries and call `work(run_id, ticket)` for each, one at a time, in a thread.

    `worker_id` must belong to one process at a time: entries that a dead process of the same id held are taken again.
    """
    client(store)

    @DBOS.step(name="work")
    def step(run_id: str, ticket: str) -> None:
        work(run_id, ticket)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
    def attempt(run_id: str) -> None:
        ticket = DBOS.workflow_id
        if ticket is not None:
            step(run_id, ticket)

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
    DBOS.listen_queues([QUEUE])
    DBOS.launch()


def stop(timeout_s: int) -> None:
    """Take no more entries and wait for the present one, at most `timeout_s` seconds."""
    DBOS.destroy(workflow_completion_timeout_sec=timeout_s)
