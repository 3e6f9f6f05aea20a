"""Cards of the public collections: facts as published, and what is known to tell their labels apart without disease."""

from covaudit.domain.source import SourceCard

COLLECTIONS: tuple[SourceCard, ...] = (
    SourceCard(
        name="cxri",
        title="Chest radiographs of children, Guangzhou (Kermany et al. 2018)",
        population="Children of 1 to 5 years, Guangzhou Women and Children's Medical Center",
        licence="CC BY 4.0",
        reference_standard="Graded by two physicians, the evaluation set checked by a third; no laboratory result",
        confounders=(
            "Children only: beside adults, age alone tells the source",
            "In the released files normal films have more pixels than pneumonia films",
            "One hospital; several films of one child, with no patient list",
        ),
        publication="Kermany et al., Cell 172 (2018) 1122-1131, doi:10.1016/j.cell.2018.02.010",
        obtain="Mendeley Data, doi:10.17632/rscbjbr9sj",
    ),
    SourceCard(
        name="chestxray8",
        title="ChestX-ray8, NIH Clinical Center (Wang et al. 2017)",
        population="Mostly adults, in- and out-patients of a research hospital, 1992 to 2015",
        licence="Free with attribution to the NIH Clinical Center",
        reference_standard="Findings mined by a program from radiologists' reports",
        confounders=(
            "Laterality markers and text on the film",
            "Labels from text: those of pneumonia are often wrong",
            "Bedside (AP) films are of sicker patients than PA films",
            "Taken before COVID-19: no image can be positive",
        ),
        publication="Wang et al., CVPR 2017, doi:10.1109/CVPR.2017.369",
        obtain="NIH Clinical Center, 'ChestX-ray14': images and Data_Entry_2017_v2020.csv",
    ),
    SourceCard(
        name="cidc",
        title="COVID-19 image data collection (Cohen et al. 2020)",
        population="Mostly adults, many hospitals and countries",
        licence="Image by image, see the column 'license' of its table; research use",
        reference_standard="As each publication says; mostly RT-PCR, often not stated",
        confounders=(
            "Cut from figures of journals and web pages: arrows, letters, crops",
            "JPEG compressed, often twice; colour and size vary with the publisher",
            "Published cases are unusual cases",
        ),
        publication="Cohen et al. 2020, arXiv:2003.11597 and arXiv:2006.11988",
        obtain="github.com/ieee8023/covid-chestxray-dataset: images and metadata.csv",
    ),
    SourceCard(
        name="hannover",
        title="COVID-19 Image Repository, Hannover Medical School (Winther et al. 2020)",
        population="Adult in-patients of one German hospital, spring 2020",
        licence="CC BY 3.0",
        reference_standard="RT-PCR",
        confounders=(
            "COVID-19 only: the source tells the class",
            "Mostly bedside (AP) films of intensive care, with tubes and leads",
            "Many films of few patients",
        ),
        publication="Winther et al. 2020, doi:10.6084/m9.figshare.12275009",
        obtain="github.com/ml-workgroup/covid-19-image-repository: png and data.csv",
    ),
    SourceCard(
        name="figure1",
        title="Figure 1 COVID-19 chest X-ray initiative (Wang et al. 2020)",
        population="Mostly adults; cases posted by clinicians of many countries",
        licence="Research use, under the terms of the initiative",
        reference_standard="As the clinician wrote in the post",
        confounders=(
            "COVID-19 only: the source tells the class",
            "Several were photographed from a screen: moire, blur, reflections",
        ),
        publication="Wang, Lin, Wong, Sci. Rep. 10 (2020) 19549, doi:10.1038/s41598-020-76550-z",
        obtain="github.com/agchung/Figure1-COVID-chestxray-dataset: images and metadata.csv",
    ),
    SourceCard(
        name="mgc",
        title="COVID-CT slices, UCSD (Zhao et al. 2020)",
        modality="CT",
        population="Mostly adults, many hospitals; slices chosen by authors of preprints",
        licence="Not stated for the images, which come from publications; research use",
        reference_standard="Captions of figures, read by hand and confirmed by a radiologist",
        confounders=(
            "The two classes come from different publications, sizes and file formats",
            "Cut from PDF figures: letters, arrows, compression",
            "Single slices, several of one patient, with no patient list",
        ),
        publication="Zhao et al. 2020, arXiv:2003.13865",
        obtain="github.com/UCSD-AI4H/COVID-CT: CT_COVID and CT_NonCOVID",
    ),
)
