"""What the daily checks of people, jobs, tickets and code must and must not raise."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from builders import NOON
from days import REGISTER, TODAY, act, acts, change, counted, day, judged, worked

from detectors.checks.work import overrun

# 2026-11-11 is a Wednesday: the last whole weeks began on 11-02 and 10-26.
THREE = REGISTER.replace("tier: A,", "tier: A, head_count: 3,")
LAST_WEEKS = range(3, 17)
MANY = REGISTER.replace(
    "people:\n", "people:\n" + "".join(f"  w{n}: {{vendor: wx, valid: {{from: 2026-02-01, to: 2026-{end}}}, accounts: [{{system: his, account: w{n}}}]}}\n" for n, end in enumerate(("10-15", "10-31", "12-31", "12-31")))
)  # fmt: skip
STEADY = "".join(
    f"  w{n}: {{vendor: wx, valid: {{from: 2026-02-01}}, accounts: [{{system: his, account: w{n}}}]}}\n"
    for n in range(4)
)
STAYING = REGISTER.replace("people:\n", "people:\n" + STEADY)
BACKUP = REGISTER + "jobs:\n  dump: {name: 夜间备份, kind: export, system: his, account: svc_app, every_days: 2}\n"
REPORT = REGISTER + (
    "jobs:\n  tf: {kind: report, system: his, account: svc_app, prescriber_and_drug: true, requester: 李, approver: 王, "
    "approvals: [{from: 2026-11-10, to: 2026-11-11, uses: 1, requester: 李, approver: 王}]}\n"
)
SEEN = worked("li", None, [159], actor_kind="staff")
LAST_MONTHS = [date(2026, month, 15) for month in (7, 8, 9, 10)]


def ticket(**more: str) -> str:
    keys = {"person": "sun", "system": "his", "from": "2026-11-11 10:00", "to": "2026-11-11 12:00"} | more
    return REGISTER + "tickets:\n  T1: {" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}\n"


def weeks(people: int) -> list:
    return [row for n in range(people) for row in worked(f"w{n}", f"w{n}", LAST_WEEKS)]


def vanishing(*people: int) -> list:
    """Everybody worked until a month ago, and some do so still."""
    before = [row for n in range(4) for row in worked(f"w{n}", f"w{n}", range(22, 60))]
    return before + [row for n in people for row in worked(f"w{n}", f"w{n}", range(22))]


def share(*percents: int, acts: int = 100) -> list:
    """Vendors' part in privileged acts, month by month."""
    rows = []
    for at, percent in zip(LAST_MONTHS, percents, strict=True):
        back = (TODAY - at).days
        rows += worked("v_sun", "sun", [back], privileged=acts * percent // 100)
        rows += worked("li", None, [back], privileged=acts - acts * percent // 100, actor_kind="staff")
    return [*worked("li", None, [145], actor_kind="staff"), *rows]


def begun(days_ago: int, failed: int, acts: int = 100) -> list:
    old = worked("w9", "w9", range(0, 120, 3), acts=100, failed=2)
    return [*SEEN, *old, *worked(days_ago=[days_ago], failed=failed, acts=acts)]


def overran(*rows: dict, entries: str | None = None):
    """The ticket's session began at 11:50; now is 15:00."""
    inside = act(-10, ticket="T1")
    one = day(entries=entries or ticket(), now=NOON + timedelta(hours=3))
    return lambda rule: overrun(one, rule.numbers, acts(inside, *rows))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+08:00").astimezone(UTC)


NIGHTLY = worked("svc_app", None, range(2, 30), backups=40)  # the last one was two days ago


CASES = {
    "CHG-07": (
        {
            "altered today, the last backup two days ago": judged(day(work=[*NIGHTLY, *worked(altered=2)])),
            "own staff": judged(day(work=[*NIGHTLY, *worked("li", "li", altered=1, vendor=None, actor_kind="staff")])),
            "nobody's account": judged(day(work=[*NIGHTLY, *worked("x", None, altered=1, actor_kind="unknown")])),
        },
        {
            "backed up the night before": judged(
                day(work=[*NIGHTLY, *worked("svc_app", None, [1], backups=1), *worked(altered=2)])
            ),
            "backed up the same day": judged(
                day(work=[*NIGHTLY, *worked("svc_app", None, [0], backups=1), *worked(altered=2)])
            ),
            "the application's own upkeep": judged(day(work=[*NIGHTLY, *worked("svc_app", None, altered=3)])),
            "no backup of the system is ever in its log": judged(day(work=[*SEEN, *worked(altered=2)])),
            "too few of them to know": judged(
                day(work=[*worked("svc_app", None, [9, 20], backups=1), *worked(altered=2)])
            ),
            "at another system": judged(day(work=[*NIGHTLY, *worked(altered=2, system="lis")])),
            "nothing was altered": judged(day(work=[*NIGHTLY, *worked(privileged=4)])),
        },
    ),
    "CHG-05": (
        {
            "a procedure changed over night": judged(day(changes=[change()])),
            "a trigger is new": judged(day(changes=[change("his.patients.t", change="new")])),
            "a view is gone": judged(day(changes=[change("v_patients", change="gone")])),
            "under a ticket, recorded only": judged(day(changes=[change()], entries=ticket())),
            "the ticket was for reading": judged(day(changes=[change()], entries=ticket(actions="[read]"))),
            "the ticket was for another system": judged(day(changes=[change()], entries=ticket(system="lis"))),
        },
        {
            "nothing changed": judged(day()),
            "accounts are another matter": judged(day(changes=[change(thing="account")])),
            "two weeks ago": judged(
                day(changes=[change(read_at=NOON - timedelta(days=14), previous_at=NOON - timedelta(days=15))])
            ),
        },
    ),
    "TF-07b": (
        {
            "twice on one day": judged(
                day(statistics=[counted(at("10T09:00")), counted(at("10T15:00"))], entries=REPORT)
            ),
            "once on each of two days": judged(
                day(statistics=[counted(at("10T09:00")), counted(at("11T09:00"))], entries=REPORT)
            ),
            "one of its two statements twice": judged(
                day(
                    statistics=[counted(at("10T09:00")), counted(at("10T09:01"), "s2"), counted(at("10T11:00"), "s2")],
                    entries=REPORT,
                )
            ),
        },
        {
            "once": judged(day(statistics=[counted(at("10T09:00"))], entries=REPORT)),
            "two statements of one report": judged(
                day(statistics=[counted(at("10T09:00")), counted(at("10T09:01"), "s2")], entries=REPORT)
            ),
            "page by page": judged(
                day(statistics=[counted(at(f"10T09:{minute:02}")) for minute in range(0, 40, 5)], entries=REPORT)
            ),
            "the second beyond the approval, which is TF-07": judged(
                day(statistics=[counted(at("10T09:00")), counted(at("12T09:00"))], entries=REPORT)
            ),
            "agreed twice": judged(
                day(
                    statistics=[counted(at("10T09:00")), counted(at("10T15:00"))],
                    entries=REPORT.replace("uses: 1", "uses: 2"),
                )
            ),
        },
    ),
    "TIM-04": (
        {
            "an hour beyond the end": overran(act(60)),
            "it went on all along": overran(act(5), act(20), act(90)),
            "a quarter of an hour": overran(act(15)),
        },
        {
            "within the grace": overran(act(14)),
            "a session opened afterwards is another matter": overran(act(60, session="2.b")),
            "the ticket was extended": overran(act(60), entries=ticket(to="2026-11-11 14:00")),
            "under another ticket": overran(act(60, ticket="T2")),
            "somebody else": overran(act(60, person="li")),
            "another system": overran(act(60, system="lis")),
        },
    ),
    "VND-01": (
        {
            "two of three": judged(day(work=[*SEEN, *weeks(2)], entries=THREE)),
            "nobody": judged(day(work=SEEN, entries=THREE)),
            "one person under two accounts": judged(
                day(
                    work=[*SEEN, *worked("a", "sun", LAST_WEEKS), *worked("b", "sun", LAST_WEEKS), *weeks(1)], entries=THREE
                )
            ),
        },
        {
            "as agreed": judged(day(work=[*SEEN, *weeks(3)], entries=THREE)),
            "more": judged(day(work=[*SEEN, *weeks(4)], entries=THREE)),
            "one thin week": judged(day(work=[*SEEN, *weeks(2), *worked("x", "x", range(10, 17))], entries=THREE)),
            "no figure in the contract": judged(day(work=SEEN)),
            "the contract is new": judged(day(work=SEEN, entries=THREE.replace("2026-01-01", "2026-11-02"))),
            "the log does not reach back": judged(day(work=worked("li", None, [9]), entries=THREE)),
        },
    ),
    "VND-01b": (
        {
            "two of five left": judged(day(entries=MANY)),
            "two were seen no more": judged(day(work=vanishing(0, 1), entries=STAYING)),
            "all were seen no more": judged(day(work=vanishing(), entries=STAYING)),
        },
        {
            "all are here": judged(day(work=vanishing(0, 1, 2, 3), entries=STAYING)),
            "one left": judged(day(entries=MANY.replace("2026-10-15", "2026-12-31"))),
            "they left in the quarter before": judged(
                day(entries=MANY.replace("2026-10-15", "2026-09-15").replace("2026-10-31", "2026-09-20"))
            ),
            "the vendor is leaving": judged(day(entries=MANY.replace("tier: A,", "tier: A, state: exiting,"))),
            "nobody worked here before": judged(day(work=SEEN, entries=STAYING)),
        },
    ),
    "VND-04": (
        {
            "three days ago": judged(
                day(work=[*SEEN, *worked("svc_app", None, [3], job_at=NOON - timedelta(days=3))], entries=BACKUP)
            ),
            "never": judged(day(work=SEEN, entries=BACKUP)),
            "its account does other things": judged(day(work=[*SEEN, *worked("svc_app", None, range(9))], entries=BACKUP)),
        },
        {
            "last night": judged(
                day(work=[*SEEN, *worked("svc_app", None, [0], job_at=NOON - timedelta(hours=10))], entries=BACKUP)
            ),
            "nothing is expected": judged(day(work=SEEN, entries=BACKUP.replace(", every_days: 2", ""))),
            "the job is new": judged(
                day(work=SEEN, entries=BACKUP.replace("every_days: 2", "every_days: 2, valid: {from: 2026-11-10}"))
            ),
            "the job has ended": judged(
                day(work=SEEN, entries=BACKUP.replace("every_days: 2", "every_days: 2, valid: {to: 2026-11-10}"))
            ),
            "the system's log is new": judged(day(work=worked("li", None, [1]), entries=BACKUP)),
        },
    ),
    "VND-05": (
        {
            "from half to four fifths": judged(day(work=share(50, 60, 70, 80))),
            "up to all": judged(day(work=share(10, 20, 90, 100))),
            "just the line": judged(day(work=share(30, 40, 50, 60))),
        },
        {
            "large, but falling": judged(day(work=share(95, 90, 85, 80))),
            "large and even": judged(day(work=share(80, 80, 80, 80))),
            "rising and small": judged(day(work=share(10, 20, 30, 40))),
            "few acts in all": judged(day(work=share(50, 60, 70, 80, acts=40))),
            "the log does not reach back": judged(day(work=[row for row in share(50, 60, 70, 80) if row["day"].month > 7])),
        },
    ),
    "VND-09": (
        {
            "a third of it failed": judged(day(work=begun(5, 33))),
            "just enough": judged(day(work=begun(5, 20))),
            "in many small pieces": judged(day(work=[*begun(9, 15), *worked(days_ago=[3], failed=15, acts=50)])),
        },
        {
            "as others do": judged(day(work=begun(5, 3))),
            "few errors, large part": judged(day(work=begun(5, 10, acts=20))),
            "here since spring": judged(day(work=begun(100, 40))),
            "known for long, seldom here": judged(
                day(work=begun(5, 40), entries=REGISTER.replace("{name: 孙工,", "{name: 孙工, valid: {from: 2026-03-01},"))
            ),
            "the log does not reach back": judged(day(work=worked(failed=40, acts=100))),
        },
    ),
}  # fmt: skip
