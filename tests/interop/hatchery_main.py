"""Run a Hatchery server with one worker on the CPU: `<its environment>/bin/python hatchery_main.py PORT MODEL KEY`.

What its own development server starts, except the worker: that one makes up losses on a machine without a GPU, this one
loads the model.
"""

from __future__ import annotations

import asyncio
import sys

import torch
import uvicorn
from hatchery.core.gateway import create_app, set_config
from hatchery.core.local_dev import _build_config
from hatchery.core.worker import GPUWorker


async def main(port: int, model: str, key: str) -> None:
    config = _build_config(key)
    set_config(config)
    app = create_app(config=config)
    await config.metadata.initialize()
    await config.queue.initialize()
    worker = GPUWorker("worker", model, config, device="cpu", dtype=torch.float32)
    await worker.register()

    async def work() -> None:
        while True:
            job = await config.queue.dequeue(
                worker_id="worker", model_filter=model, visibility_timeout=300
            )
            if job is None:
                await asyncio.sleep(0.01)
            else:
                await worker._process_one(job)

    working = asyncio.create_task(work())
    await uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, lifespan="off")).serve()
    working.cancel()


asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
