"""Methods: functions that clients can call by name.

A method is an ordinary async function whose first parameter is the context. Its signature is the contract:
names, types and defaults of the other parameters are what the wire takes, in that order. ::

    vm = Namespace("vm")

    @vm.method(role="VM_WRITE")
    async def start(ctx: Ctx, id: int, options: StartOptions = StartOptions()) -> None:
        ...
"""

import inspect
import string
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from vmstead.errors import CallError, NotAuthenticated, NotAuthorized, Problem, ValidationErrors
from vmstead.kernel.jobs import QUEUE_SIZE
from vmstead.kernel.model import Model
from vmstead.query import Query, QuerySyntaxError, parse
from vmstead.rpc.caller import Caller

#: Characters of what the audit trail says a call does.
_DESCRIPTION = 200
#: Roles that allow no change; calls of methods that take one of these are not recorded.
_READING = ("_READ", "READONLY_ADMIN")

#: Queries that are remembered at most, and the characters of each.
_QUERIES, _QUERY_TEXT = 500, 500
_queries: dict[str, Query] = {}

#: A method's function: context first, then the parameters of the wire.
Function = Callable[..., Awaitable[object]]
#: Which way the bytes of a job's pipe go.
Direction = Literal["input", "output"]
FunctionT = TypeVar("FunctionT", bound=Function)


@dataclass(frozen=True, eq=False)
class Method:
    """A method, with all that is known of it.

    Attributes:
        name: full name, such as ``vm.device.create``.
        function: the use case itself.
        role: what the caller must have; None: a session is enough.
        is_public: can be called before login.
        is_job: a call makes a job.
        lock: job methods only: calls with the same text run one after the other; ``{0}`` stands for the
            first argument, ``{0[key]}`` for a member of it.
        queue_size: job methods only: calls that may wait for each lock before more of the same join one of them.
        pipe: job methods only: ``output``, the job writes what is downloaded (``core.download``); ``input``, it
            reads what is uploaded (``POST /_upload``).
        needs_pipe: whether it cannot be called without.
        description: job methods only: what the job does, for people; ``{0}`` as for ``lock``.
        is_abortable: job methods only: pages may offer to abort it. Nothing keeps others from being aborted.
        has_log: job methods only: it writes a log (``ctx.log``).
        audit: what the audit trail says a call does; ``{id}`` stands for a parameter, ``{vm_create[name]}`` for a
            member of one. Empty: calls are not recorded.
        is_query: takes filters and options instead of parameters of its own.
        is_rate_limited: counts against the limit for callers who are not logged in.
        returns: the result's type for the reference, where the function's annotation is not exact; of a query,
            the type of one row.
    """

    name: str
    function: Function
    role: str | None
    is_public: bool
    is_job: bool
    lock: str | None
    is_query: bool
    is_rate_limited: bool
    returns: object = None
    queue_size: int = QUEUE_SIZE
    pipe: Direction | None = None
    needs_pipe: bool = True
    description: str | None = None
    is_abortable: bool = False
    has_log: bool = False
    audit: str = ""

    def authorize(self, caller: Caller | None) -> None:
        """Refuse a caller who may not call this.

        Raises:
            NotAuthenticated: nobody is logged in.
            NotAuthorized: the role is missing.
        """
        if self.is_public:
            return
        if caller is None:
            raise NotAuthenticated
        if not caller.may(self.role):
            raise NotAuthorized

    def bind(self, params: Sequence[object]) -> list[object]:
        """Turn the wire's positional parameters into the function's arguments.

        Raises:
            ValidationErrors: with every problem there is.
        """
        names = self.parameters
        if len(params) > len(names):
            raise ValidationErrors(
                [Problem("", f"Too many arguments (expected {len(names)}, found {len(params)})")]
            )
        if self.is_query:
            return [parse_query(*params)]
        if not names:
            return []
        try:
            arguments = self.model.model_validate(dict(zip(names, params, strict=False)))
        except ValidationError as error:
            raise ValidationErrors(problems_of(error)) from None
        return [getattr(arguments, name) for name in names]

    def lock_for(self, params: Sequence[object]) -> str | None:
        """The lock of a job made with these parameters.

        Raises:
            CallError: EINVAL, when the parameters lack what the lock is made of.
        """
        if self.lock is None:
            return None
        try:
            return self.lock.format(*params)
        except (IndexError, KeyError, TypeError):
            missing = self.parameters[min(len(params), len(self.parameters) - 1)]
            raise CallError(f"Error handling job lock. {missing!r} is required", 22) from None

    def description_for(self, params: Sequence[object]) -> str | None:
        """What a job made with these parameters does; None where that is not said, or they lack what is said."""
        if self.description is None:
            return None
        try:
            return self.description.format(*params)
        except (IndexError, KeyError, TypeError):
            return None

    def described(self, params: Mapping[str, object]) -> str:
        """What a call with these parameters does, for the audit trail. What they lack is shown as ``?``."""
        return _Description().vformat(self.audit, (), params)[:_DESCRIPTION]

    @cached_property
    def parameters(self) -> list[str]:
        """Names of the parameters, as error paths use them."""
        if self.is_query:
            return ["filters", "options"]
        return list(inspect.signature(self.function).parameters)[1:]

    @cached_property
    def model(self) -> type[BaseModel]:
        """The parameters as one model; made at the first call."""
        signature = inspect.signature(self.function, eval_str=True)
        fields: dict[str, Any] = {
            name: (
                parameter.annotation,
                Field(... if parameter.default is parameter.empty else parameter.default),
            )
            for name, parameter in list(signature.parameters.items())[1:]
        }
        model: type[BaseModel] = create_model(f"{self.name} parameters", __base__=Model, **fields)
        return model

    @property
    def doc(self) -> str:
        """What the method is for, as its author wrote it."""
        return inspect.getdoc(self.function) or ""


class _Description(string.Formatter):
    """Fills a text with whatever was sent."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        try:
            found: tuple[Any, Any] = super().get_field(field_name, args, kwargs)
        except (KeyError, IndexError, TypeError, AttributeError):
            return "?", field_name
        return found

    def format_field(self, value: object, format_spec: str) -> str:
        return format(str(value), format_spec)


def parse_query(filters: object = (), options: object = ()) -> Query:
    """A query from what the wire has for it, which never is a tuple. Raises ValidationErrors."""
    filters, options = [] if filters == () else filters, {} if options == () else options
    text = _text(filters, options)
    if text in _queries:
        return _queries[text]
    try:
        query = parse(filters, options)
    except QuerySyntaxError as error:
        raise ValidationErrors(Problem(path, text) for path, text in error.problems) from None
    if len(text) in range(1, _QUERY_TEXT):
        if len(_queries) >= _QUERIES:
            del _queries[next(iter(_queries))]
        _queries[text] = query
    return query


def _text(filters: object, options: object) -> str:
    """What a query is known by, empty where it has no text.

    Programs ask the same again and again, and reading a query takes longer than answering most. The text tells
    apart what is equal and yet not the same, such as 1, 1.0 and True.
    """
    try:
        return repr((filters, options))
    except (RecursionError, ValueError):
        return ""  # too deep, or a number with too many digits


def problems_of(error: ValidationError) -> Iterator[Problem]:
    """pydantic's complaints as problems of the API, with its texts."""
    for detail in error.errors(include_url=False, include_input=False, include_context=True):
        yield Problem(*_described(detail))


def _described(detail: ErrorDetails) -> tuple[str, str]:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "union_tag_not_found":
        discriminator = str(detail["ctx"]["discriminator"]).strip("'")
        return f"{path}.{discriminator}", "Field required"
    return path, detail["msg"]


class Namespace:
    """Methods that share a name before the dot. A module makes its own, and ``app`` lists them all."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.methods: list[Method] = []

    def method(
        self,
        *,
        role: str | None = None,
        is_public: bool = False,
        is_rate_limited: bool = True,
        job: str | bool = False,
        queue_size: int = QUEUE_SIZE,
        pipe: Direction | None = None,
        needs_pipe: bool = True,
        description: str | None = None,
        abortable: bool = False,
        logs: bool = False,
        returns: object = None,
        audit: str | None = None,
    ) -> Callable[[FunctionT], FunctionT]:
        """Make the decorated function a method named ``<namespace>.<function>``.

        ``job``: True for a job, or the text of its lock, for which ``queue_size`` calls may wait before
        more of the same join one of them. With ``pipe`` its bytes come or go by HTTP: always, or without
        ``needs_pipe`` if the client wants.
        ``description``, ``abortable`` and ``logs`` are about jobs too.
        ``audit``: what the audit trail says a call does, such as ``Start VM {id}``; without it, the method's
        name, where the role allows changes. The function itself stays an ordinary function.
        """

        def register(function: FunctionT) -> FunctionT:
            name = f"{self.name}.{function.__name__.rstrip('_')}"
            is_change = role is not None and not role.endswith(_READING)
            self.methods.append(
                Method(
                    name=name,
                    function=function,
                    role=role,
                    is_public=is_public,
                    is_job=bool(job),
                    lock=job if isinstance(job, str) else None,
                    is_query=False,
                    is_rate_limited=is_rate_limited,
                    returns=returns,
                    queue_size=queue_size,
                    pipe=pipe,
                    needs_pipe=needs_pipe,
                    description=description,
                    is_abortable=abortable,
                    has_log=logs,
                    audit=(name if is_change else "") if audit is None else audit,
                )
            )
            return function

        return register

    def query(self, *, role: str | None, returns: object = None) -> Callable[[FunctionT], FunctionT]:
        """Make the decorated function a query, which takes filters and options: ``(ctx, query: Query)``.

        ``returns``: one row.
        """

        def register(function: FunctionT) -> FunctionT:
            self.methods.append(
                Method(
                    name=f"{self.name}.{function.__name__.rstrip('_')}",
                    function=function,
                    role=role,
                    is_public=False,
                    is_job=False,
                    lock=None,
                    is_query=True,
                    is_rate_limited=True,
                    returns=returns,
                )
            )
            return function

        return register


def table(namespaces: Iterable[Namespace]) -> dict[str, Method]:
    """All methods by name.

    Raises:
        ValueError: two have the same name.
    """
    methods: dict[str, Method] = {}
    for namespace in namespaces:
        for method in namespace.methods:
            if method.name in methods:
                raise ValueError(f"two methods are called {method.name}")
            methods[method.name] = method
    return methods
