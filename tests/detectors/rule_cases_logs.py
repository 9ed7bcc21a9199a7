"""What rules about hosts, mail, modules and the messages of servers must and must not raise."""

from __future__ import annotations

from builders import event, login, query, service, transfer, vendor
from rule_cases import DUMP, P, failures, files

STICK = {
    "action": "device",
    "object_type": "USB",
    "object_name": "0781:5581 4C53",
    "session": "ws07:usb1-1.4",
    "system": "host",
}
VOLUME = {"action": "device", "object_type": "VOLUME", "command": "MOUNT", "account": "uid:1003", "system": "host"}
TO_STICK = {
    "path": "/media/chen/U盘/名单.xlsx", "file_shape": "table_export", "bytes": None, "bytes_kind": "unknown",
    "client_program": "/usr/bin/cp", "account": "uid:1003", "person": None, "actor_kind": "unknown", "system": "host",
}  # fmt: skip
MAIL = {
    "action": "upload", "direction": "out", "object_type": "MAILBOX", "object_name": "a@out.example", "format": "postfix",
    "account": "chen@his.local", "path": "名单.xlsx", "file_shape": "table_export", "bytes": 400_000, "bytes_kind": "estimated",
}  # fmt: skip
DUMP_MAIL = MAIL | {"path": "full.dmp.7z", "file_shape": "dump"}
ACCOUNT = {
    "action": "notice",
    "object_type": "ACCOUNT",
    "object_name": "helper",
    "system": "host",
    "actor_kind": "unknown",
}
NEW_USER = "new user: name=helper, UID=1005, GID=1005, home=/home/helper, shell=/bin/bash, from=/dev/pts/0"
MODULE = {"object_type": "MODULE", "object_name": "backup", "system": "ftp"}
UNTOLD_KEY = {"output_classes": P, "restriction": "point"}


def told(detail, **columns):
    return event(**({"action": "setting", "detail": detail} | columns))


def folders(count, every=0.01, **columns):
    return [
        transfer(i * every, **({"action": "list", "path": f"/bl/{i}", "file_shape": "other"} | columns))
        for i in range(count)
    ]


def missing(count, every=0.01, code="404", **columns):
    return files(
        count, name="/.old/{}.zip", every=every, outcome="failed", error_code=code, bytes=None, account=None, person=None,
        actor_kind="unknown", **columns,
    )  # fmt: skip


def untold_keys(count, every=0.1, **columns):
    return [query(i * every, **(UNTOLD_KEY | columns)) for i in range(count)]


CASES: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "MED-01": (
        {
            "a stick is plugged in": [event(command="ATTACH", **STICK)],
            "a stick is mounted for a user": [event(path="/media/chen/U盘", **VOLUME)],
            "the same below /run": [event(path="/run/media/chen/DISK", **VOLUME)],
        },
        {
            "a keyboard is found": [event(command="FOUND", record_role="part", **STICK)],
            "the stick is taken away": [event(command="DETACH", record_role="part", **STICK)],
            "a network share is mounted at its place": [event(path="/srv/pacs", **VOLUME)],
            "mounting was refused": [event(path="/media/x", outcome="failed", **VOLUME)],
        },
    ),
    "MED-01b": (
        {"a list is copied to a stick": [transfer(**TO_STICK)], "a dump as well": [transfer(**(TO_STICK | {"path": "/run/media/c/D/a.dmp", "file_shape": "dump"}))]},
        {
            "a form is copied to a stick": [transfer(**(TO_STICK | {"path": "/media/c/D/a.docx", "file_shape": "document"}))],
            "a list is saved at home": [transfer(**(TO_STICK | {"path": "/home/c/名单.xlsx"}))],
            "a file server whose folder is called /mnt": [transfer(path="/mnt/out/名单.xlsx", file_shape="table_export")],
            "it could not be written": [transfer(outcome="failed", **TO_STICK)],
        },
    ),
    "MED-02": (
        {
            "a patient list to a mailbox outside": [transfer(**MAIL)],
            "an archive": [transfer(**(MAIL | {"path": "photos.zip", "file_shape": "archive"}))],
            "one mail to two mailboxes": [transfer(**(MAIL | {"object_name": name})) for name in ("a@out.example", "b@out.example")],
            "twelve megabytes whose attachments the log does not name": [transfer(**(MAIL | {"path": None, "file_shape": None, "bytes": 12_000_000}))],
        },
        {
            "a roster to a colleague": [transfer(**(MAIL | {"direction": "in"}))],
            "a ticket without attachment": [transfer(**(MAIL | {"path": None, "file_shape": None, "bytes": 418}))],
            "a form": [transfer(**(MAIL | {"path": "a.docx", "file_shape": "document"}))],
            "it could not be delivered": [transfer(outcome="failed", **MAIL)],
            "put on the file server": [transfer(action="upload", direction="in", file_shape="table_export")],
        },
    ),
    "MED-02b": (
        {
            "a part of a dump is mailed out": [transfer(**DUMP_MAIL)],
            "the mail server refuses it for its size": [transfer(**(DUMP_MAIL | {"object_type": None, "object_name": None, "outcome": "failed", "bytes": None}))],
        },
        {"a list is another rule": [transfer(**MAIL)], "a script comes in": [transfer(**(DUMP_MAIL | {"direction": "in"}))], "fetched from the file server": [transfer(**DUMP)]},
    ),
    "ACC-05c": (
        {
            "a user who can log in is made": [event(command="USERADD", detail=NEW_USER, **ACCOUNT)],
            "an account joins the administrators": [event(command="USERMOD", detail="add 'helper' to group 'sudo'", **ACCOUNT)],
            "root gets another password": [event(command="PASSWD", detail="password changed for root", **(ACCOUNT | {"object_name": "root"}))],
            "the kernel's audit tells it": [event(action="notice", command="ADD_USER", detail="op=adding user id=1009 res=success", account="uid:1003")],
        },
        {
            "a package makes its account": [event(command="USERADD", detail=NEW_USER.replace("/bin/bash", "/usr/sbin/nologin"), **ACCOUNT)],
            "its group": [event(command="USERADD", detail="new group: name=helper, GID=1005", **ACCOUNT)],
            "somebody changes the own password": [event(command="PASSWD", detail="password changed for helper", **ACCOUNT)],
            "it failed": [event(command="USERADD", detail="failed adding user 'helper'", outcome="failed", **ACCOUNT)],
            "approved": [event(command="USERADD", detail=NEW_USER, approved=True, ticket="T1", **ACCOUNT)],
        },
    ),
    "AUD-01b": (
        {
            "the plugin stops": [told("logging was stopped.")],
            "its file is another one": [told("Log file name was changed to '?'.")],
            "rules of the host are removed": [told('op=remove_rule key="dump" list=4 res=1', command="CONFIG_CHANGE", session=":ses12")],
            "the host's audit is switched off": [told("op=set audit_enabled=0 old=1", command="CONFIG_CHANGE", session=":ses12")],
        },
        {
            "the plugin begins": [told("logging started to the file /var/log/server_audit.log.")],
            "the server stops as a whole": [told("STOPPED")],
            "rules are loaded anew at boot": [told('op=remove_rule key="dump" list=4 res=1', command="CONFIG_CHANGE")],
            "a rule more": [told('op=add_rule key="dump" list=4 res=1', command="CONFIG_CHANGE", session=":ses12")],
            "a query that says so": [query(detail="logging was stopped.")],
        },
    ),
    "AUD-01c": (
        {
            "the plugin of MariaDB is gone": [told("STOPPED", format="mariadb_error_log")],
            "the audit of MySQL ends": [told("audit shutdown: {'?': 1}", format="mysql_audit_json")],
            "the host's daemon ends": [told("op=terminate res=success", command="DAEMON_END")],
        },
        {
            "it begins": [told("MariaDB Audit Plugin version 1.4.14 STARTED.", format="mariadb_error_log")],
            "it begins at MySQL": [told("audit startup: /usr/sbin/mysqld", format="mysql_audit_xml")],
            "the server stops, by its own words": [event(action="notice", detail="Normal shutdown", format="mariadb_error_log")],
            "another server's word": [told("STOPPED")],
        },
    ),
    "CHG-08b": (
        {"a dump is deleted": [transfer(action="delete", direction=None, **DUMP)], "by a vendor": [transfer(action="delete", direction=None, **DUMP, **vendor())]},
        {
            "a report is deleted": [transfer(action="delete", direction=None)],
            "refused": [transfer(action="delete", direction=None, outcome="failed", **DUMP)],
            "the backup agent clears old ones": [transfer(action="delete", direction=None, **DUMP, **service())],
        },
    ),
    "XFR-09": (
        {"a vendor pulls from a module": [login(command="PULL", **MODULE, **vendor())], "somebody unknown pushes": [login(command="PUSH", actor_kind="unknown", **MODULE)]},
        {
            "the backup agent": [login(command="PUSH", **MODULE, **service())],
            "a public module names nobody": [login(command="PULL", **(MODULE | {"account": None, "person": None, "actor_kind": "unknown"}))],
            "a password that was wrong": [login(command="PULL", outcome="failed", **MODULE, **vendor())],
            "approved": [login(command="PUSH", **MODULE, **vendor(approved=True, ticket="T1"))],
            "a share is opened": [login(command="CONNECT", object_type="SHARE", **vendor())],
        },
    ),
    "VND-03": (
        {"a vendor from the internet": [login(client_inside=False, **vendor())], "by key as well": [login(client_inside=False, command="PUBLICKEY", **vendor())]},
        {
            "from the vendors' room": [login(**vendor())],
            "with a ticket": [login(client_inside=False, ticket="T1", **vendor())],
            "a password that was wrong": [login(client_inside=False, outcome="failed", **vendor())],
            "the log tells no address": [login(client_inside=None, **vendor())],
            "the hospital's own": [login(client_inside=False)],
        },
    ),
    "REC-04": (
        {"a whole tree in seconds": folders(60), "fifty folders in nine minutes": folders(50, every=0.18)},
        {
            "somebody looks for a form": folders(12),
            "the same folder refreshed": folders(200, path="/bl"),
            "over a day": folders(60, every=20),
            "an indexing service": folders(500, **service()),
        },
    ),
    "REC-03c": (
        {"names are tried": missing(25), "forbidden ones": missing(20, code="403")},
        {
            "a page with a few dead links": missing(5),
            "one dead link, often": [row for _ in range(30) for row in missing(1)],
            "files of a file server": files(30, outcome="failed", error_code="Permission denied", bytes=None),
            "over hours": missing(25, every=5),
        },
    ),
    "EXF-05d": (
        {"a hundred single patients behind placeholders": untold_keys(100, **vendor()), "by somebody unknown": untold_keys(60, actor_kind="unknown")},
        {
            "fifty-nine": untold_keys(59, **vendor()),
            "the ward's screens": untold_keys(300),
            "the application": untold_keys(900, **service()),
            "numbers are told: other rules": untold_keys(100, patient_key_count=1, **vendor()),
            "over a day": untold_keys(100, every=5, **vendor()),
        },
    ),
    "IDN-07d": (
        {"eight refusals": failures(8, record_role="outcome"), "at a server that tells nothing else": failures(20, record_role="outcome", action="login")},
        {"seven": failures(7, record_role="outcome"), "told at once: another rule": failures(20), "over a day": failures(10, every=60, record_role="outcome")},
    ),
}  # fmt: skip

# More sentences for rules that stand elsewhere.
ALSO: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "XFR-01": ({}, {"a script comes by mail": [transfer(**(DUMP_MAIL | {"direction": "in"}))]}),
    "XFR-01b": ({}, {"an archive mailed to a colleague": [transfer(**(MAIL | {"direction": "in", "file_shape": "archive"}))]}),
    "XFR-03": ({}, {"a mail from outside": [transfer(client_inside=False, **(MAIL | {"direction": "in", "file_shape": "archive"}))]}),
    "XFR-05": ({}, {"a mail with twenty lists": [transfer(i * 0.01, **(MAIL | {"path": f"{i}.csv"})) for i in range(20)]}),
    "XFR-08": ({}, {"a list mailed by somebody unknown is another rule": [transfer(actor_kind="unknown", **MAIL)]}),
    "XFR-06": (
        {"a dump steps aside under the name of a work file": [transfer(action="rename", path="/a.dmp", path2="/1A2B3C4D.tmp", file_shape="dump")]},
        {
            "a spreadsheet is saved: the old version steps aside": [transfer(action="rename", path="/bl/名单.xlsx", path2="/bl/1A2B3C4D.tmp", file_shape="table_export")],
            "a document likewise": [transfer(action="rename", path="/bl/患者清单.docx", path2="/bl/~WRL0003.tmp", file_shape="table_export")],
        },
    ),
    "XFR-02": ({}, {"a read, then a mail to a colleague": [query(output_classes=P, restriction="none", rows=4000, **vendor()), transfer(9, **(MAIL | {"direction": "in", "file_shape": "archive"} | vendor()))]}),
    "ACC-03": ({}, {"the sender of a mail is no account": [transfer(account_registered=False, actor_kind="unknown", **MAIL)], "nor of a mail that is refused for its size": [transfer(account_registered=False, actor_kind="unknown", outcome="failed", **(MAIL | {"object_name": None, "path": None, "file_shape": None, "bytes": None}))]}),
    "AUD-02": (
        {"users are excluded": [told("server_audit_excl_users set to '?'.")]},
        {"the plugin begins with the server": [told("logging started to the file /var/log/server_audit.log.")]},
    ),
    "REC-03b": ({}, {"three mailboxes that take no mail": [transfer(i, outcome="failed", **MAIL) for i in range(3)]}),
    "IDN-07b": ({"refusals that a log tells apart": [login(i, account=f"u{i}", outcome="failed", record_role="outcome") for i in range(5)]}, {}),
}  # fmt: skip
