"""An API server that answers each kind of write with one trouble after the other before it carries it out."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from studio_e2e.gates.admission import AdmissionGate

# HTTP status and the reason of the Status object, as an API server gives them.
TROUBLES = ((429, "TooManyRequests"), (409, "Conflict"), (500, "InternalError"))


@dataclass
class Refusals:
    """What was refused so far, by its step; each step has all `troubles`, and passes then."""

    requests: AdmissionGate
    troubles: Sequence[tuple[int, str]] = TROUBLES
    refused: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def until(self, done: Callable[[], bool]) -> Callable[[], bool]:
        """A probe that answers whoever is at the gate; when nobody is, it asks whether all is `done`."""

        def probe() -> bool:
            arrived = self.requests.held()
            for held in arrived:
                known = self.refused[held.step]
                if len(known) == len(self.troubles):
                    held.allow()
                    continue
                code, reason = self.troubles[len(known)]
                known.append(code)
                held.refuse(code, reason, "so the test wants it")
            return not arrived and done()

        return probe
