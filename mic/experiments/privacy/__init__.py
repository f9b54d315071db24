"""What features give away of the person: attackers, how good they are, what erasers leave them.

attackers  tell whether two clips show one person; `rates` says how often they are right
planted    identity of a known amount: what would an attacker have seen?
erasers    take the person out of trained features; `placebos` are what proves nothing
"""
