"""A picture of the docs is written again only where a reader could see or hear the difference."""

import pytest

from tools.pictures import look_alike

PICTURE = (
    '<svg><path aria-label="share: 0.25" d="M0,131.394L3.033,131.394" fill="#2f6690"/><text>May</text></svg>'
)


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("131.394L", "131.394L", True),
        ("131.394L", "131.441L", True),
        ("131.394L", "131.6L", False),
        ("M0,131.394L3.033,131.394", "M0,131.394", False),
        ("share: 0.25", "share: 0.25000001", True),
        ("share: 0.25", "share: 0.251", False),
        ("#2f6690", "#2f6691", False),
        ("#2f6690", "#b5443c", False),
        ("<text>May</text>", "<text>June</text>", False),
        ("<text>May</text>", "<text>May 1</text>", False),
    ],
)
def test_digits_that_nobody_can_see_are_no_difference(old: str, new: str, alike: bool) -> None:
    assert old in PICTURE
    assert look_alike(PICTURE, PICTURE.replace(old, new)) is alike
