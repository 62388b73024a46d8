"""Events: who gets them, how often, and what they look like on the wire."""

import json

import pytest

from vmstead.kernel.bus import EVERYTHING, Bus, Event


def test_events_reach_the_subscribers_of_their_collection_in_order() -> None:
    bus = Bus()
    got: list[Event] = []
    bus.subscribe("vm.query", got.append)
    events = [Event("vm.query", "added", 1), Event("other", "added", 2), Event("vm.query", "removed", 1)]
    for event in events:
        bus.publish(event)
    assert got == [events[0], events[2]]


def test_everything_is_every_collection() -> None:
    bus = Bus()
    got: list[Event] = []
    bus.subscribe(EVERYTHING, got.append)
    events = [Event("vm.query", "added", 1), Event("core.get_jobs", "changed", 2)]
    for event in events:
        bus.publish(event)
    assert got == events


def test_who_subscribed_in_two_ways_gets_an_event_once() -> None:
    bus = Bus()
    got: list[Event] = []
    leave = bus.subscribe("vm.query", got.append)
    bus.subscribe("vm.query", got.append)
    bus.subscribe(EVERYTHING, got.append)
    bus.publish(Event("vm.query", "added", 1))
    assert len(got) == 1
    leave()
    bus.publish(Event("vm.query", "added", 2))
    assert [event.id for event in got] == [1, 2]


def test_unsubscribing_twice_leaves_others_alone() -> None:
    bus = Bus()
    mine: list[Event] = []
    others: list[Event] = []
    leave = bus.subscribe("vm.query", mine.append)
    leave()
    bus.subscribe("vm.query", others.append)
    leave()
    bus.publish(Event("vm.query", "added", 1))
    assert (len(mine), len(others)) == (0, 1)


def test_a_subscriber_that_fails_costs_neither_the_others_nor_the_publisher_anything() -> None:
    bus = Bus()
    got: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError(event.collection)

    bus.subscribe("vm.query", broken)
    bus.subscribe("vm.query", got.append)
    bus.publish(Event("vm.query", "added", 1))
    assert len(got) == 1


def test_a_subscriber_may_leave_while_it_is_told() -> None:
    bus = Bus()
    got: list[Event] = []

    def once(event: Event) -> None:
        got.append(event)
        leave()

    leave = bus.subscribe("vm.query", once)
    bus.publish(Event("vm.query", "added", 1))
    bus.publish(Event("vm.query", "added", 2))
    assert [event.id for event in got] == [1]


@pytest.mark.parametrize("subscribed", ["vm.query", EVERYTHING])
def test_building_an_event_can_be_saved_where_nobody_listens(subscribed: str) -> None:
    bus = Bus()
    assert not bus.has_subscribers("vm.query")
    leave = bus.subscribe(subscribed, lambda event: None)
    assert bus.has_subscribers("vm.query")
    assert bus.has_subscribers("other") is (subscribed == EVERYTHING)
    leave()
    assert not bus.has_subscribers("vm.query")


@pytest.mark.parametrize(
    ("event", "params"),
    [
        (
            Event("vm.query", "added", 4, {"id": 4, "name": "ü"}),
            {"msg": "added", "collection": "vm.query", "id": 4, "fields": {"id": 4, "name": "ü"}},
        ),
        (
            Event("vm.query", "changed", 4, {"id": 4}, extra={"state": "RUNNING"}),
            {
                "msg": "changed",
                "collection": "vm.query",
                "id": 4,
                "fields": {"id": 4},
                "extra": {"state": "RUNNING"},
            },
        ),
        (Event("vm.query", "removed", 4), {"msg": "removed", "collection": "vm.query", "id": 4}),
        (Event("x", "removed", 0), {"msg": "removed", "collection": "x", "id": 0}),
        (Event("x", "changed", fields={}), {"msg": "changed", "collection": "x", "fields": {}}),
        (
            Event("x", "changed", 10**30, {"n": 10**30}),
            {"msg": "changed", "collection": "x", "id": 10**30, "fields": {"n": 10**30}},
        ),
    ],
)
def test_the_notification_has_the_members_there_are_and_no_id(event: Event, params: object) -> None:
    assert json.loads(event.frame) == {"jsonrpc": "2.0", "method": "collection_update", "params": params}


def test_an_event_is_encoded_once_for_everybody() -> None:
    bus = Bus()
    frames: list[str] = []

    class Client:
        def tell(self, event: Event) -> None:
            frames.append(event.frame)

    for client in (Client(), Client()):
        bus.subscribe("vm.query", client.tell)
    bus.publish(Event("vm.query", "added", 1, {"id": 1}))
    assert frames[0] is frames[1]
