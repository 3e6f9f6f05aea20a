"""What can be told of the deployment without a container engine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOBODY = 65534


@pytest.fixture
def services() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"])


def test_no_service_can_write_its_root_or_gain_rights(services: dict[str, Any]) -> None:
    assert set(services) == {"db", "app", "worker"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]


def test_only_the_app_is_reached_and_from_this_machine_alone(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["app"]
    assert services["app"]["ports"] == ["127.0.0.1:8501:8501"]


def test_the_image_holds_what_the_app_imports_and_its_user_is_not_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {word.rstrip("/") for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages - {"benchmarks", "tests"} <= copied
    assert {"app.py", "pages", ".streamlit", "requirements.txt"} <= copied
    assert lines.index("USER covaudit") < next(i for i, line in enumerate(lines) if line.startswith("CMD"))


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes root, to become somebody else")
def test_a_user_who_owns_the_workspace_alone_can_work() -> None:
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to everybody else
        os.chown(folder, NOBODY, NOBODY)
        _works_as_nobody(folder)


def _works_as_nobody(workspace: str) -> None:
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    environ = {"PATH": os.environ["PATH"], "COVAUDIT_WORKSPACE": workspace, "PYTHONDONTWRITEBYTECODE": "1"}
    if subprocess.run([*as_nobody, sys.executable, "-c", ""], cwd="/", capture_output=True, check=False).returncode:
        pytest.skip("this Python lies where only its owner may go")
    command = [*as_nobody, sys.executable, "-m", "covaudit", "doctor", "--json"]
    told = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["ok"]
    health = [*as_nobody, sys.executable, "-m", "covaudit", "worker", "--is-alive"]
    told = subprocess.run(health, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 1
    assert "No worker of this host" in told.stdout
