"""What a guest says of itself is taken with care."""

from vmstead.ports.engine import GuestInterface
from vmstead.vm.guest_network import cleaned


def test_what_makes_sense_is_passed_on() -> None:
    interfaces = [
        GuestInterface("lo", "00:00:00:00:00:00", (("127.0.0.1", 8), ("::1", 128))),
        GuestInterface("eth0", "00:A0:98:12:34:56", (("fe80::1%eth0", 64),)),
        GuestInterface("tun0"),
    ]
    assert cleaned(interfaces) == [
        {
            "name": "lo",
            "hardware_address": "00:00:00:00:00:00",
            "ip_addresses": [
                {"ip_address": "127.0.0.1", "prefix": 8, "ip_address_type": "IPV4"},
                {"ip_address": "::1", "prefix": 128, "ip_address_type": "IPV6"},
            ],
        },
        {
            "name": "eth0",
            "hardware_address": "00:a0:98:12:34:56",
            "ip_addresses": [{"ip_address": "fe80::1", "prefix": 64, "ip_address_type": "IPV6"}],
        },
        {"name": "tun0", "hardware_address": "", "ip_addresses": []},
    ]


def test_what_makes_none_is_left_out() -> None:
    bad = [("300.1.1.1", 8), ("", 8), ("<script>", 8), ("192.0.2.1", 33), ("192.0.2.1", -1), ("::1", 129)]
    found = cleaned([GuestInterface("a\x1b[31m\nb" + "x" * 100, "not a mac", tuple(bad))])
    assert found == [{"name": "a[31mb" + "x" * 58, "hardware_address": "", "ip_addresses": []}]


def test_too_much_is_cut_off() -> None:
    many = tuple((f"10.0.{number // 256}.{number % 256}", 8) for number in range(1000))
    found = cleaned([GuestInterface(f"eth{number}", addresses=many) for number in range(1000)])
    assert (len(found), len(found[0]["ip_addresses"])) == (64, 64)
