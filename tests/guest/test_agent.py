"""Guests that are asked through their agent: one that has none, and agents that answer, rave, and keep quiet."""

import json
import time
from typing import Any

from tests.guest.guests import PATIENCE, Host, Terminal, host
from tests.guest.test_life import raw_guest

METHOD = "vm.get_guest_network_interfaces"
#: The port where libvirt looks for an agent, and an agent in a few lines. Before libvirt listens at the other end,
#: there is nothing to read.
_PORT = "port=/dev/$(grep -l guest_agent /sys/class/virtio-ports/*/name | cut -d/ -f5)"
_AGENT = (
    "agent() {{ while sleep 0.1; do while read -r line; do case $line in "
    "*sync-delimited*) printf '\\377' ;; esac; case $line in "
    "*guest-sync*) id=${{line##*:}}; echo '{{\"return\":'${{id%%\\}}*}}'}}' ;; "
    "*interfaces*) {answer} ;; *) echo '{{\"return\":{{}}}}' ;; esac; done; done; }}"
)
_TELLS = (
    '{"return":[{"name":"eth0","hardware-address":"00:A0:98:12:34:56","ip-addresses":'
    '[{"ip-address":"192.0.2.7","ip-address-type":"ipv4","prefix":24}]},{"name":"lo"}]}'
)


def run_agent(console: Terminal, answer: str) -> None:
    """Let an agent run, in the place of one that ran before, which answers the question with that command."""
    for line in (
        "kill %1; wait",
        _PORT,
        _AGENT.format(answer=answer),
        "agent <>$port >&0 & echo AGENT-$((40+2))",
    ):
        console.type(line)
    console.until("AGENT-42")


async def ask(here: Host, vm: int, expected: str) -> Any:
    """Ask until the answer, or the complaint, has that in it: libvirt takes a moment to meet an agent."""
    end = time.monotonic() + PATIENCE
    while True:
        result = await here.midclt("call", METHOD, str(vm))
        if expected in result.stdout + result.stderr:
            return json.loads(result.stdout) if result.status == 0 else result.stderr
        assert "[ENOTCONN]" in result.stderr, result
        assert time.monotonic() < end, result


async def test_a_guest_is_asked_through_its_agent() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                assert "install and start qemu-guest-agent" in await ask(here, vm, "not connected")
                run_agent(console, f"echo '{_TELLS}'")
                assert await ask(here, vm, "eth0") == [
                    {
                        "name": "eth0",
                        "hardware_address": "00:a0:98:12:34:56",
                        "ip_addresses": [
                            {"ip_address": "192.0.2.7", "prefix": 24, "ip_address_type": "IPV4"}
                        ],
                    },
                    {"name": "lo", "hardware_address": "", "ip_addresses": []},
                ]
                # What is no text, and no answer at all.
                run_agent(console, "printf '\\377{\\n'")
                assert "install and start" in await ask(here, vm, "answer is not text")
                run_agent(console, ":")
                begin = time.monotonic()
                assert "install and start" in await ask(here, vm, "not responding")
                assert time.monotonic() - begin < 30
            await here.call("vm.reset", vm)
            with here.console(vm) as console:
                console.log_in()
            await here.call("vm.poweroff", vm)
