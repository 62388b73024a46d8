"""What waits to be sent."""

import pytest

from vmstead.web.outbox import BEHIND, LIMIT, Outbox, OutboxFull


def drained(outbox: Outbox) -> list[str]:
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame)
    return frames


def test_a_client_that_keeps_up_gets_everything_in_order() -> None:
    outbox = Outbox()
    for number in range(BEHIND):
        outbox.put(f"{number}", key="same")
    assert drained(outbox) == [f"{number}" for number in range(BEHIND)]
    assert outbox.take() is None


def test_for_one_that_is_behind_the_later_takes_the_place_of_the_earlier() -> None:
    outbox = Outbox()
    for number in range(BEHIND):
        outbox.put(f"answer {number}")
    outbox.put("a 1", key="a")
    outbox.put("transition of a")
    outbox.put("b 1", key="b")
    outbox.put("a 2", key="a")
    outbox.put("b 2", key="b")
    outbox.put("a 3", key="a")
    assert drained(outbox)[BEHIND:] == ["transition of a", "b 2", "a 3"]


def test_a_storm_takes_no_more_room_than_there_are_things() -> None:
    outbox = Outbox()
    for number in range(100_000):
        outbox.put("x" * 1000, key=number % 50)
    assert len(outbox) <= BEHIND + 50
    for number in range(100_000):
        outbox.put(f"{number}", key=number % 50)
    assert drained(outbox)[-1] == "99999"


def test_what_has_been_taken_is_not_replaced() -> None:
    outbox = Outbox()
    outbox.put("a 1", key="a")
    assert outbox.take() == "a 1"
    for number in range(BEHIND):
        outbox.put(f"{number}")
    outbox.put("a 2", key="a")
    assert drained(outbox)[-1] == "a 2"


def test_too_much_is_refused_and_what_was_replaced_does_not_count() -> None:
    outbox = Outbox()
    for _ in range(BEHIND):
        outbox.put("")
    for _ in range(10):
        outbox.put("x" * (LIMIT // 2), key="a")
    outbox.put("x" * (LIMIT // 2))
    with pytest.raises(OutboxFull):
        outbox.put("x")
    outbox.clear()
    assert len(outbox) == 0
    outbox.put("x" * LIMIT)
