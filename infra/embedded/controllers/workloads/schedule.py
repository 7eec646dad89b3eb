"""Cron schedules: five fields, or @hourly and its like.  Pure functions."""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {name.lower(): n for n, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: n for n, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FARTHEST = 366 * 5  # days to look ahead: the longest gap (29 February) and more


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes at which something is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool
    any_weekday: bool

    def on(self, day: datetime) -> bool:
        """Whether anything is due on this day."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month and in_week if self.any_day or self.any_weekday else in_month or in_week

    def after(self, moment: datetime) -> datetime | None:
        """The first due minute after `moment`; None when there is none for years."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for offset in range(_FARTHEST):
            day = (start + timedelta(days=offset)).replace(hour=0, minute=0) if offset else start
            if not self.on(day):
                continue
            for hour in sorted(h for h in self.hours if h >= day.hour):
                first = day.minute if hour == day.hour else 0
                minute = min((m for m in self.minutes if m >= first), default=None)
                if minute is not None:
                    return day.replace(hour=hour, minute=minute)
        return None


def parse(text: str) -> Schedule:
    """A schedule from its text; raises ValueError with what is wrong."""
    fields = _MACROS.get(text.strip(), text).split()
    if len(fields) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{text}]")
    minute, hour, day, month, weekday = fields
    return Schedule(
        _field(minute, 0, 59, {}),
        _field(hour, 0, 23, {}),
        _field(day, 1, 31, {}),
        _field(month, 1, 12, _MONTHS),
        frozenset(n % 7 for n in _field(weekday, 0, 7, _DAYS)),
        any_day=day.startswith(("*", "?")),
        any_weekday=weekday.startswith(("*", "?")),
    )


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step_text = part.partition("/")
        step = int(step_text) if step_text else 1
        if step < 1:
            raise ValueError(f"step of range should be a positive number: {part}")
        first, last = _span(span, low, high, names, stepped=bool(step_text))
        if not low <= first <= last <= high:
            raise ValueError(f"value outside {low}-{high}: {part}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _span(
    text: str, low: int, high: int, names: dict[str, int], *, stepped: bool
) -> tuple[int, int]:
    if text in ("*", "?"):
        return low, high
    first, dash, last = text.partition("-")
    start = _number(first, names)
    if dash:
        return start, _number(last, names)
    return start, high if stepped else start


def _number(text: str, names: dict[str, int]) -> int:
    named = names.get(text.lower())
    return int(text) if named is None else named
