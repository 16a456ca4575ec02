"""The event stream and the chart over the real server: what other processes do is told to every client."""

from tests.support import wait_until


def told(stream, what, id):
    """The next event of this kind and job in a stream, and the number of its message."""
    for message in stream:
        for event in message.data if message.kind == "happened" else ():
            if (event["what"], event["id"]) == (what, id):
                return event, message.id


def opened(server, **headers):
    """A client and its stream, which has begun."""
    client = server.client(server.token)
    stream = client.events(**headers)
    return client, stream, next(stream)


def test_what_another_process_does_is_told_to_all(queue, server):
    clients = [opened(server) for _ in range(5)]
    assert [first.kind for _, _, first in clients] == ["status"] * 5
    queue.enqueue("--id", "hello", "true")
    queue.work()
    for client, stream, _ in clients:
        event, _ = told(stream, "completed", "hello")
        assert event["state"] == "completed" and event["was"] == "processing"
        client.close()


def test_who_was_cut_off_is_told_what_came_meanwhile(queue, server):
    client, stream, _ = opened(server)
    queue.enqueue("--id", "before", "true")
    _, seen = told(stream, "enqueued", "before")
    client.close()
    queue.enqueue("--id", "meanwhile", "true")
    client, stream, first = opened(server, **{"Last-Event-ID": seen})
    kinds = [first.kind]
    assert "missed" not in kinds
    event = next((each for each in first.data if each["id"] == "meanwhile"), None) if first.kind == "happened" else None
    assert event or told(stream, "enqueued", "meanwhile")
    client.close()


def test_a_new_server_says_that_something_was_missed(queue, serve):
    first = serve()
    client, stream, status = opened(first)
    client.close()
    first.stop()
    client, stream, begun = opened(serve(), **{"Last-Event-ID": status.id})
    assert begun.kind == "missed" and next(stream).kind == "status"
    client.close()


def test_a_store_that_is_gone_is_told_and_the_server_goes_on(queue, server):
    import shutil
    client, stream, _ = opened(server)
    shutil.rmtree(queue.store)
    assert "not there any more" in next(message for message in stream if message.kind == "trouble").data["error"]
    queue.enqueue("--id", "again", "true")
    assert next(message for message in stream if message.kind == "missed")
    assert wait_until(lambda: server.gets("/api/status").json()["states"]["pending"] == 1, "the new store is shown")
    client.close()


def test_the_chart_tells_of_what_ended(queue, server):
    queue.enqueue("true")
    queue.enqueue("--max-retries", 0, "false")
    queue.work()

    def both():
        minutes = server.gets("/api/throughput").json()["minutes"]
        return [sum(each[name] or 0 for each in minutes) for name in ("completed", "failed")] == [1, 1]
    assert len(server.gets("/api/throughput").json()["minutes"]) == 60
    wait_until(both, "both attempts are in the chart")
