"""What a guest that does not exist uses."""

from xml.etree.ElementTree import fromstring

from vmstead.adapters.memory_usage import Running, usage_of


def test_time_counts_while_its_processors_run() -> None:
    running = Running()
    assert running.seconds(5) == 0
    running.switch(10, on=True)
    assert running.seconds(14) == 4
    running.switch(15, on=False)
    assert running.seconds(100) == 5
    running.switch(100, on=False)
    running.switch(200, on=True)
    running.switch(201, on=True)
    assert running.seconds(202) == 7


def test_each_second_is_like_the_one_before() -> None:
    document = fromstring("<domain><memory unit='MiB'>64</memory><vcpu>2</vcpu></domain>")
    first, second, third = (usage_of(document, seconds) for seconds in (1, 2, 3))
    assert (first.processors, first.memory) == (2, 64 * 1024**2)
    assert third.read_bytes - second.read_bytes == second.read_bytes - first.read_bytes > 0
    assert third.cpu_seconds - second.cpu_seconds == second.cpu_seconds - first.cpu_seconds > 0
