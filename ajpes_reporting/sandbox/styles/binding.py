"""Bindings of a call to SOAP: its version, document or RPC, and the content of SOAPAction."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from xml.sax.saxutils import escape

from ..schemas import SERVICE, SOAP

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_MEDIA_TYPE_12 = "application/soap+xml"
_ACTION = f"{SERVICE}/BlokPodOddaj"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of SOAP; `client` and `server` are who is to blame in a fault."""

    namespace: str
    wsdl_namespace: str
    media_type: str
    client: str
    server: str

    def fault(self, blame: str, text: str) -> bytes:
        """A fault; `blame` is Client or Server, in the words of SOAP 1.1."""
        code = self.client if blame == "Client" else self.server
        if self.namespace == SOAP:
            inside = f"<faultcode>soap:{code}</faultcode><faultstring>{escape(text)}</faultstring>"
        else:
            inside = (
                f"<soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>"
                f'<soap:Reason><soap:Text xml:lang="sl">{escape(text)}</soap:Text></soap:Reason>'
            )
        return self.envelope(f"<soap:Fault>{inside}</soap:Fault>".encode())

    def envelope(self, body: bytes) -> bytes:
        start = (
            f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{self.namespace}"><soap:Body>'
        )
        return start.encode() + body + b"</soap:Body></soap:Envelope>"

    def action(self, soap_action: str, content_type: str) -> str:
        """Return the action of a call: the header SOAPAction, since 1.2 a parameter of the content type."""
        if self.namespace == SOAP:
            return soap_action.strip().strip('"')
        return str(_parsed(content_type).get_param("action", ""))

    def takes(self, content_type: str) -> bool:
        """Whether a body of this type may be a message; for 1.1 any that does not name the other one."""
        media_type = _parsed(content_type).get_content_type()
        return media_type == self.media_type or (self.namespace == SOAP and media_type != _MEDIA_TYPE_12)


def _parsed(content_type: str) -> Message:
    message = Message()
    message["Content-Type"] = content_type
    return message


ONE_1 = Version(SOAP, "http://schemas.xmlsoap.org/wsdl/soap/", "text/xml", "Client", "Server")
ONE_2 = Version(SOAP12, "http://schemas.xmlsoap.org/wsdl/soap12/", _MEDIA_TYPE_12, "Sender", "Receiver")


@dataclass(frozen=True, slots=True)
class Binding:
    """`is_rpc`: the parameters are parts of the message, and stand in no namespace."""

    version: Version = ONE_1
    is_rpc: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """The right SOAPAction; calls with others are turned away, unless it `is_lenient`."""

    text: str = _ACTION
    is_lenient: bool = False

    def fits(self, action: str) -> bool:
        return action == self.text or (self.is_lenient and (not action or action.endswith("/BlokPodOddaj")))


DOCUMENT = Binding()
RPC = Binding(is_rpc=True)
DOCUMENT_12 = Binding(ONE_2)
LENIENT_ACTION = Action(is_lenient=True)
EXACT_ACTION = Action()
EMPTY_ACTION = Action("")
JOINED_ACTION = Action(f"{SERVICE}BlokPodOddaj")
