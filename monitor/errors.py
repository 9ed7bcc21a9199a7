"""What can go wrong, as types. Messages carry coordinates, never log content.

MonitorError
├─ StartError      the daemon or a command cannot start; the message says what to do (exit status 2)
├─ SourceError     path + errno            → retry with back-off
├─ CommitFailed    the batch may or may not be durable → reopen, reread positions, go on from there
├─ StoreFull       no space left           → reading pauses until there is
└─ DeliveryError   channel + reason code   → stays in the outbox

MonitorError itself and ConfigError (file:line:column: key: what is wrong) live in config.errors, which imports nothing of ours.
"""

from __future__ import annotations

from config.errors import MonitorError


class StartError(MonitorError):
    """Cannot start as asked."""
