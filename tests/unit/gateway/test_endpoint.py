import pytest

from isthmus.dialects.registry import FORMS
from isthmus.domain.errors import InvalidRequest
from isthmus.gateway.endpoint import asked, endpoints, query_of, vendor_of
from isthmus.gateway.headers import RequestHead


def head(target: str, *, anthropic: bool = False) -> RequestHead:
    return RequestHead(b"POST", target.encode(), 0.0, speaks_anthropic=anthropic)


def meant(target: str, *, anthropic: bool = False) -> tuple[str, str, dict[str, str]]:
    """Vendor, path and parameters of what a target means."""
    found = asked(head(target, anthropic=anthropic))
    method = "POST" if "POST" in found.endpoints else "GET"
    endpoint, params = found.endpoints[method]
    return found.vendor, endpoint.path, dict(params)


def test_a_path_of_one_vendor_is_that_vendors() -> None:
    assert meant("/v1/chat/completions") == ("openai", "/v1/chat/completions", {})
    assert meant("/v1/messages?beta=true") == ("anthropic", "/v1/messages", {})
    assert meant("/v1beta/models/work:generateContent") == (
        "gemini",
        "/v1beta/models/{model}:generateContent",
        {"model": "work"},
    )


def test_a_path_of_two_vendors_is_told_by_the_header_that_one_of_them_sends() -> None:
    assert meant("/v1/models") == ("openai", "/v1/models", {})
    assert meant("/v1/models", anthropic=True) == ("anthropic", "/v1/models", {})


@pytest.mark.parametrize(
    ("target", "vendor", "path"),
    [
        ("/openai/v1/chat/completions", "openai", "/v1/chat/completions"),
        ("/openai/chat/completions", "openai", "/v1/chat/completions"),
        ("/anthropic/v1/messages", "anthropic", "/v1/messages"),
        ("/anthropic/v1/models", "anthropic", "/v1/models"),
        (
            "/gemini/v1beta/models/a:streamGenerateContent?alt=sse",
            "gemini",
            "/v1beta/models/{model}:streamGenerateContent",
        ),
    ],
)
def test_a_drop_in_prefix_says_the_vendor(target: str, vendor: str, path: str) -> None:
    found = meant(target)
    assert (found[0], found[1]) == (vendor, path)


def test_a_drop_in_prefix_serves_its_vendor_alone() -> None:
    assert not asked(head("/anthropic/v1/chat/completions")).endpoints
    assert not asked(head("/openai/v1/messages")).endpoints


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent", "countTokens", "embedContent"])
def test_a_path_of_google_is_found_by_its_method_where_no_header_says_whose_client_asks(verb: str) -> None:
    """`/v1/models/m:embedContent` could be the name of a model, too, which OpenAI's clients would ask for with GET."""
    assert meant(f"/v1/models/m:{verb}?key=secret") == ("gemini", f"/v1/models/{{model}}:{verb}", {"model": "m"})


def test_slashes_hosts_and_escapes_change_nothing() -> None:
    assert meant("/v1/messages/") == meant("/v1/messages") == meant("http://host:1/v1/messages")
    assert meant("/v1beta/models/a%20b:countTokens")[2] == {"model": "a b"}


def test_a_name_in_a_path_is_one_segment_but_for_models_which_may_have_slashes_and_colons() -> None:
    assert meant("/v1beta/models/maker/m:8b:generateContent")[2] == {"model": "maker/m:8b"}
    assert not asked(head("/v1/batches/a/b/cancel")).endpoints
    assert meant("/v1/messages/batches/a%3Ab/cancel", anthropic=True)[2] == {"batch": "a:b"}


def test_errors_about_paths_that_are_none_come_in_the_shape_of_who_asks() -> None:
    assert vendor_of(head("/v1beta/nothing")) == "gemini"
    assert vendor_of(head("/v1/nothing", anthropic=True)) == "anthropic"
    assert vendor_of(head("/gemini/nothing")) == "gemini"
    assert vendor_of(head("http://[", anthropic=True)) == "anthropic"
    with pytest.raises(InvalidRequest):
        asked(head("http://["))


def test_no_two_endpoints_are_the_same_and_every_form_can_be_asked_in() -> None:
    places = [(one.vendor, one.method, one.path) for one in endpoints()]
    assert len(places) == len(set(places))
    assert len(FORMS) == len(set(FORMS))


def test_of_a_name_that_is_twice_in_a_query_the_first_counts() -> None:
    assert query_of(b"/x?a=1&b=&a=2") == {"a": "1", "b": ""}
    assert query_of(b"/x") == {}
