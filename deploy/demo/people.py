"""Made-up people for the customer numbers of the file, and the chance that decides about them: a hash, so that a seed is all of it."""

import hashlib
from dataclasses import dataclass

# The file says the country alone; a person's zone and language are taken from it.
COUNTRIES = {
    "United Kingdom": ("Europe/London", "en"),
    "Germany": ("Europe/Berlin", "de"),
    "France": ("Europe/Paris", "fr"),
    "EIRE": ("Europe/Dublin", "en"),
    "Portugal": ("Europe/Lisbon", "pt"),
    "Belgium": ("Europe/Brussels", "nl"),
    "Australia": ("Australia/Sydney", "en"),
    "Spain": ("Europe/Madrid", "es"),
    "Lithuania": ("Europe/Vilnius", "lt"),
    "Netherlands": ("Europe/Amsterdam", "nl"),
    "Italy": ("Europe/Rome", "it"),
    "Japan": ("Asia/Tokyo", "ja"),
    "Sweden": ("Europe/Stockholm", "sv"),
    "Norway": ("Europe/Oslo", "no"),
    "Switzerland": ("Europe/Zurich", "de"),
    "Austria": ("Europe/Vienna", "de"),
    "Poland": ("Europe/Warsaw", "pl"),
    "Iceland": ("Atlantic/Reykjavik", "is"),
    "Channel Islands": ("Europe/Jersey", "en"),
    "Denmark": ("Europe/Copenhagen", "da"),
    "Cyprus": ("Asia/Nicosia", "el"),
    "Israel": ("Asia/Jerusalem", "he"),
    "Finland": ("Europe/Helsinki", "fi"),
    "Bahrain": ("Asia/Bahrain", "ar"),
}
# fmt: off
NAMES = (
    "Ada", "Alan", "Alice", "Amir", "Anna", "Arthur", "Bella", "Ben", "Carla", "Chloe", "Clara", "Daniel", "Diana", "Edith", "Elena",
    "Emil", "Emma", "Ethan", "Eva", "Fiona", "Frank", "Freya", "George", "Grace", "Hannah", "Harry", "Hugo", "Ida", "Ingrid", "Irene",
    "Isla", "Ivan", "Jack", "Jane", "Julia", "Kai", "Karen", "Lara", "Leo", "Lily", "Linus", "Lucy", "Maja", "Marco", "Maria", "Max",
    "Mia", "Nadia", "Nina", "Noah", "Nora", "Oliver", "Olga", "Oscar", "Paul", "Petra", "Rosa", "Ruth", "Sam", "Sara", "Simon",
    "Sofia", "Theo", "Tom", "Vera", "Victor", "Zoe",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Person:
    """One customer of the file. Name and address are made up; the domain is reserved for examples, nobody has it."""

    id: str
    country: str
    first_name: str
    time_zone: str
    language: str

    @property
    def email(self) -> str:
        return f"{self.id}@customers.example"


def draw(seed: int, *about: str | int) -> float:
    """A number in [0, 1) that depends on the seed and on what it is drawn for, and on nothing else."""
    name = "\x1f".join(map(str, (seed, *about))).encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:7], "big") / (1 << 56)


def person(seed: int, customer: str, country: str) -> Person:
    zone, language = COUNTRIES.get(country, ("Europe/London", "en"))
    name = NAMES[int(draw(seed, "name", customer) * len(NAMES))]
    return Person(f"c{customer}", country, name, zone, language)
