"""The supervisor: keeps so many worker processes running until they are told to leave.

It has a line in workers.pid before its first worker exists. It starts another
worker for one that died, passes on what it is told (signals, workers.pid), and
otherwise sleeps. Workers need nothing of it but the store: killed with -9 it
takes none along, they see the end of their control pipe, finish their job and
leave.

    first  Ctrl+C, SIGTERM or SIGHUP   the running jobs are finished, then all leave
    second                             they are stopped now and handed back

Rejected: SIGTERM to the workers for "now", since whoever stops a whole process
group (systemd, a closing terminal) sends it to them as well.
"""

import time

from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import events, identity, leftover, log, orphans, pidfile, process, signals, slots, staffing
from queuectl_lib.work.post import Post
from queuectl_lib.work.rolling import Rolling
from queuectl_lib.work.waiting import Waiter

_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 5.0
_ON_PURPOSE = (0, process.STORE_UNUSABLE)


class Team:
    """Keeps so many worker processes running until they are told to leave."""

    def __init__(self, store, count, options, context, ensure=False, beside=()):
        """ensure: only as many as are missing from count; beside: Posts that are filled as long as there is a worker."""
        self._store = store
        self._count = count
        self._ensure = ensure
        self._options = options
        self._context = context
        self._voice = events.Voice(store.paths if options.log else None)
        self._posts = []
        self._beside = list(beside)
        self._order = None
        self._asked = 0
        self._exit_code = 0

    def run(self):
        """Until every post is given up; the exit code."""
        stores.load_all()
        self._waiter = Waiter()
        self._waiter.heed(*signals.heeded())
        if not self._set_up():
            self._waiter.close()
            return 0
        self._rolling = Rolling(self._store, self._forks(), self._copies)
        self._greet()
        try:
            while self._posts or self._asked_for_more():
                self._fill()
                self._look(self._waiter.wait(min(self._until_next(), self._rolling.look())))
            self._tell_what_is_left()
        finally:
            self._leave()
        return self._exit_code

    def _set_up(self):
        """Add the line to workers.pid, and a post for each worker; False where none is missing."""
        me = identity.current()
        queues = self._options.queues and list(self._options.queues)
        if self._ensure:
            staffing.await_lines(self._store.paths)
        # Counted and written under one lock: two at once must not have more than `count` between them.
        with self._store.lock():
            count = self._count
            if self._ensure:
                count -= staffing.keeping(self._store.paths, queues)
            if count <= 0:
                return False
            self._entry = pidfile.Entry(
                kind=pidfile.SUPERVISOR, pid=me.pid, boot=me.boot, start=me.start, since=clock.moment(clock.now()),
                queues=queues, hired=count, log=self._options.log or None)
            pidfile.add(self._store.paths, self._entry)
        self._orders = pidfile.Orders(self._store.paths, self._entry, self._store.lock)
        self._posts = self._new_posts(count)
        self._hired = count
        return True

    def _new_posts(self, count):
        return [Post("worker", lambda: self._context.Pipe(duplex=False), self._duty) for _ in range(count)]

    def _duty(self, end, copies):
        return process.main, (self._store.root, self._options, end, self._entry, copies)

    def _forks(self):
        return self._context.get_start_method() == "fork"

    def _greet(self):
        # A drain started by cron says nothing where there is nothing to do.
        if not (self._options.drain or self._options.drain_all):
            how = "queuectl worker stop" if self._options.log else "Ctrl+C"
            self._voice.say("%s; %s finishes the running jobs and leaves" % (events.workers(len(self._posts)), how))

    def _fill(self):
        """Start a worker for every empty post whose time has come."""
        now = time.monotonic()
        for post in self._beside + self._posts:
            if post.process is None and post.next_start <= now:
                self._hire(post)

    def _hire(self, post):
        # A Ctrl+C between the fork and the child's own handlers would be counted here, as a second one.
        heeded = signals.heeded()
        signals.hold_back(heeded)
        try:
            post.fill(self._context, self._copies(post))
        except OSError as error:
            self._wait_before_another(post, "cannot start a %s (%s)" % (post.name, error.strerror))
        else:
            self._waiter.watch(post.process.sentinel)
        finally:
            signals.let_through(heeded)

    def _copies(self, child=None):
        """What a child that is forked now, for a post or for none, must close of this process's."""
        others = [post for post in self._beside + self._posts if post is not child]
        return [each for post in others for each in post.copies()] if self._forks() else []

    def _until_next(self):
        now = time.monotonic()
        starts = [post.next_start - now for post in self._beside + self._posts if post.process is None]
        return min(starts + [_LOOK_SECONDS])

    def _look(self, woken):
        """Take in what has happened: signals, orders, deaths."""
        asked = [number for number in woken.signals if number in signals.to_leave()]
        if asked:
            self._asked += len(asked)
            self._tell(pidfile.DRAIN if self._asked == 1 else pidfile.NOW)
            self._write_order()
        ordered = self._orders.read()
        if ordered is not None:
            self._tell(ordered)
        for post in self._beside + self._posts:
            if post.process is not None and post.process.sentinel in woken.fds:
                self._see_off(post)
        self._give_up_posts()
        self._add_posts()
        orphans.reap_strangers(self._own_children())
        self._tend_log()

    def _own_children(self):
        pids = [post.process.pid for post in self._beside + self._posts if post.process is not None]
        return pids + ([self._rolling.roller] if self._rolling.roller is not None else [])

    def _give_up_posts(self):
        """Those whose workers have left for good: all that are empty, once everybody is told to leave."""
        stay = [post for post in self._posts if post.process is not None or post.deaths and self._order is None]
        fewer = len(self._posts) - len(stay)
        # Of a drain, or of those who were all told, their leaving is what one expects.
        if fewer and self._order is None and not (self._options.drain or self._options.drain_all):
            self._voice.say("%s fewer" % events.workers(fewer))
        self._posts = stay

    def _add_posts(self):
        """Have the posts that `worker scale` asked for."""
        more = (self._orders.hired or 0) - self._hired
        if more > 0 and self._order is None:
            self._hired += more
            self._posts += self._new_posts(more)
            self._voice.say("%s more" % events.workers(more))

    def _asked_for_more(self):
        """With no post left: whether there are new ones. If not, the line is out of workers.pid, and nobody can ask."""
        try:
            with self._store.lock():
                self._orders.read(locked=True)
                self._add_posts()
                if not self._posts:
                    pidfile.remove(self._store.paths, self._entry)
        except (StoreError, OSError):
            # The next writer drops the line: nobody lives with this pid and start.
            pass
        return bool(self._posts)

    def _tend_log(self):
        if self._options.log:
            try:
                log.turn(self._store)
            except (StoreError, OSError):
                # It goes on growing; the workers say what is wrong with the store.
                pass
            self._voice.follow_log()

    def _tell(self, order):
        """Pass an order on to every worker, unless they have it already."""
        if order == self._order or self._order == pidfile.NOW:
            return
        self._order = order
        self._voice.say(self._announcement(order))
        for post in self._posts:
            if post.process is not None:
                try:
                    post.control.send_bytes(order.encode("ascii"))
                except OSError:
                    # It has just died; it is seen off next.
                    pass
        self._nudge()

    def _write_order(self):
        """Whoever counts workers is to see that these are leaving."""
        try:
            with self._store.lock():
                pidfile.tell(self._store.paths, self._entry, self._order)
        except (StoreError, OSError):
            pass

    def _nudge(self):
        """Have workers that wait for a command look at their pipe now, not within a second.

        Only those with a line in workers.pid: before it has one, the signal would end a worker.
        """
        pids = {post.process.pid for post in self._posts if post.process is not None}
        for entry in pidfile.read(self._store.paths):
            if pidfile.works_for(entry, self._entry) and entry.pid in pids:
                # Not reaped yet, so the number is still its own.
                signals.nudge(entry.pid)

    def _announcement(self, order):
        running = self._running()
        jobs = "1 running job" if running == 1 else "%s running jobs" % ("the" if running is None else running)
        if order == pidfile.NOW:
            return "stopping %s now" % jobs if running != 0 else "stopping now"
        if running == 0:
            return "no job is running: leaving"
        how = "press Ctrl+C again" if self._asked else "queuectl worker stop --now"
        return "finishing %s; %s to stop %s now" % (jobs, how, "it" if running == 1 else "them")

    def _running(self):
        """How many jobs my workers run now; None when the store does not tell."""
        pids = {post.process.pid for post in self._posts if post.process is not None}
        try:
            names = {slots.name_of(one.slot, one.incarnation)
                     for one in slots.living(self._store.paths)
                     if one.pid in pids and one.boot == self._entry.boot}
            return sum(1 for job in self._store.jobs(states=["processing"]) if job.worker in names)
        except (StoreError, OSError):
            return None

    def _see_off(self, post):
        """Reap a process that has ended, and decide whether its post is filled again."""
        self._waiter.forget(post.process.sentinel)
        code, pid = post.vacate()
        if code in _ON_PURPOSE and post in self._posts:
            post.deaths = 0
            self._exit_code = self._exit_code or code
        else:
            how = "killed by signal %d" % -code if code < 0 else "exit %d" % code
            self._wait_before_another(post, "%s with pid %d died (%s)" % (post.name, pid, how))

    def _wait_before_another(self, post, what):
        pause = post.put_off()
        if self._order is not None and post in self._posts:
            self._voice.say(what)
        elif pause:
            self._voice.say("%s: starting another in %s" % (what, clock.show_duration(pause)))
        else:
            self._voice.say("%s: starting another" % what)

    def _tell_what_is_left(self):
        if not self._options.drain or self._order is not None:
            return
        try:
            text = leftover.told(self._store, self._options.queues, clock.now())
        except (StoreError, OSError):
            return
        if text:
            self._voice.say(text)

    def _leave(self):
        for post in self._beside:
            post.close(_LEAVE_SECONDS)
        self._waiter.close()

