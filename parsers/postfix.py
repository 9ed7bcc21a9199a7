"""Postfix's mail log: every delivery to a recipient, with sender, client, size and attachment from earlier lines.

``postfix/DAEMON[pid]: QUEUEID: text`` in any of the three syslog envelopes. The lines of a mail share its queue id, which
is used again later. Sources: Postfix's smtpd(8), cleanup(8), qmgr(8), smtp(8), header_checks(5); samples from 3.7.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import Origin
from parsers.framing import lines
from parsers.postfix_names import DATA, names
from parsers.registry import Carry, Parsed, parser
from parsers.remembering import forgotten
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines

SKIPS = {
    **PROGRAM_SKIPS,
    "mail_step": "a client, sender, size or message id of a mail: each delivery of it is told with them",
    "connection": "a connection that opened or ended: mails, refusals and failed logins tell its address themselves",
    "statistics": "counters of rates and of cached connections: no act",
}
MAX_MAILS = 20_000
_LAST = ["removed", "over"]  # what ends a mail
IDLE = 30 * 86_400_000_000  # microseconds; Postfix gives up after five days unless told otherwise

_QID = r"(?<qid>[0-9A-F]{6,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20})"
_FROM = r"from (?:[^ \[]+\[(?<ip>[0-9A-Fa-f.:]+|unknown)\]|local)"
# A header is what its sender likes: it ends at the last " from client", and only agents' lines tell deliveries.
MESSAGE = (
    r"^(?:"
    rf"{_QID}: (?:"
    r"(?<delivery>to)=<(?<to>.*?)>, (?:orig_to=<.*?>, )?relay=(?<relay>[^,]*), (?:conn_use=[0-9]+, )?delay=(?<delay>[0-9.]+), "
    r"(?:delays=[0-9./]+, )?dsn=(?<dsn>[0-9.]+), status=(?<status>[a-z]+) ?(?<response>.*)"
    r"|from=<(?<sender>.*)>, size=(?<size>[0-9]+), nrcpt=[0-9]+ \([a-z -]*\)"
    r"|from=<(?<expired_from>.*)>, status=(?<expired>[a-z-]+),? ?(?<expired_text>[a-z ]*)"
    r"|client=[^ \[]+\[(?<client>[0-9A-Fa-f.:]+|unknown)\](?:.*?, sasl_username=(?<sasl>[^,]+))?.*"
    r"|uid=(?<uid>[0-9]+) from=<(?<local_sender>.*)>"
    rf"|(?<check>[a-z-]+): (?<part>header|body|mime-header|nested-header) (?<header>.*) {_FROM}; "
    r"from=<(?<header_sender>.*?)>(?: to=<.*?>)?(?:[ :].*)?"
    r"|(?<removed>removed)"
    r"|(?<step>(?:resent-)?message-id=.*|sender (?:non-)?deliver.*|skipped, still being delivered|host .* (?:said|refused).*|lost connection with .*|enabling .*|replace: .*)"
    r")"
    r"|(?:(?<noqueue>NOQUEUE)|(?<rejected>[0-9A-Za-z]{6,20})): (?:milter-)?reject: [A-Z-]+ from [^ \[]*\[(?<reject_ip>[0-9A-Fa-f.:]+|unknown)\]: "
    r"(?<code>[0-9]{3}(?: [0-9]\.[0-9]+\.[0-9]+)?) (?<reason>.*)"
    r"|warning: (?<over>[0-9A-Za-z]{6,20}): queue file size limit exceeded"
    r"|warning: [^ \[]*\[(?<login_ip>[0-9A-Fa-f.:]+)\]: SASL (?<method>[^ ]+) authentication failed(?:: (?<why>.*?))?(?:, sasl_username=(?<login>.*))?"
    r"|(?<connection>(?:dis)?connect from .*|(?:lost connection|timeout) after .*|(?:Anonymous|Untrusted|Trusted|Verified) TLS connection .*|SSL_accept .*)"
    r"|(?<statistics>statistics: .*)"
    r")$"
)
_REJECT_MAIL = r"; from=<(?<from>[^>]*)>(?: to=<(?<to>[^>]*)>)?(?: proto=[^ ]*)?(?: helo=<.*>)?$"
_ENDS = r">, (?:size=[0-9]|status=[a-z])"  # of a sender: twice where a quoted sender imitates one
_INSIDE = r"/(?:local|virtual|lmtp|pipe|discard)$"
_DETAIL = 200

STATE: dict[str, pl.DataType] = {
    "host": pl.String(),
    "qid": pl.String(),
    "sender_": pl.String(),
    "sasl": pl.String(),
    "ip_": pl.String(),
    "size": pl.Int64(),
    "name": pl.String(),
    "at": pl.Int64(),
}


@parser(
    "postfix", reference="postfix: smtpd(8), cleanup(8), qmgr(8), smtp(8), header_checks(5)", framing=lines, skips=SKIPS
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read deliveries. `zone` is that of stamps that tell none (RFC 3164).

    A delivery is an upload by the sender: `direction` out where it left through SMTP, in where it stayed on this host.
    Reasons of rejects: those of `parsers.syslog`.
    """
    found = program_lines(chunk, origin, zone, carry, pl.col("tag").str.contains(r"^postfix[^/]*/"))
    rows, mails = _in_mails(_take_apart(found.told), carry.get("mails", {}))
    step = pl.coalesce(
        pl.when(pl.col("kind").is_in(["client", "sender", "removed", "step"])).then(pl.lit("mail_step")),
        pl.when(pl.col("kind").is_in(["connection", "statistics"])).then("kind"),
    )
    rows = rows.with_columns(skip=step)
    return found.settled(rows, _events(rows.filter(pl.col("skip").is_null())), origin, mails=mails)


def _take_apart(told: pl.DataFrame) -> pl.DataFrame:
    daemon = pl.col("tag").str.extract("([^/]+)$")
    told = told.with_columns(pl.col("message").str.extract_groups(MESSAGE).alias("g"), daemon=daemon).unnest("g")
    # what only an agent may say, cleanup cannot: a subject is logged by cleanup
    told = told.with_columns(
        delivery=pl.when(~pl.col("daemon").is_in(["cleanup", "smtpd", "pickup", "qmgr"])).then("delivery")
    )
    kinds = {
        "delivery": pl.col("delivery").is_not_null(),
        "expired": pl.col("expired").is_not_null(),
        "sender": pl.col("size").is_not_null(),
        "client": pl.col("client").is_not_null() | pl.col("uid").is_not_null(),
        "header": pl.col("header").is_not_null(),
        "removed": pl.col("removed").is_not_null(),
        "step": pl.col("step").is_not_null(),
        "reject": pl.col("code").is_not_null(),
        "over": pl.col("over").is_not_null(),
        "login": pl.col("login_ip").is_not_null(),
        "connection": pl.col("connection").is_not_null(),
        "statistics": pl.col("statistics").is_not_null(),
    }
    kind = pl.coalesce(pl.when(fits).then(pl.lit(name)) for name, fits in kinds.items()).fill_null("notice")
    again = pl.col("reason").str.extract_groups(_REJECT_MAIL)
    told = told.with_columns(
        kind=kind,
        header_name=names(told["header"]),
        reject_from=again.struct.field("from"),
        reject_to=again.struct.field("to"),
        forgeable=(pl.col("message").str.count_matches(">, relay=", literal=True) > 1)
        | (pl.col("message").str.count_matches("; from=<", literal=True) > 1)
        | (pl.col("message").str.count_matches(_ENDS) > 1),
    )
    # a greeting (helo=) that imitates the fields behind a header: the mail keeps what its other lines tell
    doubtful = (pl.col("kind") == "header") & pl.col("forgeable")
    told = told.with_columns(pl.when(~doubtful).then(pl.col(name)).alias(name) for name in ("ip", "header_sender"))
    return told.with_columns(
        host=pl.col("host").fill_null(""),
        qid=pl.coalesce("qid", "over", "rejected"),
        sender_=pl.coalesce("sender", "local_sender", "header_sender", "expired_from", "reject_from").replace("", None),
        ip_=pl.coalesce(
            "client", "ip", "reject_ip", pl.when(pl.col("uid").is_not_null()).then(pl.lit("[local]"))
        ).replace("unknown", None),
        size=pl.col("size").cast(pl.Int64, strict=False),
        name=pl.col("header_name"),
        at=pl.col("occurred_at").dt.epoch("us"),
        fresh=pl.lit(value=True),
    )


def _in_mails(rows: pl.DataFrame, state: Mapping[str, Any]) -> tuple[pl.DataFrame, Mapping[str, Any]]:
    """Give each line what the earlier ones of its mail told; past mails are put in front again."""
    past = pl.DataFrame({name: state.get(name, []) for name in STATE}, schema=STATE)
    rows = pl.concat([past.with_columns(fresh=pl.lit(value=False), kind=pl.lit("past")), rows], how="diagonal")
    rows = rows.with_row_index("row")
    mail = ["host", "qid"]
    rows = rows.with_columns(_forgotten(rows))
    begins = (
        (pl.col("kind") == "client")
        | pl.col("kind").shift(1).over(mail).is_in(_LAST).fill_null(value=False)
        | (pl.col("at").diff().over(mail) > IDLE).fill_null(value=False)
        | pl.col("forgotten")
    )
    rows = rows.with_columns(epoch=begins.cum_sum().over(mail))
    group = [*mail, "epoch"]
    rank = pl.when(pl.col("name").str.contains(DATA)).then(0).when(pl.col("name").is_not_null()).then(1)
    rows = rows.with_columns(score=rank.cast(pl.Int64) * (1 << 32) + pl.col("row").cast(pl.Int64))
    rows = rows.with_columns(
        pl.col("sender_", "sasl", "ip_", "size").forward_fill().over(group),
        best=pl.col("score").cum_min().forward_fill().over(group),
    )
    place = (rows["best"] % (1 << 32)).cast(pl.UInt32)
    rows = rows.with_columns(best_name=rows["name"].gather(place))
    # lines that belong to no mail have learned nothing from each other
    lone = pl.col("qid").is_null()
    own = {
        name: pl.when(lone & pl.col("fresh")).then(pl.lit(None)).otherwise(pl.col(name)) for name in ("size", "sasl")
    }
    rows = rows.with_columns(
        **own,
        best_name=pl.when(~lone).then("best_name"),
        sender_=pl.when(lone).then("reject_from").otherwise("sender_") if "reject_from" in rows.columns else "sender_",
        ip_=pl.when(lone).then("reject_ip").otherwise("ip_").replace("unknown", None)
        if "reject_ip" in rows.columns
        else "ip_",
    )
    last = rows.filter(~lone).group_by(mail).agg(pl.all().last()).filter(~pl.col("kind").is_in(_LAST))
    kept = last.with_columns(name="best_name").sort("row").tail(MAX_MAILS).select(*STATE)
    return rows.filter("fresh"), kept.to_dict(as_series=False)


def _forgotten(rows: pl.DataFrame) -> pl.Series:
    """Only lines that name a mail count; `row` is their index."""
    mails = rows.filter(pl.col("qid").is_not_null())
    there = forgotten(mails, ["host", "qid"], MAX_MAILS, ends=pl.col("kind").is_in(_LAST))
    return pl.Series("forgotten", [False]).new_from_index(0, rows.height).scatter(mails["row"], there)


def _events(told: pl.DataFrame) -> pl.DataFrame:
    kind, status = pl.col("kind"), pl.coalesce("status", "expired")
    delivery, header = kind == "delivery", kind == "header"
    gone = kind.is_in(["delivery", "expired", "over", "reject"])
    inside = pl.col("tag").str.contains(_INSIDE)
    recipient = pl.coalesce("to", "reject_to")
    mail = pl.concat_str(pl.lit("mail"), "host", "qid", separator="|")
    waits = status == "deferred"
    attachment = pl.when(header).then("name").otherwise("best_name")
    return told.select(
        "position",
        "length",
        "occurred_at",
        record_role=pl.when(waits | header).then(pl.lit("part")).otherwise(pl.lit("main")),
        activity_key=pl.when(delivery | (kind == "reject"))
        .then(mail + "|" + recipient.fill_null("").str.slice(0, 120))
        .otherwise(mail),
        action=pl.when(gone | (header & pl.col("name").is_not_null()))
        .then(pl.lit("upload"))
        .when(kind == "login")
        .then(kind)
        .otherwise(pl.lit("notice")),
        outcome=pl.when(status.is_in(["sent", "delivered"]))
        .then(pl.lit("ok"))
        .when(waits | header)
        .then(pl.lit("unknown"))
        .when(gone | (kind == "login") | pl.col("message").str.contains("^(?:warning|error|fatal|panic): "))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when(~status.is_in(["sent", "delivered"]).fill_null(value=False)).then(
            pl.coalesce(
                pl.when(delivery).then(pl.concat_str("status", pl.lit(" "), "dsn")),
                "expired",
                "code",
                pl.when(kind == "over").then(pl.lit("queue file size limit exceeded")),
            )
        ),
        account=pl.when(kind == "login").then("login").when(kind != "notice").then(pl.coalesce("sasl", "sender_")),
        client_ip=pl.when(kind == "login").then("login_ip").when(kind != "notice").then("ip_"),
        session=pl.when(pl.col("qid").is_not_null()).then(pl.concat_str("host", pl.lit(":"), "qid")),
        command=pl.when(kind != "notice").then(pl.col("daemon").str.to_uppercase()),
        # what refuses or gives up a mail may name no recipient, and its sender is no account either
        object_type=pl.when(recipient.is_not_null() | gone).then(pl.lit("MAILBOX")),
        object_name=recipient,
        path=attachment,
        direction=pl.when(gone | header).then(pl.when(inside & delivery).then(pl.lit("in")).otherwise(pl.lit("out"))),
        # what the queue holds: attachments are a third longer there than as files
        bytes=pl.when(delivery & (status == "sent")).then(pl.col("size") * pl.col("repeated")),
        bytes_kind=pl.when(delivery & (status == "sent")).then(
            pl.when(pl.col("size").is_not_null()).then(pl.lit("estimated")).otherwise(pl.lit("unknown"))
        ),
        duration_seconds=pl.when(delivery).then(pl.col("delay").cast(pl.Float64, strict=False)),
        forgeable="forgeable",
        detail=pl.coalesce(
            pl.when(delivery).then("response"),
            "expired_text",
            "reason",
            "why",
            "header",
            pl.when(kind == "notice").then("message"),
        ).str.slice(0, _DETAIL),
    ).with_columns(direction=pl.when(pl.col("action") == "upload").then("direction"))
