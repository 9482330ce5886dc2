"""How many mails may leave now, over all workers: token buckets in the database, one for each limit of the relay.

In no second and no hour do more leave than the relay takes. A bucket holds a hundredth of its limit, so that what is
urgent need not wait for the next drop: half of it is kept from bulk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, select

from lifecycle.inserting import insert_once
from lifecycle.models import RelayBucket
from lifecycle.settings import Settings

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many mails may begin now; how many of them bulk; and when the next one may that may not now."""

    mails: int
    bulk: int
    next_at: datetime


def allowance(session: Session, settings: Settings, *, now: datetime) -> Allowance | None:
    """What the limits allow now; None without limits. Other workers wait for the end of this transaction."""
    found = [_level(bucket, limit, window, now) for bucket, limit, window in _buckets(session, settings, now=now)]
    if not found:
        return None
    return Allowance(
        min(int(level) for level, _, _ in found),
        min(max(int(level) - size // 2, 0) for level, size, _ in found),
        max(at for _, _, at in found),
    )


def spend(session: Session, settings: Settings, mails: int, *, now: datetime) -> None:
    """These mails begin now."""
    for bucket, limit, window in _buckets(session, settings, now=now):
        level, _, _ = _level(bucket, limit, window, now)
        bucket.level, bucket.at = level - mails, max(now, bucket.at)
        session.add(bucket)
    session.flush()


def _buckets(session: Session, settings: Settings, *, now: datetime) -> Iterator[tuple[RelayBucket, int, timedelta]]:
    limits = {"second": (settings.relay_per_second, SECOND), "hour": (settings.relay_per_hour, HOUR)}
    for name, (limit, window) in limits.items():
        if limit:
            insert_once(session, RelayBucket, [{"name": name, "level": float(_size(limit)), "at": now}])
            locked = select(RelayBucket).where(RelayBucket.name == name).with_for_update()
            yield session.exec(locked.execution_options(populate_existing=True)).one(), limit, window


def _size(limit: int) -> int:
    return 1 + limit // 100


def _level(bucket: RelayBucket, limit: int, window: timedelta, now: datetime) -> tuple[float, int, datetime]:
    """How full the bucket is, its size, and when it holds a whole mail more than now.

    A full bucket and what drops into it in a window come to the limit, and no more.
    """
    size = _size(limit)
    drop = window / (limit - size + 1)
    level = min(float(size), bucket.level + max(now - bucket.at, timedelta()) / drop)
    return level, size, now + drop * (int(level) + 1 - level)
