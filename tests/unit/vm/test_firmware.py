"""Which UEFI image a VM starts with: the one it names, or what comes nearest to it on this host."""

import pytest

from vmstead.vm.firmware import Firmware, choose

#: What Debian 12 has.
DEBIAN = (
    "OVMF_CODE.fd",
    "OVMF_CODE.ms.fd",
    "OVMF_CODE.secboot.fd",
    "OVMF_CODE_4M.fd",
    "OVMF_CODE_4M.ms.fd",
    "OVMF_CODE_4M.secboot.fd",
    "OVMF_CODE_4M.snakeoil.fd",
    "OVMF_VARS.fd",
    "OVMF_VARS.ms.fd",
    "OVMF_VARS_4M.fd",
    "OVMF_VARS_4M.ms.fd",
    "OVMF_VARS_4M.snakeoil.fd",
)
#: Later releases dropped the images of 2 MiB.
ONLY_4M = tuple(name for name in DEBIAN if "_4M" in name)
ONLY_2M = tuple(name for name in DEBIAN if "_4M" not in name)


def chosen(wanted: str, images: tuple[str, ...], *, secure_boot: bool = False) -> tuple[str, str] | None:
    firmware = choose(wanted, images, secure_boot=secure_boot)
    return None if firmware is None else (firmware.code, firmware.variables)


@pytest.mark.parametrize(
    ("wanted", "variables", "is_secure"),
    [
        ("OVMF_CODE.fd", "OVMF_VARS.fd", False),
        ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", False),
        ("OVMF_CODE.secboot.fd", "OVMF_VARS.ms.fd", True),
        ("OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd", True),
        ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd", True),
        ("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd", True),
        ("OVMF_CODE_4M.snakeoil.fd", "OVMF_VARS_4M.snakeoil.fd", True),
    ],
)
def test_an_image_that_is_there_is_taken_with_the_variables_that_fit_it(
    wanted: str, variables: str, is_secure: bool
) -> None:
    assert choose(wanted, DEBIAN, secure_boot=False) == Firmware(wanted, variables, is_secure)


@pytest.mark.parametrize(
    ("wanted", "images", "found"),
    [
        ("OVMF_CODE.fd", ONLY_4M, ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")),
        ("OVMF_CODE_4M.fd", ONLY_2M, ("OVMF_CODE.fd", "OVMF_VARS.fd")),
        ("OVMF_CODE.secboot.fd", ONLY_4M, ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")),
        ("OVMF_CODE_4M.ms.fd", ONLY_2M, ("OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd")),
    ],
)
def test_an_image_of_the_other_size_stands_in_for_one_that_is_missing(
    wanted: str, images: tuple[str, ...], found: tuple[str, str]
) -> None:
    assert chosen(wanted, images) == found


def test_an_image_of_another_kind_is_the_last_choice_without_secure_boot() -> None:
    assert chosen("OVMF_CODE.snakeoil.fd", DEBIAN) == ("OVMF_CODE_4M.snakeoil.fd", "OVMF_VARS_4M.snakeoil.fd")
    assert chosen("OVMF_CODE_4M.snakeoil.fd", ONLY_2M) == ("OVMF_CODE.fd", "OVMF_VARS.fd")
    assert chosen("OVMF_CODE.other.fd", DEBIAN) == ("OVMF_CODE.fd", "OVMF_VARS.fd")


@pytest.mark.parametrize(
    ("wanted", "images", "found"),
    [
        ("OVMF_CODE.fd", DEBIAN, ("OVMF_CODE.secboot.fd", "OVMF_VARS.ms.fd")),
        ("OVMF_CODE_4M.fd", DEBIAN, ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")),
        ("OVMF_CODE.fd", ONLY_4M, ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")),
        ("OVMF_CODE_4M.ms.fd", DEBIAN, ("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd")),
        ("OVMF_CODE_4M.snakeoil.fd", DEBIAN, ("OVMF_CODE_4M.snakeoil.fd", "OVMF_VARS_4M.snakeoil.fd")),
        ("OVMF_CODE_4M.snakeoil.fd", ONLY_2M, ("OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd")),
        ("OVMF_CODE.fd", ("OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd"), ("OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd")),
    ],
)
def test_secure_boot_takes_an_image_that_can_enforce_it(
    wanted: str, images: tuple[str, ...], found: tuple[str, str]
) -> None:
    firmware = choose(wanted, images, secure_boot=True)
    assert firmware == Firmware(*found, is_secure=True)


@pytest.mark.parametrize("wanted", ["OVMF_CODE.fd", "OVMF_CODE_4M.fd", "OVMF_CODE.secboot.fd"])
def test_secure_boot_never_falls_back_to_an_image_without_it(wanted: str) -> None:
    assert chosen(wanted, ("OVMF_CODE.fd", "OVMF_CODE_4M.fd", "OVMF_VARS.fd", "OVMF_VARS.ms.fd")) is not None
    images = ("OVMF_CODE.fd", "OVMF_CODE_4M.fd", "OVMF_VARS.fd", "OVMF_VARS.ms.fd")
    assert chosen(wanted, images, secure_boot=True) is None


def test_variables_with_keys_are_preferred_and_others_do() -> None:
    code = ("OVMF_CODE_4M.secboot.fd", "OVMF_CODE_4M.snakeoil.fd")
    assert chosen(code[0], (*code, "OVMF_VARS_4M.fd")) == (code[0], "OVMF_VARS_4M.fd")
    assert chosen(code[0], (*code, "OVMF_VARS_4M.fd", "OVMF_VARS_4M.ms.fd")) == (
        code[0],
        "OVMF_VARS_4M.ms.fd",
    )
    assert chosen(code[1], (*code, "OVMF_VARS_4M.ms.fd")) == (code[1], "OVMF_VARS_4M.ms.fd")


@pytest.mark.parametrize(
    "images",
    [
        (),
        ("OVMF_CODE.fd",),
        ("OVMF_VARS.fd",),
        # Variables of one size do not fit an image of the other.
        ("OVMF_CODE.fd", "OVMF_VARS_4M.fd"),
        ("OVMF_CODE_4M.fd", "OVMF_VARS.fd"),
        # Keys in the variables would keep an ordinary guest from booting.
        ("OVMF_CODE.fd", "OVMF_VARS.ms.fd"),
        ("AAVMF_CODE.fd", "AAVMF_VARS.fd"),
    ],
)
def test_an_image_without_variables_of_its_kind_is_none(images: tuple[str, ...]) -> None:
    assert chosen("OVMF_CODE.fd", images) is None


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "OVMF_CODE",
        "OVMF_VARS.fd",
        "ovmf_code.fd",
        "OVMF_CODE_8M.fd",
        "OVMF_CODE.fd\n",
        " OVMF_CODE.fd",
        "OVMF_CODE.Secboot.fd",
        "OVMF_CODE.a.b.fd",
        "../OVMF/OVMF_CODE.fd",
        "/usr/share/OVMF/OVMF_CODE.fd",
        "evil.fd",
    ],
)
def test_what_is_no_image_of_ours_is_never_taken(wanted: str) -> None:
    assert chosen(wanted, (*DEBIAN, wanted)) is None
