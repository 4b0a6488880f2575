import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ledger.samples import BEGAN, entry

from isthmus.domain.entry import Entry
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestId
from isthmus.domain.usage import Usage
from isthmus.ledger.reader import DIMENSIONS, Dimension, LedgerReader
from isthmus.ledger.schema import to_instant, to_microseconds
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter


def record(store: Store, *entries: Entry) -> LedgerReader:
    with LedgerWriter(store, group_ms=0) as writer:
        for one in entries:
            writer.settled(one)
    return LedgerReader(store)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_kept_to_the_microsecond(instant: datetime) -> None:
    assert to_instant(to_microseconds(instant)) == instant


def test_the_tail_is_what_ended_last_with_the_newest_at_the_end(store: Store) -> None:
    reader = record(
        store,
        *(entry(f"r-{number}", began=BEGAN + timedelta(minutes=number)) for number in (3, 1, 5, 2, 4)),
    )
    assert [found.entry.id for found in reader.tail(3)] == ["r-3", "r-4", "r-5"]
    assert reader.tail(0) == []


def test_a_request_is_found_by_its_id_and_by_enough_of_its_beginning(store: Store) -> None:
    reader = record(store, entry("req-10"), entry("req-100"), entry("req-2"))
    for asked, found in (("req-2", "req-2"), ("req-100", "req-100"), ("req-10", "req-10")):
        shown = reader.get(asked)
        assert shown is not None
        assert shown.entry.id == found
    assert reader.get("REQ-2") is None
    assert reader.get("req-3") is None
    assert reader.get("%") is None
    with pytest.raises(InvalidRequest, match=r"req-10 and req-100"):
        reader.get("req-1")


def test_following_misses_nothing_of_any_writer_whatever_the_clocks_say(store: Store) -> None:
    with LedgerWriter(store, group_ms=1) as one, LedgerWriter(store, group_ms=1) as other:
        one.settled(entry("before"))
        assert one.flush(5)
        new = LedgerReader(store).follow(every=0.01)

        def write() -> None:
            for number in range(50):
                one.settled(entry(f"one-{number}"))
                other.settled(entry(f"other-{number}", began=BEGAN - timedelta(days=number)))
                other.flush(5)

        thread = threading.Thread(target=write)
        thread.start()
        seen = Counter(found.entry.id for found in islice(new, 100))
        thread.join()
    assert seen == Counter(f"{who}-{number}" for who in ("one", "other") for number in range(50))


def test_spending_is_summed_exactly_and_what_is_not_known_is_counted(store: Store) -> None:
    reader = record(
        store,
        *(entry(f"a-{number}", cost=Decimal("0.1"), workload="triage") for number in range(30)),
        entry("b-0", cost=Decimal("1E-18"), workload="triage"),
        entry("b-1", cost=None, workload="triage", usage=None),
        entry("c-0", cost=None, workload="mail", outcome="refused", usage=None, offer=None),
        entry("c-1", cost=None, workload="mail", outcome="failed", usage=None),
    )
    triage, mail = reader.spending(["workload"])
    assert triage.group == ("triage",)
    assert triage.cost == Decimal("3.000000000000000001")
    assert (triage.requests, triage.unknown_cost) == (32, 1)
    assert (triage.input_tokens, triage.cached_tokens, triage.output_tokens) == (31 * 700, 31 * 200, 31 * 120)
    assert (mail.group, mail.cost, mail.requests, mail.unknown_cost) == (("mail",), Decimal(0), 2, 0)


def test_spending_is_bounded_by_the_time_of_settling(store: Store) -> None:
    reader = record(store, *(entry(f"r-{day}", began=BEGAN + timedelta(days=day), total=0.0) for day in range(5)))
    days = reader.spending(["day"], since=BEGAN + timedelta(days=1), until=BEGAN + timedelta(days=3))
    assert [(day.group, day.requests) for day in days] == [(("2026-03-02",), 1), (("2026-03-03",), 1)]


def test_an_empty_ledger_has_no_spending_and_no_latest_entry(store: Store) -> None:
    reader = record(store)
    assert reader.spending(["workload"]) == []
    assert reader.tail(5) == []
    assert reader.gaps() == []


names = st.none() | st.sampled_from(["a", "b", "Ä"])
entries = st.lists(
    st.builds(
        lambda workload, offer, key, team, days, cost, tokens: entry(
            "x",
            workload=workload,
            offer=offer,
            principal=Principal(key=key, team=team),
            began=BEGAN + timedelta(days=days),
            cost=cost,
            usage=None if tokens is None else Usage(input=tokens, output=tokens),
        ),
        names,
        names,
        names,
        names,
        st.integers(-800, 800),
        st.none() | st.decimals(0, 100, places=12),
        st.none() | st.integers(0, 10**12),
    ),
    max_size=12,
)


@given(entries, st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_grouping_conserves_the_sums(
    tmp_path_factory: pytest.TempPathFactory, some: list[Entry], by: list[Dimension]
) -> None:
    folder: Path = tmp_path_factory.mktemp("sums")
    numbered = [replace(one, id=RequestId(f"r-{number}")) for number, one in enumerate(some)]
    reader = record(Store(f"sqlite:///{folder}/isthmus.db"), *numbered)
    groups = reader.spending(by)
    assert sum(group.requests for group in groups) == len(some)
    assert sum(group.cost for group in groups) == sum(one.cost for one in some if one.cost is not None)
    assert sum(group.unknown_cost for group in groups) == sum(one.cost is None for one in some)
    assert sum(group.output_tokens for group in groups) == sum(one.usage.output for one in some if one.usage)
    assert len({group.group for group in groups}) == len(groups)
