"""The command line as a person or a program meets it: words, JSON and exit codes."""

import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from covaudit.__main__ import app
from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.presets import PRESETS
from covaudit.domain.protocols import PROTOCOLS
from covaudit.domain.run import RunState
from covaudit.domain.training import Training
from covaudit.jobs import autostart
from covaudit.settings import PROJECT, Settings
from covaudit.store import Store, artifacts, results, runs

COMMANDS = (
    "demo", "sources", "sources list", "sources add", "sources show", "presets", "presets list", "presets show",
    "presets run", "protocols list", "protocols show", "run",
    "runs", "show", "logs", "cancel", "retry", "resume", "priority", "predict", "explain", "sanity", "maps", "compare",
    "backup", "restore", "export", "import", "reproduce", "delete", "trash", "trash list", "trash restore",
    "trash empty", "worker", "doctor",
)  # fmt: skip
YAML = """
name: small
task: CL2
train:
- {source: phantom-a, label: NOR}
- {source: phantom-b, label: CVP}
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("COVAUDIT_")]:
        monkeypatch.delenv(name)
    env = {"COVAUDIT_WORKSPACE": str(tmp_path / "workspace"), "COVAUDIT_AUTOSTART": "0", "COVAUDIT_DEVICE": "cpu"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return env


@pytest.fixture
def call(environ: dict[str, str]) -> Callable[..., Any]:
    """Run a command in this process; the result has exit_code, stdout and stderr."""

    def run(*args: object, ends: int = 0) -> Any:
        result = CliRunner().invoke(app, [str(arg) for arg in args])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == ends, result.output
        return result

    return run


@pytest.fixture
def store(environ: dict[str, str]) -> Iterator[Store]:
    opened = Store.open(Settings.from_env(environ))
    yield opened
    opened.close()


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(YAML)
    return path


def _outcome(internal: float = 0.9, external: float = 0.6) -> results.Outcome:
    def one(split: str, value: float) -> Estimate:
        return Estimate(split=split, metric="balanced_accuracy", value=value, low=value - 0.1, high=value + 0.1, n=40)

    finding = AuditFinding(check="gap", severity=Severity.CRITICAL, title="A shortcut", detail="It reads the marker.")
    return results.Outcome([one("internal", internal), one("external", external)], [], [finding], {})


def _do_queued_runs(store: Store, state: RunState) -> None:
    for run in runs.listing(store, states=[RunState.QUEUED]):
        attempt = runs.claim(store, run.id, "cpu")
        assert attempt is not None
        if state is RunState.DONE:
            results.write_outcome(store, run.id, attempt, _outcome(), [])
        else:
            runs.finish(store, run.id, attempt, state, "The sky fell. Look up.")


@pytest.fixture
def worker_that(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[RunState], None]:
    """In place of a worker: ends every queued run in the given state as soon as a worker is asked for."""

    def install(state: RunState) -> None:
        def ensure(settings: Settings) -> list[str]:
            threading.Thread(target=_do_queued_runs, args=(store, state)).start()
            return ["cpu"]

        monkeypatch.setattr(autostart, "ensure_workers", ensure)

    return install


def _done(store: Store, **changes: Any) -> str:
    plain: dict[str, Any] = {"name": "small", "task": "CL2"}
    plain["train"] = [{"source": "phantom-a", "label": "NOR"}, {"source": "phantom-b", "label": "CVP"}]
    experiment = Experiment.from_plain(plain | changes)
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    _do_queued_runs(store, RunState.DONE)
    return experiment.id


# -- in general -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(command: str, call: Callable[..., Any]) -> None:
    assert "Usage: " in call(*command.split(), "--help").stdout


def test_help_needs_nothing_heavy() -> None:
    heavy = "torch pandas numpy sqlalchemy pydantic dbos streamlit"
    code = (
        "import sys, covaudit.__main__\n"
        f"loaded = [name for name in '{heavy}'.split() if name in sys.modules]\n"
        "print(loaded)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    # pydantic comes with the states of a run; the others cost a second or more together.
    assert set(json.loads(ran.stdout.replace("'", '"'))) <= {"pydantic"}


def test_as_a_program(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "covaudit", "runs", "--json"]
    ran = subprocess.run(command, cwd=PROJECT, env=os.environ | environ, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [] and ran.stderr == ""


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("show zzzz", "Unknown run 'zzzz'. Allowed: none yet. Run 'python -m covaudit demo'."),
        ("protocols show nope", "Unknown protocol 'nope'. Allowed: albert-a"),
        ("presets show nope", "Unknown preset 'nope'. Allowed: "),
        ("sources show nope", "Unknown source 'nope'. Allowed: phantom-a, "),
        ("sources add mine /nowhere/at/all", "There is no folder '/nowhere/at/all'. Check the path."),
        ("sources add mine . --reader nope", "Unknown reader 'nope'. Allowed: "),
        ("sources add mine . --column label", "--column came as 'label'. Write it as MEANING=HEADER"),
        ("compare abcd", "One run came. Give two or more to compare."),
        ("run /nowhere.yaml", "/nowhere.yaml cannot be read (No such file or directory). Give the path"),
        ("run .", "cannot be read (Is a directory)"),
        ("worker --device gpu", "Unknown device 'gpu'. Allowed: auto, cpu, cuda:0 (or another number), mps."),
        ("predict abcd x.png", "Unknown run 'abcd'"),
        ("demo --seed -1", "Invalid value for '--seed'"),
        ("demolish", "No such command 'demolish'"),
        ("show", "Missing argument 'RUN'"),
    ],
)
def test_wrong_use_is_a_sentence_and_a_2(command: str, sentence: str, call: Callable[..., Any]) -> None:
    result = call(*command.split(), ends=2)
    assert sentence in result.stderr and "Traceback" not in result.stderr and result.stdout == ""


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("COVAUDIT_DEVICE", "gpu", "Unknown device 'gpu'"),
        ("COVAUDIT_DB", "mysql://x", "COVAUDIT_DB begins with 'mysql'. Allowed: sqlite:///FILE or postgresql://"),
        ("COVAUDIT_AUTOSTART", "perhaps", "COVAUDIT_AUTOSTART is 'perhaps'. Allowed: 0 or 1."),
        ("COVAUDIT_WORKSPACE", "/dev/null/x", "The workspace /dev/null/x cannot be written"),
    ],
)
def test_a_wrong_setting_is_a_sentence(
    name: str, value: str, sentence: str, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert sentence in call("runs", ends=2).stderr


def test_what_nobody_thought_of_is_a_sentence_too(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from covaudit import __main__ as module

    def crash(**_: Any) -> None:
        raise ZeroDivisionError("division\x1b[31m by zero\nand more")

    monkeypatch.setattr(module, "app", crash)
    with pytest.raises(SystemExit) as ended:
        module.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1 and said.count("\n") == 1
    assert said.startswith("Something unexpected went wrong (ZeroDivisionError: division\\x1b[31m by zero).")


# -- presets and sources ----------------------------------------------------------------------------------------------


def test_presets_are_listed_and_printed_as_yaml(call: Callable[..., Any]) -> None:
    listed = json.loads(call("presets", "list", "--json").stdout)
    assert [row["name"] for row in listed] == list(PRESETS)
    assert "demo-single" in call("presets", "list").stdout
    assert Experiment.from_yaml(call("presets", "show", "demo-single").stdout) == PRESETS["demo-single"]


def test_a_preset_tells_what_is_printed_what_is_here_and_how_the_rest_is_had(call: Callable[..., Any]) -> None:
    shown = call("presets", "show", "cxr-single-cl2", "--set", "seed=4").stdout
    assert "# CVP from CIDC: printed 500 (train / validation / test 300 / 100 / 100); here 0." in shown
    assert Experiment.from_yaml(shown).seed == 4 and "# Not here: Chest radiographs of children" in shown
    said = call("presets", "run", "cxr-multiple-cl4", ends=2).stderr
    assert "sources that are not here: cxri, chestxray8, ccxri, cidc, bimcv." in said
    assert "python -m covaudit sources get cxri" in said and "sources add bimcv FOLDER" in said
    assert json.loads(call("runs", "--json").stdout) == []


def test_a_preset_is_run_without_weights_only_by_an_explicit_choice(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.pretrained._is_reachable", lambda address: False)
    monkeypatch.setattr("models.pretrained._in_cache", lambda backbone: None)
    asked = ("presets", "run", "demo-single", "--set", "network=resnet18", "--set", "training.pretrained=imagenet")
    assert "On the command line: --set training.pretrained=none" in call(*asked, ends=2).stderr
    run_id = call(*asked[:5], "--small").stdout.strip()
    shown = call("show", run_id).stdout
    assert "Demo: each class from its own source; cut down; changed: network" in shown
    assert "From random weights, at most 2 epochs at 128 px, as fast but for: epochs, batch size, lr." in shown


def test_protocols_are_listed_and_printed_as_yaml_with_their_differences(call: Callable[..., Any]) -> None:
    assert len(json.loads(call("protocols", "list", "--json").stdout)) == len(PROTOCOLS)
    shown = call("protocols", "show", "cvrnet-paper").stdout
    assert "(E14)" in shown and yaml.safe_load(shown)["split"] == {"method": "paper", "folds": 5}
    plain = yaml.safe_load(shown)["training"]
    assert Training.model_validate(plain) == PROTOCOLS["cvrnet-paper"].training


def test_a_folder_becomes_a_source(call: Callable[..., Any], tmp_path: Path) -> None:
    for label, count in (("NOR", 2), ("CVP", 1)):
        (tmp_path / "films" / label).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 255, (64, 64), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "films" / label / f"{number}.png")
    assert "Added mine" in call("sources", "add", "mine", tmp_path / "films").stdout
    assert "There is a source 'mine' already" in call("sources", "add", "mine", tmp_path / "films", ends=2).stderr
    shown = json.loads(call("sources", "show", "mine", "--json").stdout)
    assert shown["counts"] == {"CVP": 1, "NOR": 2} and shown["path"] == str(tmp_path / "films")
    assert "CVP 1, NOR 2" in call("sources", "show", "mine").stdout
    listed = json.loads(call("sources", "list", "--json").stdout)
    assert [row["name"] for row in listed][-1] == "mine" and listed[0]["name"] == "phantom-a"
    call("sources", "remove", "mine")
    assert "mine" not in call("sources", "list").stdout


# -- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [", "This is not YAML near line"),
        (b"just words", "An experiment is a mapping"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        (b"#" * 1_000_001, "has 1000001 bytes; an experiment has at most 1000000"),
        (YAML.replace("CL2", "CL9").encode(), "Unknown task 'CL9'. Allowed: CL2, CL3, CL4"),
        (YAML.replace("phantom-b", "nowhere").encode(), "Unknown source 'nowhere'"),
        (YAML.replace("CVP", "XYZ").encode(), "Unknown class 'XYZ'"),
        ((YAML + "network: resnet19").encode(), "Unknown network 'resnet19'. Allowed: "),
        ((YAML + "nettwork: resnet18").encode(), "nettwork: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_experiment_is_a_sentence(
    content: bytes, sentence: str, call: Callable[..., Any], yaml_file: Path
) -> None:
    yaml_file.write_bytes(content)
    assert sentence in call("run", yaml_file, ends=2).stderr
    assert json.loads(call("runs", "--json").stdout) == []


def test_the_life_of_a_run(call: Callable[..., Any], yaml_file: Path) -> None:
    run_id = call("run", yaml_file).stdout.strip()
    again = call("run", yaml_file, "--json")
    assert json.loads(again.stdout) == {"run_id": run_id, "created": False, "state": "queued"}
    assert f"has a run already: {run_id}. Again: python -m covaudit retry {run_id}" in again.stderr
    (row,) = json.loads(call("runs", "--json").stdout)
    assert (row["run_id"], row["state"], row["name"], row["attempt"]) == (run_id, "queued", "small", 0)
    assert "has no log of attempt" in call("logs", run_id, ends=1).stderr
    assert "cancel it first" in call("retry", run_id, ends=2).stderr
    moved = call("priority", run_id, "-5").stdout
    assert moved == f"Run {run_id} is queued, with priority -5. It is number 1 in the queue.\n"
    assert "Allowed: -100 to 100" in call("priority", run_id, "101", ends=2).stderr
    assert call("cancel", run_id[:6]).stdout == f"Run {run_id} is cancelled.\n"
    assert "is cancelled already" in call("cancel", run_id, ends=2).stderr
    assert call("resume", run_id).stdout == f"Run {run_id} is queued.\n"
    assert "is queued already. Only a run that failed" in call("resume", run_id, ends=2).stderr
    call("cancel", run_id)
    assert call("retry", run_id, "--from-start").stdout == f"Run {run_id} is queued.\n"
    assert "queued" in call("runs").stdout
    assert "Only a run that is done has a network" in call("predict", run_id, "x.png", ends=2).stderr


def test_sources_that_nobody_looked_at_are_looked_at_before_a_run(
    call: Callable[..., Any], tmp_path: Path, yaml_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from covaudit.jobs import submit

    monkeypatch.setattr(submit, "LOOKED_AT_ONCE", 1)
    for number, label in enumerate(("NOR", "NOR", "CVP")):
        film = tmp_path / "films" / label / f"{number}.png"
        film.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64), dtype=np.uint8)).save(film)
    call("sources", "add", "mine", tmp_path / "films")
    yaml_file.write_text(YAML.replace("phantom-a", "mine").replace("phantom-b", "mine"))
    queued = call("run", yaml_file)
    assert "mine: 100 % of 3 images" in queued.stderr and len(queued.stdout.strip()) == 12


@pytest.mark.parametrize(("state", "code"), [(RunState.DONE, 0), (RunState.FAILED, 1), (RunState.CANCELLED, 1)])
def test_waiting_ends_as_the_run_does(
    state: RunState, code: int, call: Callable[..., Any], yaml_file: Path, worker_that: Callable[[RunState], None]
) -> None:
    worker_that(state)
    result = call("run", yaml_file, "--wait", "--json", ends=code)
    assert json.loads(result.stdout)["state"] == state.value
    assert ("The sky fell. Look up." in result.stderr) == (code == 1)
    assert f": {state.value}\n" in result.stderr


def test_a_run_is_shown(call: Callable[..., Any], store: Store) -> None:
    run_id = _done(store)
    text = call("show", run_id).stdout
    assert "balanced_accuracy  0.90 [0.80, 1.00] n=40  0.60 [0.50, 0.70] n=40" in text
    assert "CRITICAL  A shortcut" in text and "Not a medical device" in text
    shown = json.loads(call("show", run_id, "--json").stdout)
    keys = ["run_id", "state", "experiment", "estimates", "confusion", "findings", "breakdown"]
    assert list(shown) == keys


def test_names_and_logs_cannot_steer_the_terminal(call: Callable[..., Any], store: Store) -> None:
    run_id = _done(store, name="red\x1b[31m\rname\u202e")
    artifacts.write_whole(artifacts.run_folder(store, run_id, 1) / "log.txt", b"one\n\x1b[2Jtwo\xff\nthree\n")
    outputs = [call(*command).stdout for command in (("runs",), ("show", run_id), ("compare", run_id, run_id))]
    for output in outputs:
        assert "red\\x1b[31m\\rname\\u202e" in output
        assert not set("\x1b\r\u202e") & set(output)
    assert call("logs", run_id).stdout == "one\n\\x1b[2Jtwo\ufffd\nthree\n"
    assert call("logs", run_id, "--tail", 1).stdout == "three\n"
    assert "no log of attempt 9" in call("logs", run_id, "--attempt", 9, ends=1).stderr


def test_runs_side_by_side(call: Callable[..., Any], store: Store) -> None:
    one, two = _done(store), _done(store, seed=5)
    text = call("compare", one, two).stdout
    assert "seed  0" in text and "internal  balanced_accuracy  0.90 [0.80, 1.00] n=40" in text
    compared = json.loads(call("compare", one, two, "--json").stdout)
    assert compared["differences"] == [{"key": "seed", "values": ["0", "5"]}]
    assert [run["run_id"] for run in compared["runs"]] == [one, two]
    row = compared["metrics"][1]
    assert (row["split"], row["metric"], row["class"]) == ("external", "balanced_accuracy", None)
    assert [item["value"] for item in row["estimates"]] == [0.6, 0.6]


def test_a_run_goes_to_the_trash_and_back(call: Callable[..., Any], store: Store) -> None:
    run_id = _done(store)
    assert call("trash", "list").stdout == "The trash is empty.\n"
    assert f"trash restore {run_id}" in call("delete", run_id[:6]).stdout
    assert json.loads(call("runs", "--json").stdout) == []
    (row,) = json.loads(call("trash", "list", "--json").stdout)
    assert (row["run_id"], row["title"], row["state"]) == (run_id, "small", "done")
    assert run_id in call("trash", "list").stdout
    assert call("trash", "restore", run_id[:6]).stdout == f"Run {run_id} is back.\n"
    assert "balanced_accuracy  0.90 " in call("show", run_id).stdout
    call("delete", run_id)
    call("trash", "empty", ends=1)  # nobody said yes
    assert json.loads(call("trash", "empty", "--yes", "--json").stdout) == {"deleted": [run_id]}
    assert "run in the trash" in call("trash", "restore", run_id, ends=2).stderr


def test_the_database_is_backed_up_and_restored(call: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    run_id = _done(store)
    assert "No backups yet" in call("backup", "--list").stdout
    made = json.loads(call("backup", "--json").stdout)
    assert Path(made["path"]).parent == store.workspace / "backups" and made["bytes"] > 10_000
    call("backup", tmp_path / "mine.sqlite")
    assert "There is a file" in call("backup", tmp_path / "mine.sqlite", ends=2).stderr
    assert "manual" in call("backup", "--list").stdout
    call("delete", run_id)
    told = json.loads(call("restore", tmp_path / "mine.sqlite", "--json").stdout)
    assert Path(told["kept"]).exists()
    assert [row["run_id"] for row in json.loads(call("runs", "--json").stdout)] == [run_id]
    assert "Restored" in call("restore", Path(made["path"]).name).stdout


def test_a_run_is_exported_and_imported(call: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    run_id = _done(store)
    told = json.loads(call("export", run_id[:6], tmp_path / "run.zip", "--no-pixels", "--json").stdout)
    assert told["path"] == str(tmp_path / "run.zip") and told["bytes"] > 1000
    assert "There is a file" in call("export", run_id, tmp_path / "run.zip", ends=2).stderr
    assert f"There is a run {run_id} here already" in call("import", tmp_path / "run.zip", ends=2).stderr
    call("delete", run_id)
    assert f"show {run_id}" in call("import", tmp_path / "run.zip").stdout
    assert "balanced_accuracy  0.90 " in call("show", run_id).stdout
    assert "Give the zip that" in call("import", tmp_path / "none.zip", ends=2).stderr


# -- demo, predict, doctor --------------------------------------------------------------------------------------------


def test_the_demo_runs_both_and_tells(call: Callable[..., Any], worker_that: Callable[[RunState], None]) -> None:
    worker_that(RunState.DONE)
    told = json.loads(call("demo", "--json", "--seed", 7).stdout)
    assert list(told) == ["single", "balanced", "seconds"]
    assert [told[name]["experiment"]["seed"] for name in ("single", "balanced")] == [7, 7]
    assert told["single"]["experiment"]["train"] == PRESETS["demo-single"].model_dump(mode="json")["train"]
    text = call("demo", "--seed", 7).stdout
    assert "0.90 [0.80, 1.00] n=40" in text and text.count("CRITICAL  A shortcut") == 2
    assert all(run["demo"] for run in json.loads(call("runs", "--json").stdout))


def test_a_demo_that_fails_is_a_1_and_the_next_tries_again(
    call: Callable[..., Any], worker_that: Callable[[RunState], None]
) -> None:
    worker_that(RunState.FAILED)
    result = call("demo", "--json", ends=1)
    assert json.loads(result.stdout)["single"]["state"] == "failed" and "The sky fell" in result.stderr
    worker_that(RunState.DONE)
    assert json.loads(call("demo", "--json").stdout)["single"]["state"] == "done"
    assert {run["attempt"] for run in json.loads(call("runs", "--json").stdout)} == {2}


def test_the_demo_keeps_to_the_workspace_it_is_given(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ensure(settings: Settings) -> list[str]:
        _do_queued_runs(Store.open(settings), RunState.DONE)
        return []

    monkeypatch.setattr(autostart, "ensure_workers", ensure)
    call("demo", "--workspace", tmp_path / "elsewhere", "--json")
    assert (tmp_path / "elsewhere" / "covaudit.sqlite").exists() and not (tmp_path / "workspace").exists()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of torch: the brighter the image, the more it is CVP."""

    def predict_images(folder: Path, images: list[tuple[str, Any]], device: str) -> list[Any]:
        shares = [float(pixels.mean()) / 255 for _, pixels in images]
        trust = SimpleNamespace(
            cautions=("No lungs were found.",), outside_lungs=0.5, without_lungs=None, without_markers=None,
            source="", source_p=0.0, neighbours=(),
        )  # fmt: skip
        return [
            SimpleNamespace(
                name=name,
                classes=("NCV", "CVP"),
                probabilities=np.array([1 - share, share], dtype=np.float32),
                predicted="CVP" if share > 0.5 else "NCV",
                heatmap=np.zeros((4, 4), dtype=np.uint8),
                view=pixels,
                trust=trust,
                n_networks=1,
            )
            for (name, pixels), share in zip(images, shares, strict=True)
        ]

    fake = SimpleNamespace(predict_images=predict_images)
    monkeypatch.setitem(sys.modules, "covaudit.explain.predict_image", fake)


def _films(folder: Path) -> list[Path]:
    paths = [folder / "dark.png", folder / "sub" / "dark.png", folder / "bright.jpg"]
    paths[1].parent.mkdir()
    for path, level in zip(paths, (10, 20, 240), strict=True):
        grey = np.full((64, 64), level, dtype=np.uint8)
        grey[::2] += 4
        Image.fromarray(grey).save(path)
    return paths


@pytest.mark.usefixtures("network")
def test_images_are_predicted_with_heat_maps(call: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    run_id, films = _done(store), _films(tmp_path)
    told = json.loads(call("predict", run_id, *films, "--heatmap", tmp_path / "maps", "--json").stdout)
    assert [row["predicted"] for row in told["predictions"]] == ["NCV", "NCV", "CVP"]
    assert [Path(row["heatmap"]).name for row in told["predictions"]] == ["dark.png", "dark-2.png", "bright.png"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["bright.png", "dark-2.png", "dark.png"]
    assert Image.open(tmp_path / "maps" / "dark.png").format == "PNG"
    assert sum(told["predictions"][0]["probabilities"].values()) == pytest.approx(1)
    assert told["refused"] == [] and "Not a medical device" in told["intended_use"]


@pytest.mark.usefixtures("network")
def test_a_bad_image_stops_no_other(call: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    run_id, films = _done(store), _films(tmp_path)
    (tmp_path / "fake.png").write_text("words")
    result = call("predict", run_id, tmp_path / "fake.png", films[2], tmp_path / "none.png", ends=1)
    assert "fake.png: This is a text file" in result.stderr and "none.png: " in result.stderr
    assert "bright.jpg  CVP" in result.stdout
    result = call("predict", run_id, tmp_path / "fake.png", "--json", ends=2)
    assert [row["image"] for row in json.loads(result.stdout)["refused"]] == [str(tmp_path / "fake.png")]


def test_the_doctor_looks_and_says(call: Callable[..., Any]) -> None:
    told = json.loads(call("doctor", "--json").stdout)
    assert told["ok"] is True
    found = {check["name"]: check["detail"] for check in told["checks"]}
    assert {"torch", "dbos", "devices", "workspace", "free space", "database", "backups", "workers"} <= set(found)
    assert "0 runs, 5 sources" in found["database"]


def test_the_doctor_finds_what_is_missing(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVAUDIT_WORKSPACE", "/dev/null/x")
    assert "PROBLEM  settings" in call("doctor", ends=1).stdout


# -- explain ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_network(store: Store) -> str:
    """A finished run with an untrained network and two test images, one name of which two sources have."""
    import pandas as pd
    import torch

    from covaudit.explain.heatmaps import describe_network
    from covaudit.training.network_file import weights_bytes
    from models.registry import build_network

    run_id = _done(store)
    folder = results.folder(store, runs.get(store, run_id))
    torch.manual_seed(0)
    network = build_network("efficient", 2, image_size=128)
    artifacts.write_whole(folder / "weights.safetensors", weights_bytes(network))
    described = describe_network(network, "efficient", ("NCV", "CVP"), 128)
    artifacts.write_whole(folder / "network.json", described.model_dump_json().encode())
    np.save(folder / "pixels.npy", np.random.default_rng(0).integers(0, 255, (3, 128, 128)).astype(np.uint8))
    table = {"source": ["a", "b", "b"], "image_id": ["one", "one", "two"], "split": "internal", "sample_row": [0, 1, 2]}
    pd.DataFrame(table).to_parquet(folder / "predictions.parquet")
    return run_id


def test_a_test_image_and_a_file_are_explained(call: Callable[..., Any], with_network: str, tmp_path: Path) -> None:
    overlay, array = tmp_path / "map.png", tmp_path / "map.npy"
    told = json.loads(
        call("explain", with_network, "b/one", "--method", "guided-backprop", "--class", "CVP", "--threshold", "0.6",
             "--out", overlay, "--array", array, "--json").stdout
    )  # fmt: skip
    assert (told["class"], told["has_evidence"], told["options"]["threshold"]) == ("CVP", True, 0.6)
    heat = np.load(array)
    assert heat.shape == (128, 128) and heat.max() == 255 and not ((heat > 0) & (heat < 153)).any()
    assert Image.open(overlay).size == (384, 384)
    again = np.random.default_rng(0).integers(0, 255, (3, 128, 128)).astype(np.uint8)[1]
    Image.fromarray(again).save(tmp_path / "same.png")
    of_file = json.loads(call("explain", with_network, tmp_path / "same.png", "--class", "CVP", "--json").stdout)
    assert of_file["score"] == pytest.approx(told["score"], abs=1e-4)
    assert "HiResCAM of" in call("explain", with_network, "two").stdout


def test_maps_are_taken_away_as_a_zip(call: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    import pandas as pd

    run_id = _done(store)
    folder = results.folder(store, runs.get(store, run_id))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", np.full((3, 8, 8), 100, np.uint8))
    heat = np.zeros((2, 4, 4), np.uint8)
    heat[1] = 255
    np.save(folder / "heatmaps.npy", heat)
    table = {"source": "a", "image_id": ["=1+1", "two", "val"], "split": ["internal", "external", "val"]}
    table |= {"sample_row": [0, 1, 2], "heatmap_row": [1, 0, -1], "predicted": "CVP"}
    pd.DataFrame(table).to_parquet(folder / "predictions.parquet")
    target = tmp_path / "maps.zip"
    assert json.loads(call("maps", run_id, target, "--json").stdout)["maps"] == 2
    with zipfile.ZipFile(target) as opened:
        assert np.load(io.BytesIO(opened.read("heatmaps.npy"))).tolist() == heat[::-1].tolist()
        lines = opened.read("images.csv").decode().splitlines()
        assert [line.split(",")[:3] for line in lines[1:]] == [["1", "a", "'=1+1"], ["2", "a", "two"]]
        hot, cold = (np.asarray(Image.open(io.BytesIO(opened.read(f"overlays/0000{n}.png")))) for n in (1, 2))
        assert (
            (cold == 100).all()
            and hot[..., 0].min() > 150
            and "Research use only" in opened.read("README.txt").decode()
        )
    assert "already" in call("maps", run_id, target, ends=2).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("one",), "Allowed: a/one, b/one"),
        (("two", "--method", "magic"), "Unknown method 'magic'"),
        (("two", "--class", "XYZ"), "Unknown class 'XYZ'. Allowed: CVP, NCV"),
        (("two", "--baseline", "red"), "Unknown level 'red'"),
        (("two", "--out", "/proc/no/map.png"), "Give another"),
    ],
)
def test_what_cannot_be_explained_is_said(
    arguments: tuple[str, ...], words: str, call: Callable[..., Any], with_network: str
) -> None:
    assert words in call("explain", with_network, *arguments, ends=2).stderr
