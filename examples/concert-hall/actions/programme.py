"""What the hall plays and what a seat costs: plain data and arithmetic, so that it needs no engine to be tested."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CONCERTS = {
    "tuesday": "a string quartet by Haydn",
    "thursday": "the youth orchestra",
    "friday": "the piano concerto by Clara Schumann",
    "saturday": "an evening of tango",
    "sunday": "the organ matinee",
}
EUROS = {"stalls": 38, "balcony": 24, "box": 65}
COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MOST_SEATS = 8


def seat_count(text: str) -> int | None:
    """How many seats a word or a number means; None when it is neither."""
    word = text.strip().lower()
    if word in COUNTS:
        return COUNTS.index(word) + 1
    return int(word) if word.isdecimal() and int(word) > 0 else None


def price(seats: str, category: str) -> int:
    """Euros for all seats together. Raises KeyError for a category that the hall does not have."""
    return (seat_count(seats) or 0) * EUROS[category.lower()]
