"""``filesystem.setperm`` and ``filesystem.chown``: who may do what with files below the pools and allowed roots."""

from typing import Any

from vmstead.ctx import Ctx
from vmstead.errors import Problem, ValidationErrors, raise_if
from vmstead.kernel.model import Field, Model, NonEmpty
from vmstead.ports.files import Permissions
from vmstead.rpc.registry import Namespace
from vmstead.storage.errors import storage_errors
from vmstead.vm.usage import refuse_active_below

filesystem = Namespace("filesystem")

_CHOWN, _SETPERM = "filesystem_chown", "filesystem_setperm"
#: A number that stands for "leave it", as in chown(2).
_UNSET = -1
_LARGEST_ID = 2**32 - 2


class RecursionOptions(Model):
    """How far to go."""

    recursive: bool = Field(False, description="Also all that is in the folder. Links are left alone.")
    traverse: bool = Field(False, description="Also what is on other file systems.")


class SetpermOptions(RecursionOptions):
    """How far to go."""

    stripacl: bool = Field(False, description="Take access control lists away.")


class Owners(Model):
    """Whose something is to be. What is null or -1 stays."""

    path: NonEmpty = Field(description="A file or folder below a pool or root; not its own folder.")
    uid: int | None = Field(None, ge=_UNSET, le=_LARGEST_ID, description="The owner, by number.")
    user: NonEmpty | None = Field(None, description="The owner, by name.")
    gid: int | None = Field(None, ge=_UNSET, le=_LARGEST_ID, description="The group, by number.")
    group: NonEmpty | None = Field(None, description="The group, by name.")


class Chown(Owners):
    """Whose something is to be."""

    options: RecursionOptions = Field(RecursionOptions(), description="How far to go.")


class Setperm(Owners):
    """Who may do what with something."""

    mode: str | None = Field(
        None, pattern=r"^[0-7]{3}$", description="Permission bits, as three octal digits."
    )
    options: SetpermOptions = Field(SetpermOptions(), description="How far to go.")


@filesystem.method(
    role="FILESYSTEM_ATTRS_WRITE", job="perm_change", audit="Change owner of {filesystem_chown[path]}"
)
async def chown(ctx: Ctx, filesystem_chown: Chown) -> None:
    """Give a file or folder to somebody else. Not what an active virtual machine uses.

    When something cannot be changed, or the job is aborted, all is as it was.
    """
    given = filesystem_chown
    uid, gid = await _owners(ctx, _CHOWN, given)
    if uid is None and gid is None:
        raise ValidationErrors([Problem(_CHOWN, "name a user or a group that it is to belong to")])
    await _change(ctx, _CHOWN, given, Permissions(uid=uid, gid=gid))


@filesystem.method(
    role="FILESYSTEM_ATTRS_WRITE", job="perm_change", audit="Set permissions of {filesystem_setperm[path]}"
)
async def setperm(ctx: Ctx, filesystem_setperm: Setperm) -> None:
    """Set the permission bits of a file or folder, and its owner if one is given. Not of what an active VM uses.

    When something cannot be changed, or the job is aborted, all is as it was.
    """
    given = filesystem_setperm
    if given.mode is None and not given.options.stripacl:
        raise ValidationErrors([Problem(f"{_SETPERM}.mode", "is needed, unless stripacl is set")])
    uid, gid = await _owners(ctx, _SETPERM, given)
    mode = None if given.mode is None else int(given.mode, 8)
    await _change(ctx, _SETPERM, given, Permissions(mode, uid, gid, given.options.stripacl))


async def _owners(ctx: Ctx, schema: str, given: Owners) -> tuple[int | None, int | None]:
    """Numbers of owner and group; None for what stays."""
    uid, gid = (None if each == _UNSET else each for each in (given.uid, given.gid))
    raise_if(
        Problem(f"{schema}.{name}", f"is given by number already ({number})")
        for name, text, number in (("user", given.user, uid), ("group", given.group, gid))
        if text is not None and number is not None
    )
    if given.user is not None:
        with storage_errors(f"{schema}.user"):
            uid = await ctx.files.uid_of(given.user)
    if given.group is not None:
        with storage_errors(f"{schema}.group"):
            gid = await ctx.files.gid_of(given.group)
    return uid, gid


async def _change(ctx: Ctx, schema: str, given: Any, to: Permissions) -> None:  # noqa: ANN401 - either model
    attribute = f"{schema}.path"
    with storage_errors(attribute):
        await refuse_active_below(ctx, attribute, await ctx.volumes.locate(given.path.rstrip("/")))
        changed = await ctx.files.change_permissions(
            given.path, to, recursive=given.options.recursive, crosses_mounts=given.options.traverse
        )
    ctx.progress(100, f"{changed} files and folders were changed")
