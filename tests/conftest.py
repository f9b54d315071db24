"""Prints at the end what the exactness tests counted, summed over tests and workers."""


def pytest_terminal_summary(terminalreporter):
    totals = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name.startswith("counted "):
                    totals[name] = totals.get(name, 0) + value
    for name, value in sorted(totals.items()):
        terminalreporter.write_line(f"{name.removeprefix('counted ')}: {value:,}")
