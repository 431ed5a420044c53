"""The locks hold what the project asks for and what that needs, no more, in one version each."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.conftest import PROJECT, PYPROJECT, asked_for, with_all_they_need

EXTRAS = tuple(PYPROJECT["project"]["optional-dependencies"])
DEV = [Requirement(line) for line in PYPROJECT["dependency-groups"]["dev"]]
BENCH = [Requirement(line) for line in PYPROJECT["dependency-groups"]["bench"]]
LOCKS: dict[str, list[Requirement]] = {
    "requirements.lock": [*asked_for(), *asked_for("postgresql", "queue", "eplacila")],
    "requirements-sandbox.lock": [*asked_for(), *asked_for(*EXTRAS)],
    "requirements-dev.lock": [*asked_for(), *asked_for(*EXTRAS), *DEV],
    "requirements-bench.lock": [*asked_for(), *BENCH],
}


def pinned(lock: str) -> dict[str, Requirement]:
    """The requirements of a lock by name, with their markers, without their hashes.

    Of one that is pinned for several versions of Python, the pin for this one.
    """
    text = (PROJECT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition(" --hash")[0] for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    pins = sorted(map(Requirement, lines), key=lambda one: not one.marker or one.marker.evaluate())
    return {canonicalize_name(one.name): one for one in pins}


def version(pin: Requirement) -> str:
    (exact,) = pin.specifier
    assert exact.operator == "=="
    return exact.version


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_all_that_is_asked_for_in_a_version_that_fits(lock: str) -> None:
    """A requirement that was added, or raised after a security hole, is in the locks or this fails."""
    pins = pinned(lock)
    for requirement in LOCKS[lock]:
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version(pin)), f"{pin} in {lock}, but {requirement}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-sandbox.lock", "requirements-dev.lock"])
def test_a_lock_has_what_is_needed_and_nothing_else(lock: str) -> None:
    """A package that nobody asks for any more is nobody's to audit either."""
    here = {name for name, pin in pinned(lock).items() if not pin.marker or pin.marker.evaluate()}
    needed = with_all_they_need([one for one in LOCKS[lock] if not one.marker or one.marker.evaluate()])
    assert here == needed


def test_a_package_has_one_version_in_all_locks() -> None:
    """What the tests ran with is what a bank installs."""
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, pin in pinned(lock).items():
            versions.setdefault(name, set()).add(version(pin))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_has_its_hashes(lock: str) -> None:
    """A package that was exchanged on its way is not installed."""
    text = (PROJECT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_every_direct_dependency_has_a_line_why() -> None:
    """What nobody can give a reason for is taken out."""
    page = (PROJECT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    explained = {
        canonicalize_name(name) for row in rows for name in re.findall("`([^`]+)`", row.split("|")[1])
    }
    asked = {canonicalize_name(one.name) for one in [*asked_for(), *asked_for(*EXTRAS), *DEV, *BENCH]}
    backend = {canonicalize_name(Requirement(one).name) for one in PYPROJECT["build-system"]["requires"]}
    assert asked | backend <= explained
