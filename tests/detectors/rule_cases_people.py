"""People, accounts, vendors and looking around: what these rules must and must not raise."""

from __future__ import annotations

from builders import login, query, service, transfer, vendor
from rule_cases import BIG, JOB, P, many

TOOL = {"client_program": "Navicat Premium", "program_kind": "query_tool"}
SCREEN = {"client_program": "HIS-OUTP", "program_kind": None}
DICTIONARY = {"reads": ["information_schema.tables"], "shape": "select table_name from information_schema.tables"}
HUNT = {"shape": "select table_name from information_schema.columns where column_name like'?'"}
BROWSE = {"output_classes": P, "restriction": "range", "shape": "select*from patients where name like'?'"}
LEAVING = {"vendor_state": "exiting"}


def from_places(count, every=1.0, make=query, **columns):
    return [make(i * every, client_ip=f"10.2.0.{i}", **columns) for i in range(count)]


def dictionary(count, every=0.1, **columns):
    """Different statements about the dictionary."""
    return [query(i * every, **(DICTIONARY | {"shape_id": f"{i:032d}"} | columns)) for i in range(count)]


CASES: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "TIM-03": (
        {
            "a ticket for drugs, patients read": [query(output_classes=P, **vendor(ticket="T1", in_scope=False))],
            "a ticket for reading, a table altered": [query(verb="alter", schema_change=True, **vendor(ticket="T1", in_scope=False))],
            "a ticket for one file, another fetched": [transfer(**vendor(ticket="T1", in_scope=False))],
        },
        {
            "inside the ticket": [query(output_classes=P, **vendor(ticket="T1", in_scope=True, approved=True))],
            "without a ticket it is another rule": [query(output_classes=P, **vendor(in_scope=False))],
            "the folder of the package is looked for": [transfer(action="list", direction=None, path="/in", **vendor(ticket="T1", in_scope=False))],
            "own staff": [query(output_classes=P, ticket="T1", in_scope=False)],
            "refused": [query(output_classes=P, outcome="failed", **vendor(ticket="T1", in_scope=False))],
        },
    ),
    "IDN-01": (
        {
            "one account at four desks": from_places(4),
            "a vendor's account from three places": from_places(3, **vendor()),
            "in half an hour": from_places(3, every=9, make=login),
        },
        {
            "two desks": from_places(2),
            "a nurses' account at its agreed desks": from_places(30, place_allowed=True),
            "three desks in a day": from_places(3, every=300),
            "the application's servers": from_places(12, **service()),
            "wrong passwords are another rule": from_places(9, make=login, outcome="failed"),
        },
    ),
    "IDN-02": (
        {
            "a vendor sets another role": [query(verb="set", identity_switch=True, shape="set role dba", **vendor())],
            "own staff without a written scope": [query(verb="set", identity_switch=True)],
            "a service at a foreign place": [query(verb="set", identity_switch=True, **service(place_allowed=False))],
        },
        {
            "the pool of the application": [query(verb="set", identity_switch=True, **service())],
            "the administrator, whose scope allows it": [query(verb="set", identity_switch=True, in_scope=True)],
            "a registered job": [query(verb="set", identity_switch=True, **JOB)],
            "it was refused": [query(verb="set", identity_switch=True, outcome="failed")],
            "an ordinary setting": [query(verb="set", shape="set search_path='?'")],
        },
    ),
    "IDN-03": (
        {
            "own password wrong, then the application's account": [login(0, outcome="failed"), login(2, **service())],
            "several names, then the backup's": [*[login(i, account=f"u{i}", outcome="failed") for i in range(8)], login(9, **service(account="bak", place_allowed=False))],
            "refusals told apart": [login(0, outcome="failed", record_role="outcome"), login(20, **service(place_allowed=False))],
        },
        {
            "the application's own server, after a wrong password": [login(0, outcome="failed", **service()), login(1, **service(place_allowed=True))],
            "somebody mistypes, then logs in": [login(0, outcome="failed"), login(1)],
            "an hour later": [login(0, outcome="failed"), login(61, **service())],
            "from another address": [login(0, outcome="failed", client_ip="10.0.0.9"), login(2, **service())],
            "the service first": [login(0, **service()), login(2, outcome="failed")],
        },
    ),
    "IDN-05": (
        {
            "a clinic's program reads the dictionary and all patients": [query(0, **DICTIONARY, **SCREEN), query(5, **BIG, **SCREEN)],
            "the other way round": [query(0, **BIG, **SCREEN), query(5, **DICTIONARY, **SCREEN)],
            "through the application's account": [query(0, **DICTIONARY, **SCREEN, **service()), query(5, **BIG, **SCREEN, **service())],
        },
        {
            "a query tool says what it is": [query(0, **DICTIONARY, **TOOL), query(5, **BIG, **TOOL)],
            "the program reads the dictionary at its start": [query(0, **DICTIONARY, **SCREEN), query(5, output_classes=P, restriction="point", **SCREEN)],
            "two sessions": [query(0, **DICTIONARY, **SCREEN), query(5, **(BIG | {"session": "s2"}), **SCREEN)],
            "a ward's list": [query(0, **DICTIONARY, **SCREEN), query(5, output_classes=P, restriction="range", rows=50, **SCREEN)],
            "a driver": [query(0, **DICTIONARY, client_program="PostgreSQL JDBC Driver", program_kind=None), query(5, **BIG, client_program="PostgreSQL JDBC Driver", program_kind=None)],
        },
    ),
    "IDN-06": (
        {
            "in the vendors' room and on the internet": [query(0, **vendor()), login(20, client_inside=False, client_ip="203.0.113.9", **vendor())],
            "two systems, one person": [login(0, client_inside=False, client_ip="203.0.113.9"), transfer(30, person="zhou", account="ftp_zhou")],
            "files and statements": [transfer(0, client_inside=False, client_ip="203.0.113.9", **vendor(account="ftp_sun")), query(50, **vendor())],
        },
        {
            "inside all day": many(20, query, 1),
            "outside all evening": many(20, login, 1, client_inside=False),
            "home two hours later": [query(0), login(121, client_inside=False, client_ip="203.0.113.9")],
            "two people": [query(0), login(5, client_inside=False, client_ip="203.0.113.9", **vendor())],
            "the server's own socket": [query(0, client_ip="[local]"), login(5, client_inside=False, client_ip="203.0.113.9")],
            "a mail that was written": [query(0), transfer(5, person="zhou", client_inside=False, object_type="MAILBOX")],
        },
    ),
    "IDN-08": (
        {
            "an account in no register reads patients": [query(**BIG, account="x9", person=None, account_registered=False, actor_kind="unknown")],
            "one row is enough": [query(output_classes=P, restriction="point", account="x9", person=None, account_registered=False, actor_kind="unknown")],
            "a shared account, told apart by nothing": [query(**BIG, account="ops", person=None)],
        },
        {
            "a registered person": [query(**BIG)],
            "a shared account at its person's desk": [query(**BIG, account="ops", person="lin")],
            "nothing of the system is registered yet": [query(**BIG, account="x9", person=None, account_registered=None, actor_kind="unknown")],
            "a service is no person": [query(**BIG, **service())],
            "drugs": [query(output_classes=["drug"], account="x9", person=None, account_registered=False, actor_kind="unknown")],
        },
    ),
    "REC-01": (
        {
            "a vendor goes through the dictionary": dictionary(15, **vendor()),
            "twelve statements in nine minutes": dictionary(12, every=0.8, **vendor()),
            "the application's account in a query tool": dictionary(20, **service(), **TOOL),
        },
        {
            "own staff at work": dictionary(40),
            "a tool opens its tree": dictionary(6, **vendor(), **TOOL),
            "the same statement all day": [query(i, **DICTIONARY, **vendor()) for i in range(300)],
            "what drivers ask at every start": dictionary(40, shape="select typname from pg_catalog.pg_type", **vendor()),
            "a dump reads the dictionary": dictionary(40, client_program="pg_dump", program_kind="dump_tool", **vendor()),
            "with a ticket": dictionary(40, **vendor(approved=True, ticket="T1")),
        },
    ),
    "REC-02": (
        {
            "a vendor looks for columns of identity cards": [query(**HUNT, **vendor())],
            "nobody known, in the sources": [query(shape="select name from dba_source where upper(text)like'?'", dialect="oracle", actor_kind="unknown")],
            "in PostgreSQL's own tables": [query(shape="select attrelid from pg_catalog.pg_attribute where attname ilike'?'", **vendor())],
        },
        {
            "columns of one table": [query(shape="select column_name from information_schema.columns where table_name='?'", **vendor())],
            "own staff": [query(**HUNT)],
            "patients by name": [query(**BROWSE, **vendor())],
            "with a ticket": [query(**HUNT, **vendor(approved=True, ticket="T1"))],
            "the application at its start": [query(**HUNT, **SCREEN, **service())],
        },
    ),
    "ABU-04": (
        {
            "twelve names tried at the console": many(12, query, 1, **BROWSE),
            "a vendor looks for somebody": many(10, query, 2, **BROWSE, **vendor()),
            "in a query tool, by letters of the sound": many(10, query, 3, **(BROWSE | {"shape": "select*from patients where pyjm like'?'"}), **TOOL),
        },
        {
            "the registration desk, all day": many(400, query, 0.1, **BROWSE, **SCREEN),
            "the archive, whose scope names identity": many(40, query, 1, **BROWSE, in_scope=True, **TOOL),
            "namesakes sorted out": many(4, query, 1, **BROWSE),
            "by number": many(60, query, 0.1, output_classes=P, restriction="point", shape="select*from patients where mrn='?'"),
            "over a week": many(20, query, 500, **BROWSE),
        },
    ),
    "ACC-06": (
        {
            "a vendor on its way out logs in": [login(**vendor(**LEAVING))],
            "and reads": [query(output_classes=P, **vendor(**LEAVING))],
            "and fetches a file": [transfer(**vendor(**LEAVING))],
        },
        {
            "the handover has a ticket": [query(**vendor(ticket="HANDOVER", **LEAVING))],
            "the narrow scope of the warranty": [query(**vendor(in_scope=True, **LEAVING))],
            "a vendor in contract": [login(**vendor(vendor_state="active"))],
            "a wrong password": [login(outcome="failed", **vendor(**LEAVING))],
            "one that has left is another rule": [login(**vendor(vendor_state="exited"))],
        },
    ),
    "VND-02": (
        {
            "an expired certificate, patients read": [query(output_classes=P, qualified=False, **vendor())],
            "a table altered": [query(verb="alter", schema_change=True, qualified=False, **vendor())],
            "own staff as well": [query(verb="update", qualified=False)],
        },
        {
            "it holds": [query(output_classes=P, qualified=True, **vendor())],
            "none is written": [query(output_classes=P, **vendor())],
            "a log-in only": [login(qualified=False, **vendor())],
            "the state of the server": [query(qualified=False, **vendor())],
            "refused": [query(output_classes=P, qualified=False, outcome="failed", **vendor())],
        },
    ),
    "VND-06": (
        {
            "a supplier of printers reads patients": [query(output_classes=P, **vendor(vendor_tier="C"))],
            "and changes production": [query(verb="update", **vendor(vendor_tier="C"))],
            "and makes an account": [query(verb="create", privilege_change=True, **vendor(vendor_tier="C"))],
        },
        {
            "a vendor of tier A": [query(output_classes=P, **vendor())],
            "inside its contract": [query(output_classes=P, **vendor(vendor_tier="C", in_scope=True))],
            "the state of the server": [query(**vendor(vendor_tier="C"))],
            "with a ticket": [query(output_classes=P, **vendor(vendor_tier="C", approved=True, ticket="T1"))],
            "own staff": [query(output_classes=P)],
        },
    ),
    "VND-10": (
        {
            "the account of a vendor that left": [login(person_valid=False, **vendor(vendor_state="exited"))],
            "even a failed try": [login(outcome="failed", person_valid=False, **vendor(vendor_state="exited"))],
            "a file": [transfer(**vendor(vendor_state="exited"))],
        },
        {
            "a vendor in contract": [login(**vendor(vendor_state="active"))],
            "on its way out": [login(**vendor(vendor_state="exiting"))],
            "own staff": [login()],
            "a message that names it": [query(action="notice", **vendor(vendor_state="exited"))],
        },
    ),
    "MED-04": (
        {
            "a nurse's account from a laptop": [login(place_allowed=False)],
            "a vendor's from another room": [login(place_allowed=False, **vendor())],
            "the owner over the network": [login(account="postgres", person=None, actor_kind="owner", place_allowed=False)],
        },
        {
            "from its desk": [login(place_allowed=True)],
            "no addresses are agreed": [login(place_allowed=None)],
            "a wrong password": [login(place_allowed=False, outcome="failed")],
            "from outside it is another rule": [login(place_allowed=False, client_inside=False)],
            "a service is another rule": [login(**service(place_allowed=False))],
            "with a ticket": [login(place_allowed=False, **vendor(approved=True, ticket="T1"))],
        },
    ),
}  # fmt: skip
