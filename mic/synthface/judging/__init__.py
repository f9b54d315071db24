"""How networks that never saw a generated face are judged on them; see `mic.synthface.checks`."""
