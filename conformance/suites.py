"""The suites there are."""

from __future__ import annotations

from conformance.environments import Environment
from conformance.sources import ANTHROPIC, OPENAI
from conformance.suite import Skip, Suite

_SDK = Environment("sdk")
_APPS = Environment("apps")
_INSTRUCTOR = Environment("instructor")

_STORED_CHATS = "stored chat completions are not offered: what is kept is kept by workloads, under its labels"
_NO_DELETION = "models are offers of the settings: no client may delete one"

_CONVERSATION = "all parameters at once, a conversation kept by the vendor among them: isthmus refuses that one by name"
_NOT_AGAIN = "a kept answer is not streamed again"
_NAMES = "the offer's dialect has no place for who speaks; isthmus refuses it by name"
_ONLY_BY_SCHEMA = "the offer's dialect has JSON only by a schema; isthmus refuses it by name"
_BACKGROUND = "responses in the background are not offered, so there is none to cancel"
_COMPACTION = "compaction is a model's own, and not offered"


def _asking(verb: str, reason: str) -> tuple[Skip, ...]:
    """The tests of a verb that ask the server, in each of the three ways to call it; the others are run."""
    return tuple(Skip(f"*::test_{way}_{verb}*", reason) for way in ("method", "raw_response", "streaming_response"))


SUITES = (
    Suite(
        name="openai-chat",
        title="`openai`, its own tests of chat completions",
        environment=_SDK,
        packages=("openai",),
        source=OPENAI,
        tests=("tests/api_resources/chat/test_completions.py",),
        form_only=True,
        skips=tuple(skip for verb in ("retrieve", "update", "list", "delete") for skip in _asking(verb, _STORED_CHATS)),
    ),
    Suite(
        name="openai-responses",
        title="`openai`, its own tests of responses",
        environment=_SDK,
        packages=("openai",),
        source=OPENAI,
        tests=("tests/api_resources/test_responses.py", "tests/api_resources/responses"),
        form_only=True,
        made_first=True,
        skips=(
            *_asking("create_with_all_params", _CONVERSATION),
            *_asking("count_with_all_params", _CONVERSATION),
            *_asking("retrieve_with_all_params_overload_1", _NOT_AGAIN),
            *_asking("retrieve_overload_2", _NOT_AGAIN),
            *_asking("retrieve_with_all_params_overload_2", _NOT_AGAIN),
            *_asking("cancel", _BACKGROUND),
            *_asking("compact", _COMPACTION),
        ),
    ),
    Suite(
        name="openai-vectors",
        title="`openai`, its own tests of embeddings and moderations",
        environment=_SDK,
        packages=("openai",),
        source=OPENAI,
        tests=("tests/api_resources/test_embeddings.py", "tests/api_resources/test_moderations.py"),
        form_only=True,
    ),
    Suite(
        name="openai-models",
        title="`openai`, its own tests of models",
        environment=_SDK,
        packages=("openai",),
        source=OPENAI,
        tests=("tests/api_resources/test_models.py",),
        skips=_asking("delete", _NO_DELETION),
    ),
    Suite(
        name="openai-batches",
        title="`openai`, its own tests of batches and files",
        environment=_SDK,
        packages=("openai",),
        source=OPENAI,
        tests=("tests/api_resources/test_batches.py", "tests/api_resources/test_files.py"),
        made_first=True,
    ),
    Suite(
        name="anthropic-messages",
        title="`anthropic`, its own tests of messages",
        environment=_SDK,
        packages=("anthropic",),
        source=ANTHROPIC,
        tests=("tests/api_resources/test_messages.py",),
        options=("-p", "tests._alias_httpx"),
        below="",
        form_only=True,
    ),
    Suite(
        name="anthropic-models",
        title="`anthropic`, its own tests of models",
        environment=_SDK,
        packages=("anthropic",),
        source=ANTHROPIC,
        tests=("tests/api_resources/test_models.py",),
        options=("-p", "tests._alias_httpx"),
        below="",
        made_first=True,
    ),
    Suite(
        name="anthropic-batches",
        title="`anthropic`, its own tests of message batches",
        environment=_SDK,
        packages=("anthropic",),
        source=ANTHROPIC,
        tests=("tests/api_resources/messages/test_batches.py",),
        options=("-p", "tests._alias_httpx"),
        below="",
        form_only=True,
        made_first=True,
    ),
    Suite(
        name="google-genai",
        title="`google-genai`, by its own calls",
        environment=_SDK,
        packages=("google-genai",),
        tests=("test_google_genai.py",),
        below="",
    ),
    Suite(
        name="langchain",
        title="`langchain-tests` through `ChatOpenAI`, `ChatAnthropic` and `OpenAIEmbeddings`",
        environment=_APPS,
        packages=("langchain-tests", "langchain-openai", "langchain-anthropic", "langchain-core"),
        tests=("test_langchain.py",),
        below="",
        skips=(
            Skip("*::TestChatOpenAIAtAnthropic::test_json_mode", _ONLY_BY_SCHEMA),
            Skip("*::TestResponsesAtAnthropic::test_json_mode", _ONLY_BY_SCHEMA),
            Skip("*::TestChatOpenAIAtAnthropic::test_message_with_name", _NAMES),
            Skip("*::TestChatOpenAIAtGemini::test_message_with_name", _NAMES),
        ),
    ),
    Suite(
        name="pydantic-ai",
        title="`pydantic-ai`: a task with tools, whole, streamed and structured",
        environment=_APPS,
        packages=("pydantic-ai-slim",),
        tests=("test_pydantic_ai.py",),
        below="",
    ),
    Suite(
        name="openai-agents",
        title="`openai-agents`: a task with tools, whole, streamed and structured",
        environment=_APPS,
        packages=("openai-agents",),
        tests=("test_openai_agents.py",),
        below="",
    ),
    Suite(
        name="instructor",
        title="`instructor`: a task with tools, whole, streamed and structured",
        environment=_INSTRUCTOR,
        packages=("instructor",),
        tests=("test_instructor.py",),
        below="",
    ),
)
