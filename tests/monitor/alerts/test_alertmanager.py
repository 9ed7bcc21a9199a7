from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.alerts.alertmanager import AlertmanagerChannel, alert
from monitor.alerts.channel import DeliveryError
from monitor.alerts.heartbeat import trial_message

NOW = datetime(2026, 11, 22, 18, 5, tzinfo=UTC)


class Clock:
    now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def channel(receiver: Any, clock: Clock) -> Iterator[AlertmanagerChannel]:
    made = AlertmanagerChannel("am", receiver.url.partition("/hook")[0], clock=clock)
    yield made
    made.close()


def posted(receiver: Any) -> list[dict[str, Any]]:
    path, headers, body = receiver.got[-1]
    assert path == "/api/v2/alerts"
    assert headers["content-type"] == "application/json"
    return list(json.loads(body))


def test_labels_are_a_closed_set_and_people_stand_in_annotations(payload: dict[str, Any]) -> None:
    made = alert(payload, NOW, NOW + timedelta(minutes=5))
    assert made["labels"] == {
        "alertname": "EXF-06",
        "severity": "critical",
        "site": "demo",
        "system": "his",
        "family": "EXF",
        "story": "story1",
    }
    assert made["annotations"]["account"] == "vendor_wx_zhang"
    assert made["annotations"]["description"] == payload["text"]
    assert (made["startsAt"], made["endsAt"]) == ("2026-11-22T18:00:01.000+00:00", "2026-11-22T18:10:00.000+00:00")


def test_an_alert_never_starts_in_the_future(payload: dict[str, Any]) -> None:
    early = NOW - timedelta(hours=1)
    assert alert(payload, early, NOW)["startsAt"] == early.isoformat(timespec="milliseconds")


def test_active_alerts_are_posted_again_until_their_time_is_over(
    channel: AlertmanagerChannel, receiver: Any, clock: Clock, payload: dict[str, Any]
) -> None:
    channel.send(payload)
    first = posted(receiver)[0]
    clock.now += 60
    assert channel.resend() == 1
    again = posted(receiver)[0]
    assert again["labels"] == first["labels"]
    assert again["endsAt"] > first["endsAt"]
    clock.now += 4 * 3600
    assert channel.resend() == 0
    assert len(receiver.got) == 2


def test_a_new_revision_takes_the_place_of_the_older_one(
    channel: AlertmanagerChannel, receiver: Any, payload: dict[str, Any]
) -> None:
    channel.send(payload)
    channel.send({**payload, "revision": 3})
    assert channel.resend() == 1
    assert posted(receiver)[0]["annotations"]["revision"] == "3"


def test_after_a_restart_the_active_ones_are_known_again(
    channel: AlertmanagerChannel, receiver: Any, clock: Clock, payload: dict[str, Any]
) -> None:
    at = datetime.fromtimestamp(clock.now, UTC)
    channel.restore([(payload, at - timedelta(minutes=9)), ({**payload, "rule": "EXF-01"}, at - timedelta(hours=9))])
    assert channel.resend() == 1
    assert posted(receiver)[0]["labels"]["alertname"] == "EXF-06"


def test_a_test_message_does_not_stay(channel: AlertmanagerChannel, payload: dict[str, Any]) -> None:
    channel.send(trial_message("demo", "am", NOW, language="zh", zone=UTC))
    assert channel.resend() == 0


def test_a_failure_keeps_the_alert_out_of_the_active_ones(
    channel: AlertmanagerChannel, receiver: Any, payload: dict[str, Any]
) -> None:
    receiver.status = 500
    with pytest.raises(DeliveryError):
        channel.send(payload)
    assert channel.resend() == 0


def test_the_number_of_active_alerts_is_bounded(
    channel: AlertmanagerChannel, payload: dict[str, Any], clock: Clock
) -> None:
    at = datetime.fromtimestamp(clock.now, UTC)
    channel.restore(({**payload, "story": {**payload["story"], "id": f"s{number}"}}, at) for number in range(1500))
    assert channel.resend() == 1000


PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.mark.live
@pytest.mark.skipif(PROGRAM is None, reason="no Alertmanager on this machine (Debian package prometheus-alertmanager)")
def test_a_real_alertmanager_takes_it_and_shows_it(tmp_path: Path, payload: dict[str, Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = [
        str(PROGRAM),
        f"--config.file={config}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=10)) as client:
            assert client.get(f"{url}/-/ready").status_code == 200
            channel = AlertmanagerChannel("am", url)
            channel.send(payload)
            channel.send(payload)
            assert channel.resend() == 1
            channel.close()
            (shown,) = client.get(f"{url}/api/v2/alerts").json()
    finally:
        process.terminate()
        process.wait(20)
    assert shown["labels"]["alertname"] == "EXF-06"
    assert shown["status"]["state"] in {"active", "unprocessed"}
    assert shown["annotations"]["description"] == payload["text"]
