"""The stream of what happens, as server-sent events."""

import json
import threading

import pytest
import requests

from spotzee_logging.sandbox import Sandbox
from spotzee_logging.sandbox.item_texts import item_texts
from spotzee_logging.sandbox.ledger import Ledger, Mark


class Stream:
    """One client of the stream, reading message by message."""

    def __init__(self, sandbox, last_event_id=None):
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        self._response = requests.get(
            f"{sandbox.root_url}/sandbox/stream", headers=headers, stream=True, timeout=10
        )
        self._lines = self._response.iter_lines(chunk_size=None)
        self.headers = self._response.headers
        self.last_event_id = last_event_id

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._response.close()

    def next(self):
        """The next message: (event, data)."""
        fields = {}
        for line in self._lines:
            name, _, value = line.decode().partition(": ")
            if not name:
                break
            fields[name] = value
        self.last_event_id = fields.get("id", self.last_event_id)
        return fields["event"], json.loads(fields["data"])

    def until(self, event):
        """What comes up to a message of this kind, that one included: a list of (event, data)."""
        messages = [self.next()]
        while messages[-1][0] != event:
            messages.append(self.next())
        return messages

    def records(self):
        """The records up to the next mark."""
        return [record for event, data in self.until("mark") if event == "requests" for record in data]


def test_what_is_kept_comes_first_then_what_happens(sandbox, post, event):
    """A client that comes late learns all, and after that each request once it is answered."""
    post([event(1), event(2)], key="k")
    with Stream(sandbox) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.next() == ("reset", {})
        (first,) = stream.records()
        post([{"name": "bad"}])
        second = stream.records()[-1]

    assert [json.loads(text) for text in first["items"]] == [event(1), event(2)]
    assert (first["number"], first["status"], first["idempotency_key"], first["body"]) == (1, 204, "k", None)
    assert (second["number"], second["status"]) == (2, 422)
    assert second["answer"]["errors"][0]["param"] == "0.external_id"


def test_a_client_that_comes_again_gets_what_it_missed(sandbox, post, event):
    """With the id of the last message that it saw, a browser is not sent everything again."""
    post([event(1)])
    with Stream(sandbox) as stream:
        stream.records()
        last_event_id = stream.last_event_id
    post([event(2)])
    with Stream(sandbox, last_event_id) as stream:
        messages = stream.until("mark")

    assert "reset" not in [name for name, _ in messages]
    assert [record["number"] for name, data in messages if name == "requests" for record in data] == [2]


@pytest.mark.parametrize("last_event_id", ["", "nonsense", "0badcafe.7", "x.-1", "x.\u0663"])
def test_an_id_of_another_sandbox_starts_afresh(sandbox, post, event, last_event_id):
    """A page that was open before a restart forgets what it had, and gets what is there now."""
    post([event(1)])
    with Stream(sandbox, last_event_id.encode()) as stream:
        assert stream.next() == ("reset", {})
        assert len(stream.records()) == 1


def test_a_clear_is_told(sandbox, post, event):
    """After `clear`, the client is told to forget, and gets only what came since."""
    post([event(1)])
    with Stream(sandbox) as stream:
        stream.records()
        sandbox.clear()
        assert ("reset", {}) in stream.until("mark")
        post([event(2)])
        assert [record["number"] for record in stream.records()] == [2]


def test_a_request_that_hangs_is_told_before_its_end(sandbox, event):
    """What waits is seen waiting; then, that it ended without an answer."""
    sandbox.faults([{"hang": True}])
    with Stream(sandbox) as stream, requests.Session() as session:
        stream.until("mark")
        thread = threading.Thread(target=post_and_give_up, args=(session, sandbox, event()))
        thread.start()
        waiting = stream.records()[-1]
        ended = stream.records()[-1]
        thread.join(10)

    assert (waiting["status"], waiting["ended_at"]) == (None, None)
    assert ended["number"] == waiting["number"]
    assert ended["ended_at"] is not None
    assert ended["status"] is None


def post_and_give_up(session, sandbox, event):
    headers = {"Authorization": "Bearer sk_1"}
    with pytest.raises(requests.Timeout):
        session.post(f"{sandbox.url}/events", json=[event], headers=headers, timeout=(5, 1))


def test_the_script_and_what_is_left_of_it_are_told(sandbox, post, event):
    """Faults that are scripted, appended and used up are seen live."""
    with Stream(sandbox) as stream:
        stream.until("faults")
        sandbox.faults([{"status": 500, "times": 2}])
        assert stream.until("faults")[-1][1] == [{"status": 500, "times": 2}]
        requests.post(f"{sandbox.root_url}/sandbox/faults", json=[{"hang": True}], timeout=5)
        assert stream.until("faults")[-1][1] == [{"status": 500, "times": 2}, {"hang": True}]
        post([event()])
        assert stream.until("faults")[-1][1] == [{"status": 500}, {"hang": True}]


def test_what_is_forgotten_is_told(post, event):
    """A client can say that older requests are gone."""
    with Sandbox(max_kept=2) as small:
        for number in range(5):
            post([event(number)], to=small)
        with Stream(small) as stream:
            messages = stream.until("mark")

    assert ("forgotten", 3) in messages
    assert [record["number"] for name, data in messages if name == "requests" for record in data] == [4, 5]


def test_much_is_told_in_portions(sandbox, post, event):
    """A browser gets what it can read between two frames, not all at once."""
    for number in range(30):
        post([event(number, data={"text": "x" * 20_000})])
    with Stream(sandbox) as stream:
        portions = [data for name, data in stream.until("mark") if name == "requests"]

    assert [record["number"] for portion in portions for record in portion] == list(range(1, 31))
    assert len(portions) > 3


def test_a_stream_does_not_hold_up_the_stop(sandbox):
    """An open page does not keep the sandbox from stopping, and ends with it."""
    with Stream(sandbox) as stream:
        stream.next()
        sandbox.stop()
        with pytest.raises(requests.RequestException):
            stream.until("never")


def test_a_head_of_the_stream_ends_at_once(sandbox):
    """Who only asks whether it is there is not kept waiting."""
    assert requests.head(f"{sandbox.root_url}/sandbox/stream", timeout=5).status_code == 200


def test_an_append_that_cannot_be_leaves_the_script(sandbox):
    """A bad entry is refused in words, and what was scripted stays."""
    sandbox.faults([{"status": 500}])
    response = requests.post(f"{sandbox.root_url}/sandbox/faults", json=[{"state": 1}], timeout=5)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert sandbox.faults_left() == [{"status": 500}]


def test_items_are_cut_digit_for_digit():
    """Spaces around, brackets and escaped quotes inside, and numbers without an end."""
    texts = ['{"a": "]\\"[,"}', "12345678901234567890.10", "[1, [2]]", '"x"', "null"]

    assert item_texts(f" [ {' , '.join(texts)}\n]\n") == texts
    assert item_texts("[]") == []


def test_a_ledger_tells_what_changed_and_forgets_it_with_the_item():
    """What came first is told first, however late it changed; what is over the bound is not told of."""
    ledger = Ledger(max_kept=3, max_kept_bytes=100)
    for item in "abc":
        ledger.append(item, 1)
    mark, numbers = ledger.changed_since(Mark())
    assert numbers == [1, 2, 3]
    ledger.touch(1)
    ledger.append("d", 1)
    ledger.touch(2)
    ledger.touch(1)

    assert ledger.changed_since(mark)[1] == [2, 4]
    assert (ledger.get(1), ledger.get(2), ledger.forgotten) == (None, "b", 1)
    ledger.clear()
    again, numbers = ledger.changed_since(mark)
    assert (again.epoch != mark.epoch, numbers) == (True, [])
