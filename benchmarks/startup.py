"""How long a server takes until it answers, and what memory it holds when idle.

    .venv/bin/python benchmarks/startup.py [--engine private] [--runs 5]

For 0 and 1,000 VMs (three devices each): seconds from starting the process to the answer of the first
``core.ping`` and of the first ``vm.query``, and the server's resident memory afterwards. As the measure of the
machine, each run is paired with starting a Python that does nothing and one that imports the same libraries.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess  # noqa: TID251 - measures programs
import sys
import tempfile
import time
from pathlib import Path

from vmstead.client import Client
from vmstead.store.db import open_database
from vmstead.store.seal import Seal
from vmstead.store.vms import COLUMNS, VmStore

TARGETS = {0: (0.7, 90), 1000: (2.0, 120)}


def fill(state: Path, count: int, devices: int = 3) -> None:
    """Put VMs into a fresh database, each with at most four devices."""
    state.mkdir(mode=0o711, parents=True)
    database = open_database(state / "vmstead.db")
    store = VmStore(database, Seal(state / "secret.key"))
    template = {
        **dict.fromkeys(COLUMNS, 0),
        **{"description": "", "memory": 512, "time": "UTC", "bootloader": "UEFI", "cpu_mode": "CUSTOM"},
        **{"bootloader_ovmf": "OVMF_CODE.fd", "vcpus": 1, "cores": 1, "threads": 1, "shutdown_timeout": 90},
        **{"command_line_args": ""},
        **dict.fromkeys(("min_memory", "cpu_model", "cpuset", "nodeset", "arch_type", "machine_type")),
    }

    def insert(connection):
        for number in range(1, count + 1):
            uuid = f"00000000-0000-4000-8000-{number:012}"
            store.insert({**template, "id": number, "name": f"vm{number}", "uuid": uuid})(connection)
            for attributes in (
                {
                    "dtype": "DISK",
                    "path": f"/dev/zvol/default/vm{number}",
                    "type": "VIRTIO",
                    "serial": "abcdefgh",
                },
                {
                    "dtype": "NIC",
                    "type": "VIRTIO",
                    "nic_attach": "user",
                    "mac": f"00:a0:98:00:{number // 256:02x}:{number % 256:02x}",
                },
                {"dtype": "DISPLAY", "type": "SPICE", "port": 5900 + number, "web_port": 20000 + number},
                {"dtype": "CDROM", "path": f"/mnt/default/vm{number}.iso"},
            )[:devices]:
                store.insert_device(number, None, attributes)(connection)

    database.write_now(insert)
    database.close()


def memory_of(pid: int) -> float:
    """MiB that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(state: Path, engine: str) -> dict[str, float]:
    """One start of a server: seconds and MiB."""
    path = f"{state}.sock"
    argv = [sys.executable, "-m", "vmstead.cli.main", "serve", "--state", str(state), "--socket", path]
    begin = time.perf_counter()
    with subprocess.Popen(
        [*argv, "--listen", "127.0.0.1:0", "--engine", engine],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            with Client(f"ws+unix://{path}") as client:
                client.ping()
                ping = time.perf_counter() - begin
                rows = client.call("vm.query", [], {"count": True})
                query = time.perf_counter() - begin
            memory = memory_of(server.pid)
        finally:
            server.terminate()
    return {"ping": ping, "query": query, "memory": memory, "vms": float(str(rows))}


def seconds(*argv: str) -> float:
    begin = time.perf_counter()
    subprocess.run(argv, check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="private")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    libraries = "import aiohttp.web, pydantic, msgspec, structlog, libvirt, sqlite3"
    for count, (limit, most) in TARGETS.items():
        folder = Path(tempfile.mkdtemp(prefix="vmstead-bench-", dir="/var/tmp"))
        folder.chmod(0o711)
        try:
            fill(folder / "state", count)
            runs = []
            for _ in range(options.runs):
                bare, loaded = seconds(sys.executable, "-c", ""), seconds(sys.executable, "-c", libraries)
                runs.append({**measure(folder / "state", options.engine), "bare": bare, "libraries": loaded})
        finally:
            shutil.rmtree(folder)
        middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        print(json.dumps({"vms": count, **{name: round(value, 3) for name, value in middle.items()}}))
        print(
            f"  first answer {middle['ping']:.2f} s (target {limit}), first query {middle['query']:.2f} s, "
            f"{middle['memory']:.0f} MiB (target {most}); {middle['ping'] / middle['libraries']:.2f} times "
            f"the import of its libraries, {middle['ping'] / middle['bare']:.1f} times an empty Python"
        )


if __name__ == "__main__":
    main()
