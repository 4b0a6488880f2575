"""The standard tests of LangChain, through its own clients, with all that each claims to be capable of.

What is claimed is what LangChain's own tests of these clients claim (`libs/partners/*/tests/integration_tests`), and
more: sound at the offers that hear it, usage in streams, and every claim at offers of other dialects, too.

What the tests would fetch from the web, a picture, a document and a sound, is put in the way of the fetching.
"""

import os
from types import SimpleNamespace
from typing import ClassVar

import httpx
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests

URL = os.environ["TEST_API_BASE_URL"]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch):
    def get(url, **_):
        end = url.rpartition(".")[2]
        return SimpleNamespace(content={"png": PIXEL, "pdf": PDF, "wav": WAV}[end])

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "none")


class Chat(ChatModelIntegrationTests):
    """What all claim."""

    served_as = ""

    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_image_tool_message = True
    supports_json_mode = True
    has_tool_choice = True
    model_override_value = "gpt-6-astra"


class OpenAIChat(Chat):
    chat_model_class = ChatOpenAI
    supports_audio_inputs = True
    supports_anthropic_inputs = True
    supports_image_tool_message = False  # LangChain's own tests claim it for responses only
    supported_usage_metadata_details: ClassVar = {
        "invoke": ["reasoning_output", "cache_read_input"],
        "stream": ["reasoning_output", "cache_read_input"],
    }

    @property
    def chat_model_params(self):
        return {"model": self.served_as, "base_url": f"{URL}/v1", "api_key": "any", "stream_usage": True}

    def asked(self, stream):
        model = self.chat_model_class(**self.chat_model_params, reasoning_effort="low")
        return whole(model.stream("Hello")) if stream else model.invoke("Hello")

    def invoke_with_reasoning_output(self, *, stream=False):
        return self.asked(stream)

    def invoke_with_cache_read_input(self, *, stream=False):
        return self.asked(stream)


class TestChatOpenAIAtOpenAI(OpenAIChat):
    served_as = "at-openai"


class TestChatOpenAIAtAnthropic(OpenAIChat):
    served_as = "at-anthropic"
    supports_audio_inputs = False  # Anthropic's models hear nothing


class TestChatOpenAIAtGemini(OpenAIChat):
    served_as = "at-gemini"


class Responses(OpenAIChat):
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supports_audio_inputs = False  # of the client: it has no audio in responses

    @property
    def chat_model_params(self):
        return {"model": self.served_as, "base_url": f"{URL}/v1", "api_key": "any", "use_responses_api": True}

    def asked(self, stream):
        model = self.chat_model_class(**self.chat_model_params, reasoning={"effort": "low", "summary": "auto"})
        return whole(model.stream("Hello")) if stream else model.invoke("Hello")


class TestResponsesAtOpenAI(Responses):
    served_as = "at-openai"


class TestResponsesAtAnthropic(Responses):
    served_as = "at-anthropic"


class TestResponsesAtGemini(Responses):
    served_as = "at-gemini"


class AnthropicChat(Chat):
    chat_model_class = ChatAnthropic
    supports_anthropic_inputs = True
    supports_json_mode = False  # of the client: it has none
    supports_pdf_tool_message = True
    supported_usage_metadata_details: ClassVar = {
        "invoke": ["cache_read_input", "cache_creation_input"],
        "stream": ["cache_read_input", "cache_creation_input"],
    }

    @property
    def chat_model_params(self):
        return {"model": self.served_as, "base_url": URL, "api_key": "any", "max_tokens": 2000}

    def asked(self, stream):
        said = [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]
        model = self.chat_model_class(**self.chat_model_params)
        return whole(model.stream([HumanMessage(said)])) if stream else model.invoke([HumanMessage(said)])

    def invoke_with_cache_read_input(self, *, stream=False):
        return self.asked(stream)

    def invoke_with_cache_creation_input(self, *, stream=False):
        return self.asked(stream)


class TestChatAnthropicAtAnthropic(AnthropicChat):
    served_as = "at-anthropic"


class TestChatAnthropicAtOpenAI(AnthropicChat):
    served_as = "at-openai"


class TestChatAnthropicAtGemini(AnthropicChat):
    served_as = "at-gemini"


class TestEmbeddingsAtOpenAI(EmbeddingsIntegrationTests):
    embeddings_class = OpenAIEmbeddings
    served_as = "text-embedding-3-small"

    @property
    def embedding_model_params(self):
        return {
            "model": self.served_as,
            "base_url": f"{URL}/v1",
            "api_key": "any",
            "check_embedding_ctx_length": False,  # else it fetches a tokenizer and sends numbers
        }


class TestEmbeddingsAtGemini(TestEmbeddingsAtOpenAI):
    served_as = "gemini-embedding-001"


def whole(chunks):
    full = None
    for chunk in chunks:
        full = chunk if full is None else full + chunk
    return full
