"""How long a failed job waits before it is tried again."""


def delay(attempts, policy, random):
    """Seconds: backoff_base ** attempts, at most backoff_max, and jitter on top.

    attempts: how many were made; policy: lifecycle.Policy; random: anything
    with uniform(a, b). Without a limit on the exponent a thousandth attempt
    would overflow a float, so the limit is applied before the power is taken.
    """
    try:
        seconds = float(policy.backoff_base) ** attempts
    except OverflowError:
        seconds = policy.backoff_max
    seconds = min(seconds, policy.backoff_max)
    if policy.backoff_jitter:
        seconds += random.uniform(0, policy.backoff_jitter)
    return seconds
