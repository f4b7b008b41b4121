"""Many activities, one at a time, in an order drawn from a seed, in time that passes only when nobody can go on.

An activity is what a thread is in production: a worker, an application, whoever breaks things. It runs until it pauses,
sleeps or waits; then the seed decides who is next. Coroutines run on a `SimLoop`, whose worker-thread jobs are choices
of the same kind. So every order that threads and requests may take is one that some seed takes, and can take again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from random import Random

from tests.simulation.loop import SimLoop

#: More steps than any healthy run takes: something turns in circles.
MAX_STEPS = 400_000


class Died(BaseException):
    """The process this activity belongs to is gone, and the activity with it."""


class Activity:
    """One thread that runs only when the scheduler says so."""

    def __init__(self, name: str, run: Callable[[], None], is_dead: Callable[[], bool]) -> None:
        self.name = name
        self.is_dead = is_dead
        self.is_over = False
        self.error: BaseException | None = None
        #: Goes on when this says so, or at `wake_at`; neither: at any time.
        self.condition: Callable[[], bool] | None = None
        self.wake_at: float | None = None
        self.turn = threading.Lock()
        self.turn.acquire()
        self._run = run

    def start(self, baton: threading.Lock) -> None:
        threading.Thread(target=self._main, args=(baton,), name=self.name, daemon=True).start()

    def may_go_on(self, now: float) -> bool:
        if self.is_dead():
            return True
        if self.condition is not None and self.condition():
            return True
        if self.wake_at is not None:
            return self.wake_at <= now
        return self.condition is None

    def _main(self, baton: threading.Lock) -> None:
        self.turn.acquire()
        try:
            if not self.is_dead():
                self._run()
        except Died:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the scheduler, which raises it
            self.error = error
        self.is_over = True
        baton.release()


class Scheduler:
    """`now` is seconds since the beginning of the world."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 0.0
        self.loop = SimLoop(lambda: self.now, self._add_job)
        self._activities: list[Activity] = []
        self._jobs: list[tuple[str, Callable[[], None]]] = []
        self._current: Activity | None = None
        self._baton = threading.Lock()
        self._baton.acquire()
        self._steps = 0
        self._is_closing = False
        #: The last things that happened, for the story of a failure.
        self.events: deque[str] = deque(maxlen=60_000)

    def note(self, text: str) -> None:
        self.events.append(f"{self.now:9.3f} {text}")

    def start(self, name: str, run: Callable[[], None], is_dead: Callable[[], bool] = lambda: False) -> None:
        activity = Activity(name, run, lambda: self._is_closing or is_dead())
        self._activities.append(activity)
        activity.start(self._baton)

    def run(self, until: Callable[[], bool], limit_seconds: float) -> bool:
        """Take steps until the condition holds; False when it does not within `limit_seconds` of the world's time."""
        deadline = self.now + limit_seconds
        while not until():
            if self.now >= deadline:
                return False
            self._step()
        return True

    def close(self) -> None:
        """End every activity."""
        self._is_closing = True
        while self._activities:
            self._hand_over(self._activities[0])
        self.loop.run_ready()
        self.loop.close()

    @property
    def is_in_activity(self) -> bool:
        return self._current is not None

    def pause(self) -> None:
        """Others may go first. Outside activities this does nothing."""
        self._wait(None, None)

    def sleep(self, seconds: float) -> None:
        self._wait(None, self.now + seconds)

    def wait(self, condition: Callable[[], bool], timeout_seconds: float | None) -> bool:
        """Until the condition holds; whether it does."""
        self._wait(condition, None if timeout_seconds is None else self.now + timeout_seconds)
        return condition()

    def let_others_step(self, steps: int) -> None:
        """Go on after so many steps of the world: in the middle of what happens at one moment."""
        end = self._steps + steps
        self._wait(lambda: self._steps >= end, None)

    def _wait(self, condition: Callable[[], bool] | None, wake_at: float | None) -> None:
        activity = self._current
        if activity is None:
            return
        if activity.is_dead():
            raise Died
        activity.condition, activity.wake_at = condition, wake_at
        self._baton.release()
        activity.turn.acquire()
        if activity.is_dead():
            raise Died

    def _step(self) -> None:
        self._steps += 1
        # Everything takes a little: a wait too short to change the sum would be repeated for ever.
        self.now += 1e-6
        assert self._steps < MAX_STEPS, (
            f"turning in circles: {[a.name for a in self._activities if a.may_go_on(self.now)]}"
        )
        self.loop.run_ready()
        able = [each for each in self._activities if each.may_go_on(self.now)]
        count = len(able) + len(self._jobs)
        if count == 0:
            self._pass_time()
            return
        choice = self.random.randrange(count)
        if choice < len(able):
            self._hand_over(able[choice])
        else:
            # By label: the order in which a set of listeners is woken must not matter.
            self._jobs.sort(key=lambda job: job[0])
            self._jobs.pop(choice - len(able))[1]()

    def _hand_over(self, activity: Activity) -> None:
        self._current = activity
        activity.turn.release()
        self._baton.acquire()
        self._current = None
        if activity.is_over:
            self._activities.remove(activity)
            if activity.error is not None and not self._is_closing:
                raise activity.error

    def _pass_time(self) -> None:
        upcoming = [each.wake_at for each in self._activities if each.wake_at is not None]
        timer = self.loop.next_timer_at()
        if timer is not None:
            upcoming.append(timer)
        assert upcoming, "nobody will ever go on"
        self.now = max(self.now, min(upcoming))

    def _add_job(self, label: str, job: Callable[[], None]) -> None:
        self._jobs.append((label, job))
