"""Waiting for what comes by itself."""
import time


class Late(AssertionError):
    """It did not come."""


def until(question, seconds=60, what='that'):
    """The first answer that counts as true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.03)
    raise Late(f'{what} did not come in {seconds} s')
