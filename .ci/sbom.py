"""Writes the bill of materials of a lock as CycloneDX 1.6: `python .ci/sbom.py requirements.lock FILE`.

`cyclonedx-py` reads the lock: each package with version and hashes. What a lock does not tell is
added from the packages as they are installed here, which must be those of requirements-dev.lock: who
needs whom, and under which licence each comes. The same lock gives the same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ajpes_reporting import __version__

PROJECT = Path(__file__).parents[1]
NAME = "ajpes-reporting"


def bill_of(lock: Path) -> dict[str, Any]:
    """Returns the document, valid by the schema of CycloneDX."""
    tool = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements"]
    options = ["--output-reproducible", "--sv", "1.6", "--pyproject", PROJECT / "pyproject.toml"]
    read = subprocess.run([*tool, *options, lock], check=True, stdout=subprocess.PIPE)  # noqa: S603 - no shell
    bill: dict[str, Any] = json.loads(read.stdout)
    program, parts = bill["metadata"]["component"], bill["components"]
    program["version"] = __version__
    program["purl"] = f"pkg:pypi/{NAME}@{program['version']}"
    references = {canonicalize_name(part["name"]): part["bom-ref"] for part in parts}
    for part in parts:
        part["description"] = distribution(part["name"]).metadata["Summary"]
        part["licenses"] = licences(part["name"])
    bill["dependencies"] = [
        {
            "ref": reference,
            "dependsOn": sorted(references[one] for one in needs(name) & set(references)),
        }
        for name, reference in [(NAME, program["bom-ref"]), *references.items()]
    ]
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)):
        raise SystemExit(f"The bill of {lock} is not valid: {wrong}")
    return bill


def needs(name: str) -> set[str]:
    """Returns the packages that one asks for directly, with any extra."""
    return {canonicalize_name(Requirement(one).name) for one in distribution(name).requires or ()} - {name}


def licences(name: str) -> list[dict[str, Any]]:
    """Returns the licence as the package declares it: an SPDX expression, or the words of older packages."""
    told = distribution(name).metadata
    if expression := told["License-Expression"]:
        return [{"expression": expression}]
    classified = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line[:7] == "License"
    ]
    return [{"license": {"name": word}} for word in classified or [told["License"] or "unknown"]]


if __name__ == "__main__":
    lock, target = map(Path, sys.argv[1:])
    target.write_text(json.dumps(bill_of(lock), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
