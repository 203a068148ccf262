"""The files of used-car ads that import tests run over: the shipped sample, and the classifieds'
full file, which may not be shipped. It is looked for beside the repository, unless MESH_ADS_FILE
names it; a run without it ends with a warning that says so, and a wrong MESH_ADS_FILE fails.
"""

from __future__ import annotations

import csv
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from cli.imports.language.mapping import Mapping
from cli.imports.language.mapping_file import load_mapping

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "examples"
SAMPLE = ROOT / "infra" / "sample"
NAMED = os.environ.get("MESH_ADS_FILE")
BESIDE = Path("shared", "data", "used-car-ads", "autos.csv")


def full_file(named: str | None, root: Path) -> Path:
    """Where the full file is, or would be."""
    if named:
        return Path(named)
    around = [parent / BESIDE for parent in root.parents]
    return next((each for each in around if each.exists()), root.parent / BESIDE)


def missing(file: Path, named: str | None) -> str | None:
    """What to say of a file that isn't there; FileNotFoundError when somebody named it."""
    if file.exists():
        return None
    if named:
        message = f"MESH_ADS_FILE={named}: no such file"
        raise FileNotFoundError(message)
    return f"the classifieds' full file is not at {file}: MESH_ADS_FILE may name it"


@dataclass(frozen=True)
class Ads:
    """One file with its mapping, and its own words for what the tests count."""

    name: str
    file: Path
    mapping_file: Path
    price: str
    year: str
    body: str
    odometer: str
    power: str

    @property
    def mapping(self) -> Mapping:
        return load_mapping(self.mapping_file)

    def rows(self) -> list[dict[str, str]]:
        """The rows as Python's own reader sees them: what the import is compared with."""
        with self.file.open(encoding="cp1252", newline="") as text:
            return list(csv.DictReader(text))


SAMPLE_ADS = Ads(
    "sample",
    SAMPLE / "ads.csv",
    SAMPLE / "ads.mapping.yaml",
    price="preis",
    year="zulassung_jahr",
    body="karosserie",
    odometer="kilometerstand",
    power="leistung_ps",
)
FULL_ADS = Ads(
    "classifieds",
    full_file(NAMED, ROOT),
    EXAMPLES / "mappings" / "classifieds.yaml",
    price="price",
    year="yearOfRegistration",
    body="vehicleType",
    odometer="odometer",
    power="powerPS",
)
_WITHOUT = missing(FULL_ADS.file, NAMED)
if _WITHOUT:
    warnings.warn(f"only the sample is imported: {_WITHOUT}", stacklevel=1)
ADS = [SAMPLE_ADS] if _WITHOUT else [SAMPLE_ADS, FULL_ADS]
BIGGEST_ADS = ADS[-1]
