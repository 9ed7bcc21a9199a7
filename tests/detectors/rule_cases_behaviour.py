"""What each rule about behaviour must and must not raise: weeks of ordinary days, then the day in question."""

from __future__ import annotations

from builders import query, service, transfer, vendor

DAY = 1440
P = {"output_classes": ["identity"], "restriction": "point", "reads": ["his.patients"]}


def past(first=-40, last=-1, make=query, *, every=1, **columns):
    """One event at noon of every day."""
    return [make(day * DAY, **columns) for day in range(first, last + 1, every)]


def others(count, *events):
    """The same by other accounts too, some minutes apart."""
    return [
        {**e, "account": f"other{n}", "person": f"other{n}", "session": f"o{n}", "event_id": f"{e['event_id']}o{n}"}
        for n in range(count)
        for e in events
    ]


HOME = {"client_ip": "10.0.0.5", "client_program": "HIS-Ward 5.2"}
AWAY = {"client_ip": "10.9.9.9", "client_program": "Navicat"}
SYSTEM = past(-60, make=query, **HOME)  # the system has been watched for long
STAFF = others(3, *past(**P))

# rule: (sentences that must fire, sentences that must not)
CASES: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "ACC-01": (
        {
            "used again after seventy days": [*past(-80, -70), *others(1, *past(-80, 0)), query()],
            "used again after a year": [*past(-340, -330), *others(1, *past(-340, 0, every=10)), query()],
            "a log-in is enough": [*past(-80, -70), *others(1, *past(-80, 0)), query(action="login", dialect=None)],
        },
        {
            "used every day": past(-80, 0),
            "back from a holiday of a month": [*past(-80, -35), *others(1, *past(-80, 0)), query()],
            "never seen before": [*others(1, *past(-80, 0)), query()],
            "somebody tries in vain": [
                *past(-80, -70),
                *others(1, *past(-80, 0)),
                query(action="login", outcome="failed"),
            ],
            "a registered task of every quarter": [
                *past(-100, -90, job="quarter"),
                *others(1, *past(-100, 0)),
                query(job="quarter"),
            ],
        },
    ),
    "IDN-04": (
        {
            "another program from another floor": [*past(**HOME), query(**AWAY)],
            "a vendor's account from a new place with a new tool": [*past(**vendor(**HOME)), query(**vendor(**AWAY))],
            "a service account leaves its server": [
                *past(**service(**HOME)),
                query(**service(**AWAY, place_allowed=False)),
            ],
            "a service account from neither of its two servers": [
                *past(**service(**HOME)),
                *past(-20, **service(**HOME | {"client_ip": "10.0.7.5"}, place_allowed=True)),
                query(**service(**AWAY, place_allowed=False)),
            ],
        },
        {
            "a service begins at its second agreed server, with another program": [
                *past(**service(**HOME)),
                query(**service(**AWAY, place_allowed=True)),
            ],
            "a program that the service has at its agreed servers, from elsewhere": [
                *past(**service(**HOME)),
                *past(-20, **service(client_ip="10.0.7.5", client_program="Navicat", place_allowed=True)),
                query(**service(**AWAY, place_allowed=False)),
            ],
            "a new computer on the same floor, same program": [
                *past(**HOME),
                query(**HOME | {"client_ip": "10.0.0.77"}),
            ],
            "a new program at the usual desk": [*past(**HOME), query(**HOME | {"client_program": "Navicat"})],
            "a new release of the program, another floor": [
                *past(**HOME),
                query(client_ip="10.9.9.9", client_program="HIS-Ward 6.0.1"),
            ],
            "the same change at five accounts is a rollout": [
                *past(**HOME),
                *others(4, *past(**HOME)),
                query(**AWAY),
                *others(4, query(5, **AWAY)),
            ],
            "an account that is new itself": [*others(1, *past(**HOME)), *past(-3, **HOME), query(**AWAY)],
            "on the fifth day of the source": [*past(-5, **HOME), query(**AWAY)],
            "the log tells no program": [*past(**HOME), query(client_ip="10.9.9.9", client_program=None)],
        },
    ),
    "EXF-13b": (
        {
            "a nurse reads the table of HIV results": [
                *STAFF,
                *past(**P),
                query(**P | {"reads": ["his.hiv_results"], "output_classes": ["special"]}),
            ],
            "an account that never read patient data begins to": [
                *STAFF,
                *past(),
                query(**P | {"reads": ["his.archive"]}),
            ],
            "a vendor reads the archive": [
                *STAFF,
                *past(**vendor()),
                query(**vendor(**P | {"reads": ["his.archive"]})),
            ],
        },
        {
            "a table that the whole ward reads": [*STAFF, *past(), query(**P)],
            "the table it reads every day": [*STAFF, *past(**P), query(**P)],
            "a new colleague": [*STAFF, *past(-5), query(**P | {"reads": ["his.archive"]})],
            "the application has a new screen": [
                *STAFF,
                *past(**service(**P)),
                query(**service(**P | {"reads": ["his.archive"]})),
            ],
            "work under a ticket": [
                *STAFF,
                *past(**vendor()),
                query(**vendor(**P | {"reads": ["his.archive"]}), approved=True, ticket="T1"),
            ],
            "a table without patients": [*STAFF, *past(**P), query(reads=["his.drug_dict"])],
            "the partition of a new month": [
                *STAFF,
                *past(**P | {"reads": ["orders_202610"]}),
                query(**P | {"reads": ["orders_202611"]}),
            ],
        },
    ),
    "VND-07b": (
        {
            "an account that nobody saw before": [
                *SYSTEM,
                query(account="tmp1", person=None, actor_kind="unknown", account_registered=False),
            ],
            "the same where no register is written": [
                *SYSTEM,
                query(account="tmp1", person=None, actor_kind="unknown", account_registered=None),
            ],
            "it logs in only": [*SYSTEM, query(action="login", dialect=None, account="tmp1", account_registered=False)],
        },
        {
            "a registered new colleague": [*SYSTEM, query(account="new", account_registered=True)],
            "an account seen last month": [
                *SYSTEM,
                *past(-30, -30, account="x", account_registered=False),
                query(account="x", account_registered=False),
            ],
            "its attempt failed": [
                *SYSTEM,
                query(action="login", account="tmp1", account_registered=False, outcome="failed"),
            ],
            "on the third day of the source": [*past(-3), query(account="tmp1", account_registered=False)],
        },
    ),
    "VND-07c": (
        {
            "a program nobody used reads patients": [*past(**P, **HOME), query(**P, **AWAY)],
            "a service brings one along": [*past(**P, **HOME), query(**service(**P, **AWAY))],
            "a dump program": [*past(**P, **HOME), query(**P | {"restriction": "none"}, client_program="pg_dump")],
        },
        {
            "the program of every day": past(last=0, **P, **HOME),
            "its next release": [*past(**P, **HOME), query(**P, client_program="HIS-Ward 5.3")],
            "a new program that reads no patients": [*past(**P, **HOME), query(**AWAY)],
            "the statement failed": [*past(**P, **HOME), query(**P, **AWAY, outcome="failed")],
        },
    ),
    "VND-07d": (
        {
            "a range that nobody came from": [*SYSTEM, query(client_ip="10.9.9.9")],
            "an address outside": [*SYSTEM, query(client_ip="198.51.100.7", client_inside=False)],
            "a log-in from a new range": [*SYSTEM, query(action="login", dialect=None, client_ip="10.9.9.9")],
        },
        {
            "a new computer in a known range": [*SYSTEM, query(client_ip="10.0.0.99")],
            "the log tells no address": [*SYSTEM, query(client_ip=None)],
            "it was refused": [*SYSTEM, query(action="login", client_ip="10.9.9.9", outcome="failed")],
            "a range that the register names for the account": [
                *SYSTEM,
                query(**service(client_ip="10.9.9.9", place_allowed=True)),
            ],
            "behind the agreed address another one of its range": [
                *SYSTEM,
                query(-1440, **service(client_ip="10.9.9.9", place_allowed=True)),
                query(client_ip="10.9.9.20"),
            ],
        },
    ),
    "VND-07e": (
        {
            "a database that nobody used": [*past(database="his"), query(database="his_copy")],
            "by a vendor": [*past(database="his"), query(**vendor(database="restore_tmp"))],
            "by the owner": [*past(database="his"), query(database="test", actor_kind="owner")],
        },
        {
            "the usual one": past(last=0, database="his"),
            "used three months ago": [*past(-100, -100, database="emr"), *past(database="his"), query(database="emr")],
            "the log tells none": [*past(database="his"), query(database=None)],
        },
    ),
    "VND-07f": (
        {
            "patients in a table never read": [*past(**P), query(**P | {"reads": ["his.patients_bak"]})],
            "joined to a known one": [*past(**P), query(**P | {"reads": ["his.patients", "his.copy_of_patients"]})],
            "read by a service": [*past(**P), query(**service(**P | {"reads": ["his.new_module"]}))],
        },
        {
            "the tables of every day": past(last=0, **P),
            "a new table without patients": [*past(**P), query(reads=["his.drug_new"])],
            "the partition of a new month": [
                *past(**P | {"reads": ["visit_202610"]}),
                query(**P | {"reads": ["visit_202611"]}),
            ],
        },
    ),
    "XFR-03b": (
        {
            "a list goes to a new floor": [
                *past(make=transfer),
                transfer(file_shape="table_export", client_ip="10.9.9.9"),
            ],
            "an archive from the room of a vendor": [
                *past(make=transfer, **vendor()),
                transfer(file_shape="archive", client_ip="172.16.9.9", **vendor()),
            ],
            "a dump is put from a new server": [
                *past(make=transfer),
                transfer(action="upload", direction="in", file_shape="dump", client_ip="10.9.9.9"),
            ],
        },
        {
            "the usual place": [*past(make=transfer, file_shape="table_export"), transfer(file_shape="table_export")],
            "a form goes to a new floor": [*past(make=transfer), transfer(client_ip="10.9.9.9")],
            "the transfer failed": [
                *past(make=transfer),
                transfer(file_shape="dump", client_ip="10.9.9.9", outcome="failed"),
            ],
            "a new colleague": [
                *others(1, *past(make=transfer)),
                *past(-3, make=transfer),
                transfer(file_shape="image", client_ip="10.9.9.9"),
            ],
            "an approved delivery": [
                *past(make=transfer),
                transfer(file_shape="archive", client_ip="10.9.9.9", approved=True),
            ],
        },
    ),
    "VND-08": (
        {
            "twelve more tables in a month": [
                *past(-70, **vendor(reads=["his.config"])),
                *[query(-i * DAY, **vendor(reads=[f"his.t_{chr(97 + i)}"])) for i in range(10)],
                query(**vendor(reads=["his.ta", "his.tb"])),
            ],
            "all on one day": [
                *past(-70, **vendor(reads=["his.config"])),
                query(**vendor(reads=[f"his.t_{chr(97 + i)}" for i in range(12)])),
            ],
            "written, not read": [
                *past(-70, **vendor(reads=["his.config"])),
                query(**vendor(reads=[], writes=[f"his.t_{chr(97 + i)}" for i in range(12)], verb="update")),
            ],
        },
        {
            "three more tables": [
                *past(-70, **vendor(reads=["his.config"])),
                query(**vendor(reads=["his.a", "his.b", "his.c"])),
            ],
            "the tables of last month": past(-70, 0, **vendor(reads=[f"his.t_{chr(97 + i)}" for i in range(12)])),
            "work under a ticket": [
                *past(-70, **vendor(reads=["his.config"])),
                query(**vendor(reads=[f"his.t_{chr(97 + i)}" for i in range(12)]), approved=True),
            ],
            "a vendor that began this month": [
                *SYSTEM,
                query(**vendor(reads=[f"his.t_{chr(97 + i)}" for i in range(12)])),
            ],
            "twelve beside a hundred known": [
                *past(-70, **vendor(reads=[f"his.k_{chr(97 + i // 10)}{chr(97 + i % 10)}" for i in range(100)])),
                query(**vendor(reads=[f"his.t_{chr(97 + i)}" for i in range(12)])),
            ],
        },
    ),
}
