"""The contract's document taken apart: its examples, its lists of fields and its tables."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parent / "vm-api.md").read_text()


@dataclass(frozen=True)
class Example:
    """A command of the document: the method and its arguments as they stand there."""

    method: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.method, *self.arguments)).replace("\n", " ")


@dataclass(frozen=True)
class Field:
    """A row of a table: a field with its default as JSON has it, and the values that it may take."""

    name: str
    is_required: bool
    default: Any
    choices: tuple[Any, ...]


def examples() -> list[Example]:
    """Every ``midclt`` command, in order."""
    found = []
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL):
        for command in re.split(r"^midclt call ", block, flags=re.MULTILINE)[1:]:
            # What is between angle brackets is a placeholder, not a redirection.
            method, *arguments = shlex.split(command)
            found.append(Example(method, tuple(arguments)))
    return found


def vm_fields() -> list[str]:
    """The fields of a VM."""
    section = TEXT.split("### vm.query")[1].split("### vm.create")[0]
    return re.findall(r"^- `([a-z_]+)`", section, re.MULTILINE)


def vm_defaults() -> dict[str, Any]:
    """Defaults of the fields of a VM, where the document names one."""
    section = TEXT.split("### vm.query")[1].split("### vm.create")[0]
    found = re.findall(r"^- `([a-z_]+)` - .*?default `?([A-Za-z0-9_.]+?)`?\)", section, re.MULTILINE)
    return {name: _value(text) for name, text in found}


def device_fields() -> dict[str, list[Field]]:
    """The table of each device type."""
    tables = re.findall(r"^### ([A-Z]+) Attributes\n(.*?)(?=^###|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return {
        dtype: [_field(row) for row in re.findall(r"^\| `.*$", table, re.MULTILINE)]
        for dtype, table in tables
    }


def listed(heading: str) -> list[str]:
    """The values of a line such as ``Resolution options: `a`, `b```."""
    (line,) = re.findall(rf"^{heading}: (.*)$", TEXT, re.MULTILINE)
    return re.findall(r"`([^`]+)`", line)


def _field(row: str) -> Field:
    name, kind, default, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|")))
    choices = [_value(each) for each in re.split(r"\\\|", kind) if re.fullmatch(r"`[^`]+`|null|[0-9]+", each)]
    return Field(name.strip("`"), default == "-", None if default == "-" else _value(default), tuple(choices))


def _value(text: str) -> Any:
    plain = text.strip("`")
    try:
        return json.loads(plain)
    except json.JSONDecodeError:
        return plain
