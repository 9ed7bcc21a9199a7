"""Inventories: which accounts and which code a server has. Read from the server (postgresql, mysql) or from exports of its views.

A reader gives a `Snapshot`; it looks and changes nothing. What it cannot do is an `InventoryFailed` with a reason code of a
short list; what an export has wrong is a ConfigError with file and line.
"""
