"""iCTCF: computed tomography slices and clinical features, Wuhan (Ning et al.).

Input: the labelled slices, `{pCT,nCT,NiCT}/*.jpg`, also below a folder of its own.
Labels: the folder: pCT, a slice with features of COVID-19, is CVP; nCT, a slice of a lung without, is NCV; NiCT, a
slice without information (no lung in it), is dropped with a count.
Metadata: none: the released slices do not say whose they are, so each counts as a patient of its own. Patients have
many slices: whatever split is chosen, slices of one patient can be on both sides.
Publication: Ning et al., Nature Biomedical Engineering 4 (2020) 1197-1207, doi:10.1038/s41551-020-00633-5.
Licence: research use, see ictcf.biocuckoo.cn.
Population: adults, two hospitals of Wuhan, early 2020.
Reference standard: slices labelled by radiologists; patients by RT-PCR.
Tested on a small copy of its layout, not on its files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows
from covaudit.sources.readers.files import list_images

_LABELS = {"pCT": "CVP", "nCT": "NCV", "NiCT": None}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    rows = Rows()
    for place in _class_folders(folder):
        listing = list_images(place)
        for reason, n in listing.refused.items():
            rows.drop(reason, n)
        root, label = place.resolve(), _LABELS[place.name]
        for path in listing.paths:
            image_id = f"{place.name}/{path.relative_to(root).as_posix()}"
            if label is None:
                rows.drop("a slice without information (NiCT)")
            else:
                rows.add(image_id, path, label, image_id)
    return rows.result()


def _class_folders(folder: Path) -> Iterator[Path]:
    for base in (folder, *(one for one in sorted(folder.iterdir()) if one.is_dir() and not one.is_symlink())):
        yield from (base / name for name in _LABELS if (base / name).is_dir())


def matches(folder: Path) -> bool:
    """Two of its folders side by side, here or one folder down."""
    return len(list(_class_folders(folder))) >= 2
