"""Where the collections that are open to all can be fetched, and what to do with what comes."""

from collections.abc import Mapping
from typing import NamedTuple


class Download(NamedTuple):
    """One archive. `sha256` is None where the publisher packs it anew at each request, so that no hash can be known.

    `root` is the folder inside that the reader is given, '*' standing for any one name; `nested` are archives inside
    it that hold the images, unpacked beside themselves.
    """

    url: str
    root: str = "*"
    nested: tuple[str, ...] = ()
    sha256: str | None = None


def _github(repository: str, root: str = "*", nested: tuple[str, ...] = ()) -> Download:
    return Download(f"https://codeload.github.com/{repository}/zip/refs/heads/master", root, nested)


DOWNLOADS: Mapping[str, Download] = {
    "cxri": Download(
        "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/f12eaf6d-6023-432f-acc9-80c9d7393433/"
        "file_downloaded",
        root=".",
    ),
    "cidc": _github("ieee8023/covid-chestxray-dataset"),
    "hannover": _github("ml-workgroup/covid-19-image-repository"),
    "figure1": _github("agchung/Figure1-COVID-chestxray-dataset"),
    "actualmed": _github("agchung/Actualmed-COVID-chestxray-dataset"),
    "mgc": _github("UCSD-AI4H/COVID-CT", "*/Images-processed", ("CT_COVID.zip", "CT_NonCOVID.zip")),
}
