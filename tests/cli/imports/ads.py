"""The files of used-car ads that import tests run over: the shipped sample, and beside it the
classifieds' full file where it lies next to the repository (or MESH_ADS_FILE names it).
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from cli.imports.mapping import Mapping
from cli.imports.mapping_file import load_mapping

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "examples"
SAMPLE = ROOT / "infra" / "sample"
FULL = Path(
    os.environ.get("MESH_ADS_FILE", ROOT.parent / "shared" / "data" / "used-car-ads" / "autos.csv")
)


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
    FULL,
    EXAMPLES / "mappings" / "classifieds.yaml",
    price="price",
    year="yearOfRegistration",
    body="vehicleType",
    odometer="odometer",
    power="powerPS",
)
ADS = [SAMPLE_ADS, *([FULL_ADS] if FULL.exists() else [])]
