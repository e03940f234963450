"""Passwords are kept as hashes that are dear to try, and whoever guesses waits."""
import io
import sys
from unittest.mock import patch

import pytest

from rest import cli
from rest.passwords import check_form, hashed, matches, nobodys
from rest.throttle import Throttle

CHEAP = (10, 8, 1)


def test_a_hash_fits_its_password_only_and_is_new_every_time():
    for password in ("secret", "", "pässwörd ☃", " " * 40, "x" * 1024):
        kept = hashed(password, CHEAP)
        check_form(kept)
        assert matches(password, kept) and not matches(password + "x", kept) and kept != hashed(password, CHEAP)
        assert password not in kept or not password.strip()
    assert not matches("x" * 1025, hashed("x" * 1025, CHEAP))


def test_nobodys_password_costs_what_others_cost():
    kept = hashed("secret", CHEAP)
    check_form(nobodys(kept))
    assert nobodys(kept).split(":")[:4] == kept.split(":")[:4] and not matches("secret", nobodys(kept))


@pytest.mark.parametrize("text", [None, "", "secret", 5, "md5:x", "scrypt:15:8:3:short:" + "A" * 43,
                                  "scrypt:1:8:3:" + "A" * 22 + ":" + "A" * 43, "scrypt:20:32:16:" + "A" * 22 + ":" + "A" * 43])
def test_what_is_no_hash_is_said_without_repeating_it(text):
    with pytest.raises(ValueError) as wrong:
        check_form(text)
    assert not text or str(text) not in str(wrong.value)


def test_the_command_prints_a_hash_of_the_line_it_reads(capsys):
    with patch.object(sys, "stdin", io.StringIO("the secret\n")):
        assert cli.main(["password"]) == 0
    printed = capsys.readouterr().out.strip()
    assert matches("the secret", printed)
    with patch.object(sys, "stdin", io.StringIO("\n")):
        assert cli.main(["password"]) == 2


def test_failures_cost_twice_as_much_each_time_until_one_succeeds_or_time_passes():
    moment = [0.0]
    throttle = Throttle(2, longest=10.0, memory=100.0, now=lambda: moment[0])
    waits = []
    for _ in range(8):
        waits.append(throttle.wait("ann"))
        throttle.failed("ann")
    assert waits == [0, 0, 0, 1, 2, 4, 8, 10] and throttle.wait("bob") == 0
    moment[0] = 4.0
    assert throttle.wait("ann") == 6
    moment[0] = 101.0
    throttle.failed("ann")
    assert throttle.wait("ann") == 0
    for _ in range(5):
        throttle.failed("ann")
    throttle.worked("ann")
    assert throttle.wait("ann") == 0


def test_a_throttle_remembers_no_more_than_it_should():
    throttle = Throttle(0)
    for number in range(30_000):
        throttle.failed(number)
    assert throttle.wait(29_999) > 0 and throttle.wait(0) == 0 and len(throttle._failed) == 20_000
