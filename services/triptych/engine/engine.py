"""One denoising batch for everyone."""

import atexit
import logging
import threading
import time
from collections.abc import Hashable, Sequence
from itertools import islice

from ..kept import KeptArrays
from ..samplers import State
from .choice import choose
from .clients import Clients
from .job import Job
from .order import Order
from .ticket import Finish, Preview, Ticket
from .unet import SMOOTHING, Form, Found, Unet
from .warming import Warming

logger = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds after which a job gets its image size compiled though another has to go for it. So long each stays
that was compiled."""
AGAIN_SECONDS = 0.1


class Evicted(Exception):
    """Another size has got the place of this one since it was chosen: its jobs wait."""


class Engine:
    """Denoises many pictures at a time, which join and leave between two calls of the model.

    Its one thread chooses who rides (`choice`), calls the model (`unet`), and moves the jobs on. What a job
    comes to does not depend on who else rides. Requests for the same latent are one job, and latents made
    lately are kept (`kept`).
    """

    def __init__(self, unet: Unet) -> None:
        self.unet = unet
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._tickets: list[Ticket] = []
        self._clients = Clients()
        self._kept = KeptArrays("latents", unet.evidence)
        self._clock = 0
        self._device = threading.Lock()
        self.seconds_per_row = 0.0
        self.warming = Warming(unet, self._device, self._wake)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()
        # A thread that is ended deep in native code takes the process with it.
        atexit.register(self.close)

    def submit(
        self,
        orders: Sequence[Order],
        states: Sequence[State],
        client: str,
        finish: Finish,
        preview: Preview,
    ) -> Ticket:
        """Take in a request: an order a picture, and the state from which each goes on."""
        digests = [order.digest for order in orders]
        with self._changed:
            jobs = [
                self._job(order, state, client, digest)
                for order, state, digest in zip(orders, states, digests, strict=True)
            ]
            ticket = Ticket(jobs, self, finish, preview)
            for job in jobs:
                if not job.over:
                    job.tickets.add(ticket)
            if not all(job.over for job in jobs):
                self._tickets.append(ticket)
                self._clients.arrive(client)
                self._changed.notify()
        self._tell([ticket])
        return ticket

    def close(self) -> None:
        """End after the call under way; returns when it has."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.warming.close()
        self._thread.join()

    def give_up(self, ticket: Ticket) -> None:
        """Nobody waits for this any more."""
        with self._changed:
            for job in ticket.jobs:
                job.tickets.discard(ticket)
            self._forget()

    def ahead(self, ticket: Ticket) -> int:
        """How many requests came before this one and have not begun."""
        with self._changed:
            before = self._tickets[: self._tickets.index(ticket)] if ticket in self._tickets else []
            return sum(not other.begun for other in before)

    def seconds_of_work(self) -> float:
        """How long what is here will take, by what calls took before."""
        with self._changed:
            return sum(job.rows_left for job in self._jobs if not job.over) * self.seconds_per_row

    def programs(self) -> tuple[int, int]:
        """How many of the batch sizes are compiled, of how many."""
        return self.warming.progress()

    def _job(self, order: Order, state: State, client: str, digest: bytes) -> Job:
        for job in self._jobs:
            if job.order.digest == digest and job.error is None:
                self.unet.evidence.looked_up("latents", True)
                return job
        job = Job(order, state, client, self._clock)
        latent = self._kept.get(digest)
        if latent is not None:
            job.state = State(latent, order.start.noise, order.steps)
        if not job.finished:
            self._jobs.append(job)
        return job

    def _work(self) -> None:
        while not self._closing:
            try:
                self._go_on()
            except BaseException as error:
                self._surely_fail_all(error)

    def _go_on(self) -> None:
        """One call of the model, or what is to be done before there can be one."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closing)
            may_want = self.warming.is_free  # before what is ready: a size that is just done is, then
            ready = {form for form in {job.form for job in self._jobs} if self.unet.ready(form)}
            failed = self._have_compiled(ready, may_want)
            chosen = self._choose(ready)
            if not chosen and not failed:  # all wait for a size to be compiled
                self._changed.wait(timeout=1.0)
            beginning = self._begin(chosen)
        self._tell(beginning)
        self._settle(failed)
        if chosen:
            self._try(chosen)
            self._settle(chosen)

    def _surely_fail_all(self, error: BaseException) -> None:
        """Memory may be full anywhere, here too."""
        while True:
            try:
                logger.exception("the engine failed", exc_info=error)
                self._fail_all(error)
                return
            except BaseException:
                time.sleep(AGAIN_SECONDS)

    def _fail_all(self, error: BaseException) -> None:
        """Nobody is to wait for what may never come."""
        with self._changed:
            tickets, jobs = list(self._tickets), list(self._jobs)
            for job in jobs:
                if not job.over:
                    job.error = error
        self._tell(tickets)
        self._let_go(jobs)

    def _choose(self, ready: set[Form]) -> list[Job]:
        able = [job for job in self._jobs if not job.over and job.form in ready]
        if not able:
            return []
        first = choose(able, self._clients.served, 1, self._clock)[0]
        alike = [job for job in able if job.form == first.form]
        return choose(alike, self._clients.served, self.unet.capacity(first.form), self._clock)

    @staticmethod
    def _begin(chosen: list[Job]) -> set[Ticket]:
        """The requests that begin with this call."""
        beginning = [job for job in chosen if job.began is None]
        for job in beginning:
            job.began = time.monotonic()
        return {ticket for job in beginning for ticket in job.tickets}

    def _have_compiled(self, ready: set[Form], may_want: bool) -> list[Job]:
        """The jobs whose size cannot be compiled. Of the others' one is, whose job came first, unless another
        has to go for it that is in use."""
        unready = [job for job in self._jobs if job.form not in ready]
        errors = self.warming.errors({job.form for job in unready})
        for job in unready:
            failure = errors.get(job.form)
            if failure is not None and job.came <= failure.at:
                job.error = failure.error
        if may_want:
            waiting = (job for job in unready if not job.error and self._may_have_compiled(job, bool(ready)))
            for job in islice(waiting, 1):
                self.warming.want(job.form)
        return [job for job in unready if job.error]

    def _may_have_compiled(self, job: Job, busy: bool) -> bool:
        waited = time.monotonic() - max(job.came, self.warming.served)
        return not busy or waited > PATIENCE or self.unet.has_room(job.form)

    def _try(self, chosen: list[Job]) -> None:
        """One call for all; where it fails, one for each, to find out with whom."""
        try:
            found = self._call(chosen)
        except Evicted:
            return
        except BaseException as error:  # the thread outlives a MemoryError as well
            if len(chosen) > 1:
                for job in chosen:
                    self._try([job])
                return
            logger.exception("a call of the model failed")
            chosen[0].error = error
            return
        for job, own in zip(chosen, found, strict=True):
            self._step(job, own)

    @staticmethod
    def _step(job: Job, found: list[Found]) -> None:
        """What a job's own state makes impossible is its own failure, and not the thread's end."""
        try:
            job.step(found)
        except Exception as error:
            logger.exception("a step of a request failed")
            job.error = error

    def _call(self, chosen: list[Job]) -> list[list[Found]]:
        """What the model finds for each of the jobs, in one call for all."""
        groups = [job.rows() for job in chosen]
        rows = [row for group in groups for row in group]
        began = time.monotonic()
        with self._device:
            if not self.unet.ready(chosen[0].form):
                raise Evicted
            found = iter(self.unet.predict(rows))
        self._note(len(rows), time.monotonic() - began)
        origins = self._origins(chosen) if len(chosen) > 1 else ()
        for job, group in zip(chosen, groups, strict=True):
            job.rode(len(rows), origins)
            self._clients.serve(job.client, len(group))
        return [[next(found) for _ in group] for group in groups]

    def _origins(self, chosen: list[Job]) -> set[Hashable]:
        with self._changed:
            return {ticket.origin for job in chosen for ticket in job.tickets if ticket.origin is not None}

    def _note(self, rows: int, seconds: float) -> None:
        self._clock += rows
        before = self.seconds_per_row or seconds / rows
        self.seconds_per_row = (1 - SMOOTHING) * before + SMOOTHING * seconds / rows

    def _settle(self, chosen: list[Job]) -> None:
        """Those that are over leave; those who wait are told."""
        for job in chosen:
            if job.finished:
                self._kept.put(job.order.digest, job.state.latent)
        with self._changed:
            tickets = {ticket for job in chosen for ticket in job.tickets}
        self._tell(tickets)
        self._let_go(chosen)

    def _let_go(self, jobs: Sequence[Job]) -> None:
        """Of those that are over, whose tickets have been told. Job and ticket let each other go: where
        many objects are old, cycles are looked for late, and gigabytes of requests may be in them by then."""
        with self._changed:
            self._forget()
            for job in jobs:
                if job.over:
                    job.tickets = set()

    def _forget(self) -> None:
        """Let go of what is over, and of what nobody waits for."""
        self._jobs = [job for job in self._jobs if job.tickets and not job.over]
        self._clients.keep(job.client for job in self._jobs)
        self._tickets = [ticket for ticket in self._tickets if ticket.under_way]

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    @staticmethod
    def _tell(tickets: "Sequence[Ticket] | set[Ticket]") -> None:
        for ticket in tickets:
            ticket.notify()
