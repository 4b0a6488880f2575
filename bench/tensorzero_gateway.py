"""TensorZero's own gateway (Rust) as an HTTP server: its Python client starts one on a free port.

    python tensorzero_gateway.py CONFIG_FILE PORT_FILE

Runs in TensorZero's own environment, not in ours.
"""

import asyncio
import sys
from inspect import isawaitable
from pathlib import Path

from openai import AsyncOpenAI
from tensorzero import patch_openai_client


def write(path: Path, port: int) -> None:
    path.write_text(str(port))


async def serve(config_file: str, port_file: Path) -> None:
    patched = patch_openai_client(AsyncOpenAI(api_key="unused"), config_file=config_file, async_setup=True)
    client = await patched if isawaitable(patched) else patched
    write(port_file, client.base_url.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
