"""Where the files of ontologies and contributions are."""

from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
ONTOLOGY = DATA / "ontology"
CONTRIBUTED = DATA / "metadata" / "contributed"
