"""What single clauses, terms and contracts lead to, and in which words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.licensing.verdict import Verdict
from isthmus.catalog.organisation import Contract, Organisation
from isthmus.catalog.records.licence import Clause, LicenceRecord, Outputs, RevenueCap, UserCap
from isthmus.catalog.records.model import ModelRecord, Producer
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.licensing import Outcome, Use

TODAY = date(2026, 11, 21)
NOBODY = Organisation()
SOMEBODY = Organisation(
    seat="US",
    revenue_year_usd=Decimal(1_000_000),
    monthly_users=1_000,
    model_service=False,
    work_assistant=False,
)


@pytest.fixture
def ask(catalog: Catalog) -> Ask:
    return Ask(catalog)


class Ask:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def of(
        self,
        licence: str,
        use: Use,
        organisation: Organisation = SOMEBODY,
        *,
        terms: str | None = None,
        input_: tuple[str, ...] = ("text",),
    ) -> Verdict:
        """A model that is under a licence of the catalog and nothing else."""
        name = licence if licence in self.catalog.licences else f"LicenseRef-isthmus-{licence}"
        model = ModelRecord(
            id="maker/model",
            title="Model",
            family="model",
            producer=Producer(name="Maker"),
            input=input_,
            licence=Claim(value=name, state="derived", sources=("rule",), evidence="E1"),
        )
        served = None if terms is None else self.catalog.terms[terms]
        return licence_check(model, organisation, use, catalog=self.catalog, terms=served, today=TODAY)


def told(verdict: Verdict) -> tuple[Outcome, str]:
    return verdict.outcome, verdict.grounds[0].place


def kinds(verdict: Verdict) -> list[str]:
    return [duty.kind for duty in verdict.duties]


@pytest.mark.parametrize(
    ("licence", "input_", "asks"),
    [
        ("llama-4", ("text", "image"), "Say in which country the organisation has its seat (`seat`)."),
        ("llama-3.3", ("text",), "Say how many users all its products have in a month (`monthly_users`)."),
        ("mistral-modified-mit", ("text",), "(`revenue_month_usd`, `revenue_year_usd`)."),
        ("minimax-m3-community", ("text",), "Say the revenue of the organisation in a year (`revenue_year_usd`)."),
    ],
)
def test_what_is_not_said_and_asked_for_is_unknown_and_named(
    ask: Ask, licence: str, input_: tuple[str, ...], asks: str
) -> None:
    verdict = ask.of(licence, "internal", NOBODY, input_=input_)
    assert verdict.outcome == "unknown"
    missing = [ground for ground in verdict.grounds if ground.outcome == "unknown"]
    assert any(ask.endswith(asks) for ground in missing for ask in ground.asks)
    assert all(ground.says.endswith(" ".join(ground.asks)) for ground in missing)


def test_who_does_not_say_whether_it_serves_models_or_assistants_is_asked_for_both(ask: Ask) -> None:
    says = ask.of("qwen-community-1.0", "product", NOBODY).grounds[0].says
    assert "(`model_service`)" in says
    assert "(`work_assistant`)" in says
    assert ask.of("qwen-community-1.0", "internal", NOBODY).outcome == "allowed"


def test_a_limit_that_brings_only_a_duty_needs_no_figures(ask: Ask) -> None:
    verdict = ask.of("kimi-k2-modified-mit", "product", NOBODY)
    assert verdict.outcome == "allowed-with-duties"
    assert kinds(verdict) == ["attribution"]
    assert verdict.grounds[0].says.endswith("Whether that is so was not said.")
    assert ask.of("kimi-k2-modified-mit", "product").outcome == "allowed"


def test_the_seat_in_the_eu_matters_to_models_that_take_images(ask: Ask) -> None:
    german = Organisation(seat="DE", monthly_users=1)
    assert ask.of("llama-3.2", "internal", german, input_=("text", "image")).outcome == "forbidden"
    assert ask.of("llama-3.2", "internal", german).outcome == "allowed-with-duties"
    swiss = Organisation(seat="CH", operates_in=("DE",), monthly_users=1)
    assert ask.of("llama-3.2", "internal", swiss, input_=("text", "image")).outcome == "allowed-with-duties"


def test_places_of_use_matter_where_a_licence_has_a_territory(ask: Ask) -> None:
    for places in ({"seat": "US"}, {"seat": "CN", "operates_in": ("EU",)}, {"operates_in": ("GB",)}):
        organisation = msgspec.convert({"monthly_users": 1, "revenue_year_usd": "1"} | places, Organisation)
        assert ask.of("minimax-h3", "internal", organisation).outcome == "forbidden"
    chinese = Organisation(seat="CN", monthly_users=1, revenue_year_usd=Decimal(1))
    assert ask.of("minimax-h3", "internal", chinese).ruling.serves


def test_a_group_of_countries_as_seat_is_in_each_of_them(ask: Ask) -> None:
    somewhere = Organisation(seat="EU", monthly_users=1)
    assert ask.of("llama-4", "internal", somewhere, input_=("text", "image")).outcome == "forbidden"


@pytest.mark.parametrize(("year", "outcome"), [(240_000_000, "allowed"), (240_000_012, "forbidden")])
def test_a_month_is_a_twelfth_of_the_year_where_it_is_not_said(ask: Ask, year: int, outcome: Outcome) -> None:
    organisation = Organisation(revenue_year_usd=Decimal(year))
    assert ask.of("mistral-modified-mit", "internal", organisation).outcome == outcome


def test_the_last_month_goes_before_a_twelfth_of_the_year(ask: Ask) -> None:
    organisation = Organisation(revenue_year_usd=Decimal(1), revenue_month_usd=Decimal(30_000_000))
    assert ask.of("mistral-modified-mit", "internal", organisation).outcome == "forbidden"


def test_the_limit_itself_is_above_it_only_where_the_licence_says_at_least(catalog: Catalog) -> None:
    record = catalog.licences["LicenseRef-isthmus-tongyi-qianwen"]
    cap = next(clause for clause in record.clauses if isinstance(clause, UserCap))
    at_the_limit = Organisation(monthly_users=cap.monthly_users)
    for at_least, outcome in ((False, "allowed"), (True, "needs-agreement")):
        changed = msgspec.structs.replace(
            record,
            clauses=tuple(
                msgspec.structs.replace(cap, at_least=at_least) if clause is cap else clause
                for clause in record.clauses
            ),
        )
        assert check_changed(catalog, changed, "product", at_the_limit).outcome == outcome


def test_a_limit_in_another_currency_is_not_guessed_at(catalog: Catalog) -> None:
    record = catalog.licences["LicenseRef-isthmus-mistral-modified-mit"]
    changed = msgspec.structs.replace(
        record,
        clauses=tuple(
            msgspec.structs.replace(clause, currency="EUR") if isinstance(clause, RevenueCap) else clause
            for clause in record.clauses
        ),
    )
    verdict = check_changed(catalog, changed, "internal", SOMEBODY)
    assert verdict.outcome == "unknown"
    assert "another currency" in verdict.grounds[0].says


def test_outputs_for_no_business_are_for_no_business(catalog: Catalog) -> None:
    record = catalog.licences["MIT"]
    outputs = Outputs(
        train_other_models="free",
        noncommercial=True,
        says="Outputs are for research.",
        place="section 9",
        sources=("text",),
    )
    bound = msgspec.structs.replace(record, clauses=(*record.clauses, outputs))
    assert told(check_changed(catalog, bound, "train-on-outputs", SOMEBODY)) == ("needs-agreement", "section 9")
    university = msgspec.structs.replace(SOMEBODY, commercial=False)
    assert check_changed(catalog, bound, "train-on-outputs", university).outcome == "allowed"
    assert check_changed(catalog, bound, "internal", SOMEBODY).outcome == "allowed"


def test_a_grant_without_a_clause_is_a_grant(catalog: Catalog) -> None:
    bare = msgspec.structs.replace(catalog.licences["MIT"], clauses=())
    first = check_changed(catalog, bare, "fine-tune", SOMEBODY).grounds[0]
    assert (first.outcome, first.says) == ("allowed", "MIT License permits training it further.")


def check_changed(catalog: Catalog, record: LicenceRecord, use: Use, organisation: Organisation) -> Verdict:
    model = next(model for model in catalog.models.values() if record.id in model.licence.readings)
    changed = msgspec.structs.replace(catalog, licences={**catalog.licences, record.id: record})
    return licence_check(model, organisation, use, catalog=changed, today=TODAY)


def test_users_above_a_limit_of_the_day_of_release_are_told_what_counts(ask: Ask) -> None:
    verdict = ask.of("llama-3.1", "product", Organisation(monthly_users=800_000_000))
    assert told(verdict) == ("needs-agreement", "section 2")
    assert "the month before the release" in verdict.grounds[0].says


def test_who_does_no_business_passes_what_forbids_business(ask: Ask) -> None:
    university = msgspec.structs.replace(SOMEBODY, commercial=False)
    for licence in ("CC-BY-NC-4.0", "mistral-research", "minimax-m2.7", "qwen-research"):
        assert ask.of(licence, "internal", university).ruling.serves
        assert not ask.of(licence, "internal").ruling.serves


def test_only_business_has_to_register(ask: Ask) -> None:
    university = msgspec.structs.replace(SOMEBODY, commercial=False)
    for licence in ("glm-4", "minimax-m3-community", "stability-community-2024"):
        assert "registration" in kinds(ask.of(licence, "internal"))
        assert "registration" not in kinds(ask.of(licence, "internal", university))


def test_a_licence_without_another_offer_forbids_and_one_with_it_needs_an_agreement(ask: Ask) -> None:
    assert ask.of("CC-BY-NC-4.0", "product").outcome == "forbidden"
    assert ask.of("cohere-cc-by-nc", "product").outcome == "needs-agreement"


def test_military_use_is_forbidden_where_a_licence_says_so(ask: Ask) -> None:
    army = msgspec.structs.replace(SOMEBODY, military=True)
    for licence in ("llama-3.3", "deepseek-model", "minimax-m2.7", "minimax-m3-community"):
        assert ask.of(licence, "internal", army).outcome == "forbidden"
    assert ask.of("MIT", "internal", army).outcome == "allowed"


@pytest.mark.parametrize(
    ("licence", "expected", "place"),
    [
        ("MIT", "allowed", "first paragraph"),
        ("OpenMDW-1.1", "allowed", "third paragraph"),
        ("llama-2", "forbidden", "section 1.b.v"),
        ("llama-3", "forbidden", "section 1.b.v"),
        ("tongyi-qianwen-2023", "forbidden", "section 5.b"),
        ("glm-4", "unknown", ""),
    ],
)
def test_training_on_outputs_is_what_the_licence_makes_of_it(
    ask: Ask, licence: str, expected: Outcome, place: str
) -> None:
    assert told(ask.of(licence, "train-on-outputs")) == (expected, place)


def test_names_and_signs_are_asked_for_when_outputs_train_another_model(ask: Ask) -> None:
    duties = {(duty.kind, duty.text) for duty in ask.of("llama-3.1", "train-on-outputs").duties}
    assert ("naming", "Llama") in duties
    duties = {(duty.kind, duty.text) for duty in ask.of("tongyi-qianwen", "train-on-outputs").duties}
    assert ("attribution", "Built with Qwen") in duties
    assert "pass_on" in kinds(ask.of("gemma", "train-on-outputs"))


def test_what_a_licence_does_not_speak_of_is_unknown(ask: Ask) -> None:
    verdict = ask.of("glm-4", "train-on-outputs")
    assert verdict.grounds[0].says == (
        "GLM-4 License does not speak of training other models on what it puts out, "
        "and what is not granted is not known."
    )


def test_hosting_is_passing_on_where_the_licence_says_so(ask: Ask) -> None:
    served = ask.of("gemma", "hosted-service")
    assert kinds(served) == ["use_policy", "licence_copy", "pass_on"]
    given = kinds(ask.of("gemma", "redistribute"))
    assert given == ["use_policy", "licence_copy", "pass_on", "notice", "state_changes"]
    assert kinds(ask.of("Apache-2.0", "hosted-service")) == []
    assert kinds(ask.of("Apache-2.0", "redistribute")) == ["licence_copy", "notice", "state_changes"]


def test_a_name_is_asked_for_when_a_model_is_trained_further(ask: Ask) -> None:
    assert [(duty.kind, duty.text) for duty in ask.of("llama-3.3", "fine-tune").duties] == [
        ("use_policy", ""),
        ("naming", "Llama"),
    ]


def test_a_hosted_service_may_need_a_permission_of_its_own(ask: Ask) -> None:
    assert ask.of("falcon-180b", "hosted-service").outcome == "needs-agreement"


def test_a_grant_that_is_only_remembered_grants_nothing_and_says_where_to_read(ask: Ask) -> None:
    verdict = ask.of("falcon-180b", "internal")
    first = verdict.grounds[0]
    assert (verdict.outcome, first.evidence, first.read_on) == ("unknown", "E0", None)
    assert "This is only remembered, and allows nothing until somebody reads it: " in first.says
    assert first.says.endswith(f"{first.place} in {first.url}.")
    assert "use_policy" in kinds(verdict)
    assert ", read 20" not in verdict.ruling.sentence


def test_a_contract_makes_up_for_what_is_only_remembered(ask: Ask) -> None:
    held = Contract(covers="LicenseRef-isthmus-falcon-180b", kind="licence", sha256="0" * 64)
    holder = msgspec.structs.replace(SOMEBODY, contracts=(held,))
    assert ask.of("falcon-180b", "internal", holder).ruling.serves


def with_terms(*sources: str, permits: str, evidence: str) -> TermsRecord:
    """Terms that speak of internal use, by sources of these kinds."""
    said = {"use": "internal", "permits": permits, "says": "So it is.", "place": "section 1", "sources": sources}
    return msgspec.convert(
        {
            "id": "host/api",
            "title": "Host",
            "provider": "host",
            "tier": "api",
            "url": "https://example.org/terms",
            "uses": [said | {"evidence": evidence}],
            "sources": {
                kind: {"url": f"https://example.org/{kind}", "kind": kind, "observed_on": TODAY} for kind in sources
            },
        },
        TermsRecord,
    )


@pytest.mark.parametrize(
    ("sources", "permits", "evidence", "expected"),
    [
        (("vendor_doc",), "yes", "E1", "allowed"),
        (("secondary",), "with_duties", "E1", "allowed-with-duties"),
        (("recollection",), "yes", "E0", "unknown"),
        (("recollection",), "with_duties", "E0", "unknown"),
        (("recollection",), "yes", "E1", "unknown"),
        (("recollection", "vendor_doc"), "yes", "E1", "allowed"),
        (("recollection",), "agreement", "E0", "needs-agreement"),
        (("recollection",), "no", "E0", "forbidden"),
    ],
)
def test_terms_that_are_only_remembered_allow_nothing_and_forbid_all_the_same(
    catalog: Catalog, sources: tuple[str, ...], permits: str, evidence: str, expected: Outcome
) -> None:
    served = with_terms(*sources, permits=permits, evidence=evidence)
    verdict = licence_check(
        catalog.models["qwen/qwen3-32b"], SOMEBODY, "internal", catalog=catalog, terms=served, today=TODAY
    )
    ground = next(ground for ground in verdict.grounds if ground.record == "host/api")
    assert (verdict.outcome, ground.outcome) == (expected, expected)
    assert (ground.read_on is None) == (set(sources) == {"recollection"})
    assert ("only remembered" in ground.says) == (expected == "unknown")


def test_a_model_that_is_only_remembered_to_be_under_a_licence_is_not_under_it(catalog: Catalog) -> None:
    model = catalog.models["qwen/qwen3-32b"]
    dim = msgspec.structs.replace(
        model, licence=msgspec.structs.replace(model.licence, state="declared", evidence="E0")
    )
    verdict = licence_check(dim, SOMEBODY, "internal", catalog=catalog, today=TODAY)
    assert (verdict.outcome, verdict.grounds[0].record) == ("unknown", model.id)


def test_offering_it_as_a_service_makes_one_a_model_service(ask: Ask) -> None:
    rich = msgspec.structs.replace(SOMEBODY, revenue_year_usd=Decimal(30_000_000))
    assert ask.of("kimi-k3", "hosted-service", rich).outcome == "needs-agreement"
    assert ask.of("kimi-k3", "product", rich).outcome == "allowed"
    assert ask.of("qwen-community-1.0", "hosted-service").outcome == "needs-agreement"
    assert ask.of("qwen-community-1.0", "product").outcome == "allowed"
    assert SOMEBODY.model_service is False


def test_a_contract_lifts_what_stands_in_the_way_until_it_ends(ask: Ask) -> None:
    def holding(until: date | None, kind: str = "licence") -> Organisation:
        contract = msgspec.convert(
            {"covers": "LicenseRef-isthmus-mistral-modified-mit", "kind": kind, "sha256": "0" * 64, "until": until},
            Contract,
        )
        return Organisation(revenue_year_usd=Decimal(10**10), contracts=(contract,))

    verdict = ask.of("mistral-modified-mit", "internal", holding(TODAY))
    assert verdict.outcome == "allowed"
    lifted = next(ground for ground in verdict.grounds if ground.evidence == "E4")
    assert lifted.says.startswith("A contract that the organisation holds covers this until 2026-11-21. Without it: ")
    assert ask.of("mistral-modified-mit", "internal", holding(None)).outcome == "allowed"
    assert ask.of("mistral-modified-mit", "internal", holding(date(2026, 11, 20))).outcome == "forbidden"
    assert ask.of("mistral-modified-mit", "internal", holding(None, "dpa")).outcome == "forbidden"


def test_of_closed_models_the_terms_decide(ask: Ask) -> None:
    assert ask.of("vendor-service", "internal").outcome == "unknown"
    assert "`openai/api`" in ask.of("vendor-service", "internal").grounds[0].says
    by_terms = {use: ask.of("vendor-service", use, terms="openai/api") for use in ("internal", "train-on-outputs")}
    assert by_terms["internal"].outcome == "allowed"
    assert by_terms["train-on-outputs"].outcome == "forbidden"
    assert by_terms["train-on-outputs"].grounds[0].record == "openai/api"


def test_weights_that_nobody_gets_are_not_passed_on_and_trained_where_the_vendor_says(ask: Ask) -> None:
    for terms in (None, "openai/api"):
        assert ask.of("vendor-service", "redistribute", terms=terms).outcome == "forbidden"
    assert ask.of("vendor-service", "fine-tune", terms="openai/api").outcome == "allowed"
    assert ask.of("vendor-service", "fine-tune", terms="deepseek/api").outcome == "unknown"


def test_open_weights_at_a_service_are_under_licence_and_terms(ask: Ask) -> None:
    verdict = ask.of("MIT", "train-on-outputs", terms="together/api")
    assert (verdict.outcome, verdict.grounds[0].record) == ("needs-agreement", "together/api")
    assert {ground.record for ground in verdict.grounds} >= {"MIT", "together/api"}


def test_terms_of_a_service_say_nothing_of_weights_that_one_has(ask: Ask) -> None:
    assert ask.of("MIT", "redistribute", terms="mistral/scale").outcome == "allowed-with-duties"
    assert ask.of("MIT", "fine-tune", terms="mistral/scale").outcome == "allowed"


def test_own_machines_have_no_terms_but_the_licence(ask: Ask) -> None:
    assert ask.of("MIT", "internal", terms="self/own").outcome == "allowed"


def test_who_is_served_by_the_licensor_is_under_its_terms(ask: Ask) -> None:
    rich = Organisation(revenue_year_usd=Decimal(10**10))
    assert ask.of("mistral-modified-mit", "internal", rich, terms="mistral/scale").outcome == "allowed"
    assert ask.of("mistral-modified-mit", "internal", rich, terms="groq/api").outcome == "forbidden"
    assert ask.of("mistral-modified-mit", "fine-tune", rich, terms="mistral/scale").outcome == "forbidden"


def test_what_terms_ask_for_is_a_duty(ask: Ask) -> None:
    verdict = ask.of("vendor-service", "train-on-outputs", terms="mistral/scale")
    assert (verdict.outcome, kinds(verdict)) == ("allowed-with-duties", ["condition"])


def test_a_model_whose_licence_nobody_knows_is_unknown_for_every_use(catalog: Catalog) -> None:
    model = catalog.models["mistral/mistral-large-4"]
    if model.licence.known:
        pytest.skip("its licence is known by now")
    verdict = licence_check(model, SOMEBODY, "internal", catalog=catalog, today=TODAY)
    assert verdict.outcome == "unknown"
    assert verdict.ruling.sentence.startswith("Under which licence")


def test_every_model_has_an_answer_for_every_use_that_says_where_it_stands(catalog: Catalog) -> None:
    for model in catalog.models.values():
        for use in ("internal", "product", "hosted-service", "fine-tune", "train-on-outputs", "redistribute"):
            verdict = licence_check(model, SOMEBODY, use, catalog=catalog, today=TODAY)
            first = verdict.grounds[0]
            assert first.says.endswith(".")
            if first.outcome != "unknown" and first.record not in {"", "LicenseRef-isthmus-vendor-service"}:
                assert first.place
                assert first.url.startswith("https://")
                assert first.read_on is not None


def test_the_short_form_tells_the_clause_its_place_and_the_day(ask: Ask) -> None:
    ruling = ask.of("llama-4", "internal", Organisation(seat="FR"), input_=("text", "image")).ruling
    assert not ruling.serves
    assert ruling.sentence.endswith(
        "(LicenseRef-isthmus-llama-4 Acceptable Use Policy, paragraph on multimodal models, read 2025-07-15)."
    )


def test_clauses_bear_only_on_the_uses_that_they_name(catalog: Catalog) -> None:
    caps: list[Clause] = [
        clause for clause in catalog.licences["LicenseRef-isthmus-kimi-k3"].clauses if isinstance(clause, RevenueCap)
    ]
    assert caps
    assert all("internal" not in cap.uses for cap in caps)
