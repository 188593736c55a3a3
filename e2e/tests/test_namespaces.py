"""A namespace can always go, whatever is under way in it."""

from studio_e2e import content, manifests
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space


def test_a_namespace_deleted_during_a_training_is_gone_in_time(space: Space) -> None:
    space.apply(manifests.small_studio())
    porter = Assistant(space, "porter")
    porter.apply_with_content(content.porter(greeting="Never heard."))
    porter.wait_training_job(within=180)
    space.remove()
