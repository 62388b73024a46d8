"""What a guest entrusts to its machine is there after every power cut, under another name, and in a copy."""

import asyncio
from struct import pack

from tests.guest.guests import Host, Terminal, host
from tests.guest.test_matrix import make, volume

#: An index of the TPM's memory that is the owner's to give out, and what is written there.
_INDEX = 0x01500001
_SECRET = b"vmstead!"

# TPM 2.0 Library Specification, Part 3: TPM2_NV_DefineSpace, TPM2_NV_Write and TPM2_NV_Read, each authorized
# by the owner's empty password.
_OWNER = 0x40000001
_PASSWORD = pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
_OWNER_WRITES_AND_READS = 1 << 1 | 1 << 17


def command(code: int, handles: bytes, parameters: bytes) -> bytes:
    body = handles + _PASSWORD + parameters
    return pack(">HII", 0x8002, len(body) + 10, code) + body


def define() -> bytes:
    public = pack(">IHIHH", _INDEX, 0x000B, _OWNER_WRITES_AND_READS, 0, len(_SECRET))
    return command(0x12A, pack(">I", _OWNER), pack(">HH", 0, len(public)) + public)


def write() -> bytes:
    parameters = pack(">H", len(_SECRET)) + _SECRET + pack(">H", 0)
    return command(0x137, pack(">II", _OWNER, _INDEX), parameters)


def read() -> bytes:
    return command(0x14E, pack(">II", _OWNER, _INDEX), pack(">HH", len(_SECRET), 0))


def ask(console: Terminal, request: bytes) -> bytes:
    """The TPM's answer to a command, through the guest's device."""
    octal = "".join(f"\\{byte:03o}" for byte in request)
    console.type(f"exec 3<>/dev/tpm0; printf '{octal}' >&3")
    console.type("dd bs=4096 count=1 <&3 2>/dev/null | od -An -v -tx1; exec 3>&-; echo ANS''WERED")
    printed = console.until("ANSWERED").splitlines()
    rows = [line.split() for line in printed]
    return bytes.fromhex("".join("".join(row) for row in rows if row and all(len(cell) == 2 for cell in row)))


async def read_in_guest(here: Host, vm: int, *before: bytes) -> bytes:
    """Start it, send the TPM commands, which must succeed, read the secret and cut the power."""
    await here.call("vm.start", vm)
    with here.console(vm) as console:
        console.log_in()
        for request in before:
            answer = ask(console, request)
            assert answer[6:10] == bytes(4), answer
        answer = ask(console, read())
    await here.call("vm.poweroff", vm)
    return answer


async def test_a_tpm_keeps_its_memory_over_ten_power_cycles_a_rename_and_in_a_clone() -> None:
    with host() as here:
        async with here.serving():
            vm = await make(here, volume("boot", type="VIRTIO"), trusted_platform_module=True)
            await here.fill(".volumes/boot")
            assert _SECRET in await read_in_guest(here, vm, define(), write())
            for _ in range(7):
                # The firmware is at work on the TPM when the power goes.
                await here.call("vm.start", vm)
                await here.call("vm.poweroff", vm)
            await here.call("vm.update", vm, {"name": "renamed"})
            assert _SECRET in await read_in_guest(here, vm)
        async with here.serving():
            await here.call("vm.clone", vm, "copy")
            copy = await here.call("vm.query", [["name", "=", "copy"]], {"get": True})
            answers = await asyncio.gather(*(read_in_guest(here, each) for each in (vm, copy["id"])))
            assert [_SECRET in answer for answer in answers] == [True, True]
