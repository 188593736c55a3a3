"""How long a test waits before it calls something stuck."""

# A bound on a hang, never a measure: a machine that does five other things at once, with nothing compiled yet, needs
# ten times what an idle one needs, and a test that fails because of that says nothing about what it tests.
STUCK_SECONDS = 120.0
