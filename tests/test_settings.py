from pathlib import Path

import pytest

from covaudit.errors import CovauditError
from covaudit.settings import PROJECT, Settings


def test_defaults_are_beside_the_app() -> None:
    settings = Settings.from_env({})
    assert settings.workspace == PROJECT / "workspace"
    assert settings.database == f"sqlite:///{PROJECT / 'workspace' / 'covaudit.sqlite'}"
    assert (settings.device, settings.roots, settings.autostart) == ("auto", (), True)


def test_what_is_given_is_taken_and_goes_on_to_other_processes(tmp_path: Path) -> None:
    given = {
        "COVAUDIT_WORKSPACE": str(tmp_path),
        "COVAUDIT_DB": "postgresql://me@host/covaudit",
        "COVAUDIT_DEVICE": "cuda",
        "COVAUDIT_ROOTS": f"{tmp_path}/a:{tmp_path}/b",
        "COVAUDIT_AUTOSTART": "0",
    }
    settings = Settings.from_env(given)
    assert settings.device == "cuda:0" and settings.autostart is False
    assert settings.roots == (tmp_path / "a", tmp_path / "b")
    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:0", "CPU ", "cuda:0; rm"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(CovauditError, match="Unknown device"):
        Settings.from_env({"COVAUDIT_DEVICE": device})
