"""The set-ups of both papers as printed: classes, sources, sizes, and what is known to be wrong in them.

Paper 1 (CVR-Net): Tables 1 to 3. Paper 2 (Albert): section 3 and the released lists, experiments A, B and C.
"""

from collections.abc import Mapping
from typing import NamedTuple


class PrintedClass(NamedTuple):
    """`sources` and `test_sources` by the papers' names; `sizes` are train, validation and test as printed."""

    name: str
    sources: tuple[str, ...]
    sizes: tuple[int, int, int]
    test_sources: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Images that the class has, without those of an independent test."""
        return sum(self.sizes[:2]) if self.test_sources else sum(self.sizes)


class PrintedSetup(NamedTuple):
    """`reported` is the accuracy as printed; `remarks` say what does not add up, a sentence each."""

    title: str
    classes: tuple[PrintedClass, ...]
    reported: str
    remarks: tuple[str, ...] = ()


_CL2_MULTIPLE = ((4719, 1573, 1572), (2409, 803, 803))
_CT_MULTIPLE = ("SCoV", "CCII", "MGC")
_CT_TRAIN = ("MGC", "CCII", "iCTCF")
_POSITIVE = ("CCXRI", "CIDC", "PadChest")
_NEGATIVE = ("CXRI", "ChestX-ray8")
_CVP_4015 = PrintedClass("CVP", _POSITIVE, (2409, 803, 803))
_CVP_500 = PrintedClass("CVP", ("CIDC",), (300, 100, 100))
_NOR_3591 = PrintedClass("NOR", _NEGATIVE, (2155, 718, 718))

_V_IS_1 = "Class and source are one: no source has both classes, so Cramér's V is 1."
_PADCHEST = (
    "PadChest was taken 2009 to 2017 and holds no COVID-19; BIMCV-COVID19+, from the same region, is used in its place."
)
_FILMS = "Images, not patients, were divided, though CXRI has several films of one child."
_SLICES = "Slices, not patients, were divided."

_OF_ALBERT = (
    PrintedClass("NOR", ("CoronaHack",), (896, 224, 280)),
    PrintedClass("OVP", ("CoronaHack",), (448, 112, 140)),
    PrintedClass("OBP", ("CoronaHack",), (448, 112, 140)),
    PrintedClass("CVP", ("CoronaHack",), (36, 10, 12)),
)
_OF_ALBERT_REMARKS = (
    "COVID-19 films are adults' and all others children's: source and class are one.",
    "Films, not persons, were divided, so persons are in training and test.",
    "SARS (4 films) was counted as COVID-19, before lateral views were left out.",
)
_COPIES = (
    "After augmentation COVID-19 has 540, 150 and 144 images: the test's 144 are twelve copies each of twelve films."
)

SETUPS: Mapping[str, PrintedSetup] = {
    "cxr-single-cl2": PrintedSetup(
        "CXR-Single-CL2",
        (PrintedClass("NCV", ("CXRI",), (3514, 1171, 1171)), _CVP_500),
        "0.998 ± 0.001",
        (_V_IS_1, _FILMS, "Weighted recall is printed as 0.997, though it must equal the accuracy."),
    ),
    "cxr-multiple-cl2": PrintedSetup(
        "CXR-Multiple-CL2",
        (PrintedClass("NCV", _NEGATIVE, _CL2_MULTIPLE[0]), _CVP_4015),
        "0.984 ± 0.001",
        (_V_IS_1, _FILMS, _PADCHEST, "The text names fewer sources than the table; the table is taken."),
    ),
    "cxr-independent-cl2": PrintedSetup(
        "CXR-Independent-CL2",
        (
            PrintedClass("NCV", ("CheXpert", "CXRI"), (5567, 1391, 1227), ("ChestX-ray8",)),
            PrintedClass("CVP", ("CCXRI", "PadChest"), (2812, 703, 500), ("CIDC",)),
        ),
        "0.887",
        (
            "Cramér's V of class and source is 1 in training and in the test: other sources, the same shortcut.",
            _PADCHEST,
            "The 1,227 negatives of the test equal SCoV's count of them.",
        ),
    ),
    "ct-single-cl2": PrintedSetup(
        "CT-Single-CL2",
        (PrintedClass("NCV", ("SCoV",), (737, 245, 245)), PrintedClass("CVP", ("SCoV",), (752, 250, 250))),
        "0.976 ± 0.003",
        (_SLICES,),
    ),
    "ct-multiple-cl2": PrintedSetup(
        "CT-Multiple-CL2",
        (
            PrintedClass("NCV", _CT_MULTIPLE, _CL2_MULTIPLE[0]),
            PrintedClass("CVP", _CT_MULTIPLE, _CL2_MULTIPLE[1]),
        ),
        "0.969 ± 0.003",
        (_SLICES, "The sizes are those of CXR-Multiple-CL2 to the last digit: likely a slip, so not known."),
    ),
    "ct-independent-cl2": PrintedSetup(
        "CT-Independent-CL2",
        (
            PrintedClass("NCV", _CT_TRAIN, (13293, 3323, 1227), ("SCoV",)),
            PrintedClass("CVP", _CT_TRAIN, (5178, 1294, 1252), ("SCoV",)),
        ),
        "0.799",
        (_SLICES, "How many slices came from which source is not printed."),
    ),
    "cxr-single-cl3": PrintedSetup(
        "CXR-Single-CL3",
        (
            PrintedClass("NOR", ("CXRI",), (951, 316, 316)),
            PrintedClass("NCP", ("CXRI",), (2565, 854, 854)),
            _CVP_500,
        ),
        "0.964 ± 0.005",
        ("COVID-19 comes from a source of its own.", _FILMS),
    ),
    "cxr-multiple-cl3": PrintedSetup(
        "CXR-Multiple-CL3",
        (_NOR_3591, PrintedClass("NCP", _NEGATIVE, (2757, 919, 919)), _CVP_4015),
        "0.933 ± 0.013",
        (
            "COVID-19 comes from sources of its own.",
            _FILMS,
            _PADCHEST,
            "8,186 images are not COVID-19, not 7,864 as the text says.",
        ),
    ),
    "cxr-multiple-cl4": PrintedSetup(
        "CXR-Multiple-CL4",
        (
            _NOR_3591,
            PrintedClass("OBP", ("CXRI",), (1668, 556, 556)),
            PrintedClass("OVP", ("CXRI",), (897, 298, 298)),
            _CVP_4015,
        ),
        "0.882 ± 0.003",
        ("COVID-19 comes from sources of its own, and so do bacteria and viruses.", _FILMS, _PADCHEST),
    ),
    "albert-a": PrintedSetup("Albert, experiment A", _OF_ALBERT, "84.44 %, DenseNet-121", _OF_ALBERT_REMARKS),
    "albert-b": PrintedSetup("Albert, experiment B", _OF_ALBERT, "", (*_OF_ALBERT_REMARKS, _COPIES)),
    "albert-c": PrintedSetup("Albert, experiment C", _OF_ALBERT, "", (*_OF_ALBERT_REMARKS, _COPIES)),
}

COLLECTION_OF: Mapping[str, str] = {
    "CXRI": "cxri", "ChestX-ray8": "chestxray8", "CIDC": "cidc", "CCXRI": "ccxri", "CheXpert": "chexpert",
    "PadChest": "bimcv", "SCoV": "scov", "CCII": "ccii", "MGC": "mgc", "iCTCF": "ictcf", "CoronaHack": "coronahack",
}  # fmt: skip
"""The collection that stands for each name of the papers where it is drawn from; see the remark on PadChest."""
