"""The bundled UJP e-plačila: on loopback, to try a web shop on before UJP lets it in.

It reads the interface description for itself and imports nothing of its clients. Numbers such as
6.4.1 are sections of that description.
"""

from .payments import Outcome
from .rules import Rules
from .services import SERVICES, Service
from .simulator import Simulator

__all__ = ["SERVICES", "Outcome", "Rules", "Service", "Simulator"]
