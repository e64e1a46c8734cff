"""What a measurement was made on: the processor, its instructions, the memory, the libraries."""

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
)
LIBRARIES = (
    "numpy",
    "keras",
    "keras_cv",
    "tensorflow",
    "jax",
    "torch",
    "openvino",
    "diffusers",
    "transformers",
    "optimum",
)


def machine() -> str:
    """The processor and Python that a measurement was made with."""
    return f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}"


def facts() -> dict[str, Any]:
    """Processor, the instruction sets that matter here, cores, memory in GiB, and system."""
    return {
        "processor": _processor(),
        "instructions": [name for name in INSTRUCTIONS if name in _cpuinfo("flags", "Features").split()],
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "python": platform.python_version(),
    }


def described(
    machine_facts: dict[str, Any],
    records: Iterable[Mapping[str, Any]],
    accelerator: str = "no accelerator used",
) -> str:
    """The facts as a sentence, and the versions that the trials ran with as another."""
    instructions = ", ".join(machine_facts["instructions"]) or "none of those looked for"
    return (
        f"{machine_facts['cores']} cores of {machine_facts['processor']} ({instructions}), "
        f"{machine_facts['memory_gib']} GiB, {accelerator}; {machine_facts['system']}, "
        f"Python {machine_facts['python']}. {_versions(records)}"
    )


def _versions(records: Iterable[Mapping[str, Any]]) -> str:
    used: dict[str, set[str]] = {}
    for record in records:
        for name, number in record.get("versions", {}).items():
            used.setdefault(name, set()).add(number)
    return ", ".join(f"{name} {' and '.join(sorted(used[name]))}" for name in sorted(used))


def loaded_versions() -> dict[str, str]:
    """Versions of those of the libraries that this process has loaded, by the distribution's name."""
    distributions = packages_distributions()
    names = {distributions[name][0] for name in LIBRARIES if name in sys.modules and name in distributions}
    return {name: version(name) for name in sorted(names)}


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor()


def _cpuinfo(*keys: str) -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(keys)), "")
