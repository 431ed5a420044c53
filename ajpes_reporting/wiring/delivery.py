"""The ways to the authority: carriers, boxes for answers, and certificates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ajpes_reporting.deliver import registry, route
from ajpes_reporting.deliver.soap_way import SoapWay
from ajpes_reporting.deliver.way import Setup
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.reports import registry as reports
from ajpes_reporting.wiring.clock import now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ajpes_reporting.config import Settings, Workspace
    from ajpes_reporting.deliver.soap.wsdl_download import Caller
    from ajpes_reporting.deliver.tls import CertificateDates
    from ajpes_reporting.deliver.way import Way
    from ajpes_reporting.domain.ports import AnswerBox, Carrier, Clock, Parcel

Made = TypeVar("Made")


def make_carriers(
    workspace: Workspace, clock: Clock, report: str, via: str | None, folder: Path
) -> list[Carrier]:
    """Returns the ways that are set up for this report, or the one named `via`, in the order to try them.

    One whose certificate, key or secret cannot be used is closed, and does not close the others. `folder` is
    for what comes back. Raises `UsageError` if the report does not go by `via`, and `ConfigurationError` if
    no way is left, saying why of each.
    """
    setup = way_setup(workspace, clock, folder)
    made = [
        _open_or_closed(way, partial(way.carrier, setup))
        for way in workspace.settings.ways(report)
        if via in (None, way.name)
    ]
    if not made:
        open_to = registry.names(report)
        if via is not None and via not in open_to:
            raise UsageError(
                _("{report} does not go by {via:way}.", report=report.upper(), via=via),
                _("use {ways:or}, or leave out --via", ways=open_to),
            )
        sections = [f"[{name}]" for name in (open_to if via is None else [via])]
        raise ConfigurationError(
            _(
                "{file} has no {sections:or}. Nothing was sent.",
                file=str(workspace.settings_file),
                sections=sections,
            ),
            _("fill in {sections:or}", sections=sections),
        )
    route.require_open(made)
    return made


def in_order(settings: Settings, carriers: Sequence[Carrier], parcel: Parcel) -> Sequence[Carrier]:
    """Returns the ways in the order for this parcel: for a large one those first that are meant for it."""
    is_large = settings.report(reports.by_code(parcel.report)).is_large(parcel.size_bytes)
    return registry.large_first(carriers) if is_large else carriers


def answer_boxes(workspace: Workspace, clock: Clock, report: str) -> list[AnswerBox]:
    """Returns the boxes into which answers to this report come later.

    One whose settings cannot be used says so when it is asked.
    """
    setup = way_setup(workspace, clock)
    return [
        _open_or_closed(way, partial(way.answer_box, setup))
        for way in workspace.settings.ways(report)
        if way.answers_later()
    ]


def way_setup(workspace: Workspace, clock: Clock = now, folder: Path | None = None) -> Setup:
    """Returns what a way is made with; what comes back lies in `folder`."""
    return Setup(
        provider=workspace.settings.provider.registration_number,
        path=workspace.path,
        secret=workspace.secret,
        clock=clock,
        folder=folder or workspace.archive / "work",
        reports=tuple(kind.name for kind in reports.KINDS),
    )


def _open_or_closed(way: Way, make: Callable[[], Made]) -> Made | route.ClosedWay:
    try:
        return make()
    except ConfigurationError as error:
        return route.ClosedWay(way.name, error)


def certificates(workspace: Workspace) -> dict[str, Callable[[], CertificateDates]]:
    """Returns what reads the dates of our certificates, by the way that shows each.

    Reading raises `ConfigurationError`.
    """
    setup = way_setup(workspace)
    return {
        way.name: partial(way.certificate, setup)
        for way in workspace.settings.ways()
        if way.shows_certificate()
    }


def wsdl_caller(workspace: Workspace | None, clock: Clock) -> Caller:
    """Returns who fetches a WSDL as a run would call, as far as that is set up.

    Raises `ConfigurationError`.
    """
    from ajpes_reporting.deliver.soap.wsdl_download import Caller
    from ajpes_reporting.deliver.tls import client_context
    from ajpes_reporting.network.tls_context import tls_context

    soap = workspace.settings.way(SoapWay) if workspace else None
    if workspace is None or soap is None:
        return Caller(tls_context(None, "soap.server_ca"))
    setup, basic = way_setup(workspace, clock), None
    if soap.authentication == "basic" and soap.username and soap.password:
        basic = (soap.username, workspace.secret("soap.password", soap.password))
    if soap.client_certificate or soap.client_pkcs12:
        context = client_context(soap.tls(setup), clock())
    else:
        context = tls_context(workspace.path_if_set(soap.server_ca), "soap.server_ca")
    return Caller(context, basic, soap.outgoing_proxy(soap.name, setup.path, setup.secret))
