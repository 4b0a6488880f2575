"""Reading an account: the questions of a probe, asked with the keys that are referred to, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from isthmus.catalog.facts import Observation
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.asking import SECONDS, ask
from isthmus.providers.accounts.kept import subject_of
from isthmus.providers.accounts.probe import Answer, Probe, Question, Subject
from isthmus.providers.secrets import Secrets


async def read_account(
    probe: Probe,
    offer: Offer,
    *,
    terms: str,
    secrets: Secrets,
    now: datetime,
    key: SecretRef | None = None,
    hosts: Iterable[str] = (),
    address: str | None = None,
    part: str = "",
    finished: str = "",
    seconds: float = SECONDS,
) -> Observation:
    """Ask a provider how the account of an offer is set.

    Args:
        probe: what to ask, and how to read the answers.
        offer: whose account.
        terms: id of the terms' record that it is under.
        secrets: resolves keys.
        now: the time of the observation.
        key: that may read settings; None: where the probe looks for it.
        hosts: of the provider, as the catalog knows them; `*.` before a domain: any below it. A key that may read
            settings is sent nowhere else, unless `address` says so.
        address: of the management interface, where it is not the usual one.
        part: of the account, as the probe says.
        finished: id of an answer that should have been forgotten.
        seconds: for each question.

    Raises:
        ConfigError: something is missing, or the key was refused.
        ProviderError: there was no answer, or one of a shape that is not the published one: then nothing is concluded.
    """
    where = (address or probe.address(offer)).rstrip("/")
    if address is None and not _is_providers(where, offer, hosts):
        raise ConfigError(
            f"{urlsplit(where).hostname} is not known to be the provider's, and a key that may read settings is not "
            "sent there.",
            hint="Name the address of the provider's management interface with --address if it is right.",
        )
    subject = Subject(offer=offer, address=where, part=part, finished=finished)
    answers = [
        await _asked(question, await secrets.resolve(_key(question, probe, offer, key)), offer, seconds)
        for question in probe.questions(subject)
    ]
    setting = probe.read(subject, answers)
    return Observation(
        offer=offer.name,
        terms=terms,
        subject=subject_of(offer),
        setting=setting.name,
        says=setting.says,
        retention_days=setting.retention_days,
        training=setting.training,
        observed_at=now,
        where=where,
    )


async def _asked(question: Question, secret: bytes, offer: Offer, seconds: float) -> Answer:
    return await asyncio.to_thread(ask, question, secret.decode("ascii"), ca_file=offer.ca_file, seconds=seconds)


def _key(question: Question, probe: Probe, offer: Offer, key: SecretRef | None) -> SecretRef:
    if question.key == "account":
        return key or probe.key
    if offer.key is None:
        raise ConfigError(f"Offer {offer.name} has no key.", hint="Set `key` of the offer.")
    return offer.key


def _is_providers(where: str, offer: Offer, hosts: Iterable[str]) -> bool:
    """Whether an address is one of the provider's: where the catalog knows it, or where requests do not go anyway."""
    asked = urlsplit(where).hostname or ""
    if asked != (urlsplit(offer.base_url).hostname or ""):
        return True  # the probe's own, not taken from the settings
    return any(asked.endswith(name[1:]) if name.startswith("*.") else asked == name for name in hosts)
