"""What the tests of the `openai` and `anthropic` packages name is made through isthmus before they ask for it."""

from __future__ import annotations

import json
import os
import time
import urllib.request

import anthropic._base_client
import openai._base_client

BASE = os.environ["TEST_API_BASE_URL"].removesuffix("/v1")
ASK = {"model": "gpt-6-astra", "messages": [{"role": "user", "content": "hi"}]}
LINE = {"method": "POST", "url": "/v1/chat/completions", "body": ASK}
ANTHROPIC = {"anthropic-version": "2023-06-01"}


def sent(path, body=None, headers=(), content_type="application/json"):
    """The answer to a POST."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    request = urllib.request.Request(BASE + path, data=data, headers={"content-type": content_type, **dict(headers)})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def fetched(path, headers=()):
    """The answer to a GET."""
    with urllib.request.urlopen(urllib.request.Request(BASE + path, headers=dict(headers))) as answer:
        return json.load(answer)


def file(number=1):
    parts = b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    parts += b'--b\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n'
    for at in range(number):
        parts += json.dumps(LINE | {"custom_id": f"number-{at}"}).encode() + b"\n"
    parts += b"\r\n--b--\r\n"
    return sent("/v1/files", parts, content_type="multipart/form-data; boundary=b")["id"]


def batch(number=1):
    body = {"input_file_id": file(number), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return sent("/v1/batches", body)["id"]


def message_batch(number=1):
    params = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": ASK["messages"]}
    requests = [{"custom_id": f"number-{at}", "params": params} for at in range(number)]
    return sent("/v1/messages/batches", {"requests": requests}, ANTHROPIC)["id"]


def ended_message_batch():
    """One that may be deleted."""
    made = message_batch()
    deadline = time.monotonic() + 20
    while fetched(f"/v1/messages/batches/{made}", ANTHROPIC)["processing_status"] != "ended":
        if time.monotonic() > deadline:
            raise TimeoutError("a batch of one request has not ended in 20 seconds")
        time.sleep(0.05)
    return made


def response():
    return sent("/v1/responses", {"model": "at-openai", "input": "hi", "store": True})["id"]


def model():
    return "gpt-6-astra"


MAKES = {
    "file_id": file,
    "input_file_id": file,
    "batch_id": batch,
    "message_batch_id": message_batch,
    "response_id": response,
    "previous_response_id": response,
    "resp_677efb5139a88190b512bc3fef8e535d": response,
    "model_id": model,
}


LONG = 200
"""Requests in a batch that is to be cancelled: enough that it has not ended before it is."""
TO_CANCEL = MAKES | {"batch_id": lambda: batch(LONG), "message_batch_id": lambda: message_batch(LONG)}
TO_DELETE = MAKES | {"message_batch_id": ended_message_batch}


def replaced(value, makes):
    """The value, with each id that stands for a thing replaced by the id of a thing that there is."""
    if isinstance(value, str):
        return makes[value]() if value in makes else value
    if isinstance(value, dict):
        return {name: replaced(inner, makes) for name, inner in value.items()}
    return value


def install():
    for client in (openai._base_client.BaseClient, anthropic._base_client.BaseClient):
        client._build_request = _building(client._build_request)


def _building(build):
    def building(self, options, **others):
        path, mark, query = options.url.partition("?")
        makes = MAKES
        if options.method.lower() == "delete":
            makes = TO_DELETE
        elif path.endswith("/cancel"):
            makes = TO_CANCEL
        made = {"url": "/".join(replaced(part, makes) for part in path.split("/")) + mark + query}
        if isinstance(options.json_data, dict):
            made["json_data"] = replaced(options.json_data, makes)
        return build(self, options.model_copy(update=made), **others)

    return building
