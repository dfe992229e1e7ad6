"""Keys of customers from the onset of a prior drift on: they tell when somebody signed up, and nothing else.

Whom a prior drift brings is known once the purchases of a day have been drawn; who signs up anyway is known
without them, and read by later days. So a key may not depend on how many others there are: it is the moment
of signup, in steps of `MICROSECONDS_A_KEY`, and the next free one where two come together.
"""

import numpy as np

from ..base import DAY_STRIDE, Day

FIRST_BY_MOMENT = DAY_STRIDE // 2
"""Keys by moment are the upper half of a day's: a twin, which counts from 1 on, has none of them."""
MICROSECONDS_A_KEY = 200


def keys_by_moment(day: Day, signup_at: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Ascending keys of customers in order of signup, shape (n,); none of those that are `taken`."""
    place = np.arange(len(signup_at))
    keys = day.keys_from(FIRST_BY_MOMENT) + (signup_at - day.midnight) // MICROSECONDS_A_KEY
    while True:
        keys = np.maximum.accumulate(keys - place) + place
        clashing = np.isin(keys, taken)
        if not clashing.any():
            return keys
        keys = keys + clashing
