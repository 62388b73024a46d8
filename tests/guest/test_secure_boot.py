"""With secure boot, a guest signed by its distribution starts, and one that nobody signed does not."""

from pathlib import Path

import pytest

from tests.guest.guests import Host, host
from tests.guest.signed import sign
from tests.guest.test_matrix import boot, make, volume


async def secure(here: Host, **fields: object) -> int:
    disk = volume("boot", type="VIRTIO")
    return await make(here, disk, enable_secure_boot=True, memory=512, **fields)


@pytest.mark.parametrize("firmware", ["OVMF_CODE.fd", "OVMF_CODE_4M.fd", "OVMF_CODE_4M.secboot.fd"])
async def test_what_the_distribution_signed_starts(tmp_path: Path, firmware: str) -> None:
    with host() as here:
        async with here.serving():
            vm = await secure(here, bootloader_ovmf=firmware)
            await sign(await here.fill(".volumes/boot"), tmp_path)
            found = await boot(here, vm)
            assert (found.system.firmware, found.system.secure_boot) == ("uefi", "on")


async def test_what_nobody_signed_is_refused() -> None:
    with host() as here:
        async with here.serving():
            vm = await secure(here)
            await here.fill(".volumes/boot")
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                # The firmware says so and goes on to the network, where nobody is.
                assert "VMSTEAD-DEMO" not in console.until("Security Violation")
            await here.call("vm.poweroff", vm)
