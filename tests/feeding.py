"""A running `enqueue --stream`, and the pipe into it."""

import os
import subprocess
import threading

import support
from support import wait_until


class Feed:
    """Started by a test, which is the producer; stopped with the queue."""

    def __init__(self, queue, *words, source=None, out=None, program=None, place=None):
        """source: what it reads in place of our pipe; out: a descriptor in place of its output; program: words in
        place of the queue's; place: a directory for its output.
        """
        self.output = os.path.join(place or queue.top, "acknowledged-%d" % len(queue.started))
        with open(self.output, "wb") as output, open(self.output + ".err", "wb") as errors:
            self.process = subprocess.Popen(
                (program or queue.program.words) + ["enqueue", "--file", "-", "--stream"] + [str(word) for word in words],
                stdin=source or subprocess.PIPE, stdout=output if out is None else out, stderr=errors,
                env=queue.environment, cwd=queue.directory, start_new_session=True)
        self.pid = self.process.pid
        # So that the queue sees to its end.
        queue.started.append(self)

    def write(self, text):
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.process.stdin.flush()

    def give(self, *ids):
        self.write(lines(*ids))

    def give_slowly(self, *ids):
        """By a thread, which is returned: as long as it lives the pipe is full."""
        def giving():
            try:
                self.give(*ids)
            except OSError:
                # It was killed.
                pass
        thread = threading.Thread(target=giving, daemon=True)
        thread.start()
        return thread

    def acknowledged(self):
        with open(self.output) as file:
            return file.read().split()

    def errors(self):
        with open(self.output + ".err", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def wait_for(self, *ids):
        wait_until(lambda: set(ids) <= set(self.acknowledged()), "%r are acknowledged" % (ids,))

    def wait_for_error(self, text):
        wait_until(lambda: text in self.errors(), "%r on standard error" % text)

    def end(self):
        """Close its input; its exit code."""
        self.close_input()
        return self.wait()

    def close_input(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def wait(self):
        return self.process.wait(support.DEADLINE)

    def poll(self):
        return self.process.poll()

    def kill(self):
        self.process.kill()
        self.process.wait()


def lines(*ids):
    return "".join('{"id": "%s", "command": "true"}\n' % id for id in ids)


def names(count, begin="j"):
    return ["%s%05d" % (begin, number) for number in range(count)]
