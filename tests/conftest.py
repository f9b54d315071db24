"""Prints at the end what the exactness tests counted, summed over tests and workers."""

import os

# dcor, the reference of one test, compiles itself at import; the LLVM that does so was seen to
# abort in a process that held torch and LiteRT too. Interpreted, it gives the same numbers.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")


def pytest_terminal_summary(terminalreporter):
    totals = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name.startswith("counted "):
                    totals[name] = totals.get(name, 0) + value
    for name, value in sorted(totals.items()):
        terminalreporter.write_line(f"{name.removeprefix('counted ')}: {value:,}")
