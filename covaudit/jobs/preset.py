"""What is here of a preset: its sources under their names here, and how what is missing is had."""

from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import PRESETS, Available, available, cut_down, fit, missing
from covaudit.domain.setups import SETUPS
from covaudit.errors import BadSource, UnknownName
from covaudit.jobs import submit
from covaudit.sources.catalog import CARDS
from covaudit.store import Store, sources

_SMALL_SIDES = (64, 128)  # the second for networks that need more


def fitted(store: Store, name: str, small: bool = False) -> Experiment:
    """A preset with its sources by their names here, cut down if asked. Raises `UnknownName`."""
    if name not in PRESETS:
        raise UnknownName("preset", name, PRESETS)
    preset = fit(PRESETS[name], sources.listing(store))
    return cut_down(preset, _small_side(preset.network)) if small else preset


def _small_side(network: str) -> int:
    from models.registry import NETWORKS

    return next(side for side in _SMALL_SIDES if NETWORKS[network].refusal_of(side) is None)


def require_sources(store: Store, name: str) -> None:
    """Raises `BadSource` with the way to each source of a preset that is not here."""
    lacking = missing(PRESETS[name], sources.listing(store))
    if lacking:
        ways = " ".join(how_to_get(source) for source in lacking)
        raise BadSource(f"Preset {name} draws from sources that are not here: {', '.join(lacking)}. {ways}")


def how_to_get(source: str) -> str:
    """Two sentences: where a collection is had, and how it is then made known; one where a command does both."""
    card = CARDS[source]
    is_fetched = card.obtain.startswith("python -m covaudit")
    then = "" if is_fetched else f" Then: python -m covaudit sources add {source} FOLDER."
    return f"{card.title}: {card.obtain}.{then}"


def counts_here(store: Store, name: str) -> dict[str, Available]:
    """Images here for each class that is printed for a preset; empty where none is printed."""
    tables = submit.available(store)
    counts = {
        source: {str(label): int(n) for label, n in table["label"].value_counts().items()}
        for source, table in tables.items()
    }
    known = sources.listing(store)
    return {one.name: available(one, known, counts) for one in (SETUPS[name].classes if name in SETUPS else ())}
