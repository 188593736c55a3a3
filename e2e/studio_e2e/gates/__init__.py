"""Gates at which the writes of a Studio's processes are held: in the database, and at the API server.

The processes are the real ones, in their pods, and know nothing of it. Who stands at a gate can be killed before what
it writes is stored, or after it was stored and before it hears of it; or the API server's answer can be another one.
"""
