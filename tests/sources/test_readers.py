"""Each reader on a small copy of its layout."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from covaudit.errors import BadSource
from covaudit.sources import catalog
from covaudit.sources.readers import READERS
from covaudit.sources.readers.base import age_of, sex_of, view_of
from covaudit.sources.readers.cidc import label_of as cidc_label
from covaudit.sources.readers.cidc_masks import is_whole
from covaudit.sources.readers.files import LINKED_FOLDER, NOT_TEXT, OUTSIDE
from covaudit.sources.readers.folder import label_of
from covaudit.sources.readers.mgc import patient_of


def read(name, folder, columns=None):
    """Rows as {image id: (label, patient)}, and the counts."""
    found = READERS[name].read(folder, columns or {})
    rows = {row.image_id: (row.label, row.patient) for row in found.table.itertuples()}
    return rows, found.dropped, found.table


def test_cxri(make_file, tmp_path):
    for name in (
        "train/NORMAL/IM-0115-0001.jpeg",
        "train/NORMAL/NORMAL2-IM-0115-0001-0002.jpeg",
        "train/PNEUMONIA/person7_bacteria_24.jpeg",
        "train/PNEUMONIA/person7_virus_9_1.jpeg",
        "test/PNEUMONIA/oddly_named.jpeg",
        "notes/x.jpeg",
    ):
        make_file(f"chest_xray/{name}")
    rows, dropped, _ = read("cxri", tmp_path)
    assert rows == {
        "chest_xray/train/NORMAL/IM-0115-0001.jpeg": ("NOR", "IM-0115"),
        "chest_xray/train/NORMAL/NORMAL2-IM-0115-0001-0002.jpeg": ("NOR", "IM-0115"),
        "chest_xray/train/PNEUMONIA/person7_bacteria_24.jpeg": ("OBP", "person7"),
        "chest_xray/train/PNEUMONIA/person7_virus_9_1.jpeg": ("OVP", "person7"),
        "chest_xray/test/PNEUMONIA/oddly_named.jpeg": ("NCP", "oddly_named"),
    }
    assert dropped == {"in no folder named NORMAL or PNEUMONIA": 1}
    assert READERS["cxri"].matches(tmp_path) and READERS["cxri"].matches(tmp_path / "chest_xray")


def test_chestxray8(make_file, tmp_path):
    for name in ("images_001/images/00000001_000.png", "images_002/images/00000002_000.png", "images_002/images/b.png"):
        make_file(name)
    make_file(
        "Data_Entry_2017_v2020.csv",
        b"Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position\n"
        b"00000001_000.png,No Finding,1,414,M,PA\n"
        b"00000002_000.png,Effusion|Pneumonia,2,57,F,AP\n"
        b"b.png,Cardiomegaly,2,57,F,AP\n"
        b"gone.png,No Finding,3,30,F,PA\n"
        b"b.png,No Finding,3,30,F,L\n",
    )
    rows, dropped, table = read("chestxray8", tmp_path)
    assert rows == {"00000001_000.png": ("NOR", "1"), "00000002_000.png": ("NCP", "2")}
    assert dropped == {
        "a lateral view": 1,
        "findings other than No Finding and Pneumonia": 1,
        "the file is missing": 1,
    }
    second = table[table["image_id"] == "00000002_000.png"].iloc[0]
    assert (second.view, second.sex, second.age) == ("AP", "F", 57)
    assert table["age"].isna().sum() == 1  # 414 years


def test_cidc(make_file, tmp_path):
    for name in ("images/a.jpeg", "images/b.png", "images/c.png", "lung_masks/a.png"):
        make_file(name)
    make_file(
        "metadata.csv",
        b"patientid,sex,age,finding,view,modality,filename\n"
        b'2,M,65.0,"COVID-19, ARDS",AP Supine,X-ray,a.jpeg\n'
        b"3,,,Pneumonia/Bacterial/Streptococcus,PA,X-ray,b.png\n"
        b"4,,,COVID-19,Axial,CT,c.png\n"
        b"5,,,COVID-19,L,X-ray,c.png\n"
        b"6,,,Hernia,PA,X-ray,c.png\n",
    )
    rows, dropped, table = read("cidc", tmp_path)
    assert rows == {"a.jpeg": ("CVP", "2"), "b.png": ("OBP", "3")}
    assert dropped == {"a finding without a label here": 1, "a lateral view": 1, "not a radiograph": 1}
    assert table["mask_path"].tolist() == [str(tmp_path / "lung_masks/a.png"), None]
    assert table["view"].tolist() == ["AP Supine", "PA"]


def test_a_mask_of_cidc_drawn_before_its_film_was_cropped_is_not_used(make_file, encode, tmp_path):
    """Two films of one size in April 2020, 416 x 341 and 417 x 342 pixels; one has lost its margins since."""
    for name, shape in {
        "jkms-35-e79-g001-l-a": (342, 417),
        "jkms-35-e79-g001-l-c": (326, 357),
        "own": (300, 300),
    }.items():
        make_file(f"images/{name}.jpg", encode(np.full(shape, 90, np.uint8), "JPEG"))
        make_file(f"lung_masks/{name}.png", encode(np.zeros(shape, np.uint8)))
    names = ("jkms-35-e79-g001-l-a.jpg", "jkms-35-e79-g001-l-c.jpg", "own.jpg")
    lines = "".join(f"{number},COVID-19,{name}\n" for number, name in enumerate(names))
    make_file("metadata.csv", b"patientid,finding,filename\n" + lines.encode())
    _, dropped, table = read("cidc", tmp_path)
    assert dropped == {} and table["image_id"].tolist() == list(names)
    assert table["mask_path"].notna().tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("size", "limit", "whole"),
    [
        ((417, 342), 640, True),  # as it was
        ((380, 312), 640, False),  # cropped in proportion, and too small to be a smaller copy
        ((224, 184), 224, True),  # made smaller: 342 * 224 / 417 = 183.7
        ((224, 186), 224, False),
    ],
)
def test_a_film_is_whole_at_its_first_size_or_made_smaller(size, limit, whole):
    assert is_whole(size, (417, 342), limit) == whole


@pytest.mark.parametrize(
    ("finding", "label"),
    [
        ("COVID-19", "CVP"),
        ("Pneumonia/Viral/COVID-19", "CVP"),
        ("Pneumonia/Viral/SARS", "OVP"),
        ("SARS", "OVP"),
        ("Pneumonia/Bacterial", "OBP"),
        ("Pneumonia", "NCP"),
        ("Pneumonia/Fungal/Pneumocystis", "NCP"),
        ("No Finding", "NOR"),
        ("ARDS", None),
        ("Tuberculosis", None),
        ("", None),
    ],
)
def test_cidc_findings(finding, label):
    assert cidc_label(finding) == label


def test_hannover(make_file, tmp_path):
    make_file("png/fff13f3a.png"), make_file("png/6b5af975.png")
    make_file(
        "data.csv",
        b"patient_id,image_id,sex,age,projection\n024e7871,fff13f3a,f,,pa\n04a33bab,6b5af975,m,,lateral\n"
        b"04a33bab,0000000a,m,,ap\n",
    )
    rows, dropped, table = read("hannover", tmp_path)
    assert rows == {"fff13f3a": ("CVP", "024e7871")}
    assert dropped == {"a lateral view": 1, "the file is missing": 1}
    assert (table["view"][0], table["sex"][0]) == ("PA", "F")


def test_figure1_is_latin_1_and_a_letter_is_no_patient(make_file, tmp_path):
    for name in ("images/COVID-00003a.jpg", "images/COVID-00003b.png", "images/COVID-00004.jpg"):
        make_file(name)
    make_file(
        "metadata.csv",
        "patientid,sex,age,finding,view,modality,notes\n"
        "COVID-00003a,M,28,COVID-19,AP erect,X-ray,39\xb0C\n"
        "COVID-00003b,M,50+,COVID-19,,X-ray,\n"
        "COVID-00004,F,40,,PA,X-ray,\n"
        "COVID-00005,F,40,Pneumonia,PA,X-ray,\n"
        "COVID-00006,F,40,COVID-19,PA,X-ray,\n".encode("latin-1"),
    )
    rows, dropped, table = read("figure1", tmp_path)
    assert rows == {"COVID-00003a": ("CVP", "COVID-00003"), "COVID-00003b": ("CVP", "COVID-00003")}
    assert dropped == {"a finding other than COVID-19": 1, "no finding is given": 1, "the file is missing": 1}
    assert table["age"].fillna(-1).tolist() == [28, -1]
    assert READERS["figure1"].matches(tmp_path) and not READERS["cidc"].matches(tmp_path)


def test_mgc(make_file, tmp_path):
    for name in ("CT_COVID/2020.03.01.20029769-p21-73_1%2.png", "CT_COVID/2020.03.01.20029769-p9-1.png"):
        make_file(name)
    make_file("CT_NonCOVID/102%1.jpg"), make_file("CT_NonCOVID/102.png")
    rows, dropped, _ = read("mgc", tmp_path)
    assert set(rows.values()) == {("CVP", "CT_COVID/2020.03.01.20029769"), ("NCV", "CT_NonCOVID/102")}
    assert len(rows) == 4 and dropped == {}
    assert patient_of("kjr-21-e24-p1-10") == "kjr-21-e24"
    assert patient_of("PIIS0140673620303603%3") == "PIIS0140673620303603"


def test_folder_of_classes(make_file, tmp_path):
    for name in ("Normal/a.png", "covid-19/pat1/a.png", "covid-19/pat1/b.jpeg", "Silicosis/a.tif", "loose.png"):
        make_file(name)
    make_file("Normal/readme.txt", b"x"), make_file("Normal/.hidden.png")
    rows, dropped, _ = read("folder", tmp_path)
    assert rows == {
        "Normal/a.png": ("NOR", "Normal/a.png"),
        "Silicosis/a.tif": ("Silicosis", "Silicosis/a.tif"),
        "covid-19/pat1/a.png": ("CVP", "covid-19/pat1"),
        "covid-19/pat1/b.jpeg": ("CVP", "covid-19/pat1"),
    }
    assert dropped == {"in no sub-folder, so without a class": 1}


def test_folder_of_parts(make_file, tmp_path):
    make_file("train/NOR/a.png"), make_file("test/Viral Pneumonia/b.png")
    rows, _, _ = read("folder", tmp_path)
    assert {label for label, _ in rows.values()} == {"NOR", "OVP"}


def test_names_of_classes():
    assert [label_of(name) for name in ("nor", "COVID", "Pneumonia", "non-COVID", "ards")] == [
        "NOR",
        "CVP",
        "NCP",
        "NCV",
        "ards",
    ]


def test_links_that_lead_out_are_refused(make_file, tmp_path):
    outside = make_file("outside/secret.png")
    inside = make_file("source/NOR/a.png")
    (tmp_path / "source/NOR/out.png").symlink_to(outside)
    (tmp_path / "source/NOR/in.png").symlink_to(inside)
    (tmp_path / "source/NOR/gone.png").symlink_to(tmp_path / "source/nothing.png")
    (tmp_path / "source/linked").symlink_to(tmp_path / "outside")
    rows, dropped, table = read("folder", tmp_path / "source")
    assert set(rows) == {"NOR/a.png"} and set(table["path"]) == {str(inside)}
    assert dropped == {OUTSIDE: 1, LINKED_FOLDER: 1}


def test_names_that_are_not_utf_8_are_left_out_and_counted(make_file, tmp_path):
    good = make_file("source/Größe ♥/a 影像.png")
    other = os.fsencode(tmp_path / "source")
    Path(os.fsdecode(other + b"/caf\xe9")).mkdir()  # Latin-1, as from an old archive
    for name in (b"/caf\xe9/1.png", "/Größe ♥/".encode() + b"caf\xe9.png"):
        shutil.copy(good, other + name)
    rows, dropped, _ = read("folder", tmp_path / "source")
    assert set(rows) == {"Größe ♥/a 影像.png"} and dropped == {NOT_TEXT: 2}
    with pytest.raises(BadSource, match="is not UTF-8"):
        catalog.add_source("mine", Path(os.fsdecode(other + b"/caf\xe9")))


def test_csv_with_a_mapping(make_file, tmp_path):
    make_file("img/1.png"), make_file("img/2.png")
    make_file(
        "list.csv",
        b"\xef\xbb\xbfFile;Class;Who;Gender;Years;Proj\nimg/1.png;covid;P1;male;61;pa\n./img/2.png;NOR;;F;x;\n",
    )
    mapping = {"image": "File", "label": "Class", "patient": "Who", "sex": "Gender", "age": "Years", "view": "Proj"}
    rows, dropped, table = read("csv", tmp_path, mapping)
    assert rows == {"img/1.png": ("CVP", "P1"), "./img/2.png": ("NOR", "./img/2.png")} and dropped == {}
    assert table["view"].tolist() == ["PA", None] and table["sex"].tolist() == ["M", "F"]
    assert table["age"][0] == 61 and table["path"].tolist() == [str(tmp_path / f"img/{n}.png") for n in (1, 2)]


def test_csv_paths_stay_inside_the_folder(make_file, tmp_path):
    make_file("secret.png")
    make_file("data/ok.png"), make_file("data/100%.png")
    (tmp_path / "data/link.png").symlink_to(tmp_path / "secret.png")
    bad = [
        "../secret.png",
        "a/../../secret.png",
        "%2e%2e/secret.png",
        "..\\secret.png",
        str(tmp_path / "secret.png"),
        "C:\\x.png",
        "\\\\host\\share\\x.png",
        "http://host/x.png",
        "file:///etc/passwd",
        "~/x.png",
        "link.png",
        "",
        "gone.png",
    ]
    lines = ["image,label", "ok.png,NOR", "100%.png,CVP", *(f"{path},NOR" for path in bad), "ok.png,"]
    make_file("data/list.csv", "\n".join(lines).encode())
    rows, dropped, _ = read("csv", tmp_path / "data")
    assert set(rows) == {"ok.png", "100%.png"}
    assert dropped == {
        "the path leads out of the folder (rows 4, 5, 6, 7)": 4,
        "the path is absolute or a URL (rows 8, 9, 10, 11, 12, 13)": 6,
        f"{OUTSIDE} (rows 14)": 1,
        "the path is empty (rows 15)": 1,
        "the file is missing (rows 16)": 1,
        "the label is empty (rows 17)": 1,
    }


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        (b"", {}, "not a CSV file"),
        (b"a,b\n1,2\n", {}, "no column image and no column label; it has a, b"),
        (b"image,label\n", {"label": "finding"}, "no column 'finding'. It has image, label"),
        (b"image,label\n", {"colour": "image"}, "'colour' is none of them"),
        (b'image,label\n"a,b\n', {}, "not a CSV file"),
        (bytes(range(256)) * 4, {}, "not a CSV file|no column image"),
    ],
)
def test_csv_that_does_not_fit(make_file, tmp_path, content, columns, words):
    make_file("list.csv", content)
    with pytest.raises(BadSource, match=words):
        read("csv", tmp_path, columns)


def test_csv_rows_listed_twice(make_file, tmp_path):
    for name in "abc":
        make_file(f"{name}.png")
    lines = ["image,label", "a.png,NOR", "b.png,NOR", "a.png,normal", "b.png,CVP", "c.png,CVP", "a.png,NOR"]
    make_file("list.csv", "\r\n".join(lines).encode())
    rows, dropped, _ = read("csv", tmp_path)
    assert {name: label for name, (label, _) in rows.items()} == {"a.png": "NOR", "c.png": "CVP"}
    assert dropped == {"listed twice (rows 4, 7)": 2, "the image is listed with different labels (rows 3, 5)": 2}


def test_csv_must_be_the_only_one(make_file, tmp_path):
    make_file("a.csv", b"image,label\n"), make_file("b.csv", b"image,label\n")
    with pytest.raises(BadSource, match=r"holds a\.csv, b\.csv"):
        read("csv", tmp_path)
    assert read("csv", tmp_path / "a.csv")[0] == {}


@pytest.mark.parametrize("name", ["chestxray8", "cidc", "hannover", "figure1"])
def test_a_collection_without_its_table(name, tmp_path):
    with pytest.raises(BadSource, match=r"\.csv"):
        read(name, tmp_path)


def test_a_table_with_other_columns(make_file, tmp_path):
    make_file("data.csv", b"x,y\n1,2\n")
    with pytest.raises(BadSource, match="no column patient_id, image_id; it has x, y"):
        read("hannover", tmp_path)


def test_cells():
    assert [view_of(text) for text in ("ap", "AP Supine", float("nan"), " ")] == ["AP", "AP Supine", None, None]
    assert [sex_of(text) for text in ("m", "Female", "Other", None)] == ["M", "F", None, None]
    assert [age_of(text) for text in ("65.0", "058Y", "50+", "414", -1)] == [65, 58, None, None, None]
