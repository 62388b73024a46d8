"""Subscriptions: events in order, from several collections, until an end."""

from typing import Any

import pytest

from tests.unit.client.conftest import Serve
from tests.unit.client.server import Peer, call_error
from vmstead.client import CallTimeout, Client, ClientError

SOON = 0.05


async def change(peer: Peer, collection: str, *ids: int) -> None:
    for number in ids:
        await peer.event("changed", collection, id=number, fields={"id": number, "at": {"$date": 0}})


def test_events_in_order(serve: Serve) -> None:
    server = serve({"change": change})
    with Client(server.uri) as client:
        subscription = client.subscribe("vm.query")
        assert (subscription.name, subscription.id) == ("vm.query", "subscription-vm.query")
        client.call("change", "vm.query", 1, 2)
        client.call("change", "other", 3)
        client.call("change", "vm.query", 4)
        events = [subscription.get() for _ in range(3)]
        assert [event["id"] for event in events if event is not None] == [1, 2, 4]
        first = events[0]
        assert first is not None
        assert (first["msg"], first["collection"]) == ("changed", "vm.query")
        assert first["fields"]["at"].year == 1970
    assert ["vm.query"] in server.calls("core.subscribe")


def test_no_event_in_time(serve: Serve) -> None:
    with Client(serve({"change": change}).uri) as client:
        subscription = client.subscribe("vm.query")
        for timeout in (0, SOON):
            with pytest.raises(CallTimeout, match=r"No vm\.query event in time"):
                subscription.get(timeout)
        client.call("change", "vm.query", 1)
        assert subscription.get(0) is not None


def test_an_event_before_the_answer_to_the_subscription(serve: Serve) -> None:
    async def eager(peer: Peer, name: str) -> str:
        await change(peer, name, 1)
        return "s1"

    with Client(serve({"core.subscribe": eager}).uri) as client:
        event = client.subscribe("vm.query").get()
        assert event is not None
        assert event["id"] == 1


def test_everything(serve: Serve) -> None:
    with Client(serve({"change": change}).uri) as client:
        everything = client.subscribe("*")
        one = client.subscribe("a")
        client.call("change", "a", 1)
        client.call("change", "b", 2)
        assert [event["collection"] for event in (everything.get(), everything.get()) if event] == ["a", "b"]
        assert one.get() is not None
        with pytest.raises(CallTimeout):
            one.get(0)


def test_unsubscribe(serve: Serve) -> None:
    server = serve({"change": change})
    with Client(server.uri) as client:
        subscription = client.subscribe("vm.query")
        other = client.subscribe("vm.query")
        client.call("change", "vm.query", 1)
        client.unsubscribe(subscription)
        client.unsubscribe(subscription)
        client.call("change", "vm.query", 2)
        assert [event["id"] for event in subscription] == [1]
        assert subscription.get() is None
        assert [event["id"] for event in (other.get(), other.get()) if event] == [1, 2]
    assert server.calls("core.unsubscribe") == [["subscription-vm.query"]]


def test_ended_by_the_server(serve: Serve) -> None:
    async def end(peer: Peer, error: Any) -> None:
        await change(peer, "source:{}", 1)
        params = {"collection": "source:{}", "error": error}
        await peer.send({"method": "notify_unsubscribed", "params": params})

    failure = {
        "error": 22,
        "errname": "EINVAL",
        "reason": "[EINVAL] interval: no",
        "trace": None,
        "extra": [],
    }
    with Client(serve({"end": end}).uri) as client:
        clean, unrelated = client.subscribe("source:{}"), client.subscribe("vm.query")
        client.call("end", None)
        assert [event["id"] for event in clean] == [1]
        for error, text in ((failure, r"\[EINVAL\] interval: no"), ("odd", "odd")):
            failed = client.subscribe("source:{}")
            client.call("end", error)
            assert failed.get() is not None
            with pytest.raises(ClientError, match=text):
                failed.get()
        with pytest.raises(CallTimeout):
            unrelated.get(0)


def test_refused(serve: Serve) -> None:
    def refuse(peer: Peer, name: str) -> str:
        if name == "secret":
            raise call_error(13, "[EACCES] Not authorized")
        return "s"

    with Client(serve({"core.subscribe": refuse, "change": change}).uri) as client:
        with pytest.raises(ClientError, match="EACCES"):
            client.subscribe("secret")
        client.call("change", "secret", 1)


def test_poll(serve: Serve) -> None:
    with Client(serve({"change": change}).uri) as client:
        subscription = client.subscribe("vm.query")
        client.poll()
        client.call("change", "vm.query", 1)
        client.poll()
        assert subscription.get(0) is not None
