"""The workers' signs of life, one row a host and device."""

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update

from covaudit.store import schema
from covaudit.store.database import Store
from covaudit.store.runs import now

LOST_AFTER_S = 20.0

_w = schema.worker.c


class Worker(NamedTuple):
    """A worker process, past or present. `id` is <host>:<device>; `run_id` is what it works on; times are UTC;
    `load` is what `jobs.load.measure` told."""

    id: str
    host: str
    device: str
    pid: int
    started: datetime
    beat: datetime
    stopped: datetime | None
    run_id: str | None
    load: dict[str, Any]

    @property
    def load_words(self) -> str:
        """'GPU 37 % busy, 2.1 of 85.9 GB, 55 °C'; nothing when nothing is known."""
        if not self.load:
            return ""
        heat = f", {self.load['celsius']:.0f} °C" if "celsius" in self.load else ""
        memory, total = (self.load[name] / 1e9 for name in ("memory", "memory_total"))
        return f"{self.load['what']} {self.load['busy']:.0f} % busy, {memory:.1f} of {total:.1f} GB{heat}"

    def is_alive(self, moment: datetime) -> bool:
        """Not stopped, and heard of within `LOST_AFTER_S` seconds."""
        return self.stopped is None and (moment - self.beat).total_seconds() <= LOST_AFTER_S


def start(store: Store, worker_id: str, host: str, device: str, pid: int) -> None:
    """Write that a worker began, in place of an earlier one of the same id."""
    moment = now()
    with store.engine.begin() as connection:
        connection.execute(delete(schema.worker).where(_w.id == worker_id))
        row: dict[str, Any] = {"id": worker_id, "host": host, "device": device, "pid": pid}
        connection.execute(insert(schema.worker).values(**row, started=moment, beat=moment))


def beat(store: Store, worker_id: str, run_id: str | None, load: Mapping[str, Any] = MappingProxyType({})) -> None:
    """A sign of life, with the run that the worker works on and how busy its device is."""
    values = {"beat": now(), "run_id": run_id, "load": json.dumps(dict(load))}
    with store.engine.begin() as connection:
        connection.execute(update(schema.worker).where(_w.id == worker_id).values(**values))


def stop(store: Store, worker_id: str) -> None:
    """Write that the worker ended of its own will."""
    with store.engine.begin() as connection:
        connection.execute(update(schema.worker).where(_w.id == worker_id).values(stopped=now(), run_id=None))


def listing(store: Store) -> list[Worker]:
    """All workers that ever began, by id."""
    query = select(*(_w[name] for name in Worker._fields)).order_by(_w.id)
    with store.engine.connect() as connection:
        return [Worker(*row)._replace(load=json.loads(row.load)) for row in connection.execute(query)]
