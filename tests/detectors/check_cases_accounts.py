"""What the daily checks of accounts must and must not raise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from builders import NOON
from days import REGISTER, SEEN_LONG, account, day, judged, worked

NEVER = {"expires": False, "valid_until": None}
GONE = REGISTER.replace("to: 2026-12-31", "to: 2026-11-09")
LEFT = REGISTER.replace("{name: 孙工, vendor: wx,", "{name: 孙工, vendor: wx, valid: {to: 2026-11-08},")
SHARED = REGISTER.replace(
    "people:\n",
    "people:\n"
    + "".join(
        f"  p{n}: {{vendor: wx, accounts: [{{system: his, account: wx_team, shared: true}}]}}\n" for n in range(4)
    ),
)
AGREED = REGISTER.replace("account: v_sun}", "account: v_sun, superuser: true}")
LAPSED = REGISTER.replace("vendor: wx,", "vendor: wx, qualification_until: 2026-10-31,", 1)
FOR_YEARS = NOON - timedelta(days=800)
LAST_SPRING = NOON - timedelta(days=200)

CASES = {
    "ACC-01b": (
        {
            "nobody has ever been seen to use it": judged(day(accounts=[account()], work=SEEN_LONG)),
            "its last use was a hundred days ago": judged(
                day(accounts=[account()], work=[*SEEN_LONG, *worked(days_ago=[100])])
            ),
            "the server tells the last log-in, the log does not reach back": judged(
                day(accounts=[account(last_login_at=NOON - timedelta(days=120))])
            ),
            "an account nobody registered": judged(day(accounts=[account("old_tester")], work=SEEN_LONG)),
        },
        {
            "used last week": judged(day(accounts=[account()], work=[*SEEN_LONG, *worked(days_ago=[7])])),
            "the server tells a log-in that no log told": judged(
                day(accounts=[account(last_login_at=NOON - timedelta(days=3))], work=SEEN_LONG)
            ),
            "the log does not reach back so far": judged(day(accounts=[account()], work=worked("svc_app", None, [20]))),
            "the account is new": judged(
                day(accounts=[account(first_read_at=NOON - timedelta(days=5))], work=SEEN_LONG)
            ),
            "it is locked": judged(day(accounts=[account(locked=True)], work=SEEN_LONG)),
            "the owner, for emergencies": judged(day(accounts=[account("postgres")], work=SEEN_LONG)),
            "exactly the limit": judged(day(accounts=[account()], work=[*SEEN_LONG, *worked(days_ago=[90])])),
        },
    ),
    "ACC-02b": (
        {
            "left three days ago, account open": judged(day(accounts=[account()], entries=LEFT)),
            "the account ends next year": judged(
                day(accounts=[account(valid_until=datetime(2027, 6, 1, tzinfo=UTC))], entries=LEFT)
            ),
            "it never ends": judged(day(accounts=[account(**NEVER)], entries=LEFT)),
        },
        {
            "locked": judged(day(accounts=[account(locked=True)], entries=LEFT)),
            "ended by the server": judged(day(accounts=[account(valid_until=NOON - timedelta(days=1))], entries=LEFT)),
            "dropped": judged(day(accounts=[account(gone_at=NOON)], entries=LEFT)),
            "still here": judged(day(accounts=[account()])),
            "left yesterday: the day of grace": judged(
                day(accounts=[account()], entries=LEFT.replace("2026-11-08", "2026-11-10"))
            ),
            "the whole vendor is gone, which is one finding": judged(day(accounts=[account()], entries=GONE)),
        },
    ),
    "ACC-03c": (
        {
            "an account nobody registered": judged(day(accounts=[account("backdoor")])),
            "its name differs in a letter": judged(day(accounts=[account("V_sun")])),
            "a superuser nobody registered": judged(day(accounts=[account("root2", superuser=True)])),
        },
        {
            "registered": judged(day(accounts=[account(), account("svc_app"), account("postgres")])),
            "a role nobody can log in with": judged(day(accounts=[account("readers", can_login=False)])),
            "locked by the product": judged(day(accounts=[account("mariadb.sys", locked=True)])),
            "nothing of the system is registered yet": judged(day(accounts=[account("x", system="lis")])),
            "gone since": judged(day(accounts=[account("backdoor", gone_at=NOON)])),
        },
    ),
    "ACC-04": (
        {
            "a vendor's account that never ends": judged(day(accounts=[account(**NEVER)])),
            "half a year beyond the contract": judged(
                day(accounts=[account(valid_until=datetime(2027, 7, 1, tzinfo=UTC))])
            ),
            "seventy years, and no last day in the register": judged(
                day(
                    accounts=[account(valid_until=datetime(2096, 1, 1, tzinfo=UTC))],
                    entries=REGISTER.replace(", to: 2026-12-31", ""),
                )
            ),
            "own staff, recorded only": judged(day(accounts=[account("li", **NEVER)])),
        },
        {
            "ends with the contract": judged(day(accounts=[account()])),
            "a fortnight beyond it": judged(day(accounts=[account(valid_until=datetime(2027, 1, 14, tzinfo=UTC))])),
            "a service": judged(day(accounts=[account("svc_app", **NEVER)])),
            "the server does not tell": judged(day(accounts=[account(expires=None, valid_until=None)])),
            "locked": judged(day(accounts=[account(locked=True, **NEVER)])),
            "nobody's, which is another matter": judged(day(accounts=[account("x", **NEVER)])),
        },
    ),
    "ACC-04b": (
        {
            "a service for two years": judged(day(accounts=[account("svc_app", password_changed_at=FOR_YEARS)])),
            "the owner as well": judged(day(accounts=[account("postgres", password_changed_at=FOR_YEARS)])),
            "a day more than a year": judged(
                day(accounts=[account("svc_app", password_changed_at=NOON - timedelta(days=366))])
            ),
        },
        {
            "changed in spring": judged(day(accounts=[account("svc_app", password_changed_at=LAST_SPRING)])),
            "the server does not tell": judged(day(accounts=[account("svc_app")])),
            "exactly a year": judged(
                day(accounts=[account("svc_app", password_changed_at=NOON - timedelta(days=365))])
            ),
            "a person, whose account has an end": judged(day(accounts=[account(password_changed_at=FOR_YEARS)])),
        },
    ),
    "ACC-06b": (
        {
            "the contract ended two days ago": judged(day(accounts=[account()], entries=GONE)),
            "the vendor has exited": judged(
                day(accounts=[account()], entries=REGISTER.replace("tier: A,", "tier: A, state: exited,"))
            ),
            "one of two accounts is left": judged(
                day(accounts=[account(), account("v_sun2", locked=True)], entries=GONE)
            ),
            "a job runs under one of them": judged(
                day(
                    accounts=[account()],
                    entries=GONE + "jobs:\n  sync: {kind: transfer, system: his, account: v_sun}\n",
                )
            ),
        },
        {
            "the contract runs": judged(day(accounts=[account()])),
            "its last day is today": judged(
                day(accounts=[account()], entries=REGISTER.replace("2026-12-31", "2026-11-11"))
            ),
            "all are locked": judged(day(accounts=[account(locked=True)], entries=GONE)),
            "all are dropped": judged(day(accounts=[account(gone_at=NOON)], entries=GONE)),
            "accounts of others": judged(day(accounts=[account("li"), account("svc_app")], entries=GONE)),
        },
    ),
    "IDN-01b": (
        {
            "registered for four people": judged(day(accounts=[account("wx_team"), account("wx_tea")], entries=SHARED)),
            "a name that is a use": judged(day(accounts=[account("test01")])),
            "in pinyin": judged(day(accounts=[account("yunwei_2")])),
            "of a person all the same": judged(
                day(accounts=[account("vendor")], entries=REGISTER.replace("v_sun", "vendor"))
            ),
        },
        {
            "a name of a person": judged(day(accounts=[account(), account("li")])),
            "a service is a use": judged(
                day(accounts=[account("backup")], entries=REGISTER.replace("svc_app", "backup"))
            ),
            "the owner": judged(day(accounts=[account("postgres")])),
            "a name that only begins so": judged(day(accounts=[account("testa_wang")])),
            "locked": judged(day(accounts=[account("test", locked=True)])),
        },
    ),
    "PRV-03": (
        {
            "nothing for half a year": judged(day(accounts=[account(superuser=True)], work=SEEN_LONG)),
            "it reads every day": judged(
                day(accounts=[account(superuser=True)], work=[*SEEN_LONG, *worked(days_ago=range(30))])
            ),
            "its last change was a hundred days ago": judged(
                day(accounts=[account(superuser=True)], work=[*SEEN_LONG, *worked(days_ago=[100], privileged=3)])
            ),
        },
        {
            "it changed a table last month": judged(
                day(accounts=[account(superuser=True)], work=[*SEEN_LONG, *worked(days_ago=[30], privileged=1)])
            ),
            "no superuser": judged(day(accounts=[account()], work=SEEN_LONG)),
            "granted last week": judged(
                day(accounts=[account(superuser=True, first_read_at=NOON - timedelta(days=7))], work=SEEN_LONG)
            ),
            "the log does not reach back": judged(day(accounts=[account(superuser=True)], work=worked())),
            "the hospital's own": judged(day(accounts=[account("li", superuser=True)], work=SEEN_LONG)),
        },
    ),
    "PRV-03b": (
        {
            "a vendor's person": judged(day(accounts=[account(superuser=True)])),
            "own staff": judged(day(accounts=[account("li", superuser=True, roles=["dbas"])])),
            "a service": judged(day(accounts=[account("svc_app", superuser=True)])),
            "nobody's": judged(day(accounts=[account("x", superuser=True)])),
        },
        {
            "the owner": judged(day(accounts=[account("postgres", superuser=True)])),
            "agreed in the register": judged(day(accounts=[account(superuser=True)], entries=AGREED)),
            "a role nobody can log in with": judged(day(accounts=[account("dbas", superuser=True, can_login=False)])),
            "no superuser": judged(day(accounts=[account()])),
        },
    ),
    "VND-02b": (
        {
            "it expired twelve days ago": judged(day(accounts=[account()], entries=LAPSED)),
            "at each of two systems": judged(
                day(
                    accounts=[account(), account(system="lis")],
                    entries=LAPSED.replace("system: his, account: v_sun", "system: [his, lis], account: v_sun"),
                )
            ),
            "years ago": judged(day(accounts=[account()], entries=LAPSED.replace("2026-10-31", "2023-01-01"))),
        },
        {
            "it holds": judged(day(accounts=[account()], entries=LAPSED.replace("2026-10-31", "2026-12-31"))),
            "none is written": judged(day(accounts=[account()])),
            "renewal under way: the days of grace": judged(
                day(accounts=[account()], entries=LAPSED.replace("2026-10-31", "2026-11-05"))
            ),
            "the account is locked": judged(day(accounts=[account(locked=True)], entries=LAPSED)),
            "the person has left, which is another matter": judged(
                day(accounts=[account()], entries=LAPSED.replace("vendor: wx,", "vendor: wx, valid: {to: 2026-11-08},", 1))
            ),
        },
    ),
    "SRC-04": (
        {
            "a superuser is left out": judged(day(accounts=[account("postgres", superuser=True, audited=False)])),
            "a vendor is left out": judged(day(accounts=[account(audited=False)])),
            "several are one finding": judged(
                day(accounts=[account(audited=False), account("postgres", superuser=True, audited=False)])
            ),
        },
        {
            "all are audited": judged(day(accounts=[account(), account("postgres", superuser=True)])),
            "a batch account without rights": judged(day(accounts=[account("svc_app", audited=False)])),
            "the settings do not tell": judged(day(accounts=[account(audited=None, superuser=True)])),
            "nobody can log in with it": judged(day(accounts=[account("x", superuser=True, can_login=False, audited=False)])),
        },
    ),
}  # fmt: skip
