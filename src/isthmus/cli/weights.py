"""Getting the weights of the embedded offers onto this machine before they are needed, with a progress bar."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from isthmus.app import embedded_offers
from isthmus.domain.errors import IsthmusError
from isthmus.domain.offer import Offer
from isthmus.providers.embedded.weights import WeightsCache
from isthmus.settings import Settings


def fetch_weights(settings: Settings, console: Console) -> None:
    """Fetch what is missing. A failure is told and does not stop the start: other offers may serve."""
    for offer in embedded_offers(settings):
        try:
            _fetch(settings, offer, console)
        except IsthmusError as exc:
            console.print(f"{offer.name}: {exc.sentence}", style="red", markup=False)


def _fetch(settings: Settings, offer: Offer, console: Console) -> None:
    engine = offer.engine
    assert engine is not None
    cache = WeightsCache(settings.cache_dir / "weights")
    if cache.find(engine.weights) is not None:
        return
    columns = (TextColumn(f"weights of {offer.model}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(offer.name, total=None)
        cache.fetch(engine.weights, lambda done, total: bar.update(task, completed=done, total=total))
