"""A VM as a libvirt domain document. Pure; see https://libvirt.org/formatdomain.html."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmstead.devices import Device, Slots
from vmstead.devices.display import Display, video_xml
from vmstead.kernel.xml import Element, el, to_bytes
from vmstead.vm.firmware import Firmware
from vmstead.vm.model import HUGE_PAGES, MiB, Vm
from vmstead.vm.rules import numbers

_QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"


@dataclass(frozen=True)
class Launch:
    """What a domain document needs to know of the host.

    Attributes:
        accelerator: ``kvm`` or ``tcg``.
        firmware: the chosen UEFI image; None with a legacy BIOS.
        firmware_folder: where images lie.
        variables: the file with this VM's UEFI variables; made from the template at the first start.
        console_log: the file that takes what the guest writes to its serial port; None: there is none.
    """

    accelerator: str
    firmware: Firmware | None
    firmware_folder: Path
    variables: Path
    console_log: Path | None = None


def domain_xml(vm: Vm, devices: Sequence[tuple[Device, object]], launch: Launch) -> bytes:
    """The document for a start of the VM.

    Args:
        devices: in boot order, each with what its ``resolve`` returned.
    """
    domain = el(
        "domain",
        el("name", vm.domain_name),
        el("uuid", vm.uuid),
        el("title", vm.name),
        el("description", vm.description) if vm.description else None,
        *_cpu(vm, launch),
        *_memory(vm),
        _os(vm, launch),
        _features(vm, hyperv=_shows_hyperv(vm, launch)),
        # Suspending to memory is the one part of UEFI that some builds of OVMF do not get past in System
        # Management Mode: with it on, the 2 MiB image for secure boot hangs before its first output.
        el("pm", el("suspend-to-mem", enabled=False)) if vm.enable_secure_boot else None,
        _clock(vm, hyperv=_shows_hyperv(vm, launch)),
        _devices(vm, devices, launch.console_log),
        *_arguments(vm),
        type="kvm" if launch.accelerator == "kvm" else "qemu",
    )
    return to_bytes(domain)


def _cpu(vm: Vm, launch: Launch) -> list[Element]:
    topology = el("topology", sockets=vm.vcpus, cores=vm.cores, threads=vm.threads)
    elements = [el("vcpu", str(vm.cpus), cpuset=vm.cpuset or None)]
    if vm.pin_vcpus:
        pins = (el("vcpupin", vcpu=i, cpuset=cpu) for i, cpu in enumerate(numbers(vm.cpuset or "")))
        elements.append(el("cputune", *pins))
    if vm.nodeset:
        elements.append(el("numatune", el("memory", nodeset=vm.nodeset)))
    elements.append(_cpu_model(vm, launch, topology))
    return elements


def _cpu_model(vm: Vm, launch: Launch, topology: Element) -> Element:
    if vm.cpu_mode == "CUSTOM" and vm.cpu_model:
        return el("cpu", el("model", vm.cpu_model, fallback="forbid"), topology, mode="custom")
    if launch.accelerator == "tcg":
        # Without the host's processor to show, everything that QEMU can emulate: today's distributions
        # need more than libvirt's default model has.
        return el("cpu", topology, mode="maximum")
    if vm.cpu_mode == "HOST-PASSTHROUGH":
        extension = (
            el("feature", policy="require", name="topoext") if vm.enable_cpu_topology_extension else None
        )
        return el("cpu", topology, el("cache", mode="passthrough"), extension, mode="host-passthrough")
    return el("cpu", topology, mode="host-model")


def _memory(vm: Vm) -> list[Element]:
    elements = [el("memory", str(vm.memory), unit="MiB")]
    if vm.min_memory is not None:
        elements.append(el("currentMemory", str(vm.min_memory), unit="MiB"))
    if vm.hugepages is not None:
        page = el("page", size=HUGE_PAGES[vm.hugepages] // MiB, unit="MiB")
        elements.append(el("memoryBacking", el("hugepages", page)))
    return elements


def _os(vm: Vm, launch: Launch) -> Element:
    machine = vm.machine_type or ("q35" if vm.enable_secure_boot else None)
    elements: list[Element | None] = [el("type", "hvm", arch=vm.arch_type or None, machine=machine or None)]
    if launch.firmware is not None:
        elements.append(
            el(
                "loader",
                str(launch.firmware_folder / launch.firmware.code),
                readonly=True,
                secure=launch.firmware.is_secure and vm.enable_secure_boot,
                type="pflash",
            )
        )
        template = launch.firmware_folder / launch.firmware.variables
        elements.append(el("nvram", str(launch.variables), template=template))
    return el("os", *elements)


def _shows_hyperv(vm: Vm, launch: Launch) -> bool:
    """Only KVM has Hyper-V's interfaces; an emulated guest does without what makes it faster."""
    return vm.hyperv_enlightenments and launch.accelerator == "kvm"


def _features(vm: Vm, *, hyperv: bool) -> Element:
    return el(
        "features",
        el("acpi"),
        el("apic"),
        el("smm", state="on") if vm.enable_secure_boot else None,
        el("kvm", el("hidden", state="on")) if vm.hide_from_msr else None,
        _hyperv() if hyperv else None,
    )


def _hyperv() -> Element:
    switches = ("relaxed", "vapic", "vpindex", "synic", "stimer", "reset", "frequencies", "tlbflush", "ipi")
    return el(
        "hyperv", *(el(name, state="on") for name in switches), el("spinlocks", state="on", retries=8191)
    )


def _clock(vm: Vm, *, hyperv: bool) -> Element:
    timer = el("timer", name="hypervclock", present=True) if hyperv else None
    return el("clock", timer, offset="localtime" if vm.time == "LOCAL" else "utc")


def _devices(vm: Vm, devices: Sequence[tuple[Device, object]], console_log: Path | None) -> Element:
    slots = Slots(kept=sum(device.boots_first for device, _ in devices))
    elements = [element for device, resolved in devices for element in device.xml(resolved, slots)]
    if not any(isinstance(device, Display) for device, _ in devices):
        elements.append(
            video_xml("vga") if vm.ensure_display_device else el("video", el("model", type="none"))
        )
    if vm.trusted_platform_module:
        backend = el("backend", type="emulator", version="2.0", persistent_state=True)
        elements.append(el("tpm", backend, model="tpm-crb"))
    return el(
        "devices",
        *elements,
        el("serial", el("log", file=console_log, append="on") if console_log else None, type="pty"),
        el("channel", el("target", type="virtio", name="org.qemu.guest_agent.0"), type="unix"),
        _balloon(vm),
        el("rng", el("backend", "/dev/urandom", model="random"), model="virtio"),
    )


def _balloon(vm: Vm) -> Element:
    # Every ten seconds the guest is asked how much of its memory it uses: nobody else knows.
    autodeflate = "on" if vm.min_memory is not None else None
    return el("memballoon", el("stats", period=10), model="virtio", autodeflate=autodeflate)


def _arguments(vm: Vm) -> list[Element]:
    arguments = shlex.split(vm.command_line_args)
    if not arguments:
        return []
    return [el("commandline", *(el("arg", value=argument) for argument in arguments), xmlns=_QEMU_NAMESPACE)]
