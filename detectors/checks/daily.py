"""The daily checks by the names that rules give them (`hiswatch.check`)."""

from __future__ import annotations

from detectors.checks import accounts, people, work
from detectors.checks.days import DailyCheck

CHECKS: dict[str, DailyCheck] = {
    "account_dormant": accounts.dormant,
    "account_endless": accounts.endless,
    "account_shared": accounts.shared,
    "account_unaudited": accounts.unaudited,
    "account_unregistered": accounts.unregistered,
    "change_without_backup": work.change_without_backup,
    "code_drift": work.drift,
    "dependency_rising": people.dependency,
    "exit_unfinished": accounts.exit_unfinished,
    "head_count_below": people.head_count,
    "job_missing": work.job_missing,
    "leaver_account": accounts.left_open,
    "newcomer_errors": people.newcomer,
    "password_old": accounts.password_old,
    "qualification_lapsed": accounts.unqualified,
    "report_overused": work.report_overused,
    "rights_unused": accounts.unused_rights,
    "superuser_not_agreed": accounts.superuser_not_agreed,
    "turnover_high": people.turnover,
}
OVERRUN = "ticket_overrun"  # asked more often than daily, see `detectors.checks.work.overrun`
