"""What happens in a store from one moment on, as event documents, for all who listen at once."""

from queuectl_lib.faces import happenings
from queuectl_lib.store import news
from queuectl_lib.words import clock

# Of more lines in one look no event is told: nobody reads so many, and all pages of all clients would be sent them.
MOST = 2000


class Feed:
    """Reads the news of a store (store.Store, opened for reading). Raises StoreError, OSError; then it is to be closed."""

    def __init__(self, store):
        self._news = news.News(store)
        look = self._news.start()
        self.is_there = look is not None
        self._happenings = happenings.Happenings(store, look.pauses() if look else {})
        if look:
            look.close()

    def look(self):
        """([event document…] since the last look, whether some were missed)."""
        entries = self._news.look()
        if not entries:
            return [], self._news.missed
        self.is_there = True
        is_too_much = len(entries) > MOST
        if is_too_much:
            # What is paused is still to be known.
            entries = [entry for entry in entries if type(entry.head) is dict]
        events = self._happenings.of_all(entries, clock.moment(clock.now()))
        return [] if is_too_much else [happenings.document(event) for event in events], self._news.missed or is_too_much

    def close(self):
        self._news.close()
