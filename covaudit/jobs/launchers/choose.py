"""The launchers by name; `COVAUDIT_LAUNCHER` is a name, or a name and what it needs to know: `ray:http://head:8265`."""

from collections.abc import Callable, Mapping

from covaudit.jobs.launchers import Launcher
from covaudit.jobs.launchers.local import build_local
from covaudit.jobs.launchers.ray import build_ray
from covaudit.jobs.launchers.slurm import build_slurm
from covaudit.settings import Settings

LAUNCHERS: Mapping[str, Callable[[Settings, str], Launcher]] = {
    "local": lambda settings, _: build_local(settings),
    "ray": build_ray,
    "slurm": build_slurm,
}


def choose(settings: Settings) -> Launcher:
    """The launcher of the settings. Raises `CovauditError` when what it needs is not there."""
    name, _, options = settings.launcher.partition(":")
    return LAUNCHERS[name](settings, options)
