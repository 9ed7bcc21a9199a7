from __future__ import annotations

import threading
from datetime import timedelta

from building import START, batch, messages

from monitor.alerts.outbox import KEYS
from monitor.alerts.sender import Key
from monitor.store.hot import Store

LATER = START + timedelta(minutes=5)


def keys(store: Store) -> list[str]:
    return [row.key.finding_id for row in store.due("webhook", LATER, 10)]


def test_rows_wait_for_their_time_and_their_channel(store: Store) -> None:
    store.commit(batch(outbox=messages("a", at=LATER)))
    store.commit(batch(outbox=messages("b")))
    store.commit(batch(outbox=messages("c", channel="mail")))
    assert [row.key.finding_id for row in store.due("webhook", START, 10)] == ["b"]
    assert keys(store) == ["b", "a"]
    assert [row.key.channel for row in store.due("mail", LATER, 10)] == ["mail"]
    assert store.backlog(LATER) == (3, 300.0)


def test_sent_failed_and_given_up(store: Store) -> None:
    store.commit(batch(outbox=messages("a", "b", "c")))
    store.mark_sent(Key("a", 1, "webhook"), LATER)
    store.mark_failed(Key("b", 1, "webhook"), LATER + timedelta(minutes=1))
    store.mark_failed(Key("c", 1, "webhook"), None)
    assert keys(store) == []
    (again,) = store.due("webhook", LATER + timedelta(minutes=2), 10)
    assert (again.key.finding_id, again.attempts) == ("b", 1)
    states = dict(store.database.read("SELECT finding_id, state FROM outbox").rows())
    assert states == {"a": "sent", "b": "waiting", "c": "failed"}


def test_the_same_message_is_queued_once(store: Store) -> None:
    store.commit(batch(outbox=messages("a")))
    store.mark_sent(Key("a", 1, "webhook"), LATER)
    store.commit(batch(outbox=messages("a")))
    assert keys(store) == []
    assert store.outbox_since(START).height == 1


def test_superseded_rows_are_not_sent(store: Store) -> None:
    store.commit(batch(outbox=messages("a", "b")))
    store.mark_sent(Key("b", 1, "webhook"), LATER)
    store.commit(batch(superseded=messages("a", "b").select(*KEYS)))
    assert keys(store) == []
    states = dict(store.database.read("SELECT finding_id, state FROM outbox").rows())
    assert states == {"a": "superseded", "b": "sent"}
    store.commit(batch(outbox=messages("c")))
    store.mark_superseded([Key("c", 1, "webhook")])
    assert keys(store) == []


def test_sender_and_writer_at_once(store: Store) -> None:
    store.commit(batch(outbox=messages(*(f"m{number}" for number in range(20)))))
    wrong: list[Exception] = []

    def send() -> None:
        try:
            for row in store.due("webhook", LATER, 20):
                store.mark_sent(row.key, LATER)
        except Exception as error:  # noqa: BLE001 - whatever it is, the main thread shall see it
            wrong.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    for number in range(10):
        store.commit(batch(10, start=number * 10))
    thread.join()
    assert wrong == []
    assert keys(store) == []


def test_a_clock_set_back_delays_no_message(store: Store) -> None:
    store.commit(batch(outbox=messages("made in the future", at=LATER, created_at=LATER)))
    assert [row.key.finding_id for row in store.due("webhook", START, 10)] == ["made in the future"]
