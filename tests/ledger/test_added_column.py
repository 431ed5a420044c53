"""A column that AJPES might add to an event is declared in five files, and everything else follows.

The five are the declaration of the columns, the fact with its slice, the table, its migration, and the
authority's schema.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "ajpes_reporting"

# File, the text before which the column is declared, and the declaration.
ADDED = (
    (
        f"{PACKAGE}/domain/columns.py",
        "    creditor_account: Annotated[",
        '    court_file: Annotated[str, Field(_("court file"), "No/sp", REFERENCE, False, replaceable=True)]'
        "\n",
    ),
    (f"{PACKAGE}/domain/events.py", "    creditor_account: str | None\n", "    court_file: str | None\n"),
    (
        f"{PACKAGE}/domain/events.py",
        "    @property\n    def priority(self) -> int | None: ...\n",
        "    @property\n    def court_file(self) -> str | None: ...\n",
    ),
    (
        f"{PACKAGE}/database/tables.py",
        '    Column("creditor_account", String(34)),\n',
        '    Column("court_file", String(22)),\n',
    ),
    (
        "schemas/nodurs-20100601.xsd",
        '    <xs:attribute name="prior" type="Prioriteta"/>',
        '    <xs:attribute name="sp" type="xs:string"/>\n',
    ),
)
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{newest}", None, None


def upgrade() -> None:
    op.add_column("events", sa.Column("court_file", sa.String(22)))
"""
HEADER = (
    "obligation_id,issuer,debtor_tax_number,debtor_name,debtor_account,"
    "event_id,change_type,change_date,amount_cents,recorded_at,court_file\n"
)
ROW = "O-1,3,12345679,DOLZNIK,010000100002136,1,01,2026-11-16,100,2026-11-16T08:05:00,{court_file}\n"


def test_a_column_costs_five_files(tmp_path: Path) -> None:
    """Whoever adds a column need not look for the places: import, build, check and cancel have it at once."""
    for folder in (PACKAGE, "schemas", "samples"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, declaration in ADDED:
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        path.write_text(text.replace(before, declaration + before), encoding="utf-8")
    versions = tmp_path / PACKAGE / "database" / "migrations" / "versions"
    newest = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    (versions / "9999_court_file.py").write_text(MIGRATION.format(newest=newest), encoding="utf-8")

    bank = tmp_path / "bank"
    _ajpes_reporting(tmp_path, "init", str(bank))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(HEADER + ROW.format(court_file="X" * 23), encoding="utf-8")
    assert "court file has 23 characters, at most 22 are allowed (No/sp)" in _ajpes_reporting(
        tmp_path, "-w", str(bank), "ledger", "import", str(wrong)
    )
    right = tmp_path / "right.csv"
    right.write_text(HEADER + ROW.format(court_file="In 5/2026"), encoding="utf-8")
    assert "1 event, 1 new" in _ajpes_reporting(tmp_path, "-w", str(bank), "ledger", "import", str(right))

    report = tmp_path / "report.xml"
    build = ("-w", str(bank), "build", "nodurs", "--date", "2026-11-16", "-o", str(report))
    _ajpes_reporting(tmp_path, *build)
    assert 'sp="In 5/2026"' in report.read_text(encoding="utf-8")
    assert "No/sp" not in _ajpes_reporting(tmp_path, "-w", str(bank), "check", str(report))
    report.write_text(
        report.read_text(encoding="utf-8").replace("In 5/2026", "In 5/2026, list 7 in priloga"),
        encoding="utf-8",
    )
    assert "court file has 28 characters" in _ajpes_reporting(tmp_path, "-w", str(bank), "check", str(report))
    cancel = ("-w", str(bank), "ledger", "cancel", "O-1", "1", "--replace", "court_file=In 6/2026")
    assert "The corrected event is 1-R." in _ajpes_reporting(tmp_path, *cancel)


def _ajpes_reporting(folder: Path, *command: str) -> str:
    """What the changed program prints."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", PACKAGE, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout + ended.stderr
