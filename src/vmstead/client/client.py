"""The client: one connection to a server, its calls, jobs and subscriptions."""

from collections.abc import Callable
from errno import ENOENT
from math import inf
from types import TracebackType
from typing import Self

from vmstead.client import login
from vmstead.client.ejson import Json
from vmstead.client.endpoint import resolve
from vmstead.client.errors import (
    ENOTAUTHENTICATED,
    CallTimeout,
    ClientError,
    ConnectError,
    ConnectionLostError,
)
from vmstead.client.events import Subscription
from vmstead.client.jobs import Job, JobTable
from vmstead.client.session import Call, Session, seconds
from vmstead.client.transport import Connection

_CONNECT_TIMEOUT = 10.0
_HANDSHAKE_TIMEOUT = 30.0
_SUBSCRIBE_TIMEOUT = 10.0
_JOBS = "core.get_jobs"

#: Methods that are never jobs and often come before a login, when subscribing to jobs is bound to be refused.
_NEVER_JOBS = ("auth.", "core.ping", "core.set_options", "core.subscribe", "core.unsubscribe")


class Client:
    """A connection to a server; use it in a `with` statement, or call `close`.

    On a unix socket the server knows who is at the other end, and root needs no login. Everywhere else log in
    first. Not for use by several threads at once.

    Attributes:
        endpoint: where it is connected to.
        new_style_jobs: whether the server withholds the answer to a job call until the job has ended. It
            makes no difference to users of this class.
    """

    def __init__(self, uri: str | None = None, timeout: float | None = 60.0, verify_tls: bool = True) -> None:
        """Connect, and agree with the server on how jobs are answered.

        Args:
            uri: `ws://host:port`, `wss://host` (path `/api/current` unless given),
                `ws+unix:///path/of/socket`, or None for the first of the usual sockets that exists (see
                `vmstead.client.endpoint`).
            timeout: seconds that a call may take unless told otherwise; None for ever.
            verify_tls: False accepts any certificate: for tests and self-signed servers on trusted networks.

        Raises:
            CertificateError: the server's certificate is not trusted.
            ConnectError: nothing there, or something else than such a server.
        """
        self.endpoint = resolve(uri)
        self.new_style_jobs = False
        self._verify_tls = verify_tls
        self._timeout = timeout
        self._subscriptions: list[Subscription] = []
        self._jobs = JobTable()
        self._hears_of_jobs = False
        connection = Connection(self.endpoint, timeout=_CONNECT_TIMEOUT, verify_tls=verify_tls)
        self._session = Session(connection, self._notified, self._jobs.answered)
        try:
            self._agree()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Never fails; a second call does nothing."""
        self._session.close()

    # --- logging in ---------------------------------------------------------------------------

    def login(self, username: str, password: str, otp_token: str | None = None) -> None:
        """Log in with a password, and a one-time code where the account asks for one.

        Raises:
            LoginError: refused; `response_type` is `OTP_REQUIRED` when only the code is missing.
        """
        login.with_password(self, username, password, otp_token)

    def login_with_api_key(self, key: str, username: str | None = None) -> None:
        """Log in with an API key.

        Args:
            key: the key, or the absolute path of a file that holds it (see `vmstead.client.apikey`).
            username: whom the key belongs to. Servers of the 25.10 generation find that out by themselves.

        Raises:
            LoginError: refused, or the file holds no key.
        """
        login.with_api_key(self, key, username)

    def login_with_token(self, token: str) -> None:
        """Log in with a token from `auth.generate_token`.

        Raises:
            LoginError: the token is wrong, has expired or was used up.
        """
        login.with_token(self, token)

    # --- calls and jobs -----------------------------------------------------------------------

    def call(self, method: str, *params: Json, timeout: float | None = None) -> Json:
        """Call a method and return its result, extended JSON decoded.

        A method that is a job answers with the number of the job, as soon as the server has taken it;
        `call_job` gives a Job instead. (Before logging in the server may not tell of jobs; then the answer is
        the result of the job, when it has ended.)

        Args:
            method: such as `vm.query`.
            params: its parameters in order; trailing ones may be left out.
            timeout: seconds to wait for the answer; None for the client's own, `math.inf` for ever.

        Raises:
            ValidationErrors: the server refused the parameters.
            ClientError: the call failed, the method does not exist, or is not allowed.
            CallTimeout: no answer in time. The server goes on with the call.
            ConnectionLostError: the connection ended; what was asked may or may not have happened.
            TypeError: a parameter has no JSON form.
        """
        call = self._run(method, params, timeout, for_job=False)
        return call.result if call.job is None else call.job.get("id")

    def call_job(self, method: str, *params: Json, timeout: float | None = None) -> Job:
        """Start a job and return it, without waiting for its end.

        A method that is not a job is simply called; the Job then has no id and its result already.

        Args:
            method: such as `vm.stop`.
            params: its parameters in order.
            timeout: seconds to wait for the server to take the job, not for its end.

        Raises:
            As `call`. The faults of a job's parameters are found by the job, so `Job.result` raises those.
        """
        call = self._run(method, params, timeout, for_job=True)
        if call.job is not None:
            job = Job(self, {"method": method, **call.job})
            # The answer that is still to come is the job's result, or else once more its number.
            self._jobs.add(job, call.id if self.new_style_jobs else None)
            return job
        result = call.result
        if not self.new_style_jobs and isinstance(result, int) and not isinstance(result, bool):
            return self.job(result)
        return Job(self, {"method": method, "state": "SUCCESS", "result": result})

    def job(self, job_id: int) -> Job:
        """A job that is known by its number, for instance because somebody else started it.

        Raises:
            ClientError: there is no such job (ENOENT), or none that this login may see.
        """
        self._hear_of_jobs(required=True)
        # Tracked before asking, because the job may end between the answer and the first look at it.
        job = Job(self, {"id": job_id})
        self._jobs.add(job)
        rows = self.call(_JOBS, [["id", "=", job_id]])
        if not rows:
            self._jobs.remove(job)
            raise ClientError(f"Job {job_id} does not exist", ENOENT)
        job.method = rows[0].get("method")
        job.update(rows[0])
        return job

    def ping(self, timeout: float = 10.0) -> Json:
        """Ask the server for a sign of life: `pong`. Needs no login. Errors as for `call`."""
        return self.call("core.ping", timeout=timeout)

    # --- events -------------------------------------------------------------------------------

    def subscribe(self, name: str) -> Subscription:
        """Ask for the events of one collection, such as `vm.query` or `core.get_jobs`.

        Raises:
            ClientError: not allowed, or not logged in.
        """
        subscription = Subscription(self, name)
        # Listening before the server has agreed, because its first event may overtake its answer.
        self._subscriptions.append(subscription)
        try:
            subscription.id = str(self.call("core.subscribe", name, timeout=_SUBSCRIBE_TIMEOUT))
        except BaseException:
            self._subscriptions.remove(subscription)
            raise
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Have no more events; those that came before can still be read. Errors as for `call`."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            subscription.end()
            self.call("core.unsubscribe", subscription.id)

    # --- reading ------------------------------------------------------------------------------

    def wait_until(self, reached: Callable[[], object], timeout: float = inf) -> bool:
        """Read what the server sends until something is reached, such as `job.done`; whether it was, in time.

        Args:
            reached: a function without arguments, asked after everything that came in.
            timeout: seconds; 0 handles what has arrived already.

        Raises:
            ConnectionLostError: the connection ended first.
        """
        return self._session.wait_until(reached, timeout)

    def poll(self) -> None:
        """Handle what has arrived already; for programs that wait on `fileno` themselves. Errors as above."""
        self._session.wait_until(lambda: False, 0)

    def fileno(self) -> int:
        """The socket, for `select`; -1 once the connection is closed."""
        return self._session.fileno()

    def _agree(self) -> None:
        options = {"legacy_jobs": False, "private_methods": False, "py_exceptions": False}
        call = self._session.start("core.set_options", [options])
        try:
            self._session.finish(call, _HANDSHAKE_TIMEOUT)
        except CallTimeout:
            raise ConnectError(f"{self.endpoint.server} does not answer as a TrueNAS API server") from None
        except ConnectionLostError:
            raise
        except ClientError:
            # Servers from before this method, or of another mind, keep to the old way of answering jobs.
            return
        if isinstance(call.result, dict):
            self.new_style_jobs = call.result.get("legacy_jobs") is False

    def _run(self, method: str, params: tuple[Json, ...], timeout: float | None, *, for_job: bool) -> Call:
        if not method.startswith(_NEVER_JOBS):
            self._hear_of_jobs(required=for_job)
        call = self._session.start(method, params)
        self._session.finish(call, seconds(timeout, self._timeout))
        return call

    def _hear_of_jobs(self, *, required: bool) -> None:
        """Subscribe to job events, once; they carry the number of a job that a call has started.

        With old-style jobs the answer carries the number, and only following a job needs the events.
        """
        if self._hears_of_jobs or not (required or self.new_style_jobs):
            return
        try:
            self._session.finish(self._session.start("core.subscribe", [_JOBS]), _SUBSCRIBE_TIMEOUT)
        except ClientError as error:
            # The call itself will say so, or does not need a login.
            if error.errno == ENOTAUTHENTICATED:
                return
            raise
        self._hears_of_jobs = True

    def _notified(self, method: str, params: dict[str, Json]) -> None:
        if method == "collection_update":
            fields = params.get("fields")
            if params.get("collection") == _JOBS and isinstance(fields, dict):
                self._job_event(fields)
            for subscription in self._subscriptions:
                subscription.offer(params)
        elif method == "notify_unsubscribed":
            ended = [one for one in self._subscriptions if one.name == params.get("collection")]
            for subscription in ended:
                self._subscriptions.remove(subscription)
                subscription.end(params.get("error"))

    def _job_event(self, fields: dict[str, Json]) -> None:
        for call_id in fields.get("message_ids") or ():
            call = self._session.waiting(str(call_id))
            if call is not None:
                call.job = fields
                call.done = True
        self._jobs.observed(fields)
