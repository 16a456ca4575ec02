"""The settings in force as a value, and what they are where nobody has set any."""

from collections import namedtuple

_Values = namedtuple("_Values", (
    "max_retries", "backoff_base", "backoff_max", "backoff_jitter",
    "timeout", "kill_grace", "poll_interval", "output_limit", "durability",
    "no_retry_exit_codes", "retention", "on_dead", "on_complete", "hook_timeout", "limits"))


class Config(_Values):
    """The settings in force, one attribute a key of config.py; limits: {queue: how many of its jobs run at once}."""

    __slots__ = ()

    @property
    def policy(self):
        """What lifecycle.finish needs of them."""
        # Imported here: who only enqueues ends no attempt.
        from queuectl_lib.job.lifecycle import Policy
        return Policy(self.backoff_base, self.backoff_max, self.backoff_jitter, self.no_retry_exit_codes)


DEFAULTS = Config(
    max_retries=3, backoff_base=2, backoff_max=3600, backoff_jitter=0,
    timeout=None, kill_grace=10, poll_interval=1, output_limit=1024 ** 2, durability="normal",
    no_retry_exit_codes=(), retention=None, on_dead=None, on_complete=None, hook_timeout=30, limits={})
