"""The crash simulation: workers die at every step, and an auditor looks whether anything was lost or doubled.

Kept apart, so that none can cover for another: `workload` is the bank and its clerk, `faults` is what
goes wrong, `auditor` reads the authority's own records and our journal and nothing else. `worker` is the
process that does the work and is killed; `authority` is the other side, in a process of its own.
"""
