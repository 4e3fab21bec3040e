"""Available memory, and the memory that tensors take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

_MEMINFO = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def available(device: torch.device) -> int:
    """Bytes that can be allocated on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return min(int(line.split()[1]) * 1024, _left_in_container())
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_in_container() -> int:
    """Bytes below the limit of memory of this process's container; as good as unlimited without one."""
    limit = _CONTAINER / "memory.max"
    if not limit.is_file() or limit.read_text().strip() == "max":
        return 2**63
    statistics = (_CONTAINER / "memory.stat").read_text().split()
    reclaimable = int(statistics[statistics.index("inactive_file") + 1])
    used = int((_CONTAINER / "memory.current").read_text()) - reclaimable
    return int(limit.read_text()) - used


def of_activations(layers: nn.Module, size: int) -> int:
    """Estimated bytes that training keeps of one token until its gradient is taken: inputs and outputs of the matrices,
    and half as much for the values between them."""
    linears = [module for module in layers.modules() if isinstance(module, nn.Linear)]
    return int(1.5 * size * sum(one.in_features + one.out_features for one in linears))


def of_cache(config: Any, size: int) -> int:
    """Size in bytes of the keys and values of one token."""
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return int(2 * size * config.num_hidden_layers * (config.num_key_value_heads or heads) * width)


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"
