"""Who, when, how sensitive: the register, the calendar and file names joined to events (`Context.enrich`)."""

from detectors.context.calendar import Calendar
from detectors.context.enrich import Context

__all__ = ["Calendar", "Context"]
