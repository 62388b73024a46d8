"""What a connection is like before its client has set anything."""

from vmstead.rpc.session import SessionOptions


def test_clients_that_set_no_options_get_job_numbers_at_once() -> None:
    assert SessionOptions() == SessionOptions(legacy_jobs=True, private_methods=False, py_exceptions=False)
