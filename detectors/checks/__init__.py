"""Detections that no condition on one event can express: a function each, named by `hiswatch.check` of a rule file.

The rule file gives id, texts, likelihood and impact, limits (`numbers`), what it misses; the function is handed what it judges
(frames, the time) and its rule, and returns what it found as `report.Told`. Whoever calls it (`monitor.checking`) makes findings of that.
"""
