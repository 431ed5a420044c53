"""The only place where adapters are made and put together, from the settings of a workspace.

What is slow to load, such as all that talks to the network (zeep, paramiko), is imported where it is made.
"""

from ajpes_reporting.wiring.clock import now
from ajpes_reporting.wiring.context import open_context

__all__ = ["now", "open_context"]
