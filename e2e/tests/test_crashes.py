"""Whatever dies at whatever moment, the end state is the same; and a namespace can always go."""

import random
import time
from typing import Any

from stage.kubectl import conditions
from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, faults
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]
KILLS = 3
SEED = 20


def test_an_operator_killed_during_the_first_apply_ends_in_the_same_state_and_all_can_go(space: Space) -> None:
    porter = Assistant(space, "porter")
    moments = sorted(random.Random(SEED).uniform(1, 45) for _ in range(KILLS))
    porter.apply_with_content(content.porter())
    start, trainings = time.monotonic(), set[str]()

    def ready() -> Manifest:
        if moments and time.monotonic() - start > moments[0]:
            moments.pop(0)
            faults.kill_operator(space)
        trainings.update(job["metadata"]["name"] for job in porter.jobs(Component.TRAINING))
        live = porter.live()
        if moments or conditions(live).get("Ready", {}).get("status") != "True":
            raise NotYet(f"{len(moments)} kills to come\n{assistants.summary(live)}")
        return live

    eventually("Ready in spite of the kills", ready, within=300)
    assert len(trainings) == 1
    assert [studio["metadata"]["name"] for studio in space.list("studios")] == ["studio"]
    # On a starved machine an attempt of the run may be lost on the way: the next one serves in its place.
    eventually("one run is left", lambda: len(porter.runs()) == 1, within=60)
    assert assistants.slots(space) == 2
    assert len(space.list("jobs", component=Component.MIGRATION.value)) == 1
    assert chat.say(space, "porter", "survivor", ["good day"]) == [[content.GREETING]]

    # Deleted in the middle of a training, the namespace is gone in time.
    porter.set_content(content.porter(greeting="Never heard."))
    porter.wait_training_job()
    space.remove()
