"""What races ask at entry, in the words of different organisers: data only.

What belongs here: questionnaires, as (wording, kind of answer, which value answers it). What
doesn't: the answers (`people`) and how they are laid out in a record (`layouts`). The same fact is
asked for in different words from event to event, as it is in real accounts.
"""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """One question: its wording, its kind, and the slot whose value answers it."""

    wording: str
    kind: str
    slot: str


QUESTIONNAIRES: tuple[tuple[Question, ...], ...] = (
    (
        Question("First name", "TEXT", "first_name"),
        Question("Last name", "TEXT", "last_name"),
        Question("Email", "EMAIL", "email"),
        Question("Mobile number", "PHONE", "mobile"),
        Question("Date of birth", "DATE", "birth_iso"),
        Question("Gender", "SELECT", "gender_word"),
        Question("Running club", "TEXT", "club"),
        Question("Nationality", "TEXT", "nationality"),
        Question("Emergency contact name", "TEXT", "emergency_name"),
        Question("Emergency contact number", "PHONE", "emergency_phone"),
        Question("Do you have any medical conditions?", "TEXTAREA", "medical_notes"),
        Question("T-shirt size", "SELECT", "shirt_size"),
        Question("Predicted finish time", "TIME", "finish_time"),
        Question("Why are you running for charity?", "TEXTAREA", "charity_reason"),
        Question("Postcode", "TEXT", "postcode"),
        Question("I accept the terms and conditions", "CHECKBOX", "accepted"),
    ),
    (
        Question("Forename", "TEXT", "first_name"),
        Question("Surname", "TEXT", "last_name"),
        Question("Email address", "EMAIL", "email"),
        Question("Phone", "PHONE", "mobile"),
        Question("DOB", "DATE", "birth_british"),
        Question("Sex (for results)", "SELECT", "gender_letter"),
        Question("Club (if affiliated)", "TEXT", "club"),
        Question("Country", "SELECT", "country_code"),
        Question("ICE name", "TEXT", "emergency_name"),
        Question("ICE phone", "PHONE", "emergency_phone"),
        Question("Medical information for our first aiders", "TEXTAREA", "medical_notes"),
        Question("Tee size", "SELECT", "shirt_size"),
        Question("Estimated time (hh:mm:ss)", "TIME", "finish_time"),
        Question("Tell us your story", "TEXTAREA", "charity_reason"),
        Question("Post code", "TEXT", "postcode"),
        Question("I have read the race rules", "CHECKBOX", "accepted"),
    ),
    (
        Question("Name of participant (first)", "TEXT", "first_name"),
        Question("Name of participant (last)", "TEXT", "last_name"),
        Question("Participant's e-mail", "EMAIL", "email"),
        Question("Contact telephone number", "PHONE", "mobile"),
        Question("Birth date", "DATE", "birth_iso"),
        Question("What is your gender?", "SELECT", "gender_word"),
        Question("Athletics club or team", "TEXT", "club"),
        Question("What is your nationality?", "TEXT", "nationality"),
        Question("Who should we call in an emergency?", "TEXT", "emergency_name"),
        Question("Emergency telephone", "PHONE", "emergency_phone"),
        Question("Allergies, medication or conditions", "TEXTAREA", "medical_notes"),
        Question("Finisher's shirt", "SELECT", "shirt_size"),
        Question("Expected finish", "TIME", "finish_time"),
        Question("Reason for fundraising", "TEXTAREA", "charity_reason"),
        Question("ZIP or postal code", "TEXT", "postcode"),
        Question("I agree to the waiver", "CHECKBOX", "accepted"),
    ),
    (
        Question("first_name", "TEXT", "first_name"),
        Question("last_name", "TEXT", "last_name"),
        Question("E-mail", "EMAIL", "email"),
        Question("Cell / mobile", "PHONE", "mobile"),
        Question("D.O.B.", "DATE", "birth_british"),
        Question("Gender category", "SELECT", "gender_word"),
        Question("Club", "TEXT", "club"),
        Question("Nation", "SELECT", "country_code"),
        Question("Emergency contact (full name)", "TEXT", "emergency_name"),
        Question("Emergency contact mobile", "PHONE", "emergency_phone"),
        Question("Medical notes", "TEXTAREA", "medical_notes"),
        Question("T shirt", "SELECT", "shirt_size"),
        Question("Target time", "TIME", "finish_time"),
        Question("Your charity story", "TEXTAREA", "charity_reason"),
        Question("Address: postcode", "TEXT", "postcode"),
        Question("Terms accepted", "CHECKBOX", "accepted"),
    ),
)

# Asked on top where the entrant is a child and somebody else books.
CHILD_QUESTIONS: tuple[Question, ...] = (
    Question("Parent or guardian attending", "TEXT", "emergency_name"),
    Question("School", "TEXT", "school"),
)
