from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.settings import Settings
from monitor.alerts.alertmanager import alert
from monitor.alerts.channel import Payload
from monitor.alerts.channels import make_channels, outbox_settings
from monitor.alerts.heartbeat import Heartbeat, SourceState, heartbeat_message, system_message, trial_message
from monitor.alerts.smtp import mail
from monitor.alerts.webhook import encode
from monitor.health import HealthState

AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
BEAT = Heartbeat(
    "demo", "0.1.0", AT, HealthState("degraded", ("source_silent",)), {"pg": SourceState(AT, 0.25, 10), "ftp": SourceState(None)}, 2, 12.5
)  # fmt: skip


def test_a_heartbeat_says_what_runs_and_when_each_source_last_spoke() -> None:
    told = heartbeat_message(BEAT, language="zh", zone=ZONE)
    assert told["kind"] == "heartbeat"
    assert told["version"] == "0.1.0"
    assert (told["status"], told["reasons"]) == ("degraded", ["source_silent"])
    assert told["sources"]["pg"] == {
        "last_event_at": "2026-11-23T02:00:00.000+08:00",
        "lag_seconds": 0.2,
        "lag_bytes": 10,
    }
    assert told["sources"]["ftp"]["last_event_at"] is None
    assert "demo 运行中" in told["text"]


@pytest.mark.parametrize(
    "told",
    [
        heartbeat_message(BEAT, language="en", zone=ZONE),
        trial_message("demo", "mail", AT, language="zh", zone=ZONE),
        system_message("disk_full", "demo", AT, "no space left", language="en", zone=ZONE),
    ],
    ids=["heartbeat", "test", "system"],
)
def test_every_channel_can_carry_what_is_no_finding(told: Payload) -> None:
    assert json.loads(encode(told)) == told
    assert alert(told, AT, AT)["labels"]["alertname"].startswith("SYS-")
    assert bytes(mail(told, "a@b.example", ["c@d.example"], 0))


def test_channels_are_made_of_the_settings(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "site": {"id": "demo"},
            "sources": {"pg": {"system": "his", "path": "/var/log/pg.csv", "format": "postgresql_csvlog"}},
            "alerts": {
                "language": "en",
                "channels": {
                    "hook": {"type": "webhook", "url": "https://soc.hospital.example/hook"},
                    "am": {"type": "alertmanager", "url": "http://10.0.0.9:9093"},
                    "mail": {"type": "smtp", "host": "mail", "from": "a@b.example", "to": ["c@d.example"]},
                },
            },
        }
    )
    channels = make_channels(settings)
    assert [channel.name for channel in channels] == ["hook", "am", "mail"]
    for channel in channels:
        channel.close()
    planned = outbox_settings(settings, None, {})
    assert planned.channels == ("hook", "am", "mail")
    assert (planned.language, planned.group_interval_seconds, planned.budget_per_hour) == ("en", 300, 12)
