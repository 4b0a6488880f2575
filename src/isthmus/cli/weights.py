"""Getting weights onto this machine with a progress bar, and those of the embedded offers before they are needed."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from isthmus.app import embedded_offers
from isthmus.domain.errors import ConfigError, IsthmusError
from isthmus.domain.offer import Weights
from isthmus.providers.embedded.weights import WeightsCache
from isthmus.settings import Settings


def fetch_weights(settings: Settings, console: Console) -> None:
    """Fetch what is missing. A download that fails is told and does not stop the start where other offers may serve.

    Raises:
        ConfigError: the weights are not what the settings say, or no offer is left that could serve.
    """
    missing: list[str] = []
    for offer in embedded_offers(settings):
        assert offer.engine is not None
        cache = WeightsCache(settings.cache_dir / "weights")
        try:
            fetch(cache, offer.engine.weights, console, title=f"weights of {offer.model}")
        except ConfigError as exc:
            raise ConfigError(f"Offer '{offer.name}' cannot serve: {exc.message}", hint=exc.hint) from exc
        except IsthmusError as exc:
            missing.append(f"Offer '{offer.name}' cannot serve yet: {exc.sentence}")
    if missing and len(missing) == len(settings.offers):
        raise ConfigError("No offer can serve.", problems=tuple(missing))
    for sentence in missing:
        console.print(sentence, style="red", markup=False)


def fetch(cache: WeightsCache, weights: Weights, console: Console, *, title: str, quiet: bool = False) -> Path:
    """The file of weights, with a bar where it has to be downloaded.

    Raises:
        ConfigError, UpstreamUnreachable: as `WeightsCache.fetch`.
    """
    found = cache.find(weights)
    if found is not None:
        return found
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet, transient=True) as bar:
        task = bar.add_task(title, total=None)
        return cache.fetch(weights, lambda done, total: bar.update(task, completed=done, total=total))
