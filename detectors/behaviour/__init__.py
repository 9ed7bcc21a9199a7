"""What is usual, and what is not: behaviour of accounts, people and addresses compared with their own past and their peers.

A rule file selects events with an ordinary Sigma condition; its `hiswatch.behaviour:` block (`blocks.py`) says what is compared. One
module a kind. The memory is rows that only grow and add up (`tables.py`): a batch writes what it adds, a start adds up
what was written. A day is compared with days before it, so a finding is a function of the set of events.
"""
