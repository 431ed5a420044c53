"""The packages of the extras, which a bank may leave out, and the message where one is missing."""

from __future__ import annotations

import sys

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _

EXTRAS = {
    "asyncssh": "sandbox",
    "jinja2": "sandbox",
    "procrastinate": "queue",
    "psycopg": "postgresql",
    "reportlab": "sandbox",
    "segno": "sandbox",
    "starlette": "eplacila",
    "uvicorn": "eplacila",
}
"""The smallest extra that brings each package."""

_PACKAGES = {"pythonjsonlogger": "python-json-logger", "stdnum": "python-stdnum"}
"""The packages whose modules have another name."""


def not_installed(module: str) -> ConfigurationError:
    """Returns the error for a module that cannot be imported, with the command that installs it.

    `module` is the name in the ImportError; only its part before the first dot counts.
    """
    name = module.partition(".")[0]
    if extra := EXTRAS.get(name):
        return ConfigurationError(
            _(
                "This needs the package {package} of the extra {extra}, which is not installed here.",
                package=name,
                extra=extra,
            ),
            _(
                "install it with `{python} -m pip install 'ajpes-reporting[{extra}]'`",
                python=sys.executable,
                extra=extra,
            ),
        )
    package = _PACKAGES.get(name, name.replace("_", "-"))
    return ConfigurationError(
        _("This needs the package {package}, which is not installed here, or not whole.", package=package),
        _(
            "install it with `{python} -m pip install {package}`, or all of requirements.lock",
            python=sys.executable,
            package=package,
        ),
    )
