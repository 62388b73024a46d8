"""A server to be called with anything, and what must be so of each of its answers."""

import asyncio
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from tests.harness import Api, Host, server, settle
from tests.property.schemas import Ref, Schemas, VmRef
from vmstead import __version__
from vmstead.errors import errname
from vmstead.reference import collections, describe
from vmstead.rpc.protocol import Code

#: How many examples the long run has; see CONTRIBUTING.md.
EXAMPLES = int(os.environ.get("VMSTEAD_FUZZ", "0"))
#: Seconds after which an answer is missed.
PATIENCE = 30
#: What each code comes with.
MESSAGES = {
    Code.INVALID_PARAMS: "Invalid params",
    Code.CALL_ERROR: "Method call error",
    Code.METHOD_NOT_FOUND: "Method does not exist",
    Code.TOO_MANY_CALLS: "Maximum number of concurrent calls (20) has exceeded",
}
DATA = ["error", "errname", "reason", "trace", "extra"]
#: Keys that by themselves make an object something else, and what is in it then.
WRAPPERS = {"$date": int, "$time": str, "$set": list, "$ipv4_interface": str, "$ipv6_interface": str}
#: What only a mistake in the program says.
BANNED = ("failed unexpectedly", "Traceback", " object at 0x", "pydantic", "msgspec", "NotImplementedError")
FINAL = {"SUCCESS", "FAILED", "ABORTED"}


@dataclass
class Watch:
    """What went wrong without any client being told."""

    found: list[str] = field(default_factory=list)

    def log(self, _: Any, level: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """A processor of structlog."""
        if level in ("error", "exception", "critical"):
            self.found.append(repr(event))
        raise structlog.DropEvent

    def loop(self, _: object, context: dict[str, Any]) -> None:
        """What asyncio calls where nobody catches."""
        self.found.append(f"asyncio: {context}")

    def clear(self) -> list[str]:
        found, self.found = self.found, []
        return found


class Line:
    """A connection that is made anew when it has ended, with a subscription if there is one."""

    def __init__(self, host: Host, subscription: str | None = None) -> None:
        self._host = host
        self._subscription = subscription
        self._api: Api | None = None
        self._stack = AsyncExitStack()

    async def api(self) -> Api:
        """The client; what it got before is not forgotten unless the connection is new."""
        if self._api is None or self._api.socket.closed:
            await self.close()
            self._api = await self._stack.enter_async_context(self._host.connect())
            if self._subscription is not None:
                await self._api.call("core.subscribe", self._subscription)
        return self._api

    async def close(self) -> None:
        """End the connection."""
        self._api = None
        await self._stack.aclose()


class Target:
    """A client of a running server that judges everything that it gets."""

    def __init__(self, host: Host, watch: Watch) -> None:
        self.host = host
        self.watch = watch
        services = host.server.services
        events = collections(services.methods, services.event_roles, services.sources)
        document = describe(services.methods, __version__, events)
        self.schemas = Schemas(document)
        self.events = {event["name"]: event["fields"] for event in document["x-events"]}
        self.calls = self.tidy_at = 0
        self.jobs = services.jobs._jobs
        #: Ids of what references stand for.
        self.vms: list[int] = []
        self.devices: list[int] = []
        self.line = Line(host)
        #: Is told of everything.
        self.observer = Line(host, "*")

    async def call(self, *calls: tuple[str, Any]) -> None:
        """Make calls at the same time, wait until everything that they began has ended, and judge."""
        api, observer = await self.line.api(), await self.observer.api()
        for each in (api, observer):
            each.frames.clear()
            each.events.clear()
        sent: dict[str, tuple[str, Any]] = {}
        for method, params in calls:
            self.calls += 1
            id = f"f{self.calls}"
            params = self._resolved(params, self.devices if method.startswith("vm.device.") else self.vms)
            sent[id] = (method, params)
            await api.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
        answers, rejections = await self._answers(api, set(sent))
        await self.finish()
        # One that ends the connection that it came on is answered by that.
        is_complete = len(answers) + len(rejections) == len(sent)
        assert is_complete or api.socket.closed, f"no answer to {sent.keys() - answers.keys()}"
        for id, answer in answers.items():
            self.judge(answer, id)
            self.judge_result(*sent[id], answer)
        for rejection in rejections:
            # A date that there is not makes a frame of what is no JSON in this dialect.
            self.judge(rejection, None)
            assert rejection["error"]["code"] == Code.INVALID_JSON
            assert "Error parsing $" in rejection["error"]["message"]
        for job in self.jobs.values():
            self.judge_job(job.row())
        self.jobs.clear()
        for frame in observer.frames:
            if "method" in frame:
                self.judge_event(frame)
        if any(method.startswith(("auth.", "core.s")) for method, _ in calls):
            # It may have changed what the connection is.
            await self.line.close()
        unseen = self.watch.clear()
        assert unseen == [], unseen

    def _resolved(self, value: Any, ids: list[int]) -> Any:
        """With ids of objects that there are in the place of those that stand for them."""
        if isinstance(value, Ref):
            known = self.vms if isinstance(value, VmRef) else ids
            return known[value % len(known)] if known else int(value)
        if isinstance(value, list):
            return [self._resolved(each, ids) for each in value]
        if isinstance(value, dict):
            return {key: self._resolved(each, ids) for key, each in value.items()}
        return value

    async def _answers(
        self, api: Api, ids: set[str]
    ) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Answers to calls by their ids, and answers to frames that are none; time passes until they are there."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = {frame["id"]: frame for frame in api.frames if frame.get("id") in ids}
                rejections = [frame for frame in api.frames if "id" in frame and frame["id"] is None]
                if len(found) + len(rejections) == len(ids) or api.socket.closed:
                    return found, rejections
                await settle()
                if self.host.clock.next_timer is not None:
                    self.host.clock.advance(1)

    async def finish(self) -> None:
        """Let the time pass that jobs take."""
        async with asyncio.timeout(PATIENCE):
            while any(not job.state.is_final for job in self.jobs.values()):
                await settle()
                self.host.clock.advance(1)

    # --- judging ----------------------------------------------------------------------------------

    def judge(self, answer: dict[str, Any], id: Any) -> None:
        """Whether a frame is an answer as the protocol has it."""
        assert answer["jsonrpc"] == "2.0"
        self.judge_wrappers(answer)
        assert (answer["id"], type(answer["id"])) == (id, type(id))
        assert set(answer) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}), answer
        error = answer.get("error")
        if error is None:
            return
        code = Code(error["code"])
        assert error["message"] == MESSAGES.get(code, error["message"])
        has_data = code in (Code.INVALID_PARAMS, Code.CALL_ERROR)
        assert list(error) == (["code", "message", "data"] if has_data else ["code", "message"])
        assert code is not Code.INTERNAL_ERROR
        if has_data:
            self.judge_data(error["data"], is_validation=code is Code.INVALID_PARAMS)

    def judge_wrappers(self, value: Any) -> None:
        """Whether every object that clients take for a date, a set and so on is one."""
        if isinstance(value, list):
            for each in value:
                self.judge_wrappers(each)
        elif isinstance(value, dict):
            for key, each in value.items():
                assert len(value) > 1 or key not in WRAPPERS or isinstance(each, WRAPPERS[key]), value
                self.judge_wrappers(each)

    def judge_data(self, data: dict[str, Any], *, is_validation: bool) -> None:
        """Whether an error object is one that clients can read."""
        assert list(data) == DATA
        assert data["errname"] == errname(data["error"]) != "EUNKNOWN"
        assert data["trace"] is None
        assert isinstance(data["reason"], str)
        assert data["reason"].strip()
        assert [word for word in BANNED if word in data["reason"]] == [], data["reason"]
        if is_validation:
            assert data["error"] == 22
            assert data["extra"]
            for attribute, message, number in data["extra"]:
                assert attribute is None or isinstance(attribute, str)
                assert message
                assert errname(number) != "EUNKNOWN"
                assert f"[{errname(number)}] {attribute}: {message}" in data["reason"]
        else:
            assert data["extra"] is None or isinstance(data["extra"], list)

    def judge_result(self, method: str, params: Any, answer: dict[str, Any]) -> None:
        """Whether a result has the published shape."""
        described = self.schemas.methods.get(method)
        if "result" not in answer or described is None or described["x-job"]:
            return
        if not any(isinstance(param, dict) and param.get("select") for param in params):
            problem = self.schemas.problem(described["result"]["schema"], answer["result"])
            assert problem is None, f"{method}: {problem}"

    def judge_job(self, row: dict[str, Any]) -> None:
        """Whether a job has ended as jobs do."""
        shape = {"$ref": "#/components/schemas/JobShape"}
        # As clients get it.
        row = json.loads(json.dumps(row))
        problem = self.schemas.problem(shape, row)
        assert problem is None, f"{row['method']}: {problem}"
        assert row["state"] in FINAL
        assert row["result_encoding_error"] is None
        text = f"{row['error']}{row['exc_info']}"
        assert [word for word in BANNED if word in text] == [], text

    def judge_event(self, frame: dict[str, Any]) -> None:
        """Whether a notification is one that clients can read, and carries what the reference says."""
        assert list(frame) == ["jsonrpc", "method", "params"]
        self.judge_wrappers(frame)
        params = frame["params"]
        if frame["method"] == "notify_unsubscribed":
            assert list(params) == ["collection", "error"]
            return
        assert frame["method"] == "collection_update"
        assert params["msg"] in ("added", "changed", "removed")
        assert set(params) <= {"msg", "collection", "id", "fields", "extra"}
        assert ("fields" in params) is (params["msg"] != "removed")
        if "fields" in params:
            problem = self.schemas.problem(self.events[params["collection"]], params["fields"])
            assert problem is None, f"event {params['collection']}: {problem}"

    # --- keeping it small -------------------------------------------------------------------------

    async def tidy(self) -> None:
        """Take away what was made, so that the next calls meet a server like this one."""
        root = await self.observer.api()
        for entry in await root.call("vm.query"):
            await root.call("vm.delete", entry["id"], {"force": True})
        self.jobs.clear()
        pool = self.host.config.state / "pools/default"
        for path in pool.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@asynccontextmanager
async def target(folder: Path) -> AsyncIterator[Target]:
    """A server with somebody who sees what goes wrong in it."""
    watch = Watch()
    structlog.configure(processors=[watch.log], logger_factory=structlog.ReturnLoggerFactory())
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    asyncio.get_running_loop().set_exception_handler(watch.loop)
    async with server(folder, history=0) as host:
        found = Target(host, watch)
        try:
            yield found
        finally:
            await found.line.close()
            await found.observer.close()
