"""The actions as rasa-sdk finds them: each reads the conversation, looks something up and answers with a response."""

from datetime import UTC, datetime
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.programme import CONCERTS, EUROS, MOST_SEATS, WEEKDAYS, price, seat_count

Events = list[dict[str, Any]]


class Programme(Action):
    """Tells what is on: on the day that was asked for, or tonight."""

    def name(self) -> str:
        """As it is written in domain.yml."""
        return "action_programme"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Answer with the concert of the day."""
        asked = next(tracker.get_latest_entity_values("weekday"), None)
        weekday = asked.lower() if asked else WEEKDAYS[datetime.now(UTC).weekday()]
        if weekday in CONCERTS:
            dispatcher.utter_message(response="utter_programme", weekday=weekday, concert=CONCERTS[weekday])
        else:
            dispatcher.utter_message(response="utter_no_concert", weekday=weekday)
        return []


class Price(Action):
    """Tells what the chosen seats cost, then forgets them so that the next booking starts afresh."""

    def name(self) -> str:
        """As it is written in domain.yml."""
        return "action_price"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Answer with the sum."""
        seats, category = tracker.get_slot("seats"), tracker.get_slot("category")
        dispatcher.utter_message(response="utter_price", seats=seats, category=category, price=price(seats, category))
        return [{"event": "slot", "name": slot, "value": None} for slot in ("seats", "category")]


class ValidateTicketForm(FormValidationAction):
    """Accepts only what the hall can sell; the form asks again for what was refused."""

    def name(self) -> str:
        """As the engine looks it up: validate_<form>."""
        return "validate_ticket_form"

    def validate_seats(
        self, value: str, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """At most eight seats."""
        count = seat_count(value)
        if count is not None and count > MOST_SEATS:
            dispatcher.utter_message(response="utter_too_many_seats")
        return {"seats": value.lower() if count is not None and count <= MOST_SEATS else None}

    def validate_category(
        self, value: str, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        """One of the three categories."""
        return {"category": value.lower() if value.lower() in EUROS else None}
