"""How many running consumers a Studio has."""

from hypothesis import given
from hypothesis import strategies as st

from studio_operator.planning.scaling import running_slots

ASSISTANTS = st.integers(min_value=0, max_value=10_000)


@given(ASSISTANTS)
def test_one_slot_is_always_free(assistants: int) -> None:
    assert running_slots("AssistantsPlusOne", None, assistants) == assistants + 1


@given(ASSISTANTS)
def test_twice_as_many_let_every_assistant_swap_at_once(assistants: int) -> None:
    assert running_slots("AssistantsTimesTwo", None, assistants) == max(1, 2 * assistants)


@given(ASSISTANTS, st.integers(min_value=1, max_value=1000))
def test_a_fixed_number_is_what_it_says(assistants: int, fixed: int) -> None:
    assert running_slots("Fixed", fixed, assistants) == fixed


@given(st.sampled_from(["AssistantsPlusOne", "AssistantsTimesTwo"]), ASSISTANTS)
def test_there_are_never_fewer_slots_than_assistants(policy: str, assistants: int) -> None:
    assert running_slots(policy, None, assistants + 1) >= max(assistants + 1, running_slots(policy, None, assistants))
