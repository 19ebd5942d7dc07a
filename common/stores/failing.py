"""Failures of a store, as they are counted."""

from __future__ import annotations

from types import TracebackType

from common.domain.errors import DeadlineAlreadyPast, TaskQueueError
from common.ports import StoreObserver


class noting_failures:  # noqa: N801  # used like a function
    """Tells an observer why the store failed, if it does until the end of the block.

    A caller whose time was over before anything was asked is no failure of the store.
    """

    __slots__ = ("_observer",)

    def __init__(self, observer: StoreObserver) -> None:
        self._observer = observer

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if isinstance(error, TaskQueueError) and not isinstance(error, DeadlineAlreadyPast):
            self._observer.failed(error.reason)
