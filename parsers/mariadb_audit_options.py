"""What the audit plugin's log does not tell of itself, to a file and to syslog."""

from __future__ import annotations

from pydantic import Field

from config.values import Model


class AuditOptions(Model):
    """Options of `mariadb_server_audit` and `mariadb_server_audit_syslog`."""

    query_log_limit: int | None = Field(
        default=None,
        ge=1,
        description="server_audit_query_log_limit of the server: statements of so many bytes were cut. Without it 1024, "
        "until the log shows another",
    )


LEARNED = AuditOptions()
