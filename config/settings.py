"""The settings of one hospital: hospital.yaml as a frozen model. Every key, its default and its meaning are here.

docs/configuration.md is generated from the descriptions (`config/describe.py`); a test keeps them the same.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo

from config.inventories import Inventory
from config.values import Clock, Encoding, FilePath, Identifier, Model, NetworkText, Texts, ZoneName

Severity = Literal["low", "medium", "high", "critical"]
Language = Literal["zh", "en"]
RETENTION_FLOOR_DAYS = 180
RULE_OR_FAMILY = r"^[A-Z]{2,4}(-[A-Za-z0-9_-]{1,64})?$"
RuleOrFamily = Annotated[str, Field(pattern=RULE_OR_FAMILY)]


class Site(Model):
    id: Identifier = Field(description="short name of the hospital; part of every event id: never change it")
    name: str = Field("", description="name that alerts show")


class OfficeHours(Model):
    start: Clock = Field(480, description="start of office hours on working days")
    end: Clock = Field(1080, description="end of office hours")


class Networks(Model):
    inside: tuple[NetworkText, ...] = Field(
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        description="the hospital's own networks; every other address is outside",
    )


def _rooted(path: str, info: ValidationInfo) -> str:
    context = info.context or {}
    base = context.get("root") or context.get("base")
    return str(Path(base) / path) if base is not None else path


Glob = Annotated[str, AfterValidator(_rooted)]  # absolute once loaded


class Source(Model):
    system: Identifier = Field(description="database or server that writes the log; accounts are one within a system")
    path: Glob | None = Field(
        None, min_length=1, description="file or glob (** allowed), relative to this file; this or `listener`"
    )
    listener: Texts = Field((), description="name of a listener, or a list: messages received there; this or `path`")
    hosts: Texts = Field(
        (), description="with `listener`: networks of senders, or hosts as messages name them; default: all"
    )
    programs: Texts = Field(
        (), description="with `listener`: tags of messages, such as sshd (* and ? allowed); default: all"
    )
    format: str = Field(min_length=1, description="log format; `hiswatch check-config` lists the known ones")
    options: dict[str, Any] = Field(
        default_factory=dict, description="settings of the format, such as log_line_prefix; see docs/formats"
    )
    timezone: ZoneName | None = Field(None, description="zone of stamps that have none; default: the site's")
    dialect: Literal["postgres", "mysql", "oracle", "tsql"] | None = Field(
        None, description="SQL dialect; default: the format's"
    )
    encoding: tuple[Encoding, ...] = Field(
        ("utf-8", "gb18030"), min_length=1, description="encodings of a record, tried in order; UTF-8 always first"
    )
    staged: bool = Field(False, description="on trial: all findings of this source are counted, not notified")
    learning_days: int | None = Field(
        None, ge=0, le=90, description="instead of `detection.learning_days`, for this source"
    )
    start_at: Literal["beginning", "end"] = Field(
        "beginning",
        description="where the files begin that are there when a source is read for the first time; later ones: always the beginning",
    )
    expected_silence_minutes: int | None = Field(
        None,
        gt=0,
        description="longest quiet time that is normal; a longer one is a finding (SRC-01); none: learnt by hour and kind of day",
    )


class Listener(Model):
    protocol: Literal["udp", "tcp", "tls"] = Field(
        description="how syslog comes; see docs/sources.md for what each loses"
    )
    listen: str = Field(
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d{1,5}$",
        description="host:port to receive at, such as 10.20.0.7:6514",
    )
    certificate: FilePath | None = Field(None, description="tls: certificate chain (PEM)")
    key_file: FilePath | None = Field(None, description="tls: its key; readable by this user only")
    client_ca: FilePath | None = Field(
        None, description="tls: authority (PEM) whose certificates senders must show; none: not asked for"
    )
    allow: tuple[NetworkText, ...] = Field((), description="networks that may send; default: all")
    max_connections: int = Field(256, ge=1, le=10_000, description="tcp, tls: connections at a time")
    idle_seconds: int = Field(
        86_400, ge=60, description="tcp, tls: a connection that brings nothing for so long is closed"
    )
    stall_seconds: int = Field(
        60, ge=1, le=3600, description="tcp, tls: the same for one in the middle of a message or of its handshake"
    )

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Catalogue(Model):
    packs: tuple[Identifier, ...] | None = Field(None, description="shipped catalogue packs, in order; default: all")
    files: tuple[FilePath, ...] = Field((), description="catalogue files of the site; they win over packs")


class Budget(Model):
    per_day: int = Field(ge=0, description="findings of a day that are notified; further ones are recorded only")
    critical: bool = Field(False, description="critical findings count and go quiet as well")


class Detection(Model):
    rule_dirs: tuple[FilePath, ...] = Field((), description="folders of the site's own rules, besides the shipped ones")
    disabled: tuple[RuleOrFamily, ...] = Field((), description="rules (EXF-06) or families (VND) that are off")
    staged: tuple[RuleOrFamily, ...] = Field((), description="rules or families on trial: counted, not notified")
    thresholds: dict[RuleOrFamily, dict[str, int]] = Field(
        default_factory=dict,
        description="per rule: its named numbers, such as {threshold: 500, timespan_seconds: 3600}",
    )
    learning_days: int = Field(
        7,
        ge=0,
        le=90,
        description="from its first event on a source only teaches what is usual: findings about behaviour are not notified for so many days; other rules are",
    )
    notify_from: Severity = Field("medium", description="lowest severity that is notified; low is always only recorded")
    budget_per_rule_per_day: int = Field(
        20, ge=1, description="findings of a rule and day that are notified; not counted: critical ones, and AUD"
    )
    budgets: dict[RuleOrFamily, Budget] = Field(
        default_factory=dict,
        description="other budgets, by rule or family (the rule's wins); AUD has one only if named here",
    )


class Suppression(Model):
    """Recorded, not notified, until a day. What is named must all be so; of a list any."""

    rules: tuple[RuleOrFamily, ...] = Field(min_length=1, description="rules (EXF-06) or families (EXF)")
    accounts: Texts = Field((), description="accounts, as the log writes them; one of the six must be given")
    people: Texts = Field((), description="ids of people in the register")
    vendors: Texts = Field((), description="ids of vendors in the register")
    addresses: tuple[NetworkText, ...] = Field((), description="client addresses or networks")
    systems: Texts = Field((), description="systems of the sources")
    objects: Texts = Field(
        (), description="tables or shapes of files (* and ? allowed); every object of the finding must be among them"
    )
    owner: str = Field(min_length=2, description="who answers for it")
    reason: str = Field(min_length=1, description="why this may stay quiet, in a sentence")
    until: date = Field(description="last day, at most a year ahead")
    critical: bool = Field(False, description="hide critical findings as well")
    audit: bool = Field(False, description="hide findings about the audit itself (AUD) as well")


class Canaries(Model):
    patients_file: FilePath | None = Field(
        None, description="numbers of patients who do not exist, one a line; readable by this user only"
    )
    objects: Texts = Field(
        (), description="tables, views or file paths that nothing honest needs; * and ? allowed, case ignored"
    )
    may_touch: Texts = Field(
        (), description="jobs, services, people, owners or departments of the register that touch them rightly"
    )


class Vips(Model):
    patients_file: FilePath | None = Field(
        None, description="numbers of patients the public is curious about, one a line; readable by this user only"
    )
    may_touch: Texts = Field(
        (), description="jobs, services, people, owners or departments of the register that treat or bill them"
    )


class Watched(Model):
    canaries: Canaries = Field(Canaries(), description="whatever touches one of them is not honest work (EXF-16)")
    vips: Vips = Field(Vips(), description="access by others than those who treat them is told (ABU-01)")


class Webhook(Model):
    type: Literal["webhook"] = Field(description="signed JSON to a URL")
    url: str = Field(pattern=r"^https?://[^\s/@]+(/\S*)?$", description="where to; without user name or password")
    secret_file: FilePath | None = Field(None, description="file with the HMAC key; readable by this user only")
    timeout_seconds: float = Field(10, gt=0, le=60, description="longest wait for an answer")
    allow_private: bool = Field(False, description="allow a private or loopback address, and plain http to it")


class Alertmanager(Model):
    type: Literal["alertmanager"] = Field(description="Prometheus Alertmanager, API v2")
    url: str = Field(pattern=r"^https?://[^\s/@]+(/\S*)?$", description="base address of the Alertmanager")
    timeout_seconds: float = Field(10, gt=0, le=60, description="longest wait for an answer")
    allow_private: bool = Field(True, description="allow a private or loopback address")


class Smtp(Model):
    type: Literal["smtp"] = Field(description="e-mail")
    host: str = Field(min_length=1, description="mail server")
    port: int = Field(25, ge=1, le=65535, description="its port")
    sender: str = Field(alias="from", pattern=r"^[^\s@]+@[^\s@]+$", description="address of the sender")
    recipients: tuple[Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")], ...] = Field(
        alias="to", min_length=1, description="addresses of the recipients"
    )
    starttls: bool = Field(True, description="refuse to send without TLS")
    username: str | None = Field(None, description="user at the mail server")
    password_file: FilePath | None = Field(None, description="file with the password; readable by this user only")
    timeout_seconds: float = Field(20, gt=0, le=120, description="longest wait for an answer")


Channel = Annotated[Webhook | Alertmanager | Smtp, Field(discriminator="type")]


class Heartbeat(Model):
    interval_seconds: int = Field(300, ge=10, description="how often 'still alive' is sent")
    channel: Identifier = Field(description="name of the channel that gets it")


class Alerts(Model):
    language: Language | None = Field(None, description="language of messages; default: the site's")
    channels: dict[Identifier, Channel] = Field(default_factory=dict, description="who is told, by name")
    group_interval_seconds: int = Field(
        300, ge=0, description="updates of one incident wait this long; the first never"
    )
    repeat_hours: int = Field(
        4, ge=1, description="an incident quiet for so long begins anew; an Alertmanager alert stays active so long"
    )
    budget_per_hour: int = Field(12, ge=1, description="messages an hour; above it one summary is sent")
    heartbeat: Heartbeat | None = Field(None, description="regular sign of life; none: not sent")


class Web(Model):
    listen: str = Field(
        "127.0.0.1:8642",
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d{1,5}$",
        description="host:port of /metrics and /healthz; other than loopback only with TLS and a token",
    )
    tls_certificate: FilePath | None = Field(None, description="certificate chain (PEM)")
    tls_key_file: FilePath | None = Field(None, description="its key; readable by this user only")
    token_file: FilePath | None = Field(None, description="file with the access token; readable by this user only")

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Store(Model):
    memory_limit_mb: int = Field(256, ge=64, description="memory of the embedded database")
    threads: int = Field(1, ge=1, le=64, description="its threads")
    retention_days: int = Field(
        RETENTION_FLOOR_DAYS, ge=1, description="days that are kept; fewer than 180 need retention_reason"
    )
    retention_reason: str | None = Field(
        None, min_length=10, description="why fewer than 180 days may be kept, and who said so"
    )
    publish_seconds: int = Field(60, ge=1, description="committed rows are open to queries after this time")
    publish_rows: int = Field(100_000, ge=1000, description="or after this many rows")


class Limits(Model):
    batch_seconds: float = Field(0.5, gt=0, le=60, description="a batch is closed after this time")
    batch_bytes: int = Field(16 * 1024 * 1024, ge=65536, description="or at this size")
    spool_limit_mb: int = Field(
        1024, ge=1, description="received messages of one source that wait on disk; above it none are taken"
    )


class Workers(Model):
    count: int = Field(1, ge=1, le=32, description="processes that read SQL")
    timeout_ms: int = Field(500, ge=50, le=60_000, description="a statement that takes longer is given up")


class Transfers(Model):
    package_names: tuple[str, ...] = Field(
        ("HIS_patch_*.zip",), description="file names of agreed program packages (* and ? allowed)"
    )
    list_names: tuple[str, ...] = Field(
        (), description="further words in names of patient lists, besides the built-in ones"
    )


class Settings(Model):
    """hospital.yaml. All paths are absolute once it was loaded from a file."""

    site: Site = Field(description="which hospital")
    timezone: ZoneName = Field("Asia/Shanghai", description="zone of the hospital: its days, hours and tickets")
    language: Language = Field("zh", description="language of messages")
    state_dir: FilePath = Field(
        Path("/var/lib/hiswatch"), description="folder of the store; written by this program only"
    )
    office_hours: OfficeHours = Field(OfficeHours(), description="office hours of the hospital")
    networks: Networks = Field(Networks(), description="addresses")
    sources: dict[Identifier, Source] = Field(
        description="logs to read, by name; a file belongs to the first source whose path matches"
    )
    listeners: dict[Identifier, Listener] = Field(
        default_factory=dict,
        description="ports that receive syslog, by name; a message goes to the first source that fits",
    )
    inventories: dict[Identifier, Inventory] = Field(
        default_factory=dict, description="accounts as the servers have them, read once a day; see docs/inventories.md"
    )
    register_file: FilePath | None = Field(
        None, alias="register", description="register of vendors, people, jobs and tickets"
    )
    tickets_dir: FilePath | None = Field(
        None, description="folder where tickets are dropped as files (YAML, JSON, CSV), taken up while running"
    )
    calendar_file: FilePath | None = Field(
        None, alias="calendar", description="days that differ from the shipped calendar"
    )
    catalogue: Catalogue = Field(Catalogue(), description="which table and column holds what")
    watched: Watched = Field(Watched(), description="patients and tables of which every access counts")
    detection: Detection = Field(Detection(), description="rules")
    suppressions: dict[Identifier, Suppression] = Field(
        default_factory=dict, description="findings that are recorded and not notified for a while, by name"
    )
    alerts: Alerts = Field(Alerts(), description="messages")
    web: Web = Field(Web(), description="metrics and health")
    store: Store = Field(Store(), description="the embedded store")
    limits: Limits = Field(Limits(), description="batches and memory")
    workers: Workers = Field(Workers(), description="processes that read SQL")
    transfers: Transfers = Field(Transfers(), description="names of transferred files")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def source_zone(self, source: Source) -> ZoneInfo:
        """Zone of the stamps of a source that write none."""
        return ZoneInfo(source.timezone or self.timezone)
