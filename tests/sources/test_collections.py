"""Collections whose files cannot be had here: each layout is written small, quirks included, from its description."""

import pytest

from covaudit.domain.source import Source
from covaudit.errors import BadSource
from covaudit.sources.catalog import CARDS, add_source, find_reader
from covaudit.sources.index import read_index
from covaudit.sources.readers import READERS


def chestxray8_first_version(make):
    """Data_Entry_2017.csv: ages with a unit, a header whose brackets hold a comma, a comma at the end."""
    make("images_001/images/00000001_000.png"), make("images_002/images/00000002_000.png")
    make(
        "Data_Entry_2017.csv",
        b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        b"OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        b"00000001_000.png,No Finding,0,1,058Y,M,PA,2682,2749,0.143,0.143,\n"
        b"00000002_000.png,Pneumonia|Infiltration,1,2,414Y,F,AP,2500,2048,0.168,0.168,\n"
        b"00000003_000.png,Hernia,0,3,081Y,F,PA,2500,2048,0.168,0.168,\n",
    )


def cidc_first_version(make):
    """Patientid with a capital, findings of one word, CT among the radiographs."""
    make("images/a.jpg"), make("images/b.png"), make("images/ct.png"), make("images/c.png")
    make(
        "metadata.csv",
        b"Patientid,offset,sex,age,finding,survival,view,modality,date,location,filename,doi,url\n"
        b"2,0,M,65,COVID-19,Y,PA,X-ray,,,a.jpg,,\n3,0,F,50,SARS,,AP,X-ray,,,b.png,,\n"
        b"3,0,F,50,ARDS,,AP,X-ray,,,c.png,,\n4,0,F,50,COVID-19,,Axial,CT,,,ct.png,,\n",
    )


def actualmed(make):
    for number in range(6):
        make(f"images/CR.1.2.{number}.png")
    make(
        "metadata.csv",
        b"patientid,offset,sex,age,finding,survival,view,modality,imagename,notes\n"
        b"CR.1,,,,COVID-19,,PA,X-ray,CR.1.2.0.png,\n"
        b"CR.1,,M,40,No finding,,AP,X-ray,CR.1.2.1.png,\n"
        b"CR.2,,,,,,AP,X-ray,CR.1.2.2.png,\n"
        b"CR.3,,,,,,AP,X-ray,CR.1.2.3.png,Inconclusive for COVID-19\n"
        b"CR.4,,,,COVID-19,,L,X-ray,CR.1.2.4.png,\n"
        b"CR.5,,,,COVID-19,,PA,X-ray,gone.png,\n"
        b"CR.6,,,,Fracture,,PA,X-ray,CR.1.2.5.png,\n",
    )


def chexpert(make):
    """Blank, 0, 1 and -1; the path begins with the release's folder; age 0 is not known."""
    head = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Pneumonia,Support Devices\n"
    rows = [
        ("train/patient00001/study1/view1_frontal.jpg", "Female,68,Frontal,AP", "1.0,,,1.0"),
        ("train/patient00001/study1/view2_lateral.jpg", "Female,68,Lateral,", "1.0,,,1.0"),
        ("train/patient00002/study1/view1_frontal.jpg", "Male,0,Frontal,PA", ",0.0,1.0,"),
        ("train/patient00003/study2/view1_frontal.jpg", "Unknown,41,Frontal,PA", ",,-1.0,"),
        ("train/patient00004/study1/view1_frontal.jpg", "Male,41,Frontal,PA", ",1.0,0.0,"),
    ]
    for path, _, _ in rows:
        make(path)
    lines = "".join(f"CheXpert-v1.0-small/{path},{who},{findings}\n" for path, who, findings in rows)
    make("train.csv", (head + lines).encode())
    make("valid/patient64541/study1/view1_frontal.jpg")
    valid = "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,1.0,1.0,0.0\n"
    make("valid.csv", (head + valid).encode())


def padchest(make):
    """Lists as Python writes them, years of birth as decimals, projections of its own, an unnamed first column."""
    for name in ("0/a.png", "0/b.png", "54/c.png", "54/d.png", "54/e.png"):
        make(name)
    make(
        "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",
        b",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,"
        b"Projection,MethodProjection,Pediatric,Labels\n"
        b"0,a.png,0,20140915,1,839860488694,1930.0,F,PA,PA,Manual,No,['normal']\n"
        b"1,b.png,0,20140915,1,839860488694,1930.0,F,LATERAL,L,Manual,No,['normal']\n"
        b"2,c.png,54,20150101,2,77,1990.0,M,ANTEROPOSTERIOR,AP_horizontal,Manual,No,\"['pneumonia', 'unchanged']\"\n"
        b"3,d.png,54,20150101,3,78,,M,POSTEROANTERIOR,PA,Manual,No,\"['normal', 'scoliosis']\"\n"
        b"4,e.png,54,20150101,4,79,1950.0,M,,EXCLUDE,Manual,No,['exclude']\n"
        b"5,gone.png,54,20150101,4,79,1950.0,M,,AP,Manual,No,['atypical pneumonia']\n",
    )


def bimcv(make):
    base = "covid19_posi"
    make(f"{base}/sub-S03044/ses-E08088/mod-rx/sub-S03044_ses-E08088_run-1_bp-chest_vp-ap_dx.png")
    make(f"{base}/sub-S03044/ses-E08088/mod-rx/sub-S03044_ses-E08088_run-2_bp-chest_vp-ll_dx.png")
    make(f"{base}/sub-S03045/ses-E08089/mod-rx/sub-S03045_ses-E08089_run-1_bp-chest_cr.png")
    make(f"{base}/sub-S03045/ses-E08089/mod-rx/sub-S03045_ses-E08089_ct.nii.gz", b"x")
    make(f"{base}/derivatives/labels/sub-S03045_ses-E1_vp-pa_cr.png")
    make(
        f"{base}/participants.tsv",
        b"participant\tmodality_dicom\tbody_parts\tage\tgender\n"
        b"sub-S03044\t['CR', 'DX']\t[['chest']]\t[75, 76]\tF\nsub-S03045\t['CR']\t[['chest']]\t\tM\n",
    )


def scov(make):
    for number in (1, 2):
        make(f"COVID/Covid ({number}).png"), make(f"non-COVID/Non-Covid ({number}).png")


def ccii(make):
    """Its NCP is COVID-19; the scans are numbered; a file lies where none should."""
    for name in ("NCP/12/1101/0001.jpg", "NCP/12/1101/0002.jpg", "CP/1068/3104/0001.png", "Normal/7/9/0000.png"):
        make(f"CC-CCII/{name}")
    make("CC-CCII/NCP/readme.png")
    make("metadata.csv", b"patient_id,Age,Sex(Male1/Female2),Critical_illness\n12,61,1,0\n1068,44,2,0\n")


def ictcf(make):
    make("iCTCF/pCT/1 (1).jpg"), make("iCTCF/nCT/1 (1).jpg"), make("iCTCF/NiCT/1 (1).jpg"), make("iCTCF/NiCT/2.jpg")


def coronahack(make):
    """The folder's name twice, 'Pnemonia', the cause in two columns."""
    base = "Coronahack-Chest-XRay-Dataset/Coronahack-Chest-XRay-Dataset"
    rows = [
        ("IM-0128-0001.jpeg", "Normal,TRAIN,,"),
        ("person1_virus_6.jpeg", "Pnemonia,TRAIN,,Virus"),
        ("person1_bacteria_1.jpeg", "Pnemonia,TEST,,bacteria"),
        ("strep.jpg", "Pnemonia,TRAIN,Streptococcus,bacteria"),
        ("1-s2.0-covid.jpg", "Pnemonia,TRAIN,COVID-19,Virus"),
        ("sars.jpg", "Pnemonia,TRAIN,SARS,Virus"),
        ("smoke.jpg", "Pnemonia,TRAIN,ARDS,Stress-Smoking"),
    ]
    for name, what in rows:
        make(f"{base}/{'test' if 'TEST' in what else 'train'}/{name}")
    head = ",X_ray_image_name,Label,Dataset_type,Label_2_Virus_category,Label_1_Virus_category\n"
    lines = "".join(f"{number},{name},{what}\n" for number, (name, what) in enumerate(rows))
    make("Chest_xray_Corona_Metadata.csv", (head + lines).encode())


def ccxri(make):
    """Folders of cases as saved from their pages."""
    for name in (
        "COVID-19-case-1/rx-torace.jpg",
        "COVID-19-case-1/TC-01.jpg",
        "caso 12/RX_LL.jpg",
        "caso 12/RX AP.png",
    ):
        make(name)
    make("logo.png")


def ccxri_in_the_radiography_database(make):
    for number in (1, 2):
        make(f"COVID/images/COVID-{number}.png"), make(f"COVID/masks/COVID-{number}.png")
    make(
        "COVID.metadata.csv",
        b"FILE NAME,FORMAT,SIZE,URL\nCOVID-1,PNG,256*256,https://sirm.org/category/senza-categoria/covid-19/\n"
        b"COVID-2,PNG,256*256,https://github.com/armiro/COVID-CXNet\nCOVID-3,PNG,256*256,https://sirm.org/x\n",
    )


# Reader, layout, {label: images}, what was left out, {image id: (patient, view, sex, age)} of some.
CASES = [
    (
        "chestxray8", chestxray8_first_version, {"NOR": 1, "NCP": 1},
        {"findings other than No Finding and Pneumonia": 1},
        {"00000001_000.png": ("1", "PA", "M", 58), "00000002_000.png": ("2", "AP", "F", None)},
    ),
    (
        "cidc", cidc_first_version, {"CVP": 1, "OVP": 1}, {"a finding without a label here": 1, "not a radiograph": 1},
        {"a.jpg": ("2", "PA", "M", 65)},
    ),
    (
        "actualmed", actualmed, {"CVP": 1, "NOR": 1},
        {
            "a finding other than COVID-19 and No finding": 1, "a lateral view": 1, "an inconclusive case": 1,
            "no finding is given": 1, "the file is missing": 1,
        },
        {"CR.1.2.1.png": ("CR.1", "AP", "M", 40)},
    ),
    (
        "chexpert", chexpert, {"NOR": 1, "NCP": 2},
        {"a lateral view": 1, "findings other than No Finding and Pneumonia": 1, "pneumonia is uncertain": 1},
        {
            "train/patient00001/study1/view1_frontal.jpg": ("patient00001", "AP", "F", 68),
            "train/patient00002/study1/view1_frontal.jpg": ("patient00002", "PA", "M", None),
            "valid/patient64541/study1/view1_frontal.jpg": ("patient64541", "AP", "M", 73),
        },
    ),
    (
        "padchest", padchest, {"NOR": 1, "NCP": 1},
        {
            "a lateral or costal view": 1, "an excluded or unknown projection": 1,
            "findings other than normal and pneumonia": 1, "the file is missing": 1,
        },
        {"a.png": ("839860488694", "PA", "F", 84), "c.png": ("77", "AP Supine", "M", 25)},
    ),
    (
        "bimcv", bimcv, {"CVP": 2},
        {"a lateral view": 1, "not named as a film is: sub-..._ses-..._vp-....png": 1},
        {
            "covid19_posi/sub-S03044/ses-E08088/mod-rx/sub-S03044_ses-E08088_run-1_bp-chest_vp-ap_dx.png": (
                "sub-S03044", "AP", "F", 75,
            ),
            "covid19_posi/sub-S03045/ses-E08089/mod-rx/sub-S03045_ses-E08089_run-1_bp-chest_cr.png": (
                "sub-S03045", None, "M", None,
            ),
        },
    ),
    ("scov", scov, {"CVP": 2, "NCV": 2}, {}, {"COVID/Covid (1).png": ("COVID/Covid (1).png", None, None, None)}),
    (
        "ccii", ccii, {"CVP": 2, "NCP": 1, "NOR": 1}, {"not below a folder of a patient and one of a scan": 1},
        {"NCP/12/1101/0002.jpg": ("12", None, "M", 61), "Normal/7/9/0000.png": ("7", None, None, None)},
    ),
    (
        "ictcf", ictcf, {"CVP": 1, "NCV": 1}, {"a slice without information (NiCT)": 2},
        {"pCT/1 (1).jpg": ("pCT/1 (1).jpg", None, None, None)},
    ),
    (
        "coronahack", coronahack, {"NOR": 1, "OVP": 2, "OBP": 2, "CVP": 1}, {"a finding without a label here": 1},
        {"IM-0128-0001.jpeg": ("IM-0128", None, None, None), "person1_virus_6.jpeg": ("person1", None, None, None)},
    ),
    (
        "ccxri", ccxri, {"CVP": 2}, {"a lateral view": 1, "in no folder of a case": 1, "not a radiograph": 1},
        {"caso 12/RX AP.png": ("case-12", None, None, None)},
    ),
    (
        "ccxri", ccxri_in_the_radiography_database, {"CVP": 1},
        {"an image of another origin than SIRM": 1, "the file is missing": 1},
        {"COVID-1": ("COVID-1", None, None, None)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layout", "labels", "dropped", "some"), CASES, ids=[one[1].__name__ for one in CASES])
def test_a_collection_as_released(make_file, tmp_path, name, layout, labels, dropped, some):
    layout(make_file)
    assert find_reader("a name that says nothing", tmp_path) == name
    table, left_out, *_ = read_index(add_source(name, tmp_path))
    assert table["label"].value_counts().to_dict() == labels and left_out == dropped
    by_id = table.set_index("image_id")
    for image_id, (patient, view, sex, age) in some.items():
        row = by_id.loc[image_id]
        assert (row.patient, row.view, row.sex) == (patient, view, sex)
        assert row.age == age or (age is None and row.age != row.age)


def test_the_corrected_table_of_chestxray8_wins(make_file, tmp_path):
    make_file("images/a.png")
    for name, label in (("Data_Entry_2017.csv", "Pneumonia"), ("Data_Entry_2017_v2020.csv", "No Finding")):
        make_file(name, f"Image Index,Finding Labels,Patient ID\na.png,{label},1\n".encode())
    assert READERS["chestxray8"].read(tmp_path, {}).table["label"].tolist() == ["NOR"]


def test_uncertain_pneumonia_of_chexpert_by_its_policy(make_file, tmp_path):
    chexpert(make_file)
    source = Source(name="x", reader="chexpert", path=str(tmp_path), columns={"uncertain": "positive"})
    table, dropped, *_ = read_index(source)
    assert table["label"].value_counts().to_dict() == {"NCP": 3, "NOR": 1} and "pneumonia is uncertain" not in dropped
    with pytest.raises(BadSource, match="can be: drop, positive"):
        READERS["chexpert"].read(tmp_path, {"uncertain": "maybe"})


def test_a_folder_of_dicom_hides_who_is_in_it(make_file, make_dicom, ramp, tmp_path):
    for name, patient, elements in (
        ("covid/DOE^JANE/1.dcm", "SSN-123", {"ViewPosition": "PA", "PatientSex": "F", "PatientAge": "058Y"}),
        ("covid/DOE^JANE/2", "SSN-123", {"ViewPosition": "AP"}),
        ("normal/x/3.dcm", "SSN-9", {}),
        ("normal/x/4.dcm", "SSN-9", {"ViewPosition": "LL"}),
        ("normal/x/5.dcm", "SSN-9", {"Modality": "CT"}),
        ("loose.dcm", "SSN-9", {}),
    ):
        make_file(name, make_dicom(ramp() // (1 + len(name)), PatientID=patient, **elements))
    make_file("normal/x/broken.dcm", b"words"), make_file("normal/thumbnail.png")
    assert find_reader("x", tmp_path) != "dicom"
    (tmp_path / "normal/thumbnail.png").unlink()
    assert find_reader("x", tmp_path) == "dicom"
    found = READERS["dicom"].read(tmp_path, {})
    assert found.dropped == {
        "a lateral view": 1, "in no sub-folder, so without a class": 1, "not a DICOM file that can be read": 1,
        "not a radiograph": 1,
    }  # fmt: skip
    table = found.table.sort_values("path")
    assert table["label"].tolist() == ["CVP", "CVP", "NOR"]
    assert table["patient"].tolist() == ["patient-1", "patient-1", "patient-2"]
    assert table[["view", "sex"]].iloc[0].tolist() == ["PA", "F"] and table["age"].iloc[0] == 58
    said = table.drop(columns="path").to_csv()
    assert not any(word in said for word in ("DOE", "JANE", "SSN", "123", "Canary", "CANARY"))


@pytest.mark.parametrize("name", ["actualmed", "chexpert", "padchest", "coronahack"])
def test_without_its_table_the_reader_says_so(name, tmp_path):
    with pytest.raises(BadSource, match=r"\.csv"):
        READERS[name].read(tmp_path, {})


def test_every_collection_has_a_card_and_says_on_what_it_was_tested():
    general = {"csv", "dicom", "folder"}
    for name, reader in READERS.items():
        if name not in general:
            words = __import__(reader.read.__module__, fromlist=["x"]).__doc__
            assert name in CARDS and "Tested on" in words, name
            for part in (
                "Input:",
                "Labels:",
                "Metadata:",
                "Publication:",
                "Licence:",
                "Population:",
                "Reference standard:",
            ):
                assert part in words, (name, part)
