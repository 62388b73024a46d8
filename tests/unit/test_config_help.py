"""What people are told of settings."""

from vmstead.config import OPTIONS


def test_every_setting_says_what_it_is_for() -> None:
    for name, field in OPTIONS.items():
        assert field.metadata["help"].endswith("."), name
