"""A place in the supervisor's crew: the process that fills it while there is one, and when to fill it again."""

import time

_STEADY_SECONDS = 1.0
_LONGEST_PAUSE = 60.0


class Post:
    """One such place.

    name: who fills it ('worker'); pipe(): a pair (the child's end, the supervisor's), whose end tells the child that
    the supervisor is dead; duty(end, copies): (target, args) of the process, which has to close the copies;
    kept: what else of the supervisor's no other child may have a copy of.
    """

    def __init__(self, name, pipe, duty, kept=()):
        self.name = name
        self.kept = kept
        self._pipe = pipe
        self._duty = duty
        self.process = None
        self.control = None
        self.next_start = 0.0
        self.deaths = 0
        self._since = 0.0

    def fill(self, context, copies):
        """Start its process; OSError where the system has no room for one. copies: of all other posts."""
        self._since = time.monotonic()
        end, self.control = self._pipe()
        try:
            if context.get_start_method() == "fork":
                copies = [self.control] + copies
            target, args = self._duty(end, copies)
            process = context.Process(target=target, args=args)
            process.start()
            self.process = process
        except OSError:
            self._let_go()
            raise
        finally:
            end.close()

    def vacate(self):
        """Reap its process, which has ended; (exit code, or minus the signal's number, and pid)."""
        process, self.process = self.process, None
        process.join()
        ended = process.exitcode, process.pid
        process.close()
        self._let_go()
        return ended

    def put_off(self):
        """Plan the next start: at once, but later and later for one that keeps dying as soon as it is there.

        Who lived for a second is able to live, whoever killed it then. Returns the pause in seconds.
        """
        now = time.monotonic()
        self.deaths = 1 if now - self._since > _STEADY_SECONDS else self.deaths + 1
        pause = 0.0 if self.deaths == 1 else min(2.0 ** (self.deaths - 2), _LONGEST_PAUSE)
        self.next_start = now + pause
        return pause

    def close(self, patience):
        """Let its process leave, which does when its pipe ends; one that has not within so many seconds is ended."""
        if self.process is not None:
            self._let_go()
            self.process.join(patience)
            if self.process.exitcode is None:
                self.process.kill()
                self.process.join()

    def copies(self):
        """What a forked child has copies of: as long as one lives, nobody notices that the supervisor is dead."""
        ends = [] if self.control is None else [self.control]
        return ends + list(self.kept)

    def _let_go(self):
        if self.control is not None:
            self.control.close()
            self.control = None
