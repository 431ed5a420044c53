"""An engine: it calls the tick, and has the jobs done. The calendar is not its business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading


class Engine(Protocol):
    """Ticks again and again, in this process alone or together with others."""

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; a report that is on its way is brought to its end first."""
        ...
