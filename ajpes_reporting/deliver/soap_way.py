"""The way by SOAP: the web service wsBlokIzmenjava (instruction, section 4.1)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ajpes_reporting import shipped
from ajpes_reporting.deliver.way import HttpsWay
from ajpes_reporting.sections import Seconds, SecretReference

if TYPE_CHECKING:
    from ajpes_reporting.deliver.soap.carrier import SoapCarrier
    from ajpes_reporting.deliver.way import Setup


class SoapWay(HttpsWay):
    """NODURS in one call, whose reply is its answer."""

    name: ClassVar[str] = "soap"
    title: ClassVar[str] = "SOAP"
    reports: ClassVar[tuple[str, ...]] = ("nodurs",)
    example: ClassVar[str] = """\
# The web service wsBlokIzmenjava, for NODURS. Once there is a WSDL of AJPES's,
# `ajpes-reporting doctor --wsdl FILE` proposes this section.
# [soap]
# endpoint = "https://…/wsBlokIzmenjava.asmx"
# username = "…"
# password = "file:keys/soap-password"
# client_certificate = "keys/client.pem"   # PEM: the certificate, then its chain
# client_key = "keys/client.key"
# client_pkcs12 = "keys/client.p12"        # instead of the two lines above
# client_key_password = "env:AJPES_KEY_PASSWORD"
# server_ca = "keys/ajpes-ca.pem"          # the only issuer of the server's certificate that is trusted
# authentication = "ident"                 # or "basic"
# ident = ["{registration_number}", "{username}", "{password}"]
# proxy = "http://proxy:3128"              # the way out of your network; [sftp] and [webhook] have it, too
"""

    endpoint: str
    username: str | None = None
    password: SecretReference | None = None
    password_expires: date | None = None
    authentication: Literal["ident", "basic"] = "ident"
    ident: tuple[str, ...] = ("{registration_number}", "{username}", "{password}")
    wsdl: str | None = None
    # Empty: as the WSDL says.
    version: Literal["", "1.1", "1.2"] = ""
    port: str = ""
    target_namespace: str = ""
    soap_action: str = ""
    operation: str = ""
    document_element: str = ""
    document_form: Literal["", "nodurs", "content", "text", "cdata", "base64"] = ""
    ident_element: str = ""
    ident_form: Literal["", "array", "repeated", "text", "fields", "none"] = ""
    ident_item: str = ""
    ident_separator: str = ";"
    ident_fields: tuple[str, ...] = ()
    parameters: dict[str, str] = Field(default_factory=dict)
    result_element: str = ""
    connect_timeout_seconds: Seconds = 20.0
    operation_timeout_seconds: Seconds = 120.0
    call_timeout_seconds: Seconds = 900.0
    max_answer_bytes: int = 1_000_000_000

    def carrier(self, setup: Setup) -> SoapCarrier:
        """The carrier of `soap.py`. Raises `ConfigurationError`."""
        from ajpes_reporting.deliver.soap.carrier import SoapCarrier, SoapEndpoint
        from ajpes_reporting.deliver.soap.shape import SoapNames, entry_role
        from ajpes_reporting.deliver.tls import client_context

        password = self._secret(setup, "password") or ""
        names = {
            "registration_number": setup.provider,
            "username": self.username or "",
            "password": password,
        }
        endpoint = SoapEndpoint(
            url=self.endpoint,
            wsdl=setup.path(self.wsdl) if self.wsdl else shipped.schema("wsBlokIzmenjava.wsdl"),
            ident=tuple(_filled(entry, names) for entry in self.ident),
            authentication=self.authentication,
            username=names["username"],
            password=password,
            names=SoapNames(
                target_namespace=self.target_namespace,
                soap_action=self.soap_action,
                operation=self.operation,
                blok=self.document_element,
                ident=self.ident_element,
                ident_item=self.ident_item,
                result=self.result_element,
                version=self.version,
                port=self.port,
                document_form=self.document_form,
                ident_form=self.ident_form,
                ident_separator=self.ident_separator,
                ident_fields=self.ident_fields,
                roles=tuple(map(entry_role, self.ident)),
                parameters={name: _filled(text, names) for name, text in self.parameters.items()},
            ),
            connect_timeout_seconds=self.connect_timeout_seconds,
            operation_timeout_seconds=self.operation_timeout_seconds,
            call_timeout_seconds=self.call_timeout_seconds,
            largest_reply_bytes=self.max_answer_bytes,
            proxy=self.outgoing_proxy(self.name, setup.path, setup.secret),
        )
        return SoapCarrier(endpoint, client_context(self.tls(setup), setup.clock()), setup.folder / "replies")


def _filled(entry: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        entry = entry.replace(f"{{{name}}}", value)
    return entry
