"""The channels of a configuration, and the planning settings that follow from it."""

from __future__ import annotations

from collections.abc import Iterable

from config.register import Register
from config.settings import Alertmanager, Settings, Smtp, Webhook
from monitor.alerts.alertmanager import AlertmanagerChannel
from monitor.alerts.channel import Channel
from monitor.alerts.message import holder_key, site_key
from monitor.alerts.outbox import OutboxSettings
from monitor.alerts.smtp import SmtpChannel
from monitor.alerts.texts import Texts
from monitor.alerts.webhook import WebhookChannel


def make_channels(settings: Settings) -> tuple[Channel, ...]:
    """One per entry of alerts.channels, in its order. Opens nothing yet."""
    return tuple(_make(name, made, settings) for name, made in settings.alerts.channels.items())


def _make(name: str, made: Webhook | Alertmanager | Smtp, settings: Settings) -> Channel:
    if isinstance(made, Webhook):
        return WebhookChannel(
            name,
            made.url,
            secret_file=made.secret_file,
            timeout_seconds=made.timeout_seconds,
            allow_private=made.allow_private,
        )
    if isinstance(made, Alertmanager):
        return AlertmanagerChannel(
            name,
            made.url,
            timeout_seconds=made.timeout_seconds,
            allow_private=made.allow_private,
            active_seconds=settings.alerts.repeat_hours * 3600.0,
        )
    return SmtpChannel(
        name,
        made.host,
        port=made.port,
        sender=made.sender,
        recipients=made.recipients,
        starttls=made.starttls,
        username=made.username,
        password_file=made.password_file,
        timeout_seconds=made.timeout_seconds,
    )


def outbox_settings(settings: Settings, register: Register | None, texts: Texts) -> OutboxSettings:
    alerts = settings.alerts
    return OutboxSettings(
        channels=tuple(alerts.channels),
        language=alerts.language or settings.language,
        zone=settings.zone,
        group_interval_seconds=alerts.group_interval_seconds,
        budget_per_hour=alerts.budget_per_hour,
        forget_hours=alerts.repeat_hours,
        texts=texts,
        names={site_key(settings.site.id): settings.site.name, **(dict(_names(register)) if register else {})},
    )


def _names(register: Register) -> Iterable[tuple[str, str]]:
    for group in (register.vendors, register.people):
        yield from ((identifier, item.name) for identifier, item in group.items() if item.name)
    for kind, holders in (("service", register.services), ("owner", register.owners)):
        for identifier, holder in holders.items():
            named = f"{holder.name} ({identifier})" if holder.name and holder.name != identifier else identifier
            for account in holder.accounts:
                yield from ((holder_key(kind, system, account.account), named) for system in account.systems)
