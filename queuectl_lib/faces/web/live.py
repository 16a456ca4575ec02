"""One thread that follows the store for all event streams, and publishes finished messages into their ring.

It reads while somebody listens, and a little longer: a page that is loaded anew is
gone for a moment only. After a pause it begins with the store as it is then, and with a
message that some changes were missed, for whoever goes on from before. A stream begins
with how the queue stood last and goes on with all that was published behind that; both
are taken under the lock under which they are published.

The store may be missing, come later, be taken away, replaced, damaged, unreadable: that
is told once, as `trouble`, and it is looked for again until it is back.
"""

import json
import re
import secrets
import threading
import time
from collections import namedtuple

from queuectl_lib.faces.web import chart, faults
from queuectl_lib.faces.web.feed import Feed
from queuectl_lib.faces.web.sampling import Sampling
from queuectl_lib.faces.web.statuses import Statuses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import QueuectlError, told

_LOOK_SECONDS = 0.1
# Looks may take this share of the time: in a storm there are fewer, each of which brings more.
_LOOK_SHARE = 0.05
_LONGEST_LOOK = 0.5
_TROUBLE_SECONDS = 1
# So long after the last stream has begun or ended it still reads.
_GRACE = 10
# So long a stream waits for the thread to come out of its pause.
_BEGIN_SECONDS = 2
_STOP_SECONDS = 0.2
# Milliseconds; an older one is not what is told to who asks.
_OLD_SAMPLE = 1000
_MOST_EVENTS = 200
# A browser comes back after so many milliseconds.
_RETRY = b"retry: 2000\n\n"

# event: its name; data: bytes of JSON.
Message = namedtuple("Message", ("event", "data"))
_MISSED = Message("missed", b"{}")


class Live:
    """start() and stop() it; begin() is for the streams, throughput() for the chart.

    listeners: how many streams are open, told by whoever owns them.
    """

    def __init__(self, site, ring):
        self.ring = ring
        self.listeners = 0
        self._site = site
        # Numbers of another start are not gone on from.
        self._word = secrets.token_hex(4)
        self._sampling = Sampling(site.store)
        self._lock = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._stopping = False
        # Until when it reads, whoever listens.
        self._wanted_until = -1
        # A Message: the status, or the trouble; None while nothing is read.
        self._standing = None
        # The number under which it was published.
        self._stood_at = 0
        self._feed = None
        self._look_took = 0
        # Was there a store at some time? Then one that is not there is gone.
        self._was_there = False
        self._statuses = Statuses(site)
        self._sampled = 0
        self._complaint = None

    def start(self):
        self._thread.start()

    def stop(self):
        """It is over within a moment; a disk that does not answer is not waited for."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        self._thread.join(_STOP_SECONDS)

    def begin(self, seen=None):
        """(the first bytes of a stream, the number of the ring's message behind which it goes on).

        seen: the id of the last message that its client was given (text), if it comes back.
        """
        with self._lock:
            self._wanted_until = time.monotonic() + _GRACE
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._standing is not None or self._stopping, _BEGIN_SECONDS)
            number = self._gone_on_from(seen)
            first = _RETRY
            if number is None:
                number = self._beginning()
                first += self._text(_MISSED, number) if seen else b""
            # Else it is among what follows.
            if self._standing is not None and number >= self._stood_at:
                first += self._text(self._standing, number)
            return first, number

    def throughput(self, now):
        """What GET /api/throughput tells at a moment (ms)."""
        self._take_sample(now, _OLD_SAMPLE)
        return self._sampling.document(now)

    def _gone_on_from(self, seen):
        """The number of the message that a client saw last; None if what came behind it is not known."""
        match = re.match(self._word + r"-([0-9]{1,18})\Z", seen or "")
        return int(match.group(1)) if match and self.ring.knows(int(match.group(1))) else None

    def _beginning(self):
        """The number of the last status: all that has happened since then is told behind it."""
        if self._standing is None or not self.ring.knows(self._stood_at):
            return self.ring.last
        return self._stood_at

    # --- the thread

    def _run(self):
        while not self._stopping:
            try:
                self._round()
                self._complaint = None
            except (QueuectlError, OSError) as error:
                self._fail(told(error))
            except Exception as error:
                # A bug; said once, not each second.
                if repr(error) != self._complaint:
                    self._complaint = repr(error)
                    faults.report()
                self._fail("internal error")
            self._rest()
        self._close()

    def _round(self):
        self._sample()
        if not self._is_wanted():
            self._pause()
        elif self._feed is None:
            self._resume()
        else:
            self._tell_news()
            self._tell_status()

    def _rest(self):
        if self._feed is not None:
            self._sleep(min(_LONGEST_LOOK, max(_LOOK_SECONDS, self._look_took / _LOOK_SHARE)))
            return
        pause = max(0.1, (self._sampled + chart.EVERY - clock.now()) / 1000)
        self._sleep(min(pause, chart.EVERY / 1000) if self._standing is None else _TROUBLE_SECONDS)

    def _sleep(self, seconds):
        with self._lock:
            self._lock.wait_for(lambda: self._stopping or self._standing is None and self._is_wanted(), seconds)

    def _is_wanted(self):
        now = time.monotonic()
        if self.listeners:
            self._wanted_until = max(self._wanted_until, now + _GRACE)
        return now < self._wanted_until

    def _sample(self):
        """Look at the totals when it is time."""
        now = clock.now()
        if self._sampled <= now < self._sampled + chart.EVERY:
            return
        self._sampled = now - now % chart.EVERY
        self._take_sample(now, 0)

    def _take_sample(self, now, oldest):
        """What cannot be read is not known, and trouble for who listens alone."""
        try:
            self._sampling.take(now, lambda: not self._stopping, oldest)
        except (QueuectlError, OSError):
            pass

    def _resume(self):
        """Begin to read with the store as it is now; what was published before is not gone on from."""
        store = stores.open_store(self._site.store)
        if self._was_there:
            store.exists = True
            store.check_there()
        feed = Feed(store)
        try:
            status = self._status()
        except BaseException:
            feed.close()
            raise
        self._feed = feed
        self._was_there = self._was_there or feed.is_there
        self._look_took = 0
        with self._lock:
            if self.ring.last:
                self._publish(_MISSED)
            self._stand(status)

    def _pause(self):
        self._close()
        with self._lock:
            self._standing = None

    def _close(self):
        if self._feed is not None:
            try:
                self._feed.close()
            except OSError:
                # Some disks tell of trouble when a file is closed: it is not read any more.
                pass
            self._feed = None

    def _tell_news(self):
        begin = time.monotonic()
        events, missed = self._feed.look()
        self._was_there = self._was_there or self._feed.is_there
        messages = [Message("happened", _json(events[at:at + _MOST_EVENTS])) for at in range(0, len(events), _MOST_EVENTS)]
        for each in messages + [_MISSED] * missed:
            self._publish(each)
        self._statuses.is_wanted = self._statuses.is_wanted or bool(messages) or missed
        self._look_took = time.monotonic() - begin

    def _tell_status(self):
        if self._statuses.is_due():
            status = self._status()
            with self._lock:
                self._stand(status)

    def _status(self):
        return Message("status", _json(self._statuses.make()))

    def _fail(self, text):
        """Tell of trouble, once."""
        self._close()
        trouble = Message("trouble", _json({"error": text}))
        with self._lock:
            if trouble != self._standing:
                self._stand(trouble)

    def _stand(self, message):
        """Publish what streams begin with from now on; the lock is held."""
        self._standing = message
        self._stood_at = self._publish(message)
        self._lock.notify_all()

    def _publish(self, message):
        return self.ring.publish(lambda number: self._text(message, number))

    def _text(self, message, number):
        return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (self._word.encode(), number, message.event.encode(), message.data)


def _json(value):
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
