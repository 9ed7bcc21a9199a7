"""A first mapping for a log of an unknown program: fields with names that everybody uses, and what their values look like.

A proposal for a person to check, never a reading: `hiswatch identify` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from parsers.generic_options import DEFAULT, EPOCHS

_NAMES: Mapping[str, tuple[str, ...]] = {
    "occurred_at": (
        "@timestamp", "timestamp", "time", "datetime", "date_time", "date-time", "event_time", "eventtime",
        "event_timestamp_utc", "event_timestamp", "occurred_at",
        "created_at", "date_start", "log_time", "ts", "tm", "date", "时间", "操作时间", "发生时间",
    ),
    "account": ("account", "user", "username", "user_name", "dbusername", "db_user", "login", "login_name", "用户", "用户名", "账号", "数据库账号"),
    "client_ip": (
        "client_ip", "clientip", "client-ip", "ip", "src", "src_ip", "source_ip", "remote_addr", "remoteaddr", "remote_ip", "客户端ip", "源ip",
    ),
    "statement": ("statement", "sql", "sql_text", "sqltext", "query", "db_query", "语句", "操作语句"),
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "文件", "文件名"),
    "bytes": ("bytes", "size", "file_size", "filesize", "total-bytes", "bytes_sent", "length", "文件大小"),
    "rows": ("rows", "row_count", "rowcount", "affected_rows", "rows_sent", "影响行数", "返回行数"),
    "action": ("action", "op", "operate", "operation", "method", "event", "action_name", "event-id", "操作", "操作类型"),
    "outcome": ("outcome", "status", "result", "success", "is_success", "return_code", "执行结果", "结果"),
    "session": ("session", "session_id", "sessionid", "sid", "connection_id"),
    "database": ("database", "db", "dbname", "db_name", "数据库"),
    "client_program": ("client_program", "program", "client_program_name", "useragent", "user_agent", "客户端工具"),
    "error_code": ("error_code", "errno", "error"),
    "object_name": ("object_name", "object", "table", "table_name", "表"),
}  # fmt: skip
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "download": ("download", "get", "retr", "下载"),
    "upload": ("upload", "put", "post", "stor", "上传"),
    "delete": ("delete", "dele", "remove", "删除"),
    "rename": ("rename", "move", "重命名"),
    "mkdir": ("mkdir", "mkcol"),
    "rmdir": ("rmdir",),
    "list": ("list", "propfind", "ls"),
    "login": ("login", "logon", "登录"),
    "logout": ("logout", "logoff", "注销"),
    "query": ("query", "select", "insert", "update", "execute"),
}
_GOOD = ("ok", "success", "succeeded", "successful", "true", "0", "200", "成功")
_FORMS = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*(?: [+-]\d\d:?\d\d)?", "iso8601"),
    (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d [+-]\d{4}", "%Y/%m/%d %H:%M:%S %z"),
    (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "%Y/%m/%d %H:%M:%S"),
    (r"\d{2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", "%d/%b/%Y:%H:%M:%S %z"),
    (r"\d{2}-[A-Z]{3}-\d\d \d\d\.\d\d\.\d\d\.\d+ [AP]M", "%d-%b-%y %I.%M.%S%.f %p"),
    (r"\d{8} \d\d:\d\d:\d\d", "%Y%m%d %H:%M:%S"),
    (r"\d{10}(?:\.\d+)?", "epoch"),
    (r"\d{13}", "epoch_ms"),
    (r"\d{16}", "epoch_us"),
)
_WORDS = 12  # of a field that is proposed for an action


def mapping(samples: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    """Options for fields with these names and first values; None where no field looks like a time."""
    known = {name.lower(): name for name in reversed(list(samples))}
    fields: dict[str, str] = {}
    for column, names in _NAMES.items():
        found = [known[name] for name in names if name in known]
        if column == "occurred_at":
            found = [name for name in found if _form(samples[name])]
        if found:
            fields[column] = max(
                found, key=lambda name: len(samples[name])
            )  # the first of those that most records have
    if "occurred_at" not in fields:
        return None
    options: dict[str, Any] = {"fields": fields, "time_format": _form(samples[fields["occurred_at"]])}
    values: dict[str, dict[str, str]] = {}
    otherwise = "query" if "statement" in fields else "notice"
    options["constant"] = {"action": otherwise}
    if "action" in fields:
        values["action"] = _actions(samples[fields["action"]], otherwise)
    if "outcome" in fields:
        words = {word for word in samples[fields["outcome"]] if word.lower() in _GOOD}
        values["outcome"] = {**dict.fromkeys(sorted(words) or ["0"], "ok"), DEFAULT: "failed"}
    return options | ({"values": values} if values else {})


def _form(values: Sequence[str]) -> str | None:
    for pattern, form in _FORMS:
        if values and all(re.fullmatch(pattern, value.strip()) for value in values if value):
            return form if form in EPOCHS or any(values) else None
    return None


def _actions(words: Sequence[str], otherwise: str) -> dict[str, str]:
    """The words seen that mean something, and what any other is."""
    found: dict[str, str] = {}
    for word in list(dict.fromkeys(words))[:_WORDS]:
        for action, names in _ACTIONS.items():
            if word.lower() in names:
                found[word] = action
    return found | {DEFAULT: otherwise}
