"""How many running consumers a Studio needs: one slot a running model, and always one to spare."""


def running_slots(policy: str, fixed: int | None, assistants: int) -> int:
    """The replicas of the running consumer for `assistants` counted Assistants.

    `AssistantsPlusOne` keeps one slot free to bring a new model up beside the old one, `AssistantsTimesTwo` lets every
    assistant swap at once, `Fixed` is the number given. A Studio without assistants keeps one warm slot.
    """
    match policy:
        case "AssistantsTimesTwo":
            return max(1, assistants * 2)
        case "Fixed" if fixed is not None:
            return fixed
        case _:
            return assistants + 1
