"""Options of a command line, as getopt(3) takes them apart."""

from collections.abc import Sequence

from vmstead.adapters.fake_zfs.model import Complaint


class Options:
    """The options of a command: letters that stand alone, letters with a value, and the rest."""

    def __init__(
        self, argv: Sequence[str], alone: str, valued: str = "", *, takes_dashes: bool = True
    ) -> None:
        self.alone: set[str] = set()
        self.values: list[tuple[str, str]] = []
        rest = [*argv]
        while rest and rest[0].startswith("-") and len(rest[0]) > 1:
            option = rest.pop(0)
            if option == "--" and takes_dashes:
                break
            for index, letter in enumerate(option[1:], 1):
                if letter in valued:
                    self.values.append((letter, option[index + 1 :] or rest.pop(0)))
                    break
                if letter not in alone:
                    raise Complaint(f"invalid option '{letter}'\nusage:\n", 2)
                self.alone.add(letter)
        self.rest = rest

    def value(self, letter: str) -> str | None:
        return next((value for name, value in self.values if name == letter), None)

    def pairs(self, letter: str) -> dict[str, str]:
        return dict(value.split("=", 1) for name, value in self.values if name == letter)
