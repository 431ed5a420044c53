"""What is written down must be true: settings, links, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from ajpes_reporting.cli.main import COMMANDS
from ajpes_reporting.config import settings_with
from ajpes_reporting.deliver import registry
from ajpes_reporting.domain.states import State
from ajpes_reporting.reports import registry as reports

ROOT = Path(__file__).parents[1]
SETTINGS = settings_with(registry.WAYS, reports.KINDS).model_fields
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


def settings() -> set[str]:
    """Every setting there is, as `section.key`, or as `key` above all sections."""
    found = set()
    for section, field in SETTINGS.items():
        kinds = [kind for kind in [field.annotation, *getattr(field.annotation, "__args__", ())] if kind]
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        found |= {f"{section}.{key}" for model in models for key in model.model_fields} or {section}
    return found


def test_every_setting_is_explained_and_none_that_there_is_not() -> None:
    """An administrator finds each setting, and finds no setting that does nothing."""
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections = "|".join(SETTINGS)
    explained = set(re.findall(rf"(?m)^\| `((?:{sections})(?:\.[a-z0-9_]+)?)` \|", page))
    assert explained == settings()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Nobody runs into a page that is not there."""
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    local = [(page.parent / link if link else page, anchor) for link, anchor in links if "://" not in link]
    assert [target for target, _anchor in local if not target.exists()] == []
    assert [link for link in local if link[1] and link[1] not in anchors_of(link[0])] == []


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as the places that show Markdown make them."""
    headings = re.findall("^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_shown_exist(page: Path) -> None:
    """What a reader copies is a command of this program."""
    shown = re.findall(r"ajpes-reporting(?: -w \S+| --json)* ([a-z]+)\b", page.read_text(encoding="utf-8"))
    assert set(shown) - {*COMMANDS, "takes", "is", "as", "writes", "has"} == set()


def test_every_state_is_explained_to_the_operator() -> None:
    """Whatever `status` shows, the operator's page says what to do."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert [
        state.value for state in State if f"`{state.value}`" not in page and state.label not in page
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_program_that_are_named_exist(page: Path) -> None:
    """Whoever looks for a file that a page names finds it there."""
    named = re.findall(
        r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:py|xsd|po|toml))`", page.read_text(encoding="utf-8")
    )
    places = (ROOT, ROOT / "ajpes_reporting")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
